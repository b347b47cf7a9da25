//! Reads the parameter tree from a folder.

use std::path::{Path, PathBuf};

use crate::model::names::ParameterName;
use crate::model::params::{Param, Params};
use crate::params::{MOST_BYTES, MOST_DEPTH, MOST_ENTRIES, ParamsError};
use crate::sys::files;

/// The tree below a folder; empty where there is no such folder.
///
/// Names that end in `~` (what editors and unfinished writes leave) are passed over. A symbolic link counts as what it
/// leads to, which must lie in the tree.
pub fn load(folder: &Path) -> Result<Params, ParamsError> {
    match files::look_through(folder)? {
        None => return Ok(Params::default()),
        Some(there) if there.is_dir() => {}
        Some(_) => return Err(ParamsError::NotFolder { path: folder.to_owned() }),
    }
    let root = files::canonical(folder)?;
    let mut left = Left { entries: MOST_ENTRIES, bytes: MOST_BYTES };
    read_folder(&root, &root, &mut vec![root.clone()], &mut left)
}

/// The same of a folder that came from elsewhere: it must be there itself, or not at all, and be no link.
pub fn load_strange(folder: &Path) -> Result<Params, ParamsError> {
    if files::look(folder)?.is_some_and(|there| !there.is_dir()) {
        return Err(ParamsError::NotFolder { path: folder.to_owned() });
    }
    load(folder)
}

/// What may still be read: links can make a small tree endless.
struct Left {
    entries: usize,
    bytes: u64,
}

impl Left {
    fn take(&mut self, bytes: u64, path: &Path) -> Result<(), ParamsError> {
        let too_large = || ParamsError::TooLarge { path: path.to_owned() };
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }
}

fn read_folder(
    folder: &Path,
    root: &Path,
    above: &mut Vec<PathBuf>,
    left: &mut Left,
) -> Result<Params, ParamsError> {
    let mut params = Params::default();
    for name in files::list_dir(folder)? {
        let path = folder.join(&name);
        let too_large = || ParamsError::TooLarge { path: path.clone() };
        left.entries = left.entries.checked_sub(1).ok_or_else(too_large)?;
        let Some(name) = name.to_str() else { return Err(ParamsError::BadName { path, source: None }) };
        if name.ends_with('~') {
            continue;
        }
        if let Err(error) = ParameterName::new(name) {
            return Err(ParamsError::BadName { path, source: Some(error) });
        }
        params.0.insert(name.to_owned(), read_entry(&path, root, above, left)?);
    }
    Ok(params)
}

fn read_entry(
    path: &Path,
    root: &Path,
    above: &mut Vec<PathBuf>,
    left: &mut Left,
) -> Result<Param, ParamsError> {
    let is_link = files::look(path)?.is_some_and(|metadata| metadata.is_symlink());
    let real = if is_link { follow_inside(path, root)? } else { path.to_owned() };
    let metadata = files::look_through(&real)?;
    if metadata.as_ref().is_some_and(|metadata| metadata.is_dir()) {
        if above.contains(&real) {
            return Err(ParamsError::Loop { path: path.to_owned() });
        }
        if above.len() >= MOST_DEPTH {
            return Err(ParamsError::TooLarge { path: path.to_owned() });
        }
        above.push(real.clone());
        let folder = read_folder(&real, root, above, left)?;
        above.pop();
        return Ok(Param::Folder(folder));
    }
    match metadata {
        Some(there) if !there.is_file() => return Err(ParamsError::Special { path: path.to_owned() }),
        Some(there) => left.take(there.len(), path)?,
        None => {}
    }
    match files::read_to_string(&real) {
        Ok(text) => Ok(Param::Value(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))),
        Err(error) if error.source.kind() == std::io::ErrorKind::InvalidData => {
            Err(ParamsError::NotText { path: path.to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Where a link leads, which must be inside the tree.
pub(super) fn follow_inside(path: &Path, root: &Path) -> Result<PathBuf, ParamsError> {
    let target = files::canonical(path).map_err(|error| match error.leads_nowhere() {
        true => ParamsError::Dangling { path: path.to_owned() },
        false => error.into(),
    })?;
    if target.starts_with(root) {
        Ok(target)
    } else {
        Err(ParamsError::LeadsOut { path: path.to_owned(), target })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_tree_is_read_as_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(load(&root.join("absent")).unwrap(), Params::default());
        fs::create_dir_all(root.join("users/present")).unwrap();
        fs::write(root.join("users/present/joe"), "-u 1000\n").unwrap();
        fs::write(root.join("empty"), "").unwrap();
        fs::write(root.join("two"), "a\n\n").unwrap();
        fs::write(root.join("two~"), "left by an editor").unwrap();
        symlink("users/present/joe", root.join("link")).unwrap();
        assert_eq!(
            serde_json::to_string(&load(root).unwrap()).unwrap(),
            r#"{"empty":"","link":"-u 1000","two":"a\n","users":{"present":{"joe":"-u 1000"}}}"#
        );
    }

    #[test]
    fn what_cannot_be_a_tree_is_refused_by_name() {
        type Make = fn(&Path);
        let cases: [(Make, &str); 9] = [
            (|root| symlink("/etc", root.join("out")).unwrap(), "leads out of the parameter tree"),
            (|root| symlink(".", root.join("loop")).unwrap(), "leads back to a folder that holds it"),
            (|root| fs::write(root.join("b"), b"\xff").unwrap(), "plain text in UTF-8"),
            (|root| fs::write(root.join("a b"), "").unwrap(), "a name that no parameter can have"),
            (|root| symlink("nowhere", root.join("d")).unwrap(), "is a link that leads nowhere"),
            (|root| symlink("l", root.join("l")).unwrap(), "is a link that leads nowhere"),
            (|root| fs::File::create(root.join("b")).unwrap().set_len(MOST_BYTES + 1).unwrap(), "at most"),
            (|root| fs::create_dir_all(root.join("d/".repeat(MOST_DEPTH))).unwrap(), "one in another"),
            (
                |root| {
                    // Twenty folders with two links to the next each: a million entries.
                    for at in 0..20 {
                        fs::create_dir(root.join(format!("d{at}"))).unwrap();
                        for name in ["a", "b"] {
                            symlink(format!("../d{}", at + 1), root.join(format!("d{at}/{name}"))).unwrap();
                        }
                    }
                    fs::create_dir(root.join("d20")).unwrap();
                },
                "at most 100000 entries",
            ),
        ];
        for (make, message) in cases {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("sub")).unwrap();
            make(&dir.path().join("sub"));
            let error = load(dir.path()).unwrap_err().to_string();
            assert!(error.contains(message) && error.contains("/sub/"), "{error}");
        }
    }
}
