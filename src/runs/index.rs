//! What `disco runs` shows of each run, in one file beside the records, so that a list of thousands opens none of them: one
//! line of JSON a run that has ended, added with each save.
//!
//! It is never believed without a look: a line counts as long as the `record.json` that it was made from is the one that is
//! there. What has no such line is read, and gets one. So the file can be lost, torn or old, and the list is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::change::Recorded;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::runs::paths::Paths;
use crate::runs::{RunError, Runs};
use crate::sys::files::{self, FileError, Ownership, Synced};
use crate::sys::folders;

/// A hidden name: what lists the folder sees runs alone.
const NAME: &str = ".index.jsonl";

/// What a list shows of a run, without its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which run.
    pub run: RunId,
    /// NOOP or live.
    pub mode: Mode,
    /// The root that it is about.
    #[serde(default, skip_serializing_if = "LiveRoot::is_own")]
    pub root: LiveRoot,
    /// The run whose merge it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
    /// When it started, RFC 3339.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many objects differ in the end.
    pub changes: usize,
    /// What its folder takes of the disk, in bytes.
    pub bytes: u64,
    /// What its modules changed, where it was live.
    #[serde(default, skip_serializing_if = "Paths::is_empty")]
    paths: Paths,
    /// The record that it was made from.
    record: Stamp,
}

impl Entry {
    /// Whether its modules may have changed that path. Of a NOOP run none is known.
    pub fn may_have_changed(&self, path: &RootedPath) -> bool {
        self.paths.may_have(path)
    }

    /// Whether its modules may have changed anything.
    pub fn has_changed(&self) -> bool {
        !self.paths.is_empty()
    }
}

/// Which file it is: a record is written anew with each save, so it has another number then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(u64, u64, i64, i64);

/// A run that is kept.
#[derive(Debug)]
pub enum Listed {
    /// What is known of it.
    Entry(Entry),
    /// Its record cannot be read: damaged, or a newer disco's.
    Unreadable {
        /// Which run.
        run: RunId,
        /// Why.
        error: RunError,
    },
}

impl Listed {
    /// Which run.
    pub fn run(&self) -> &RunId {
        match self {
            Listed::Entry(entry) => &entry.run,
            Listed::Unreadable { run, .. } => run,
        }
    }
}

impl Runs {
    /// All runs that have a record, oldest first. One that cannot be read does not hide the others.
    pub fn entries(&self) -> Result<Vec<Listed>, RunError> {
        if files::look(&self.0)?.is_none() {
            return Ok(Vec::new());
        }
        let (mut known, lines) = self.known()?;
        let (mut all, mut new) = (Vec::new(), Vec::new());
        for run in self.named()? {
            let Some(stamp) = self.stamp(&run)? else { continue };
            if let Some(entry) = known.remove(&run).filter(|entry| entry.record == stamp) {
                all.push(Listed::Entry(entry));
                continue;
            }
            match self.load(&run).and_then(|record| self.entry(&record, stamp)) {
                Ok(entry) => {
                    if entry.outcome != RunOutcome::Unfinished {
                        new.push(run);
                    }
                    all.push(Listed::Entry(entry));
                }
                // Somebody has removed it since.
                Err(RunError::NoSuchRun(_)) => {}
                Err(error) => all.push(Listed::Unreadable { run, error }),
            }
        }
        let useless = (lines + new.len()).saturating_sub(all.len());
        if !new.is_empty() || useless > 64 + all.len() / 2 {
            // The list is whole without it: the home may be somebody else's, or its disk full.
            let _ = self.write_index(&all, &new, useless);
        }
        Ok(all)
    }

    /// Adds what `record.json` says now to the index, once the run has ended.
    pub(super) fn index(&self, record: &RunRecord) -> Result<(), RunError> {
        match self.stamp(&record.run)? {
            Some(stamp) if record.outcome != RunOutcome::Unfinished => {
                let line = line(&self.entry(record, stamp)?);
                Ok(files::append(&self.index_file(), &line, 0o600)?)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn index_file(&self) -> PathBuf {
        self.0.join(NAME)
    }

    /// The lines that the index has, the last one of each run; and how many there are.
    fn known(&self) -> Result<(BTreeMap<RunId, Entry>, usize), RunError> {
        let text = files::read_bytes_if_there(&self.index_file())?.unwrap_or_default();
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        // A torn line is no line.
        let entries = lines.iter().filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
        Ok((entries.map(|entry| (entry.run.clone(), entry)).collect(), lines.len()))
    }

    /// The names of all folders that could be a run's, oldest first.
    pub(super) fn named(&self) -> Result<Vec<RunId>, FileError> {
        let names = files::list_dir(&self.0)?;
        Ok(names.iter().filter_map(|name| RunId::new(name.to_str()?).ok()).collect())
    }

    fn stamp(&self, run: &RunId) -> Result<Option<Stamp>, FileError> {
        let found = files::look(&self.folder(run).join("record.json"))?;
        Ok(found.map(|it| {
            let (inode, (seconds, nanoseconds)) = files::number_and_time(&it);
            Stamp(inode, it.len(), seconds, nanoseconds)
        }))
    }

    fn entry(&self, record: &RunRecord, stamp: Stamp) -> Result<Entry, RunError> {
        Ok(Entry {
            run: record.run.clone(),
            mode: record.mode,
            root: record.root.clone(),
            undoes: record.undoes.clone(),
            started: record.started.clone(),
            ended: record.ended.clone(),
            outcome: record.outcome.clone(),
            changes: record.changes,
            bytes: folders::disk_usage(&self.folder(&record.run)),
            paths: match record.mode {
                Mode::Live if !record.modules.is_empty() => self.changed_paths(&record.run)?,
                Mode::Live | Mode::Noop => Paths::default(),
            },
            record: stamp,
        })
    }

    /// The paths that the modules of a run changed: as they are listed beside the record, or else as the differences say.
    fn changed_paths(&self, run: &RunId) -> Result<Paths, RunError> {
        if let Some(listed) = self.listed_paths(run)? {
            return Ok(listed);
        }
        let mut paths = BTreeSet::new();
        for recorded in self.changes(run)? {
            let Recorded { change, .. } = recorded?;
            paths.insert(change.path);
        }
        Ok(paths.iter().collect())
    }

    fn write_index(&self, all: &[Listed], new: &[RunId], useless: usize) -> Result<(), FileError> {
        let whole = useless > 64 + all.len() / 2;
        let entries = all.iter().filter_map(|listed| match listed {
            Listed::Entry(entry) if entry.outcome == RunOutcome::Unfinished => None,
            Listed::Entry(entry) => (whole || new.binary_search(&entry.run).is_ok()).then_some(entry),
            Listed::Unreadable { .. } => None,
        });
        let lines: Vec<u8> = entries.flat_map(line).collect();
        match whole {
            true => files::write_synced(&self.index_file(), &lines, Ownership::New(0o600), Synced::Content),
            false => files::append(&self.index_file(), &lines, 0o600),
        }
    }
}

/// Begins with a line's end, too: what a crash has left of the line before it spoils that alone.
fn line(entry: &Entry) -> Vec<u8> {
    let json = serde_json::to_string(entry).unwrap_or_default();
    format!("\n{json}\n").into_bytes()
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
