//! What the modules of a run changed, in a file beside its record: one line of JSON a difference, compressed, in the order of
//! the modules and sorted by path within each. Records of form 1 hold them themselves.

use std::io::{self, BufRead, Lines};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::change::{Change, ChangeSet, ContentChange, Earlier, Recorded, Writers};
use crate::model::names::{ModuleName, RunId};
use crate::model::path::RootedPath;
use crate::model::run::RunOutcome;
use crate::runs::{RunError, Runs};
use crate::sys::files::{self, FileError};
use crate::sys::gzip::{self, Gzip};

/// Its name in the folder of a run.
const NAME: &str = "changes.jsonl.gz";

/// The most that this file may take of the disk, in bytes.
const MOST: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// Differences, read one after the other.
pub type Changes = Box<dyn Iterator<Item = Result<Recorded, RunError>>>;

impl Runs {
    /// Adds what a module changed to what is kept of a run. It outlives a crash of disco; after one of the machine it may be
    /// missing. Texts that would make the record too large are left out, and it says so.
    pub fn add_changes(
        &self,
        run: &RunId,
        module: &ModuleName,
        changes: &ChangeSet,
        writers: &Writers,
    ) -> Result<(), RunError> {
        if changes.0.is_empty() {
            return Ok(());
        }
        // First: a path too many sends nobody astray.
        self.list_paths(run, changes)?;
        let path = self.folder(run).join(NAME);
        let mut room = MOST.saturating_sub(files::look(&path)?.map_or(0, |found| found.len()));
        let mut file = Gzip::append(&path, 0o600)?;
        for change in &changes.0 {
            let line = line(run, module, change, writers, false)?;
            // As if nothing could be compressed.
            let line = match line.len() as u64 {
                length if length <= room => line,
                _ => self::line(run, module, change, writers, true)?,
            };
            room = room.saturating_sub(line.len() as u64);
            file.write(&line)?;
        }
        Ok(file.finish()?)
    }

    /// What the modules of a run changed. The last lines of a run that was killed may be missing.
    pub fn changes(&self, run: &RunId) -> Result<Changes, RunError> {
        self.changes_if(run, None)
    }

    /// What the modules of a run did to one path.
    pub fn changes_at(&self, run: &RunId, path: &RootedPath) -> Result<Vec<Recorded>, RunError> {
        let only = self.changes_if(run, Some(path))?;
        only.filter(|recorded| recorded.as_ref().map_or(true, |it| it.change.path == *path)).collect()
    }

    /// All, or at least those of one path.
    fn changes_if(&self, run: &RunId, path: Option<&RootedPath>) -> Result<Changes, RunError> {
        let at = self.folder(run).join(NAME);
        if files::look(&at)?.is_some() {
            let damaged = |source| RunError::Damaged { run: run.clone(), source };
            let only = path.map(serde_json::to_string).transpose().map_err(damaged)?;
            let lines = gzip::open(&at)?.lines();
            let (runs, run) = (self.clone(), run.clone());
            return Ok(Box::new(Reader { runs, run, path: at, lines, only, ended: false }));
        }
        let of_form_1 = self.read(run)?;
        Ok(Box::new(of_form_1.modules.into_iter().flat_map(Held::recorded).map(Ok)))
    }

    fn read(&self, run: &RunId) -> Result<FormOne, RunError> {
        let path = self.folder(run).join("record.json");
        let text = files::read_if_there(&path)?.ok_or_else(|| RunError::NoSuchRun(run.clone()))?;
        serde_json::from_str(&text).map_err(|source| RunError::Damaged { run: run.clone(), source })
    }
}

/// The line of a difference, with its end; without its texts where it is `cut`.
fn line(
    run: &RunId,
    module: &ModuleName,
    change: &Change,
    writers: &Writers,
    cut: bool,
) -> Result<Vec<u8>, RunError> {
    // In this order the path is near the begin of the line.
    #[derive(Serialize)]
    struct Borrowed<'a> {
        module: &'a ModuleName,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<&'a str>,
        #[serde(flatten)]
        change: &'a Change,
        #[serde(skip_serializing_if = "<[Earlier]>::is_empty")]
        earlier: &'a [Earlier],
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    }
    let written = writers.0.get(&change.path);
    let cut = cut && matches!(change.content, ContentChange::Text { .. });
    let without;
    let (change, earlier) = match cut {
        true => {
            let (before, after) = change.kind.sizes();
            without = Change { content: ContentChange::Large { before, after }, ..change.clone() };
            (&without, None)
        }
        false => (change, written),
    };
    let earlier = earlier.map_or(&[][..], |written| &written.earlier);
    let step = written.map(|written| written.step.as_str());
    let mut line = serde_json::to_vec(&Borrowed { module, step, change, earlier, cut })
        .map_err(|source| RunError::Damaged { run: run.clone(), source })?;
    line.push(b'\n');
    Ok(line)
}

/// A record of form 1, as far as it is about differences.
#[derive(Deserialize)]
struct FormOne {
    modules: Vec<Held>,
}

#[derive(Deserialize)]
struct Held {
    module: ModuleName,
    changes: Either,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Changes(ChangeSet),
    /// Of a later form: a run that changed nothing has no file of differences.
    Counts {},
}

impl Held {
    fn recorded(self) -> Vec<Recorded> {
        match self.changes {
            Either::Changes(ChangeSet(changes)) => {
                let recorded = |change| {
                    let (earlier, cut) = (Vec::new(), false);
                    Recorded { module: self.module.clone(), step: None, change, earlier, cut }
                };
                changes.into_iter().map(recorded).collect()
            }
            Either::Counts {} => Vec::new(),
        }
    }
}

struct Reader<R> {
    runs: Runs,
    run: RunId,
    path: PathBuf,
    lines: Lines<R>,
    /// The path of the lines that are wanted, as JSON.
    only: Option<String>,
    ended: bool,
}

impl<R> Reader<R> {
    fn was_killed(&self) -> bool {
        self.runs.load(&self.run).is_ok_and(|record| record.outcome == RunOutcome::Unfinished)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Recorded, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => {
                    self.ended = true;
                    // Where whoever wrote it was killed, what is before that is whole.
                    return match error.kind() {
                        io::ErrorKind::UnexpectedEof if self.was_killed() => None,
                        _ => Some(Err(FileError::at("read", &self.path)(error).into())),
                    };
                }
            };
            // Between quotes a quote is escaped, so this is the key.
            let path = line.split_once("\"path\":").map_or("", |(_, path)| path);
            if self.only.as_ref().is_none_or(|only| path.is_empty() || path.starts_with(only.as_str())) {
                let damaged = |source| RunError::Damaged { run: self.run.clone(), source };
                return Some(serde_json::from_str(&line).map_err(damaged));
            }
        }
        None
    }
}
