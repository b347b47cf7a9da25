//! Finds the records that `disco report` and `disco runs` print. No printing.

use std::path::Path;

use crate::model::names::RunId;
use crate::model::run::RunRecord;
use crate::runs::{RunError, Runs};

/// A run that is kept.
#[derive(Debug)]
pub enum Listed {
    /// Its record.
    Record(Box<RunRecord>),
    /// Its record cannot be read: damaged, or a newer disco's.
    Unreadable {
        /// Which run.
        run: RunId,
        /// Why, in words.
        reason: String,
    },
}

/// The record of one run, or of the last one.
pub fn one(home: &Path, run: Option<&RunId>) -> Result<RunRecord, RunError> {
    let runs = Runs::new(home);
    match run {
        Some(run) => runs.load(run),
        None => runs.latest(),
    }
}

/// All runs, the oldest first. One that cannot be read does not hide the others.
pub fn all(home: &Path) -> Result<Vec<Listed>, RunError> {
    let runs = Runs::new(home);
    let listed = runs.list()?.into_iter().map(|run| match runs.load(&run) {
        Ok(record) => Listed::Record(Box::new(record)),
        Err(error) => Listed::Unreadable { run, reason: error.to_string() },
    });
    Ok(listed.collect())
}

/// The whole record as one line of JSON.
pub fn json(record: &RunRecord) -> Result<String, RunError> {
    let damaged = |source| RunError::Damaged { run: record.run.clone(), source };
    serde_json::to_string(record).map(|json| json + "\n").map_err(damaged)
}
