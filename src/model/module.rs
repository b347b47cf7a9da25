//! A module as its folder describes it.

use serde::{Deserialize, Serialize};

use crate::model::names::ModuleName;
use crate::model::step::StepKind;

/// Whether a required module comes first or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The required module comes first.
    After,
    /// The required module comes later.
    Before,
}

/// One line of a module's `requires`: the other module is needed, and this says when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requirement {
    /// When.
    pub relation: Relation,
    /// What.
    pub module: ModuleName,
}

/// A module: what it needs, and its steps in their order (files, templates, scripts).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// What it needs, in the order of its file.
    pub requires: Vec<Requirement>,
    /// Its steps.
    pub steps: Vec<StepKind>,
}
