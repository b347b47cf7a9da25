//! Changes the parameter tree on disk.
//!
//! Parameters may hold secrets: a new value is readable by its owner alone (0600), so is a new folder (0700). What is there
//! keeps its permissions and owner.

use std::path::{Path, PathBuf};

use crate::model::names::ParameterName;
use crate::model::params::Param;
use crate::params::load::follow_inside;
use crate::params::{Assignment, ParamsError};
use crate::sys::{files, folders};

/// Sets a parameter in the tree below `root`, with the folders above it. The value is written whole, with one newline
/// after it.
pub fn put(root: &Path, assignment: &Assignment) -> Result<(), ParamsError> {
    if let Some(home) = root.parent() {
        files::create_dirs(home, 0o755)?;
    }
    files::create_dirs(root, 0o700)?;
    let path = place(root, &assignment.name)?;
    let there = files::look(&path)?;
    match &assignment.param {
        Param::Folder(_) if there.as_ref().is_some_and(|there| !there.is_dir()) => {
            Err(ParamsError::IsValue(assignment.name.clone()))
        }
        Param::Folder(_) => Ok(files::create_dirs(&path, 0o700)?),
        Param::Value(_) if there.as_ref().is_some_and(|there| there.is_dir()) => {
            Err(ParamsError::IsFolder(assignment.name.clone()))
        }
        Param::Value(value) => {
            if let Some(folder) = path.parent() {
                files::create_dirs(folder, 0o700)?;
            }
            Ok(files::write_whole(&path, format!("{value}\n").as_bytes(), files::Ownership::KeptOr(0o600))?)
        }
    }
}

/// Whether a folder goes with what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// A folder must be empty.
    Alone,
    /// A folder goes with all that it holds.
    Whole,
}

/// Removes a parameter from the tree below `root`.
pub fn delete(root: &Path, name: &ParameterName, depth: Depth) -> Result<(), ParamsError> {
    let path = place(root, name)?;
    let Some(there) = files::look(&path)? else { return Err(ParamsError::Absent(name.clone())) };
    if !there.is_dir() {
        return Ok(files::remove_file(&path)?);
    }
    match depth {
        Depth::Whole => Ok(folders::remove_tree(&path)?),
        Depth::Alone if files::list_dir(&path)?.is_empty() => Ok(files::remove_dir(&path)?),
        Depth::Alone => Err(ParamsError::NotEmpty(name.clone())),
    }
}

/// Where a parameter is or would be: the folders above it are folders, or absent, and lie in the tree.
fn place(root: &Path, name: &ParameterName) -> Result<PathBuf, ParamsError> {
    let mut here =
        if files::look_through(root)?.is_some() { files::canonical(root)? } else { root.to_owned() };
    let root = here.clone();
    let mut parts = name.as_str().split('/').peekable();
    let mut passed = String::new();
    while let Some(part) = parts.next() {
        here.push(part);
        passed += part;
        if parts.peek().is_none() {
            break;
        }
        match files::look(&here)? {
            None => {}
            Some(there) if there.is_symlink() => here = follow_inside(&here, &root)?,
            Some(there) if there.is_dir() => {}
            Some(_) => {
                return Err(ParamsError::IsValue(
                    ParameterName::new(passed).unwrap_or_else(|_| name.clone()),
                ));
            }
        }
        passed.push('/');
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn name(name: &str) -> ParameterName {
        ParameterName::new(name).unwrap()
    }

    fn assign(to: &str, value: &str) -> Assignment {
        Assignment::new(name(to), value)
    }

    #[test]
    fn values_and_folders_are_set_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("home/parameters");
        put(&root, &assign("disco/server/uri", "disco@aklabs.net")).unwrap();
        put(&root, &assign("empty", "{}")).unwrap();
        put(&root, &assign("empty", "{}")).unwrap();
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(fs::read_to_string(root.join("disco/server/uri")).unwrap(), "disco@aklabs.net\n");
        assert_eq!((mode(".."), mode("")), (0o755, 0o700));
        assert_eq!((mode("disco/server/uri"), mode("disco/server"), mode("disco")), (0o600, 0o700, 0o700));
        fs::set_permissions(root.join("disco/server/uri"), fs::Permissions::from_mode(0o644)).unwrap();
        put(&root, &assign("disco/server/uri", "other")).unwrap();
        assert_eq!(mode("disco/server/uri"), 0o644, "an administrator's choice stays");

        let refused = |result: Result<(), ParamsError>| result.unwrap_err().to_string();
        assert_eq!(
            refused(put(&root, &assign("disco/server", "x"))),
            "parameter disco/server is a folder, and cannot become a value"
        );
        assert_eq!(
            refused(put(&root, &assign("disco/server/uri/x", "1"))),
            "parameter disco/server/uri is a value, not a folder"
        );
        assert_eq!(
            refused(put(&root, &assign("disco/server/uri", "{}"))),
            "parameter disco/server/uri is a value, not a folder"
        );
        assert_eq!(
            refused(delete(&root, &name("disco"), Depth::Alone)),
            "parameter folder disco is not empty"
        );
        assert_eq!(refused(delete(&root, &name("none"), Depth::Whole)), "there is no parameter none");
        delete(&root, &name("empty"), Depth::Alone).unwrap();
        delete(&root, &name("disco/server/uri"), Depth::Alone).unwrap();
        delete(&root, &name("disco"), Depth::Whole).unwrap();
        assert!(files::list_dir(&root).unwrap().is_empty());
    }

    #[test]
    fn nothing_outside_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("parameters"), dir.path().join("outside"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("x"), "safe").unwrap();
        symlink(&outside, root.join("out")).unwrap();
        symlink(outside.join("x"), root.join("file")).unwrap();
        for result in [put(&root, &assign("out/x", "1")), delete(&root, &name("out/x"), Depth::Whole)] {
            assert!(matches!(result, Err(ParamsError::LeadsOut { .. })), "{result:?}");
        }
        put(&root, &assign("file", "new")).unwrap();
        delete(&root, &name("out"), Depth::Whole).unwrap();
        assert_eq!(fs::read_to_string(outside.join("x")).unwrap(), "safe");
    }
}
