//! Commands on the parameter tree in disco's own folder.

use std::path::{Path, PathBuf};

use crate::model::names::{NodeName, ParameterName};
use crate::model::params::{Param, Params};
use crate::ops::gather::{self, GatherError};
use crate::params::edit::Depth;
use crate::params::origin::{Origin, Traced, trace};
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

/// What this node itself says below `disco/`, then the node's parameters with the modules' defaults under them, each with
/// where it comes from; or what is at that name and below. `false` where nothing of the node was ever fetched.
pub fn origins(
    home: &Path,
    node: &NodeName,
    name: Option<&ParameterName>,
) -> Result<(Vec<Traced>, bool), GatherError> {
    let mut own = params::load(&tree(home))?;
    own.0.retain(|name, _| name == "disco");
    let mut all = trace(&own, &Origin::Local);
    let (traced, fetched) = gather::origins(home, node)?;
    all.extend(traced);
    if let Some(wanted) = name {
        let below = format!("{wanted}/");
        all.retain(|traced| traced.name == wanted.as_str() || traced.name.starts_with(&below));
        if all.is_empty() {
            return Err(ParamsError::Absent(wanted.clone()).into());
        }
    }
    Ok((all, fetched))
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
        let name = |name: &str| ParameterName::new(name).unwrap();
        assert!(set_all(home.path(), "a/x=1\nbad").is_err());
        assert!(matches!(get(home.path(), &name("a/x")), Err(ParamsError::Absent(_))), "nothing was set");
        assert_eq!(set_all(home.path(), "a/b/x=1\na/b/y={}\nb=2\n").unwrap(), 3);
        assert_eq!(get(home.path(), &name("a/b/x")).unwrap(), "1");
        assert_eq!(get(home.path(), &name("a/b")).unwrap(), "{}");
        assert_eq!(dump(home.path(), Some(&name("a/b"))).unwrap(), "a/b = {}\na/b/x = 1\na/b/y = {}\n");
        assert_eq!(dump(home.path(), Some(&name("b"))).unwrap(), "b = 2\n");
        assert_eq!(keys(home.path(), None).unwrap(), ["a", "b"]);
        let node = NodeName::new("node").unwrap();
        set_all(home.path(), "disco/x=1\nnode/parameters/a/y=n\nnode/modules/m=").unwrap();
        set_all(home.path(), "other/parameters/z=3").unwrap();
        let default = home.path().join("modules/m/parameters");
        std::fs::create_dir_all(&default).unwrap();
        std::fs::write(default.join("d"), "m").unwrap();
        let origins = |of: Option<&str>| {
            let of = of.map(name);
            origins(home.path(), &node, of.as_ref()).map(|(traced, _)| params::origin::dump(&traced))
        };
        assert_eq!(
            origins(None).unwrap(),
            "disco = {}  # local\ndisco/x = 1  # local\na = {}  # node\na/y = n  # node\nd = m  # default of m\n"
        );
        assert_eq!(origins(Some("a/y")).unwrap(), "a/y = n  # node\n");
        assert!(matches!(origins(Some("b")), Err(GatherError::Params(ParamsError::Absent(_)))));
        for whole in ["disco", "node", "other"] {
            delete(home.path(), &name(whole), Depth::Whole).unwrap();
        }
        delete(home.path(), &name("a"), Depth::Whole).unwrap();
        assert_eq!(dump(home.path(), None).unwrap(), "b = 2\n");
    }
}
