//! The ordered modules of a run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::module::Module;
use crate::model::names::ModuleName;

/// All modules of a run in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The modules in order.
    pub modules: Vec<PlannedModule>,
}

/// A module with the modules that must have succeeded before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedModule {
    /// The module.
    pub module: Module,
    /// Its direct predecessors: what it comes after, by its own word or theirs.
    pub needs: BTreeSet<ModuleName>,
}
