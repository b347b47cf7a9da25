//! `last-run.json`: the last live run and the last NOOP run, apart.

use serde::{Deserialize, Serialize};

use crate::model::run::Mode;

use super::state::{Side, State};

/// The version of the file's form.
pub const SCHEMA: u32 = 1;

/// The last run of each kind. What is told of one never changes what is told of the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// The form: [`SCHEMA`].
    pub schema: u32,
    /// The last live run.
    pub live: Option<Side>,
    /// The last NOOP run.
    pub noop: Option<Side>,
}

impl Default for LastRun {
    fn default() -> LastRun {
        LastRun { schema: SCHEMA, live: None, noop: None }
    }
}

impl LastRun {
    /// What such a file says; none where it is no such file, or one of another form: then it begins anew.
    pub fn parse(text: &str) -> Option<LastRun> {
        serde_json::from_str(text).ok().filter(|last: &LastRun| last.schema == SCHEMA)
    }

    /// Puts a run in the place of the last one of its kind.
    pub fn take(&mut self, state: State) {
        let side = match state.mode {
            Mode::Live => &mut self.live,
            Mode::Noop => &mut self.noop,
        };
        let before = side.take().and_then(|side| side.last_success);
        let last_success = if state.success { Some(state.ended.clone()) } else { before };
        *side = Some(Side { last_success, state });
    }

    /// The text of the file.
    pub fn text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
