//! `disco facts`: what this node says of itself, as a Foreman gets it.

use std::path::Path;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::model::inventory::Inventory;
use crate::settings::Settings;
use crate::sys::files::FileError;
use crate::sys::inventory;
use crate::sys::tree::{Root, TreeError};
use crate::uploads::facts;

/// Facts that cannot be read.
#[derive(Debug, Error)]
pub enum FactsError {
    /// The node's own root.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A file of the system's.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The facts.
pub fn facts(settings: &Settings) -> Result<Map<String, Value>, FactsError> {
    let name = settings.node.value.as_str().to_lowercase();
    Ok(facts::facts(&name, &inventory()?, env!("CARGO_PKG_VERSION")))
}

/// What this node is made of.
pub(super) fn inventory() -> Result<Inventory, FactsError> {
    let root = Root::open(Path::new("/"), "")?;
    Ok(inventory::inventory(&root)?)
}
