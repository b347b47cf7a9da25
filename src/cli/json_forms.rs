//! Parts of the JSON lines of a run: how it was recovered, and how it ended. docs/json.md is their manual.

use serde::Serialize;

use crate::merge::Recovered;
use crate::model::change::{Change, ChangeSet};
use crate::model::names::RunId;
use crate::model::noise::Noise;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, TIME_LIMIT};
use crate::model::truth::Label;
use crate::monitors::Standing;

/// What became of the cluster's lock.
#[derive(Debug, Serialize)]
pub(super) struct LockNews<'a> {
    pub(super) lock: &'a str,
    pub(super) what: &'a str,
}

/// What kept disco from doing its part.
#[derive(Debug, Serialize)]
pub(super) struct Problem<'a> {
    pub(super) message: &'a str,
    pub(super) hint: Option<&'a str>,
}

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

/// A difference, and of which class of noise it is.
#[derive(Debug, Serialize)]
pub(super) struct OneChange<'a> {
    #[serde(flatten)]
    change: &'a Change,
    noise: Option<&'a str>,
}

impl<'a> OneChange<'a> {
    /// All of them: what a text for people only counts is here too.
    pub(super) fn all(changes: &'a ChangeSet, noise: &'a Noise) -> Vec<OneChange<'a>> {
        changes.0.iter().map(|change| OneChange { change, noise: noise.class_of(change) }).collect()
    }
}

/// How a run ended, in a word, and why, where that is known.
pub(super) fn outcome_words(outcome: &RunOutcome) -> (&'static str, Option<&str>) {
    match outcome {
        RunOutcome::Unfinished => ("unfinished", None),
        RunOutcome::NotStarted { reason } => ("not-started", Some(reason.as_str())),
        RunOutcome::Shown => ("shown", None),
        RunOutcome::Merged => ("merged", None),
        RunOutcome::Failed => ("failed", None),
        RunOutcome::ActionFailed => ("action-failed", None),
        RunOutcome::Unconfirmed { until: _ } => ("unconfirmed", None),
        RunOutcome::Undone { reason } => ("undone", Some(reason.as_str())),
        RunOutcome::MergeFailed { reason } => ("merge-failed", Some(reason.as_str())),
        RunOutcome::Interrupted { signal: TIME_LIMIT } => ("interrupted", Some("the time limit is over")),
        RunOutcome::Interrupted { signal: _ } => ("interrupted", None),
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
    pub noise: Option<usize>,
    pub standing: Option<Standing>,
    pub actions: usize,
    pub exit: i32,
    #[serde(flatten)]
    pub label: &'a Label,
}

/// The one line of a run by timer that does not begin.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "not-now")]
pub(super) struct NotNow<'a> {
    schema: u32,
    reason: &'a str,
}

/// That line, for this reason.
pub(super) fn not_now(reason: &str) -> serde_json::Result<String> {
    serde_json::to_string(&NotNow { schema: 1, reason })
}
