//! `disco show`: all that is recorded of a step.

use std::path::Path;

use thiserror::Error;

use crate::model::names::{ModuleName, RunId};
use crate::model::run::RunRecord;
use crate::model::step::StepRecord;
use crate::ops::history::Which;
use crate::runs::{RunError, Runs};
use crate::sys::files::FileError;
use crate::sys::line_log::{self, PrintedLine};

/// What keeps a step from being shown.
#[derive(Debug, Error)]
pub enum ShowError {
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RunError),
    /// What it printed cannot be read.
    #[error(transparent)]
    Output(#[from] FileError),
    /// There is none of that name.
    #[error("run {run} has no step {step}")]
    NoStep {
        /// The run.
        run: RunId,
        /// As it was asked for.
        step: String,
    },
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Of which module.
    pub module: ModuleName,
    /// Its name there; `validate/NAME` of a validator.
    pub name: String,
    /// What is recorded of it.
    pub record: StepRecord,
    /// What it printed.
    pub printed: Vec<PrintedLine>,
}

/// The steps of a run, in their order, validators last; without what they printed.
pub fn steps(record: &RunRecord) -> Vec<Shown> {
    let shown = |module: &ModuleName, name: String, record: &StepRecord| Shown {
        module: module.clone(),
        name,
        record: record.clone(),
        printed: Vec::new(),
    };
    let of_modules = record.modules.iter().flat_map(|module| {
        module.steps.iter().map(|step| shown(&module.module, step.step.label().to_owned(), step))
    });
    let validators = record.validators.iter().map(|validator| {
        let name = format!("validate/{}", validator.record.step.label());
        shown(&validator.module, name, &validator.record)
    });
    of_modules.chain(validators).collect()
}

/// The record of a run.
pub fn run(home: &Path, which: &Which) -> Result<RunRecord, RunError> {
    let runs = Runs::new(home);
    runs.load(&which.run(&runs)?)
}

/// The step of a run that is called `MODULE/STEP`.
pub fn step(home: &Path, which: &Which, named: &str) -> Result<(RunRecord, Shown), ShowError> {
    let record = run(home, which)?;
    let found = steps(&record).into_iter().find(|step| format!("{}/{}", step.module, step.name) == named);
    let Some(mut shown) = found else {
        return Err(ShowError::NoStep { run: record.run, step: named.to_owned() });
    };
    if let Some(output) = &shown.record.output {
        let path = Runs::new(home).folder(&record.run).join(output);
        shown.printed = line_log::read(&path)?.collect::<Result<_, _>>()?;
    }
    Ok((record, shown))
}
