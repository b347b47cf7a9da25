//! Commands on the parameter tree in disco's own folder.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::names::{NodeName, ParameterName};
use crate::model::params::{Param, Params};
use crate::model::secret::Patterns;
use crate::ops::gather::{self, GatherError};
use crate::ops::secrets;
use crate::params::edit::Depth;
use crate::params::origin::{Origin, Traced, trace};
use crate::params::{self, Assignment, ParamsError};
use crate::secrets::known;
use crate::settings;
use crate::sys::files;

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

/// A parameter that is not set.
#[derive(Debug, Error)]
pub enum SetError {
    /// It does not fit the tree, or cannot be written.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// It is a setting of disco's own, and every command would refuse it later.
    #[error("{0}")]
    Setting(String),
}

/// Sets one parameter; `{}` makes a folder.
pub fn set(home: &Path, name: &ParameterName, value: &str) -> Result<(), SetError> {
    let assignment = Assignment::new(name.clone(), value);
    check(&assignment)?;
    Ok(params::put(&tree(home), &assignment)?)
}

/// Whether it can be read where it is a setting of disco's own.
fn check(Assignment { name, param }: &Assignment) -> Result<(), SetError> {
    match name.as_str().strip_prefix("disco/").map(ParameterName::new) {
        Some(Ok(below)) => settings::check(&below, param).map_err(SetError::Setting),
        Some(Err(_)) | None => Ok(()),
    }
}

/// Sets what lines `NAME=VALUE` say, and returns how many they are. All lines are checked before the first is set.
pub fn set_all(home: &Path, text: &str) -> Result<usize, SetError> {
    let root = tree(home);
    let assignments = params::parse_assignments(text, &params::load(&root)?)?;
    for assignment in &assignments {
        let Assignment { name, param } = assignment;
        if *param == Param::Value(SECRET.to_owned()) {
            return Err(ParamsError::Hidden(name.clone()).into());
        }
        check(assignment)?;
    }
    assignments.iter().try_for_each(|assignment| params::put(&root, assignment))?;
    Ok(assignments.len())
}

/// The names in a folder of the tree, or in the tree.
pub fn keys(home: &Path, name: Option<&ParameterName>) -> Result<Vec<String>, ParamsError> {
    params::keys(&params::load(&tree(home))?, name)
}

/// The tree, or what is at that name and below, as lines `NAME = VALUE`. Secrets are shown as [`SECRET`].
pub fn dump(home: &Path, name: Option<&ParameterName>) -> Result<String, ParamsError> {
    let mut whole = params::load(&tree(home))?;
    hide(home, &mut whole);
    let Some(name) = name else { return Ok(known::shown(&params::dump(&whole)).into_owned()) };
    let found = whole.get(name).cloned().ok_or_else(|| ParamsError::Absent(name.clone()))?;
    let mut shown = Params::default();
    params::assignments::set(&mut shown, &Assignment { name: name.clone(), param: found })?;
    let lines = params::dump(&shown);
    // The folders above it come first, one a line; they were not asked for.
    let above = name.as_str().matches('/').count();
    let lines: String = lines.split_inclusive('\n').skip(above).collect();
    Ok(known::shown(&lines).into_owned())
}

/// What is shown in the place of a value that is a secret.
pub const SECRET: &str = "[secret]";

/// What marks the parameters of this home as secrets: also what its modules say, and each of its nodes.
fn patterns(home: &Path, whole: &Params) -> Patterns {
    let modules = files::list_dir(&home.join("modules")).unwrap_or_default();
    let modules = modules.iter().map(|name| home.join("modules").join(name).join("parameters"));
    let of_node = |entry: &Param| match entry {
        Param::Folder(node) => match node.0.get("parameters") {
            Some(Param::Folder(own)) => Some(own.clone()),
            Some(Param::Value(_)) | None => None,
        },
        Param::Value(_) => None,
    };
    let trees = modules.filter_map(|tree| params::load(&tree).ok());
    secrets::patterns(
        trees.chain(whole.0.values().filter_map(of_node)).chain([whole.clone()]).collect::<Vec<_>>().iter(),
    )
}

/// The name that a parameter has in its own tree: the node's, where it is one of a node.
fn of_its_tree(name: &str) -> &str {
    match name.splitn(3, '/').collect::<Vec<_>>()[..] {
        [_, "parameters", below] => below,
        _ => name,
    }
}

/// Hides the secrets of the tree, and has their values known, which may be parts of others.
fn hide(home: &Path, whole: &mut Params) {
    fn below(params: &mut Params, above: &str, patterns: &Patterns) {
        for (name, param) in &mut params.0 {
            let name = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
            match param {
                Param::Value(value) if patterns.mark(of_its_tree(&name)) && !value.is_empty() => {
                    known::learn(|secrets| secrets.add(of_its_tree(&name), value.as_bytes()));
                    *value = SECRET.to_owned();
                }
                Param::Value(_) => {}
                Param::Folder(folder) => below(folder, &name, patterns),
            }
        }
    }
    if !known::are_shown() {
        let patterns = patterns(home, whole);
        below(whole, "", &patterns);
    }
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
    if !known::are_shown() {
        let patterns = patterns(home, &params::load(&tree(home))?);
        for Traced { name, value, .. } in &mut all {
            let hidden = value.as_ref().is_some_and(|value| patterns.mark(name) && !value.is_empty());
            if hidden {
                *value = Some(SECRET.to_owned());
            }
        }
    }
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
        assert!(matches!(
            set_all(home.path(), "a/x=1\ny=[secret]"),
            Err(SetError::Params(ParamsError::Hidden(_)))
        ));
        for bad in
            ["schedule/interval=30", "client/network=", "upload/webhook=http://10.9.9.9/x", "dlm/url={}"]
        {
            let error = set_all(home.path(), &format!("a/x=1\ndisco/{bad}")).unwrap_err();
            assert!(matches!(&error, SetError::Setting(why) if why.contains(" cannot be used: ")), "{error}");
        }
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
