//! What is kept of runs that were asked for, below `agent/runs` of disco's home; of each, by its id: `.json` how it stands, `.log` what it
//! prints, `.lock` which its runner holds, `.dance` which process its dance is, `.abort` who wants it no more.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use disco_agent::runs::TriggerId;
use disco_agent::runs::queue::Kept;
use serde::{Deserialize, Serialize};

use crate::sys::alive::Alive;
use crate::sys::clock;
use crate::sys::files::{self, FileError, Ownership};
use crate::sys::lock::{Lock, LockError};

use super::AgentError;

/// How many runs are kept.
const KEPT: usize = 100;
/// Half-written files of whoever was killed are removed after so long: a runner that lives may be at a younger one.
const LEFT: Duration = Duration::from_secs(3600);
/// What there may be of a run; how it stands goes last, for it is what a run is known by.
const KINDS: [&str; 5] = ["abort", "dance", "lock", "log", "json"];

/// The folder of what is kept.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// Who wants a run no more.
#[derive(Debug, Serialize, Deserialize)]
struct Abort {
    by: String,
}

impl Store {
    /// Of that home; its folder is made.
    pub fn open(home: &Path) -> Result<Store, FileError> {
        let folder = home.join("agent/runs");
        files::create_dirs(home, 0o755)?;
        files::create_dirs(&folder, 0o700)?;
        Ok(Store { folder: files::canonical(&folder)? })
    }

    fn path(&self, id: &TriggerId, kind: &str) -> PathBuf {
        self.folder.join(format!("{id}.{kind}"))
    }

    /// Saves how a run stands, whole: after a crash it is the old one or this one.
    pub(super) fn save(&self, kept: &Kept) -> Result<(), FileError> {
        // Plain data with names for keys: it has a form in JSON.
        let mut text = serde_json::to_string(kept).expect("what is kept is JSON");
        text.push('\n');
        files::write_whole(&self.path(&kept.run.id, "json"), text.as_bytes(), Ownership::New(0o600))
    }

    /// How a run stands; `None` where there is no such run.
    pub(super) fn load(&self, id: &TriggerId) -> Result<Option<Kept>, AgentError> {
        let text = files::read_if_there(&self.path(id, "json"))?;
        let damaged = |source| AgentError::Damaged { id: id.clone(), source };
        text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    }

    /// All runs, the newest first, and what is wrong with those that cannot be read.
    pub(super) fn all(&self) -> Result<(Vec<Kept>, Vec<AgentError>), FileError> {
        let (mut all, mut damaged) = (Vec::new(), Vec::new());
        for name in files::list_dir(&self.folder)? {
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let Ok(id) = TriggerId::try_from(id.to_owned()) else { continue };
            match self.load(&id) {
                Ok(kept) => all.extend(kept.map(|kept| (self.changed(&id), kept))),
                Err(error) => damaged.push(error),
            }
        }
        // Of one second there may be several, and their ids say nothing of their order.
        all.sort_by(|(one_at, one), (other_at, other)| {
            (other.run.asked, other_at, &other.run.id).cmp(&(one.run.asked, one_at, &one.run.id))
        });
        Ok((all.into_iter().map(|(_, kept)| kept).collect(), damaged))
    }

    /// When how it stands was last written, in seconds and nanoseconds.
    fn changed(&self, id: &TriggerId) -> Option<(i64, i64)> {
        let found = files::look(&self.path(id, "json")).ok().flatten()?;
        Some(files::number_and_time(&found).1)
    }

    /// Whether anybody has asked that home for a run yet.
    pub(super) fn is_there(home: &Path) -> Result<bool, FileError> {
        Ok(files::look(&home.join("agent/runs"))?.is_some())
    }

    /// Takes the lock of helpers.
    pub(super) fn take_helper_lock(&self) -> Result<Lock, AgentError> {
        let holder = format!("pid {}, since {}", std::process::id(), clock::now());
        Lock::take(&self.folder.join("helper.lock"), &holder, None, &mut |_| {}).map_err(
            |error| match error {
                LockError::Busy { .. } => AgentError::Taken(error),
                LockError::Io { .. } | LockError::Interrupted { .. } => AgentError::Lock(error),
            },
        )
    }

    /// The lock that a run's runner holds.
    pub(super) fn lock(&self, id: &TriggerId) -> PathBuf {
        self.path(id, "lock")
    }

    /// Takes that lock, for the runner.
    pub(super) fn take_lock(&self, id: &TriggerId) -> Result<Lock, LockError> {
        Lock::take(&self.lock(id), "the runner of this run", None, &mut |_| {})
    }

    /// Whether a runner lives; what cannot be found out is not so.
    pub(super) fn has_runner(&self, id: &TriggerId) -> bool {
        Lock::is_held(&self.lock(id)).unwrap_or(false)
    }

    /// What a run prints, opened to be added to.
    pub(super) fn log_to_write(&self, id: &TriggerId) -> Result<File, FileError> {
        files::open_to_append(&self.path(id, "log"), 0o600)
    }

    /// What a run prints; `None` where it has printed nothing yet.
    pub(super) fn log(&self, id: &TriggerId) -> Result<Option<File>, FileError> {
        match files::open(&self.path(id, "log")) {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Notes that somebody wants a run no more, for its runner. Only the first who does counts.
    pub(super) fn abort(&self, id: &TriggerId, by: &str) -> Result<(), FileError> {
        if self.aborted_by(id)?.is_some() {
            return Ok(());
        }
        let text = serde_json::json!({ "by": by }).to_string();
        files::write_whole(&self.path(id, "abort"), text.as_bytes(), Ownership::New(0o600))
    }

    /// Who wants it no more.
    pub(super) fn aborted_by(&self, id: &TriggerId) -> Result<Option<String>, FileError> {
        let text = files::read_if_there(&self.path(id, "abort"))?;
        // Somebody else's file is a wish all the same.
        Ok(text.map(|text| {
            serde_json::from_str(&text).map_or_else(|_| "somebody".to_owned(), |Abort { by }| by)
        }))
    }

    /// Notes which process a run's dance is.
    pub(super) fn note_dance(&self, id: &TriggerId, dance: &Alive) -> Result<(), FileError> {
        let text = serde_json::to_string(dance).expect("a process is JSON");
        files::write_whole(&self.path(id, "dance"), text.as_bytes(), Ownership::New(0o600))
    }

    /// The process that a run's dance is, or was.
    pub(super) fn dance(&self, id: &TriggerId) -> Result<Option<Alive>, FileError> {
        let text = files::read_if_there(&self.path(id, "dance"))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok())) // one that cannot be read leads to no process
    }

    /// Removes what somebody who was killed had half written.
    pub(super) fn tidy(&self) -> Result<(), FileError> {
        files::remove_temporary(&self.folder, LEFT)
    }

    /// Removes the oldest runs that have ended, so that a hundred stay; returns which.
    pub(super) fn prune(&self) -> Result<Vec<TriggerId>, FileError> {
        let (all, _) = self.all()?;
        let mut gone = Vec::new();
        for kept in all.iter().skip(KEPT).filter(|kept| kept.run.state.is_end()) {
            for kind in KINDS {
                let path = self.path(&kept.run.id, kind);
                if files::look(&path)?.is_some() {
                    files::remove_file(&path)?;
                }
            }
            gone.push(kept.run.id.clone());
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use disco_agent::runs::queue::SCHEMA;
    use disco_agent::runs::{RunState, State};

    use super::*;

    fn kept(number: u8, state: State) -> Kept {
        let run = RunState {
            id: TriggerId::of([number; 16]),
            noop: true,
            modules: vec![],
            by: vec!["ci".to_owned()],
            state,
            asked: i64::from(number),
            began: None,
            ended: None,
            run: None,
        };
        Kept { schema: SCHEMA, run, keys: vec![] }
    }

    #[test]
    fn the_newest_hundred_stay_and_none_that_has_not_ended_goes() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        store.save(&kept(0, State::Running)).unwrap();
        for number in 1..=103 {
            store.save(&kept(number, State::Lost)).unwrap();
        }
        store.abort(&TriggerId::of([1; 16]), "bob").unwrap();
        let wanted: Vec<TriggerId> = [3, 2, 1].map(|number| TriggerId::of([number; 16])).to_vec();
        assert_eq!(store.prune().unwrap(), wanted);
        let (all, damaged) = store.all().unwrap();
        assert_eq!((all.len(), damaged.len()), (101, 0));
        assert_eq!((all[0].run.asked, all[100].run.asked), (103, 0), "the newest first");
        assert_eq!(store.aborted_by(&wanted[2]).unwrap(), None, "nothing is left of it");
    }

    #[test]
    fn of_one_second_the_last_written_is_the_newest() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let order = [7, 3, 9, 1, 5];
        for (at, number) in (1..).zip(order) {
            let mut kept = kept(number, State::Done { exit: 0 });
            kept.run.asked = 1000;
            store.save(&kept).unwrap();
            let file = File::options().write(true).open(store.path(&kept.run.id, "json")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(at)).unwrap();
        }
        let ids: Vec<TriggerId> = store.all().unwrap().0.into_iter().map(|kept| kept.run.id).collect();
        assert_eq!(ids, [5, 1, 9, 3, 7].map(|number| TriggerId::of([number; 16])));
    }

    #[test]
    fn what_is_damaged_is_told_and_what_is_none_of_ours_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        store.save(&kept(1, State::Queued)).unwrap();
        let damaged = TriggerId::of([2; 16]);
        std::fs::write(store.path(&damaged, "json"), "{").unwrap();
        std::fs::write(store.folder.join("notes.json"), "").unwrap();
        let (all, wrong) = store.all().unwrap();
        assert_eq!((all.len(), wrong.len()), (1, 1));
        assert_eq!(wrong[0].to_string(), format!("what is kept of run {damaged} cannot be read"));
        store.abort(&damaged, "bob").unwrap();
        store.abort(&damaged, "eve").unwrap();
        assert_eq!(store.aborted_by(&damaged).unwrap().as_deref(), Some("bob"), "the first counts");
    }
}
