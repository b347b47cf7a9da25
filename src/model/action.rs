//! Commands that act on the running system: pretended in the sandbox, recorded, run after a merge.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::names::ModuleName;

/// A command that a step asked for and that only the live system can carry out, such as `service x restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its place in the order of the run, from 0.
    pub seq: u32,
    /// The module whose step asked.
    pub module: ModuleName,
    /// The step that asked.
    pub step: String,
    /// The program as the step named it, absolute where the step's PATH led to it.
    pub program: PathBuf,
    /// Its arguments, the name it was called by first.
    pub argv: Vec<String>,
    /// The folder it was called in.
    pub cwd: PathBuf,
}

impl Action {
    /// The command as one would type it.
    pub fn command(&self) -> String {
        shell_words::join(&self.argv)
    }
}
