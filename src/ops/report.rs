//! Finds the record that `disco report` prints. No printing.

mod many;
mod page;

pub use many::{NoRunsOf, Of, compare, trend};
pub use page::{Life, csv, html, life, trace};

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::change::Recorded;
use crate::model::names::{ModuleName, RunId};
use crate::model::run::RunRecord;
use crate::runs::{RunError, Runs};

/// The record of one run, or of the last one.
pub fn one(home: &Path, run: Option<&RunId>) -> Result<RunRecord, RunError> {
    let runs = Runs::new(home);
    match run {
        Some(run) => runs.load(run),
        None => runs.latest(),
    }
}

/// The whole record as one line of JSON, with what each module changed.
pub fn json(home: &Path, record: &RunRecord) -> Result<String, RunError> {
    let damaged = |source| RunError::Damaged { run: record.run.clone(), source };
    let mut json = serde_json::to_value(record).map_err(damaged)?;
    let mut by_module: BTreeMap<ModuleName, Vec<serde_json::Value>> = BTreeMap::new();
    for recorded in Runs::new(home).changes(&record.run)? {
        let Recorded { module, step, change, .. } = recorded?;
        let mut change = serde_json::to_value(change).map_err(damaged)?;
        if let Some(step) = step {
            change["step"] = step.into();
        }
        by_module.entry(module).or_default().push(change);
    }
    for (module, shown) in record.modules.iter().zip(json["modules"].as_array_mut().into_iter().flatten()) {
        shown["changes"] = by_module.remove(&module.module).unwrap_or_default().into();
    }
    Ok(format!("{json}\n"))
}
