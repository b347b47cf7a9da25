//! What is told of runs beyond this node: what a run leaves in the spool, and `disco upload`, which sends what waits there. No
//! printing.
//!
//! - [`tell`]: hears how the runs of a command end, and puts that into the spool.
//! - [`send`]: sends what waits.
//! - [`reach`]: whom to ask, with which certificates and password.

pub mod reach;
pub mod send;
pub mod tell;

use std::time::{Duration, Instant};

use thiserror::Error;

use crate::settings::Settings;
use crate::uploads::item::{Item, Target};
use crate::uploads::spool::{Aside, Standing};
use crate::uploads::{Spool, SpoolError};

pub use reach::ReachError;
pub use send::{Round, Stays, When};
pub use tell::Uploads;

/// The longest that a run waits for all it has to send.
pub const AFTER_RUN: Duration = Duration::from_secs(10);
/// The longest that one answer is waited for.
pub const ANSWER: Duration = Duration::from_secs(60);
/// The longest that all takes where somebody asks for it.
pub const ASKED_FOR: Duration = Duration::from_secs(300);

/// Why nothing can be sent at all.
#[derive(Debug, Error)]
pub enum UploadError {
    /// Nobody has said to whom.
    #[error("nobody is set to be told of runs")]
    NotSet,
    /// Where it waits.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Somebody else is at it.
    #[error("somebody else sends what waits")]
    Busy,
}

/// Whether anybody is told of runs.
pub fn is_set(settings: &Settings) -> bool {
    Target::ALL.into_iter().any(|target| goes_to(settings, target).is_some())
}

/// Where it goes, as it may be shown: without the path of a webhook, which may be all that keeps others from using it. `None`
/// where nobody is to get it.
pub fn goes_to(settings: &Settings, target: Target) -> Option<String> {
    let upload = &settings.upload;
    match target {
        Target::Report => upload.foreman.value.clone(),
        Target::Facts => upload.foreman.value.clone().filter(|_| upload.facts.value),
        Target::Webhook => upload.webhook.value.as_deref().map(origin),
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    url[..end].to_owned()
}

/// What waits, and what was refused.
#[derive(Debug)]
pub struct Listed {
    /// What waits, the oldest first.
    pub waiting: Vec<(Item, u64)>,
    /// What was refused, the oldest first.
    pub refused: Vec<Aside>,
    /// How it goes with each target that something waits for.
    pub standings: Vec<(Target, Standing)>,
}

/// What becomes of what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It waits again, in its old place.
    Again,
    /// It is removed.
    Drop,
}

/// Does that with all that was refused. Nothing is sent. Returns how much it was.
pub fn settle(settings: &Settings, what: Refused) -> Result<usize, UploadError> {
    let spool = Spool::of(&settings.home.value);
    if spool.refused()?.is_empty() {
        return Ok(0);
    }
    // Whoever sends meanwhile may be about to put more aside.
    let Some(_lock) = spool.lock(Instant::now() + AFTER_RUN)? else { return Err(UploadError::Busy) };
    Ok(match what {
        Refused::Again => spool.put_back()?,
        Refused::Drop => spool.drop_refused()?,
    })
}

/// What there is in the spool. Nothing is sent.
pub fn list(settings: &Settings) -> Result<Listed, UploadError> {
    let spool = Spool::of(&settings.home.value);
    let mut waiting = Vec::new();
    for one in spool.waiting()? {
        if let Some(item) = spool.read(&one)? {
            waiting.push((item, one.bytes));
        }
    }
    let mut standings = Vec::new();
    for target in
        Target::ALL.into_iter().filter(|target| waiting.iter().any(|(item, _)| item.target == *target))
    {
        standings.push((target, spool.standing(target)?));
    }
    Ok(Listed { waiting, refused: spool.refused()?, standings })
}
