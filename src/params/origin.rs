//! Where each parameter of a node comes from: the node's own tree, or the default of a module.

use std::collections::BTreeMap;

use crate::model::names::ModuleName;
use crate::model::params::{Param, Params};
use crate::params::{merge_defaults, on_one_line};

/// Who says what a parameter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The parameters of this node, on the master.
    Node,
    /// The defaults of that module.
    Default(ModuleName),
    /// This node itself, in disco's own folder.
    Local,
}

/// A parameter and who says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its name.
    pub name: String,
    /// Its value; none for a folder.
    pub value: Option<String>,
    /// Who says it; of a folder, who is the first to have it.
    pub origin: Origin,
}

/// All parameters of one origin, a folder before what it holds, sorted by name.
pub fn trace(params: &Params, origin: &Origin) -> Vec<Traced> {
    let mut traced = Vec::new();
    walk(params, "", &mut |name, value| {
        traced.push(Traced {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            origin: origin.clone(),
        });
    });
    traced
}

/// The node's parameters with the modules' defaults laid under them, each with where it comes from. Of several modules
/// that name the same, the first does.
pub fn trace_merged(node: Params, defaults: impl IntoIterator<Item = (ModuleName, Params)>) -> Vec<Traced> {
    let mut origins: BTreeMap<String, Origin> = BTreeMap::new();
    walk(&node, "", &mut |name, _| {
        origins.insert(name.to_owned(), Origin::Node);
    });
    let mut merged = node;
    for (module, defaults) in defaults {
        let mut names = Vec::new();
        walk(&defaults, "", &mut |name, _| names.push(name.to_owned()));
        merged = merge_defaults(merged, defaults);
        for name in names {
            origins.entry(name).or_insert_with(|| Origin::Default(module.clone()));
        }
    }
    let mut traced = Vec::new();
    walk(&merged, "", &mut |name, value| {
        // What is in the merged tree came from one of the trees above.
        if let Some(origin) = origins.remove(name) {
            traced.push(Traced { name: name.to_owned(), value: value.map(str::to_owned), origin });
        }
    });
    traced
}

/// Lines `NAME = VALUE  # ORIGIN`, one a parameter, as [`dump`](crate::params::dump) has them.
pub fn dump(traced: &[Traced]) -> String {
    let line = |traced: &Traced| {
        let value = traced.value.as_deref().map_or("{}".to_owned(), on_one_line);
        let origin = match &traced.origin {
            Origin::Node => "node".to_owned(),
            Origin::Default(module) => format!("default of {module}"),
            Origin::Local => "local".to_owned(),
        };
        format!("{} = {value}  # {origin}\n", traced.name)
    };
    traced.iter().map(line).collect()
}

fn walk(params: &Params, above: &str, see: &mut dyn FnMut(&str, Option<&str>)) {
    for (name, param) in &params.0 {
        let name = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        match param {
            Param::Value(value) => see(&name, Some(value)),
            Param::Folder(folder) => {
                see(&name, None);
                walk(folder, &name, see);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Params {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_parameter_has_the_origin_that_won() {
        let module = |name| ModuleName::new(name).unwrap();
        let node = tree(r#"{"a": "n", "f": {"x": "n"}, "v": "n", "a.b": "2\n3"}"#);
        let defaults = [
            (module("m1"), tree(r#"{"a": "1", "f": {"x": "1", "y": "1"}, "v": {"deep": "1"}, "g": "1"}"#)),
            (module("m2"), tree(r#"{"f": {"y": "2", "z": "2"}, "g": {"deep": "2"}, "h": {}}"#)),
        ];
        let traced = trace_merged(node.clone(), defaults.clone());
        assert_eq!(
            dump(&traced),
            "a = n  # node\n\
             a.b = 2\\n3  # node\n\
             f = {}  # node\n\
             f/x = n  # node\n\
             f/y = 1  # default of m1\n\
             f/z = 2  # default of m2\n\
             g = 1  # default of m1\n\
             h = {}  # default of m2\n\
             v = n  # node\n"
        );
        let merged =
            defaults.into_iter().fold(node, |merged, (_, defaults)| merge_defaults(merged, defaults));
        let plain: String = crate::params::dump(&merged);
        let without: String = traced
            .iter()
            .map(|t| dump(std::slice::from_ref(t)).split("  # ").next().unwrap().to_owned() + "\n")
            .collect();
        assert_eq!(without, plain, "the same tree in the same order as `dump`");
        assert_eq!(dump(&trace(&tree(r#"{"x": {}}"#), &Origin::Local)), "x = {}  # local\n");
    }
}
