//! What can be asked of a lock server, whichever wire it speaks. Each question is one request, or a few; nothing is repeated here.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use disco_dlm::model::Policy;
use disco_dlm::native::ask::{Create, ForceRelease, Release};
use disco_dlm::native::route::BASE;
use disco_dlm::native::say::{EventsSaid, GrantSaid, LockSaid, LocksSaid, RefusalSaid, ReleaseSaid, WhoSaid};
use serde_json::Value;

use crate::lock::error::ServerError;
use crate::lock::foreman;
use crate::lock::identity::Identity;
use crate::lock::native;
use crate::lock::place::Place;
use crate::sys::http::{Answer, Ask, Http, Trouble};

/// How long a server may take to answer what it need not wait for.
const ANSWER: Duration = Duration::from_secs(30);

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// disco's own.
    Native,
    /// Foreman's, with its plugin for locks.
    Foreman,
}

/// Somebody who logs in.
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password, or a token in its place.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with a password", self.user)
    }
}

/// What came of an acquire.
#[derive(Debug, Clone)]
pub enum Acquired {
    /// We hold it.
    Granted(Box<GrantSaid>),
    /// We do not.
    Refused(Box<RefusalSaid>),
}

/// What came of a release.
#[derive(Debug, Clone)]
pub enum Released {
    /// We do not hold it any more.
    Done(Box<ReleaseSaid>),
    /// It was refused.
    Refused(Box<RefusalSaid>),
}

/// What is done to a lock by users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// It is made.
    Create(Create),
    /// It is removed.
    Delete,
    /// It can be acquired.
    Enable(String),
    /// It cannot.
    Disable(String),
    /// Its failures are forgotten.
    Thaw(String),
    /// It is taken away from who holds it.
    Force(ForceRelease),
}

/// Which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest, so many, the newest first.
    Newest(u64),
    /// Those after this one, the oldest first; the server may wait so many seconds for the first.
    After(u64, u64),
}

/// A lock server, and who we are to it.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub place: Place,
    /// Our certificates.
    pub identity: Identity,
    /// Our login.
    pub login: Option<Login>,
    http: Http,
    wire: OnceLock<Wire>,
}

impl Server {
    /// A server that has not been asked for anything yet.
    pub fn new(place: Place, identity: Identity, login: Option<Login>) -> Server {
        let http = Http::new(&identity.roots, identity.own.as_ref().map(|(_, _, own)| own));
        Server { place, identity, login, http, wire: OnceLock::new() }
    }

    /// Who we are to it, in words: the certificate, and the login.
    pub fn shown(&self) -> String {
        match &self.login {
            Some(login) => format!("{}, user {}", self.identity.shown(), login.user),
            None => self.identity.shown(),
        }
    }

    /// What it speaks; asked once.
    pub fn wire(&self) -> Result<Wire, ServerError> {
        if let Some(wire) = self.wire.get() {
            return Ok(*wire);
        }
        let answer = self.exchange("GET", &format!("{BASE}/whoami"), None, Duration::ZERO, None)?;
        let wire = match answer.status {
            404 => Wire::Foreman,
            // Whatever it says of us: it knows the path.
            200 | 401 | 403 => Wire::Native,
            _ => return Err(native::error(self, &answer, "who asks", "")),
        };
        Ok(*self.wire.get_or_init(|| wire))
    }

    /// Who it takes us for; `None` where it is a Foreman, which does not say that.
    pub fn who(&self) -> Result<Option<WhoSaid>, ServerError> {
        match self.wire()? {
            Wire::Native => native::who(self).map(Some),
            Wire::Foreman => Ok(None),
        }
    }

    /// A lock.
    pub fn lock(&self, name: &str) -> Result<LockSaid, ServerError> {
        match self.wire()? {
            Wire::Native => native::get(self, name, ""),
            Wire::Foreman => foreman::lock(self, name).map(|shown| shown.lock),
        }
    }

    /// The locks that this search finds.
    pub fn locks(&self, search: &str) -> Result<LocksSaid, ServerError> {
        match self.wire()? {
            Wire::Native => native::locks(self, search),
            Wire::Foreman => foreman::locks(self, search),
        }
    }

    /// Asks for a lock; the server may wait so many seconds with its answer, as long as `stop` is not set.
    pub fn acquire(
        &self,
        name: &str,
        note: &str,
        wait: u64,
        stop: Option<&AtomicBool>,
    ) -> Result<Acquired, ServerError> {
        match self.wire()? {
            Wire::Native => native::acquire(self, name, note, wait, stop),
            Wire::Foreman => foreman::acquire(self, name),
        }
    }

    /// Gives a lock back.
    pub fn release(&self, name: &str, release: &Release) -> Result<Released, ServerError> {
        match self.wire()? {
            Wire::Native => native::release(self, name, release),
            Wire::Foreman => foreman::release(self, name, release),
        }
    }

    /// Does something to a lock, as a user; the lock afterwards, or as it was before it was removed.
    pub fn order(&self, name: &str, order: &Order) -> Result<LockSaid, ServerError> {
        match self.wire()? {
            Wire::Native => native::order(self, name, order),
            Wire::Foreman => foreman::order(self, name, order),
        }
    }

    /// The policy of a lock.
    pub fn policy(&self, name: &str) -> Result<Policy, ServerError> {
        match self.wire()? {
            Wire::Native => native::get(self, name, "/policy"),
            Wire::Foreman => Err(self.is_foreman("have policies")),
        }
    }

    /// Merges a part into the policy of a lock.
    pub fn set_policy(&self, name: &str, part: &Value) -> Result<LockSaid, ServerError> {
        match self.wire()? {
            Wire::Native => native::set_policy(self, name, part),
            Wire::Foreman => Err(self.is_foreman("have policies")),
        }
    }

    /// What happened to a lock, or to all.
    pub fn events(
        &self,
        name: Option<&str>,
        which: Which,
        stop: Option<&AtomicBool>,
    ) -> Result<EventsSaid, ServerError> {
        match self.wire()? {
            Wire::Native => native::events(self, name, which, stop),
            Wire::Foreman => foreman::events(self, name, which),
        }
    }

    /// That this is a Foreman, and has no such thing.
    pub(super) fn is_foreman(&self, what: &'static str) -> ServerError {
        ServerError::Foreman { url: self.place.clone(), what }
    }

    /// One request, whatever comes back.
    pub(super) fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        wait: Duration,
        stop: Option<&AtomicBool>,
    ) -> Result<Answer, ServerError> {
        let login = self
            .login
            .as_ref()
            .map(|login| format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, login.password))));
        let url = self.place.at(path);
        let ask =
            Ask { method, url: &url, login: login.as_deref(), headers: &[], body, within: ANSWER + wait };
        let answer = match stop {
            Some(stop) => self.http.ask_until(&ask, stop),
            None => self.http.ask(&ask),
        };
        answer.map_err(|source| self.trouble(source))
    }

    fn trouble(&self, source: Trouble) -> ServerError {
        ServerError::Trouble {
            url: self.place.clone(),
            roots: self.identity.ca.display().to_string(),
            shown: self.shown(),
            source: Box::new(source),
        }
    }
}
