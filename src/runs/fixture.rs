//! Records for tests.

use crate::model::names::{NodeName, RunId};
use crate::model::run::{Mode, RunOutcome, RunRecord, SCHEMA};
use crate::model::truth::Label;

/// A record of which nothing is known yet.
pub(super) fn record(run: &str) -> RunRecord {
    RunRecord {
        schema: SCHEMA,
        run: RunId::new(run).unwrap(),
        node: NodeName::new("localhost").unwrap(),
        mode: Mode::Noop,
        root: Default::default(),
        version: "0".into(),
        by: None,
        waits: Vec::new(),
        started: "2026-01-01T00:00:00Z".into(),
        ended: None,
        outcome: RunOutcome::NotStarted { reason: "x".into() },
        plan: vec!["m".parse().unwrap()],
        changes: 0,
        label: Label::default(),
        internal: Vec::new(),
        noise: 0,
        merge_phases: Vec::new(),
        own: None,
        modules: Vec::new(),
        actions: Vec::new(),
        duties: Vec::new(),
        undoes: None,
        validators: Vec::new(),
    }
}
