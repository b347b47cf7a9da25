//! The parameter tree as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::names::ParameterName;

/// A tree of parameters: folders hold entries, files hold values. Sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(pub BTreeMap<String, Param>);

/// One entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Param {
    /// A value: a file's content without its last newline.
    Value(String),
    /// A folder.
    Folder(Params),
}

impl Params {
    /// The entry of that name, if there is one.
    pub fn get(&self, name: &ParameterName) -> Option<&Param> {
        let mut here = self;
        let mut parts = name.as_str().split('/').peekable();
        while let Some(part) = parts.next() {
            let entry = here.0.get(part)?;
            match (parts.peek(), entry) {
                (None, _) => return Some(entry),
                (Some(_), Param::Folder(folder)) => here = folder,
                (Some(_), Param::Value(_)) => return None,
            }
        }
        None
    }

    /// The value of that name, if it is one.
    pub fn value(&self, name: &ParameterName) -> Option<&str> {
        match self.get(name)? {
            Param::Value(value) => Some(value),
            Param::Folder(_) => None,
        }
    }
}
