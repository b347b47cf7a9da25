//! Commands on the parameter tree in disco's own folder.

use std::path::{Path, PathBuf};

use crate::model::names::ParameterName;
use crate::model::params::{Param, Params};
use crate::params::edit::Depth;
use crate::params::{self, Assignment, ParamsError};

fn tree(home: &Path) -> PathBuf {
    home.join("parameters")
}

/// The text of a parameter: a value, or `{}` for a folder.
pub fn get(home: &Path, name: &ParameterName) -> Result<String, ParamsError> {
    match params::load(&tree(home))?.get(name) {
        Some(Param::Value(value)) => Ok(value.clone()),
        Some(Param::Folder(_)) => Ok("{}".to_owned()),
        None => Err(ParamsError::Absent(name.clone())),
    }
}

/// Sets one parameter; `{}` makes a folder.
pub fn set(home: &Path, name: &ParameterName, value: &str) -> Result<(), ParamsError> {
    params::put(&tree(home), &Assignment::new(name.clone(), value))
}

/// Sets what lines `NAME=VALUE` say, and returns how many they are. All lines are checked before the first is set.
pub fn set_all(home: &Path, text: &str) -> Result<usize, ParamsError> {
    let root = tree(home);
    let assignments = params::parse_assignments(text, &params::load(&root)?)?;
    assignments.iter().try_for_each(|assignment| params::put(&root, assignment))?;
    Ok(assignments.len())
}

/// The names in a folder of the tree, or in the tree.
pub fn keys(home: &Path, name: Option<&ParameterName>) -> Result<Vec<String>, ParamsError> {
    params::keys(&params::load(&tree(home))?, name)
}

/// The tree, or what is at that name and below, as lines `NAME = VALUE`.
pub fn dump(home: &Path, name: Option<&ParameterName>) -> Result<String, ParamsError> {
    let whole = params::load(&tree(home))?;
    let Some(name) = name else { return Ok(params::dump(&whole)) };
    let found = whole.get(name).cloned().ok_or_else(|| ParamsError::Absent(name.clone()))?;
    let mut shown = Params::default();
    params::assignments::set(&mut shown, &Assignment { name: name.clone(), param: found })?;
    let lines = params::dump(&shown);
    // The folders above it come first, one a line; they were not asked for.
    let above = name.as_str().matches('/').count();
    Ok(lines.split_inclusive('\n').skip(above).collect())
}

/// Deletes a parameter.
pub fn delete(home: &Path, name: &ParameterName, depth: Depth) -> Result<(), ParamsError> {
    params::delete(&tree(home), name, depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_set_all_or_none() {
        let home = tempfile::tempdir().unwrap();
        let name = |name| ParameterName::new(name).unwrap();
        assert!(set_all(home.path(), "a/x=1\nbad").is_err());
        assert!(matches!(get(home.path(), &name("a/x")), Err(ParamsError::Absent(_))), "nothing was set");
        assert_eq!(set_all(home.path(), "a/b/x=1\na/b/y={}\nb=2\n").unwrap(), 3);
        assert_eq!(get(home.path(), &name("a/b/x")).unwrap(), "1");
        assert_eq!(get(home.path(), &name("a/b")).unwrap(), "{}");
        assert_eq!(dump(home.path(), Some(&name("a/b"))).unwrap(), "a/b = {}\na/b/x = 1\na/b/y = {}\n");
        assert_eq!(dump(home.path(), Some(&name("b"))).unwrap(), "b = 2\n");
        assert_eq!(keys(home.path(), None).unwrap(), ["a", "b"]);
        delete(home.path(), &name("a"), Depth::Whole).unwrap();
        assert_eq!(dump(home.path(), None).unwrap(), "b = 2\n");
    }
}
