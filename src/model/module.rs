//! A module as its folder describes it.

use serde::{Deserialize, Serialize};

use crate::model::glob::PathGlob;
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

/// A folder of a module that holds scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptFolder {
    /// Steps, run in the sandbox.
    Scripts,
    /// Validators, run in the sandbox on the final tree: one that fails keeps the run from being merged.
    Validate,
    /// What is run on the live system after the merge and the actions.
    After,
    /// Health checks, run on the live system at the end.
    Check,
}

impl ScriptFolder {
    /// Its name below the module's folder.
    pub fn name(self) -> &'static str {
        match self {
            ScriptFolder::Scripts => "scripts",
            ScriptFolder::Validate => "validate",
            ScriptFolder::After => "after",
            ScriptFolder::Check => "check",
        }
    }
}

/// One line of a module's `on-change`: a command that is run once after a merge that has changed a path of these patterns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnChange {
    /// The patterns; never empty.
    pub globs: Vec<PathGlob>,
    /// The command, for `bash -c`.
    pub command: String,
}

/// A module: what it needs, its steps in their order (files, templates, scripts), and what it wants around the merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// What it needs, in the order of its file.
    pub requires: Vec<Requirement>,
    /// Its steps.
    pub steps: Vec<StepKind>,
    /// The names of its validators below `validate/`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validators: Vec<String>,
    /// The names of the scripts below `after/`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The names of its health checks below `check/`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// The lines of its `on-change`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_change: Vec<OnChange>,
}

impl Module {
    /// A module of steps, that wants nothing around the merge.
    pub fn of_steps(name: ModuleName, requires: Vec<Requirement>, steps: Vec<StepKind>) -> Module {
        let (validators, after, checks, on_change) = Default::default();
        Module { name, requires, steps, validators, after, checks, on_change }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_around_a_merge_may_be_absent() {
        let old = r#"{"name":"m","requires":[],"steps":[]}"#;
        let module: Module = serde_json::from_str(old).unwrap();
        assert_eq!(module, Module::of_steps(ModuleName::new("m").unwrap(), vec![], vec![]));
        assert_eq!(serde_json::to_string(&module).unwrap(), old);
    }
}
