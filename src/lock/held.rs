//! The note of what this node holds, in a file of disco's home: so that a run that was killed, or that the machine was started
//! anew after, is known to whoever comes next. It is no claim: whether the node holds a lock is for the server to say.

use std::path::{Path, PathBuf};

use disco_dlm::model::Token;
use serde::{Deserialize, Serialize};

use crate::lock::place::Place;
use crate::sys::files::{self, FileError, Ownership};

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// Why a lock is held, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Why {
    /// Somebody works under it.
    Working,
    /// The work failed, and it is kept so that nobody else does the same.
    Failed,
    /// The merge waits to be confirmed.
    Unconfirmed,
    /// The machine is to be started anew, and it is released after that.
    Reboot {
        /// The boot in which that was asked for.
        boot: String,
    },
}

/// A process, known also after its number has been given to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, as the kernel counts.
    pub started: u64,
    /// The boot in which it is.
    pub boot: String,
}

/// One lock of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The server.
    pub url: Place,
    /// The lock's name.
    pub lock: String,
    /// The grant; `None` before the server has said it.
    pub token: Option<Token>,
    /// For what: a run's id, or a command line.
    pub work: String,
    /// Whose it is.
    pub process: Process,
    /// Since when.
    pub since: String,
    /// Why it is held.
    #[serde(flatten)]
    pub why: Why,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    schema: u32,
    held: Vec<Held>,
}

/// The file.
#[derive(Debug, Clone)]
pub struct Notes {
    path: PathBuf,
}

impl Notes {
    /// That of a home of disco's.
    pub fn of(home: &Path) -> Notes {
        Notes { path: home.join("cluster-lock").join("held.json") }
    }

    /// All that is held. A file that makes no sense is an error, as is one of a newer form.
    pub fn all(&self) -> Result<Vec<Held>, FileError> {
        let Some(text) = files::read_if_there(&self.path)? else { return Ok(Vec::new()) };
        let damaged = |why: String| {
            FileError::at("read", &self.path)(std::io::Error::new(std::io::ErrorKind::InvalidData, why))
        };
        let file: File = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if file.schema > SCHEMA {
            return Err(damaged(format!("it has form {}, and this disco reads up to {SCHEMA}", file.schema)));
        }
        Ok(file.held)
    }

    /// What is noted of one lock.
    pub fn find(&self, url: &Place, lock: &str) -> Result<Option<Held>, FileError> {
        Ok(self.all()?.into_iter().find(|held| held.url == *url && held.lock == lock))
    }

    /// Notes one, in place of what was noted of the same lock. It is on the disk when this returns.
    pub fn put(&self, note: &Held) -> Result<(), FileError> {
        let mut all = self.all()?;
        all.retain(|held| held.url != note.url || held.lock != note.lock);
        all.push(note.clone());
        self.write(all)
    }

    /// Forgets one. Whether there was any.
    pub fn remove(&self, url: &Place, lock: &str) -> Result<bool, FileError> {
        let mut all = self.all()?;
        let before = all.len();
        all.retain(|held| held.url != *url || held.lock != lock);
        if all.len() == before {
            return Ok(false);
        }
        self.write(all).map(|()| true)
    }

    fn write(&self, held: Vec<Held>) -> Result<(), FileError> {
        if held.is_empty() {
            return files::remove_file(&self.path);
        }
        if let Some(folder) = self.path.parent() {
            files::create_dirs(folder, 0o700)?;
        }
        // Plain data with text for keys always has a form in JSON.
        let text = serde_json::to_string_pretty(&File { schema: SCHEMA, held }).unwrap_or_default() + "\n";
        files::write_whole(&self.path, text.as_bytes(), Ownership::New(0o600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(lock: &str, token: u64) -> Held {
        Held {
            url: Place::new("https://locks").unwrap(),
            lock: lock.to_owned(),
            token: Some(Token(token)),
            work: "run 1".to_owned(),
            process: Process { pid: 1, started: 2, boot: "one".to_owned() },
            since: "2026-11-20T19:04:51Z".to_owned(),
            why: Why::Reboot { boot: "one".to_owned() },
        }
    }

    #[test]
    fn a_note_is_kept_replaced_and_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::of(home.path());
        assert_eq!(notes.all().unwrap(), []);
        notes.put(&held("a", 1)).unwrap();
        notes.put(&held("b", 2)).unwrap();
        notes.put(&held("a", 3)).unwrap();
        assert_eq!(notes.all().unwrap(), [held("b", 2), held("a", 3)]);
        let url = Place::new("https://locks").unwrap();
        assert_eq!(notes.find(&url, "a").unwrap(), Some(held("a", 3)));
        assert!(notes.remove(&url, "a").unwrap() && !notes.remove(&url, "a").unwrap());
        assert!(notes.remove(&url, "b").unwrap());
        assert_eq!(notes.all().unwrap(), []);
    }

    #[test]
    fn damage_is_told_and_names_the_file() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::of(home.path());
        notes.put(&held("a", 1)).unwrap();
        for text in ["", "{", "[]", "{\"schema\":2,\"held\":[]}"] {
            std::fs::write(&notes.path, text).unwrap();
            let error = notes.all().unwrap_err().to_string();
            assert!(error.contains("held.json"), "{error}");
        }
    }
}
