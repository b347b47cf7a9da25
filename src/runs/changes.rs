//! What the modules of a run changed, in a file beside its record: one line of JSON a difference, compressed, in the order of
//! the modules and sorted by path within each. Records of form 1 hold them themselves.

use std::io::{self, BufRead, Lines};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::change::{Change, ChangeSet, Recorded};
use crate::model::names::{ModuleName, RunId};
use crate::runs::{RunError, Runs};
use crate::sys::files::{self, FileError};
use crate::sys::gzip::{self, Gzip};

/// Its name in the folder of a run.
const NAME: &str = "changes.jsonl.gz";

/// Differences, read one after the other.
pub type Changes = Box<dyn Iterator<Item = Result<Recorded, RunError>>>;

impl Runs {
    /// Adds what a module changed to what is kept of a run. It outlives a crash of disco; after one of the machine it may be
    /// missing.
    pub fn add_changes(&self, run: &RunId, module: &ModuleName, changes: &ChangeSet) -> Result<(), RunError> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            module: &'a ModuleName,
            #[serde(flatten)]
            change: &'a Change,
        }
        if changes.0.is_empty() {
            return Ok(());
        }
        let mut file = Gzip::append(&self.folder(run).join(NAME), 0o600)?;
        for change in &changes.0 {
            let damaged = |source| RunError::Damaged { run: run.clone(), source };
            let mut line = serde_json::to_vec(&Borrowed { module, change }).map_err(damaged)?;
            line.push(b'\n');
            file.write(&line)?;
        }
        Ok(file.finish()?)
    }

    /// What the modules of a run changed. The last line of a run that was killed may be missing.
    pub fn changes(&self, run: &RunId) -> Result<Changes, RunError> {
        let path = self.folder(run).join(NAME);
        if files::look(&path)?.is_some() {
            let lines = gzip::open(&path)?.lines();
            return Ok(Box::new(Reader { run: run.clone(), path, lines, ended: false }));
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
                let recorded = |change| Recorded { module: self.module.clone(), step: None, change };
                changes.into_iter().map(recorded).collect()
            }
            Either::Counts {} => Vec::new(),
        }
    }
}

struct Reader<R> {
    run: RunId,
    path: PathBuf,
    lines: Lines<R>,
    ended: bool,
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Recorded, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(error) => {
                self.ended = true;
                // Whoever wrote it was killed: what is before that is whole.
                return match error.kind() {
                    io::ErrorKind::UnexpectedEof => None,
                    _ => Some(Err(FileError::at("read", &self.path)(error).into())),
                };
            }
        };
        let damaged = |source| RunError::Damaged { run: self.run.clone(), source };
        Some(serde_json::from_str(&line).map_err(damaged))
    }
}
