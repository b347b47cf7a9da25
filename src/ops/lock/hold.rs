//! A lock of this node under which something is done: taken with a note on disk, renewed, and given back or kept. Two processes
//! of one node would both be let in by the server, which knows nodes alone: the note keeps them apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use disco_dlm::model::Token;
use disco_dlm::native::ask::{Release, WorkResult};
use disco_dlm::native::say::{GrantSaid, RefusalSaid};

pub use crate::lock::held::Held;
use crate::lock::held::{self, Process, Why};
use crate::lock::{Acquired, Notes, Released, Server, ServerError, Wire};
use crate::ops::lock::LockOpError;
use crate::ops::lock::renew::Renewer;
use crate::ops::lock::wait::{self, Patience, Waiting};
use crate::sys::interrupt::Interrupt;
use crate::sys::{clock, host, inspect};

/// What a command under a lock finds in its environment: the server, the lock, and the fencing token.
pub const URL: &str = "DISCO_LOCK_URL";
/// The lock's name there.
pub const NAME: &str = "DISCO_LOCK_NAME";
/// The fencing token.
pub const TOKEN: &str = "DISCO_LOCK_TOKEN";

/// What came of taking a lock.
#[derive(Debug)]
pub enum Taken {
    /// We hold it.
    Held(Box<Hold>),
    /// Whoever started us holds it, for us too.
    Inherited,
    /// We do not.
    Refused(Box<RefusalSaid>),
    /// Another process of this node works under it.
    Here(held::Held),
}

/// A lock that we hold.
#[derive(Debug)]
pub struct Hold {
    server: Arc<Server>,
    notes: Notes,
    note: held::Held,
    /// Whether it was held before by something that leaves no note: then it stays held.
    foreign: bool,
    /// Why it was held before, if there was a note of that.
    was: Option<Why>,
    renewer: Option<Renewer>,
    /// What the server said of it.
    pub grant: GrantSaid,
}

/// What became of a lock that was to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// It is free for others.
    Released,
    /// It was held before, and stays so.
    Foreign,
    /// It was not ours any more: why.
    Lost(String),
    /// It could not be given back: why. The note stays.
    Still(String),
}

/// Takes a lock for `work`.
pub fn take(
    server: Arc<Server>,
    notes: Notes,
    name: &str,
    work: &str,
    patience: Patience,
    interrupt: &Interrupt,
    on_wait: &mut dyn FnMut(Waiting<'_>),
) -> Result<Taken, LockOpError> {
    let began = Instant::now();
    let before = loop {
        match notes.find(&server.place, name)? {
            Some(there) if works(&there) => {
                if is_ours(&there) {
                    return Ok(Taken::Inherited);
                }
                if let Some(signal) = interrupt.signal() {
                    return Err(ServerError::Interrupted(signal).into());
                }
                if patience.left(began) == 0 {
                    return Ok(Taken::Here(there));
                }
                on_wait(Waiting::Here(&there));
                wait::rest(Duration::from_secs(1), interrupt);
            }
            before => break before,
        }
    };
    let patience = patience.rest(began);
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    let process = Process { pid, started: inspect::started(pid).unwrap_or_default(), boot: clock::boot() };
    let mut note = held::Held {
        url: server.place.clone(),
        lock: name.to_owned(),
        token: before.as_ref().and_then(|note| note.token),
        work: work.to_owned(),
        process,
        since: clock::now(),
        why: Why::Working,
    };
    // First the note: whoever comes after a crash knows that we may hold it.
    notes.put(&note)?;
    let acquired = wait::acquire(&server, name, work, patience, interrupt, on_wait);
    let granted = match acquired {
        Ok(Acquired::Granted(grant)) => *grant,
        Ok(Acquired::Refused(refusal)) => {
            notes.remove(&server.place, name)?;
            return Ok(Taken::Refused(refusal));
        }
        Err(error) => {
            match before {
                Some(before) => notes.put(&before)?,
                // It may have been granted: then the note is all that says so.
                None if wait::may_have_reached(&error) => {}
                None => drop(notes.remove(&server.place, name)?),
            }
            return Err(error.into());
        }
    };
    let foreign = granted.renewed && before.is_none();
    note.token = Some(granted.token);
    notes.put(&note)?;
    let renewer = Some(Renewer::start(server.clone(), name, &granted));
    let was = before.map(|note| note.why);
    let hold = Hold { server, notes, note, foreign, was, renewer, grant: granted };
    Ok(Taken::Held(Box::new(hold)))
}

/// Whether a process works under it that still runs.
fn works(note: &held::Held) -> bool {
    let Process { pid, started, ref boot } = note.process;
    let own = i32::try_from(std::process::id()).is_ok_and(|own| own == pid);
    let counts = matches!(note.why, Why::Working | Why::Reboot { .. });
    counts && !own && *boot == clock::boot() && inspect::started(pid) == Some(started)
}

/// Whether that process has started us, or whoever did.
fn is_ours(note: &held::Held) -> bool {
    let environment = host::environment();
    let is = |name: &str, value: &str| environment.get(name).is_some_and(|said| said == value);
    let token = note.token.unwrap_or(Token(0)).0.to_string();
    is(URL, note.url.as_str()) && is(NAME, &note.lock) && is(TOKEN, &token)
}

impl Hold {
    /// What a command under it finds in its environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let token = self.grant.token.0.to_string();
        vec![(URL, self.note.url.to_string()), (NAME, self.note.lock.clone()), (TOKEN, token)]
    }

    /// Whether it was held before we asked, by something that leaves no note.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// The lock's name.
    pub fn lock(&self) -> &str {
        &self.note.lock
    }

    /// Whether it was kept before, after a failure or by a run that was killed.
    pub fn was_kept(&self) -> bool {
        matches!(self.was, Some(Why::Failed | Why::Working))
    }

    /// Whether it is known to be lost.
    pub fn is_lost(&self) -> bool {
        self.renewer.as_ref().is_some_and(Renewer::is_lost)
    }

    /// How it was lost, if it is known to be.
    pub fn lost(&self) -> Option<String> {
        self.renewer.as_ref().and_then(Renewer::lost)
    }

    /// Asks the server once more, before something that cannot be taken back. `Err` says why it is not ours any more; a
    /// server that does not answer has not taken it away, as long as the grant does not end by itself.
    pub fn confirm(&mut self) -> Result<(), String> {
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        match self.server.acquire(&self.note.lock, "", 0, None) {
            Ok(Acquired::Granted(grant)) => {
                // One that was taken away and is ours again is ours: nothing has been done yet.
                if grant.token != self.grant.token {
                    self.grant = *grant;
                    self.note.token = Some(self.grant.token);
                    self.notes.put(&self.note).map_err(|error| error.to_string())?;
                }
                Ok(())
            }
            Ok(Acquired::Refused(refusal)) => Err(refusal.reason),
            Err(error) if error.passes() && self.grant.lock.policy.expires_after.is_none() => Ok(()),
            Err(error) => Err(crate::model::told::in_full(&error)),
        }
    }

    /// Notes why it is held from now on. It is on the disk when this returns.
    pub fn note(&mut self, why: Why) -> Result<(), LockOpError> {
        self.note.why = why;
        Ok(self.notes.put(&self.note)?)
    }

    /// Keeps it, beyond the end of this process.
    pub fn keep(mut self, why: Why) -> Result<(), LockOpError> {
        self.renewer = None;
        self.note(why)
    }

    /// Gives it back; `failed` says how the work failed, if it did.
    pub fn release(mut self, failed: Option<&str>) -> Result<Back, LockOpError> {
        let lost = self.lost();
        self.renewer = None;
        let Hold { server, notes, note, .. } = &self;
        if self.foreign {
            notes.remove(&note.url, &note.lock)?;
            return Ok(Back::Foreign);
        }
        let back = give_back(server, &note.lock, note.token, failed);
        let back = match (back, lost) {
            (Back::Released, Some(why)) => Back::Lost(why),
            (back, _) => back,
        };
        if !matches!(back, Back::Still(_)) {
            notes.remove(&note.url, &note.lock)?;
        }
        Ok(back)
    }
}

/// Gives a lock back, and asks again where the server does not answer.
pub fn give_back(server: &Server, name: &str, token: Option<Token>, failed: Option<&str>) -> Back {
    let result = if failed.is_some() { WorkResult::Failed } else { WorkResult::Ok };
    let token = token.filter(|_| server.wire().is_ok_and(|wire| wire == Wire::Native));
    let release = Release { result, note: failed.unwrap_or_default().to_owned(), token };
    let mut tries = 0;
    loop {
        return match server.release(name, &release) {
            Ok(Released::Done(said)) if said.held || tries > 0 => Back::Released,
            Ok(Released::Done(_)) => Back::Lost("nobody held it".to_owned()),
            Ok(Released::Refused(refusal)) => of_refusal(&refusal),
            Err(error) if error.passes() && tries < 3 => {
                tries += 1;
                clock::pause_for(tries);
                continue;
            }
            Err(error) => Back::Still(said(&error)),
        };
    }
}

fn of_refusal(refusal: &RefusalSaid) -> Back {
    use disco_dlm::native::say::RefusalCode;
    match refusal.code {
        RefusalCode::HeldByOther | RefusalCode::OtherGrant => {
            Back::Lost(format!("it was taken away: {}", refusal.reason))
        }
        _ => Back::Still(refusal.reason.clone()),
    }
}

fn said(error: &ServerError) -> String {
    crate::model::told::in_full(error)
}
