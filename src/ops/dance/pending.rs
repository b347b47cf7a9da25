//! Commands of `on-change` that are owed: their paths are merged, and they have not been run. They are kept in `pending.json` of
//! disco's home until they have, across failures and crashes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::actions::owed;
use crate::model::duty::{Duty, Schedule};
use crate::model::names::{ModuleName, RunId};
use crate::sys::files::{self, FileError, Ownership};

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// What is owed, and the file that says so.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    path: PathBuf,
    owed: Vec<Owed>,
}

/// A command that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owed {
    /// The module that wants it.
    module: ModuleName,
    /// The command, as its `on-change` has it.
    command: String,
    /// The run that has changed a path of it.
    since: RunId,
}

#[derive(Debug, Serialize, Deserialize)]
struct Form {
    schema: u32,
    pending: Vec<Owed>,
}

impl Pending {
    /// What is owed on the node with that home.
    pub fn load(home: &Path) -> Result<Pending, FileError> {
        let path = home.join("pending.json");
        let Some(text) = files::read_if_there(&path)? else { return Ok(Pending { path, owed: Vec::new() }) };
        let unreadable = |error: String| FileError::at("understand", &path)(std::io::Error::other(error));
        let form: Form = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if form.schema != SCHEMA {
            return Err(unreadable(format!("it has form {}, and this disco reads {SCHEMA}", form.schema)));
        }
        Ok(Pending { path, owed: form.pending })
    }

    /// The commands with their modules, in their order.
    pub fn commands(&self) -> Vec<(ModuleName, String)> {
        self.owed.iter().map(|owed| (owed.module.clone(), owed.command.clone())).collect()
    }

    /// Owes what modules want since a run changes paths of theirs.
    pub fn owe(&mut self, run: &RunId, wanted: &[(ModuleName, String)]) -> Result<(), FileError> {
        let before = self.owed.clone();
        for (module, command) in wanted {
            if !self.owed.iter().any(|owed| owed.command == *command) {
                let (module, command, since) = (module.clone(), command.clone(), run.clone());
                self.owed.push(Owed { module, command, since });
            }
        }
        self.save_if(before)
    }

    /// What a duty that is done has paid.
    pub fn paid(&mut self, schedule: &Schedule, duty: &Duty) -> Result<(), FileError> {
        let before = self.owed.clone();
        self.owed.retain(|owed| !owed::pays(schedule, duty, &owed.command));
        self.save_if(before)
    }

    /// What a run owed that is not merged after all.
    pub fn forget(&mut self, run: &RunId) -> Result<(), FileError> {
        let before = self.owed.clone();
        self.owed.retain(|owed| owed.since != *run);
        self.save_if(before)
    }

    fn save_if(&self, before: Vec<Owed>) -> Result<(), FileError> {
        if self.owed == before {
            return Ok(());
        }
        if self.owed.is_empty() {
            files::remove_file(&self.path)?;
            return files::sync_folder(self.path.parent().unwrap_or(Path::new("/")));
        }
        let form = Form { schema: SCHEMA, pending: self.owed.clone() };
        let written = serde_json::to_vec_pretty(&form);
        let json =
            written.map_err(|error| FileError::at("write", &self.path)(std::io::Error::other(error)))?;
        files::write_whole(&self.path, &json, Ownership::New(0o600))
    }
}
