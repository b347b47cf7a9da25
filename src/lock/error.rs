//! What can go wrong with a lock server, each named with its address. A refusal is no error: it is an answer.

use thiserror::Error;

use crate::lock::identity::IdentityError;
use crate::lock::place::{Place, PlaceError};
use crate::sys::http::Trouble;

/// A question to a lock server that was not answered, or not as it should be.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Nobody has named a server.
    #[error("no lock server is set")]
    NoServer,
    /// Its address is none.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The certificates of this node cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There was no answer.
    #[error("lock server {url}")]
    Trouble {
        /// The server.
        url: Place,
        /// Whom we believed, in words.
        roots: String,
        /// What we showed of ourselves, in words.
        shown: String,
        /// Why.
        #[source]
        source: Box<Trouble>,
    },
    /// It does not know who we are.
    #[error("lock server {url} does not know who asks{}", said(message))]
    Unknown {
        /// The server.
        url: Place,
        /// What we showed of ourselves, in words.
        shown: String,
        /// The name in our certificate, if we showed one.
        name: Option<String>,
        /// What it said.
        message: String,
        /// What it says to do.
        hint: String,
    },
    /// It knows us, and we may not.
    #[error("lock server {url} does not allow that{}", said(message))]
    Forbidden {
        /// The server.
        url: Place,
        /// What it said.
        message: String,
        /// What it says to do.
        hint: String,
    },
    /// There is no such lock.
    #[error("lock server {url} has no lock {lock:?}")]
    Missing {
        /// The server.
        url: Place,
        /// The lock.
        lock: String,
    },
    /// There is such a lock already.
    #[error("lock server {url} has a lock {lock:?} already")]
    Taken {
        /// The server.
        url: Place,
        /// The lock.
        lock: String,
    },
    /// What was asked makes no sense to it.
    #[error("lock server {url} refuses what it was asked{}", said(message))]
    Bad {
        /// The server.
        url: Place,
        /// What it said.
        message: String,
        /// What it says to do.
        hint: String,
    },
    /// It cannot answer now. What became of an acquire or a release is not known; both can be repeated.
    #[error("lock server {url} is not available (status {status}){}", said(message))]
    Unavailable {
        /// The server.
        url: Place,
        /// The status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It is none, or one of another time.
    #[error("{url} answers {status} to {what}, and not as a lock server does")]
    Unexpected {
        /// The address.
        url: Place,
        /// The status.
        status: u16,
        /// What it was asked.
        what: String,
    },
    /// It is a Foreman, and Foreman has no such thing.
    #[error("{url} is a Foreman, which cannot {what}")]
    Foreman {
        /// The server.
        url: Place,
        /// What.
        what: &'static str,
    },
    /// A signal asked to stop.
    #[error("interrupted by signal {0}")]
    Interrupted(i32),
}

impl ServerError {
    /// Whether asking again can help.
    pub fn passes(&self) -> bool {
        match self {
            ServerError::Trouble { source, .. } => source.passes(),
            ServerError::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// Whether the server could not be asked at all, or not answer.
    pub fn is_absence(&self) -> bool {
        match self {
            ServerError::Trouble { source, .. } => {
                !matches!(**source, Trouble::Refused(_) | Trouble::Stopped)
            }
            ServerError::Unavailable { .. } => true,
            _ => false,
        }
    }
}

/// What a server said, as the end of a sentence.
fn said(message: &str) -> String {
    match message.trim() {
        "" => String::new(),
        message => format!(": {message}"),
    }
}
