//! Parts of the JSON lines of a run: how it was recovered, and how it ended. docs/json.md is their manual.

use serde::Serialize;

use crate::merge::Recovered;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::model::truth::Label;

/// Where a merge that was stopped has left the node.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum How<'a> {
    Before,
    After { changes: usize, kept: &'a [RootedPath] },
    Undone { why: &'a str, still: &'a [RootedPath] },
}

impl<'a> From<&'a Recovered> for How<'a> {
    fn from(recovered: &'a Recovered) -> How<'a> {
        match recovered {
            Recovered::Before => How::Before,
            Recovered::After { changes, kept } => How::After { changes: *changes, kept },
            Recovered::Undone { why, still } => How::Undone { why, still },
        }
    }
}

/// The last line.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    pub run: Option<&'a RunId>,
    pub root: Option<&'a LiveRoot>,
    pub mode: Option<Mode>,
    pub outcome: &'static str,
    pub reason: Option<&'a str>,
    pub modules_done: usize,
    pub modules_failed: usize,
    pub modules_skipped: usize,
    pub validators_failed: usize,
    pub changes: Option<usize>,
    pub actions: usize,
    pub exit: i32,
    #[serde(flatten)]
    pub label: &'a Label,
}
