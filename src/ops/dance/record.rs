//! What is kept of a run while it goes on, and of those before it.

use std::path::Path;

use crate::merge;
use crate::model::change::{ChangeSet, Writers};
use crate::model::names::{ModuleName, RunId};
use crate::model::step::ModuleRecord;
use crate::runs::{Keep, Runs};
use crate::secrets::known;
use crate::settings::Settings;
use crate::sys::files::{self, Synced};
use crate::sys::lock::Lock;

use super::{DanceError, Run, hidden};

impl Run<'_> {
    /// Saves the record as far as it is, without secrets, so that it outlives a crash of the machine.
    pub(in crate::ops) fn save(&self) -> Result<(), DanceError> {
        self.write(Synced::All)
    }

    /// The same before the merge and at the end, where a power cut may take it back to what it was, but not empty it: a
    /// recovery reads it.
    pub(in crate::ops) fn note(&self) -> Result<(), DanceError> {
        self.write(Synced::Content)
    }

    fn write(&self, synced: Synced) -> Result<(), DanceError> {
        Ok(self.runs.write(&*hidden::to_keep(&self.record.run, &self.record)?, synced)?)
    }

    /// Adds a module that has had its turn, and what it changed, to the record, also on disk.
    pub(in crate::ops) fn add(
        &mut self,
        module: ModuleRecord,
        changes: &ChangeSet,
        writers: &Writers,
    ) -> Result<(), DanceError> {
        self.keep(&module.module, changes, writers)?;
        self.runs.add(&self.record.run, &*hidden::to_keep(&self.record.run, &module)?)?;
        self.record.add(module);
        Ok(())
    }

    /// Keeps what a module changed beside the record.
    pub(in crate::ops) fn keep(
        &self,
        module: &ModuleName,
        changes: &ChangeSet,
        writers: &Writers,
    ) -> Result<(), DanceError> {
        known::learn(|secrets| secrets.add_withheld(changes));
        let (hider, run) = (known::hider(), &self.record.run);
        Ok(self.runs.add_changes(run, module, &hider.changes(changes), &hider.writers(changes, writers))?)
    }
}

/// Removes the records that need not be kept any longer: none of a run under way, or whose merge is not finished or can be undone.
pub(super) fn prune(settings: &Settings, runs: &Runs) -> Result<(), DanceError> {
    let home = &settings.home.value;
    let needed = [settings.storage.value.clone(), merge::journals(home), merge::undo::folder(home)];
    let needed = |run: &RunId| needed.iter().any(|one| one.join(run.as_str()).exists());
    let keep = Keep {
        runs: settings.keep_runs.value,
        seconds: u64::from(settings.keep_days.value) * 24 * 3600,
        bytes: settings.keep_size.value.bytes_of(files::disk_size(home)?),
    };
    runs.prune(keep, &needed)?;
    Ok(())
}

/// Removes what somebody who was killed had half written of what monitors read. Whoever is at it has the lock.
pub(super) fn tidy_home(home: &Path) -> Result<(), DanceError> {
    let left: Vec<_> = files::list_dir(home)?.into_iter().filter(|name| files::is_temporary(name)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let path = home.join("last-run-lock");
    let there = files::look(&path)?.is_some();
    let lock = Lock::take_if_left(&path).map_err(DanceError::Prepare)?;
    if there && lock.is_none() {
        return Ok(());
    }
    Ok(left.iter().try_for_each(|name| files::remove_file(&home.join(name)))?)
}
