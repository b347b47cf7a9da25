//! Where uploads wait, below `spool/` in disco's home: a file each, written whole, readable by root alone.
//!
//! - `NUMBER-TARGET.json`: what waits, in the order in which it came.
//! - `aside/`: what a server refused for good, with its answer; and what was damaged, as it is (`….damaged`).
//! - `state.json`: how it went last, for each target; changed under `state-lock`, which is held for a moment.
//! - `lock`: whoever sends has it, so that nothing goes twice.
//!
//! A crash leaves an item that was sent: it goes again (at least once). It can leave no half one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::names::RunId;
use crate::sys::clock;
use crate::sys::files::{self, FileError, Ownership, Synced};
use crate::sys::lock::{Lock, LockError};
use crate::uploads::answer;
use crate::uploads::item::{Item, SCHEMA, Target};

/// The most that waits for one target.
pub const MOST: usize = 200;
/// The most bytes of all that waits.
pub const MOST_BYTES: u64 = 32 << 20;
/// The longest that something waits, in seconds: thirty days.
pub const LONGEST: u64 = 30 * 24 * 3600;
/// The most that is kept of what was refused.
const MOST_ASIDE: usize = 50;
/// What the name of something damaged has behind it, and the most that is kept of that, in number and in bytes.
const DAMAGED: &str = ".damaged";
const MOST_DAMAGED: usize = 20;
const MOST_DAMAGED_BYTES: u64 = 8 << 20;
/// Half-written files of whoever was killed are removed after so long.
const LEFT: Duration = Duration::from_secs(3600);

/// A spool that cannot be used.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// A file of it.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Something cannot be written down.
    #[error("cannot write down what is to be sent")]
    Write(#[from] serde_json::Error),
}

/// How it goes with a target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// How often in a row it could not be sent to.
    pub failures: u32,
    /// When to try again, in seconds since 1970.
    pub not_before: u64,
    /// Since when it cannot be sent to, RFC 3339.
    pub since: Option<String>,
    /// Why not.
    pub why: Option<String>,
    /// How much was dropped since something was taken.
    pub dropped: u64,
}

impl Standing {
    /// Whether it may be tried at that time. A clock that was set back keeps nothing waiting for longer than any pause.
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.not_before || self.not_before - now > answer::pause(u32::MAX)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    schema: u32,
    next: u64,
    targets: BTreeMap<Target, Standing>,
}

/// Something that waits, by what its file says without being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub number: u64,
    /// To whom it goes.
    pub target: Target,
    /// When it was written, in seconds since 1970.
    pub made: u64,
    /// How large it is.
    pub bytes: u64,
}

impl Waiting {
    fn name(&self) -> String {
        format!("{:010}-{}.json", self.number, self.target.word())
    }
}

/// What was refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// What it was.
    #[serde(flatten)]
    pub item: Item,
    /// Who refused it, as it may be shown; empty where that was not kept.
    #[serde(default)]
    pub to: String,
    /// When it was refused, RFC 3339.
    pub refused: String,
    /// The answer's status.
    pub status: u16,
    /// The answer, cut.
    pub answer: String,
}

/// The number and target that a file's name says.
fn parse(name: &str) -> Option<(u64, Target)> {
    let (number, target) = name.strip_suffix(".json")?.split_once('-')?;
    Some((number.parse().ok()?, Target::of_word(target)?))
}

/// What of that is too much, the oldest first: too old, too many of a target, replaced by a newer one, too many bytes.
pub(super) fn surplus(waiting: &[Waiting], now: u64) -> Vec<&Waiting> {
    let mut newer: BTreeMap<Target, usize> = BTreeMap::new();
    let mut bytes = 0_u64;
    let mut found: Vec<&Waiting> = waiting
        .iter()
        .rev()
        .filter(|one| {
            let before = newer.entry(one.target).or_default();
            let most = if one.target.is_replaced() { 1 } else { MOST };
            let too_much =
                *before >= most || now.saturating_sub(one.made) > LONGEST || bytes + one.bytes > MOST_BYTES;
            if !too_much {
                *before += 1;
                bytes += one.bytes;
            }
            too_much
        })
        .collect();
    found.reverse();
    found
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Spool {
    pub(super) folder: PathBuf,
}

impl Spool {
    /// That of disco's home; nothing is made yet.
    pub fn of(home: &Path) -> Spool {
        Spool { folder: home.join("spool") }
    }

    /// Puts something there, and drops what is too much then. Returns what its user should know of that.
    pub fn add(&self, target: Target, run: &RunId, body: String) -> Result<Vec<String>, SpoolError> {
        files::create_dirs(&self.folder, 0o700)?;
        let _lock = self.lock_state()?;
        let mut state = self.state()?;
        let before = self.waiting()?;
        let last = before.last().map_or(0, |one| one.number + 1);
        let number = state.next.max(last);
        let made = clock::now();
        let item = Item { schema: SCHEMA, number, target, run: run.clone(), made, body };
        let text = serde_json::to_vec(&item)?;
        let place = Waiting { number, target, made: 0, bytes: 0 };
        files::write_whole(&self.folder.join(place.name()), &text, Ownership::New(0o600))?;
        state.next = number + 1;
        let mut warnings = Vec::new();
        let waiting = self.waiting()?;
        for one in surplus(&waiting, clock::since_epoch().as_secs()) {
            self.remove(one)?;
            if one.target.is_replaced() {
                continue;
            }
            let standing = state.targets.entry(one.target).or_default();
            standing.dropped += 1;
            if standing.dropped == 1 {
                warnings.push(format!(
                    "what waits to be sent ({}) is more than is kept: the oldest is dropped from now on",
                    one.target.word()
                ));
            }
        }
        self.keep(&state)?;
        Ok(warnings)
    }

    /// What waits, the oldest first.
    pub fn waiting(&self) -> Result<Vec<Waiting>, SpoolError> {
        let mut waiting = Vec::new();
        for name in names(&self.folder)? {
            let Some((number, target)) = parse(&name) else { continue };
            // Somebody may have sent it meanwhile.
            let Some(found) = files::look(&self.folder.join(&name))? else { continue };
            let (_, (made, _)) = files::number_and_time(&found);
            let made = u64::try_from(made).unwrap_or_default();
            waiting.push(Waiting { number, target, made, bytes: found.len() });
        }
        waiting.sort_by_key(|one| one.number);
        Ok(waiting)
    }

    /// What waits there in full; `None` where it is gone, or damaged, and then it is put aside as it is.
    pub fn read(&self, waiting: &Waiting) -> Result<Option<Item>, SpoolError> {
        let path = self.folder.join(waiting.name());
        let Some(bytes) = files::read_bytes_if_there(&path)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(item) => Ok(Some(item)),
            Err(_) => {
                files::create_dirs(&self.aside(), 0o700)?;
                files::rename(&path, &self.aside().join(format!("{}{DAMAGED}", waiting.name())))?;
                self.drop_damaged()?;
                Ok(None)
            }
        }
    }

    /// Removes what is damaged but the newest, as far as there is room for that.
    fn drop_damaged(&self) -> Result<(), SpoolError> {
        let mut damaged = Vec::new();
        for name in files::list_dir(&self.aside())? {
            let number = name.to_str().and_then(|name| parse(name.strip_suffix(DAMAGED)?));
            let (Some((number, _)), path) = (number, self.aside().join(&name)) else { continue };
            // Somebody else may have removed it.
            let Some(found) = files::look(&path)? else { continue };
            damaged.push(((files::number_and_time(&found).1, number), found.len(), path));
        }
        damaged.sort_by(|(one, ..), (other, ..)| other.cmp(one));
        let (mut kept, mut bytes) = (0, 0);
        for (_, size, path) in damaged {
            if kept < MOST_DAMAGED && bytes + size <= MOST_DAMAGED_BYTES {
                (kept, bytes) = (kept + 1, bytes + size);
            } else {
                gone(files::remove_file(&path))?;
            }
        }
        Ok(())
    }

    /// The right to send; `None` where somebody else has it until then.
    pub fn lock(&self, until: Instant) -> Result<Option<Lock>, SpoolError> {
        let path = self.folder.join("lock");
        let holder = format!("pid {}", std::process::id());
        loop {
            match Lock::take(&path, &holder, None, &mut |_| {}) {
                Ok(lock) => return Ok(Some(lock)),
                Err(LockError::Busy { .. }) if Instant::now() < until => clock::pause(),
                Err(LockError::Busy { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes what was sent.
    pub fn remove(&self, waiting: &Waiting) -> Result<(), SpoolError> {
        gone(files::remove_file(&self.folder.join(waiting.name())))
    }

    /// Keeps what was refused apart, with the answer.
    pub fn put_aside(&self, waiting: &Waiting, aside: &Aside) -> Result<(), SpoolError> {
        files::create_dirs(&self.aside(), 0o700)?;
        let path = self.aside().join(waiting.name());
        files::write_whole(&path, &serde_json::to_vec(aside)?, Ownership::New(0o600))?;
        self.remove(waiting)?;
        let names = names(&self.aside())?;
        let surplus = names.len().saturating_sub(MOST_ASIDE);
        names.iter().take(surplus).try_for_each(|name| files::remove_file(&self.aside().join(name)))?;
        Ok(())
    }

    /// How it goes with a target.
    pub fn standing(&self, target: Target) -> Result<Standing, SpoolError> {
        Ok(self.state()?.targets.remove(&target).unwrap_or_default())
    }

    /// It takes what it is sent. Returns how much was dropped before.
    pub fn takes(&self, target: Target) -> Result<u64, SpoolError> {
        let _lock = self.lock_state()?;
        let mut state = self.state()?;
        let was = state.targets.remove(&target).unwrap_or_default();
        if was != Standing::default() {
            self.keep(&state)?;
        }
        Ok(was.dropped)
    }

    /// It does not, because of that: it is tried again after a pause, or when it says.
    pub fn takes_not(&self, target: Target, why: &str, retry_after: Option<u64>) -> Result<(), SpoolError> {
        let _lock = self.lock_state()?;
        let mut state = self.state()?;
        let standing = state.targets.entry(target).or_default();
        standing.failures = standing.failures.saturating_add(1);
        let pause = answer::pause(standing.failures);
        let pause = retry_after.unwrap_or(0).clamp(pause, answer::pause(u32::MAX));
        standing.not_before = clock::since_epoch().as_secs() + pause;
        standing.since.get_or_insert_with(clock::now);
        standing.why = Some(why.to_owned());
        self.keep(&state)
    }

    /// Removes what somebody who was killed had half written.
    pub fn tidy(&self) -> Result<(), SpoolError> {
        for folder in [&self.folder, &self.aside()] {
            if files::look(folder)?.is_some() {
                files::remove_temporary(folder, LEFT)?;
            }
        }
        Ok(())
    }

    pub(super) fn aside(&self) -> PathBuf {
        self.folder.join("aside")
    }

    fn lock_state(&self) -> Result<Lock, SpoolError> {
        let (holder, wait) = (format!("pid {}", std::process::id()), AtomicBool::new(false));
        Ok(Lock::take(&self.folder.join("state-lock"), &holder, Some(&wait), &mut |_| {})?)
    }

    /// A damaged one says nothing: then everything is due, and numbers follow from what waits.
    fn state(&self) -> Result<State, SpoolError> {
        let bytes = files::read_bytes_if_there(&self.folder.join("state.json"))?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn keep(&self, state: &State) -> Result<(), SpoolError> {
        let text = serde_json::to_vec(&State { schema: SCHEMA, ..state.clone() })?;
        let path = self.folder.join("state.json");
        Ok(files::write_synced(&path, &text, Ownership::New(0o600), Synced::Content)?)
    }
}

/// It is removed, also where somebody else was faster.
fn gone(removed: Result<(), FileError>) -> Result<(), SpoolError> {
    match removed {
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => Ok(other?),
    }
}

/// The names of items in a folder, sorted; none where there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, SpoolError> {
    if files::look(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let names = files::list_dir(folder)?.into_iter().filter_map(|name| name.into_string().ok());
    Ok(names.filter(|name| parse(name).is_some()).collect())
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
