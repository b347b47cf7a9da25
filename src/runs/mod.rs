//! The records of runs, below `runs/` of disco's home: one folder a run, with `record.json`, what its steps printed, and
//! what its modules changed; and with `modules.jsonl` while it is under way, which holds the modules that `record.json` does not
//! have yet.

mod changes;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod fixture;
mod index;
mod keep;
mod paths;
mod progress;
#[cfg(test)]
mod tests;

pub use changes::Changes;
pub use index::{Entry, Listed};
pub use keep::Keep;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::model::names::RunId;
use crate::model::run::{RunOutcome, RunRecord, SCHEMA};
use crate::model::step::ModuleRecord;
use crate::sys::files::{self, FileError, Ownership, Synced};
use crate::sys::folders;

/// A record that could not be kept or read.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file of it could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no record.
    #[error("the record of run {run} is damaged")]
    Damaged {
        /// Which run.
        run: RunId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A newer disco wrote it.
    #[error("the record of run {run} has form {schema}, and this disco reads up to {SCHEMA}")]
    Newer {
        /// Which run.
        run: RunId,
        /// The form that it has.
        schema: u32,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// There is no run at all.
    #[error("there is no run yet below {}", .0.display())]
    NoRuns(PathBuf),
}

/// The folder of all records.
#[derive(Debug, Clone)]
pub struct Runs(PathBuf);

impl Runs {
    /// The records of that home.
    pub fn new(home: &Path) -> Runs {
        Runs(home.join("runs"))
    }

    /// The folder of one run, whether it is there or not.
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.0.join(run.as_str())
    }

    /// Saves a record whole: after a crash it is the old one or this one. A home that has been removed meanwhile is an
    /// error, and is not made again.
    pub fn save(&self, record: &RunRecord) -> Result<(), RunError> {
        self.write(record, Synced::All)
    }

    /// The same, with less of it on the disk.
    pub fn write(&self, record: &RunRecord, synced: Synced) -> Result<(), RunError> {
        let folder = self.folder(&record.run);
        files::create_dir(&self.0, 0o700)?;
        files::create_dir(&folder, 0o700)?;
        let damaged = |source| RunError::Damaged { run: record.run.clone(), source };
        let mut json = serde_json::to_vec_pretty(record).map_err(damaged)?;
        json.push(b'\n');
        files::write_synced(&folder.join("record.json"), &json, Ownership::New(0o600), synced)?;
        let progress = self.progress(&record.run);
        if files::look(&progress)?.is_some() {
            files::remove_file(&progress)?;
        }
        self.index(record)
    }

    /// Adds a module to the saved record of a run. It outlives a crash of disco; after one of the machine it may be
    /// missing, until the next [`Runs::save`].
    pub fn add(&self, run: &RunId, module: &ModuleRecord) -> Result<(), RunError> {
        let line = progress::line(module).map_err(|source| RunError::Damaged { run: run.clone(), source })?;
        Ok(files::append(&self.progress(run), line.as_bytes(), 0o600)?)
    }

    fn progress(&self, run: &RunId) -> PathBuf {
        self.folder(run).join("modules.jsonl")
    }

    /// The names of all runs that have a record, oldest first.
    pub fn list(&self) -> Result<Vec<RunId>, RunError> {
        if files::look(&self.0)?.is_none() {
            return Ok(Vec::new());
        }
        let mut runs = Vec::new();
        for run in self.named()? {
            if self.has_record(&run)? {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    fn has_record(&self, run: &RunId) -> Result<bool, FileError> {
        Ok(files::look(&self.folder(run).join("record.json"))?.is_some())
    }

    /// The newest run that has a record.
    pub fn newest(&self) -> Result<RunId, RunError> {
        let named = if files::look(&self.0)?.is_some() { self.named()? } else { Vec::new() };
        for run in named.into_iter().rev() {
            if self.has_record(&run)? {
                return Ok(run);
            }
        }
        Err(RunError::NoRuns(self.0.clone()))
    }

    /// The record of one run.
    pub fn load(&self, run: &RunId) -> Result<RunRecord, RunError> {
        // In this order: what is no longer in the one when it is read, is in the other.
        let progress = files::read_if_there(&self.progress(run))?.unwrap_or_default();
        let path = self.folder(run).join("record.json");
        let text = files::read_if_there(&path)?.ok_or_else(|| RunError::NoSuchRun(run.clone()))?;
        let mut record = parse(run, &text)?;
        progress::complete(&mut record, &progress);
        Ok(record)
    }

    /// The record of the newest run.
    pub fn latest(&self) -> Result<RunRecord, RunError> {
        self.load(&self.newest()?)
    }

    /// Removes what a killed run had half written of its record, or not yet removed, and the folder of one that had written none.
    pub fn tidy(&self, run: &RunId) -> Result<(), RunError> {
        let folder = self.folder(run);
        // Something else by such a name is none of ours.
        if !files::look(&folder)?.is_some_and(|there| there.is_dir()) {
            return Ok(());
        }
        for name in files::list_dir(&folder)? {
            if files::is_temporary(&name) {
                files::remove_file(&folder.join(name))?;
            }
        }
        let progress = self.progress(run);
        // One that cannot be read is somebody else's to look into: its parts stay.
        let has_ended = || self.load(run).is_ok_and(|record| record.outcome != RunOutcome::Unfinished);
        if files::look(&progress)?.is_some() && has_ended() {
            files::remove_file(&progress)?;
        }
        if files::list_dir(&folder)?.is_empty() {
            files::remove_dir(&folder)?;
        }
        Ok(())
    }

    /// Removes what somebody who was killed had half written beside the runs, or half removed. Whoever is still at it only
    /// does not find it any more.
    pub fn tidy_names(&self) -> Result<(), RunError> {
        let names = if files::look(&self.0)?.is_some() { files::list_dir(&self.0)? } else { Vec::new() };
        let left = names.iter().filter(|name| files::is_temporary(name));
        Ok(left.map(|name| self.0.join(name)).try_for_each(|path| folders::remove_tree(&path))?)
    }

    /// Tidies every run that is not `under_way`.
    pub fn tidy_all(&self, under_way: &dyn Fn(&RunId) -> bool) -> Result<(), RunError> {
        if files::look(&self.0)?.is_none() {
            return Ok(());
        }
        let runs = self.named()?;
        runs.iter().filter(|run| !under_way(run)).try_for_each(|run| self.tidy(run))
    }
}

fn parse(run: &RunId, text: &str) -> Result<RunRecord, RunError> {
    #[derive(Deserialize)]
    struct Form {
        schema: u32,
    }
    let damaged = |source| RunError::Damaged { run: run.clone(), source };
    let Form { schema } = serde_json::from_str(text).map_err(damaged)?;
    if schema > SCHEMA {
        return Err(RunError::Newer { run: run.clone(), schema });
    }
    serde_json::from_str(text).map_err(damaged)
}
