//! How this node stands: what is told of it to whoever may trigger runs.

use std::path::Path;

use disco_agent::runs::state::Last;
use disco_agent::runs::{Found, Standing, TriggerId};

use crate::lock::ServerError;
use crate::model::run::{Mode, RunOutcome};
use crate::model::told::in_full;
use crate::ops::disable;
use crate::ops::lock;
use crate::ops::settings::settings;
use crate::runs::{Listed, Runs};
use crate::settings::{Flags, Settings};
use crate::sys::files::{self, FileError};
use crate::sys::host;
use crate::sys::lock::Lock;

/// Why live runs are disabled on this node; `None` where they are not. A file that cannot be read disables them all the same.
pub(super) fn disabled(home: &Path) -> Option<String> {
    match disable::look(home) {
        // No reason is no text, which says elsewhere that they are not disabled.
        Ok(disabled) => disabled.map(|it| if it.why.is_empty() { it.to_string() } else { it.why }),
        Err(error) => Some(in_full(&error)),
    }
}

/// Whether anybody's live run holds the lock of live runs.
pub(super) fn is_live(home: &Path) -> bool {
    Lock::is_held(&home.join("lock")).unwrap_or(false)
}

/// How it stands, with the run that is under way.
pub(super) fn standing(home: &Path, flags: &Flags, running: Option<TriggerId>, lock: Found) -> Standing {
    let (settings, trouble) = looked(home, flags);
    let node = match &settings {
        Some(settings) => settings.node.value.to_string(),
        None => host::host_name().unwrap_or_default(),
    };
    Standing {
        node,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running,
        disabled: disabled(home),
        trouble,
        lock_url: settings.and_then(|settings| settings.dlm.url.value),
        lock,
        facts: facts(),
        last: last(home),
    }
}

/// Why no run could begin, which is what [`standing`] says of it.
pub(super) fn trouble(home: &Path, flags: &Flags) -> Option<String> {
    looked(home, flags).1
}

/// The settings, where they can be read, and why no run could begin.
fn looked(home: &Path, flags: &Flags) -> (Option<Settings>, Option<String>) {
    match settings(flags) {
        Ok((settings, _)) => {
            let trouble = in_the_way(home, &settings);
            (Some(settings), trouble)
        }
        Err(error) => (None, Some(in_full(&error))),
    }
}

/// Whether facts can be collected, by collecting them: that takes a few milliseconds.
fn facts() -> Found {
    match crate::ops::facts::inventory() {
        Ok(_) => Found::Works,
        Err(error) => Found::Fails(format!("facts cannot be collected: {}", in_full(&error))),
    }
}

/// Whether the lock server that is set answers this node, by asking it. It may take as long as that server does.
pub(super) fn lock(flags: &Flags) -> Found {
    let settings = match settings(flags) {
        Ok((settings, _)) if settings.dlm.url.value.is_some() => settings,
        // Nobody is to be asked.
        Ok(_) => return Found::NotLooked,
        Err(error) => return Found::Fails(in_full(&error)),
    };
    let asked = lock::connect(&settings, &mut |_| None).and_then(|server| {
        match (server.who()?, &settings.dlm.lock.value) {
            // A Foreman does not say who we are; it says how the lock stands that runs will take.
            (None, Some(name)) => server.lock(name).map(drop),
            (Some(_), _) | (None, None) => Ok(()),
        }
        .or_else(|error| match error {
            // It is made when it is acquired.
            ServerError::Missing { .. } => Ok(()),
            error => Err(error.into()),
        })
    });
    asked.map_or_else(|error| Found::Fails(in_full(&error)), |()| Found::Works)
}

/// Why no run could begin.
fn in_the_way(home: &Path, settings: &Settings) -> Option<String> {
    if settings.fetch.value && settings.server_uri.value.is_none() {
        return Some("no master is set (disco/server/uri)".to_owned());
    }
    match unfinished(home) {
        Ok(false) => None,
        // Whoever is at it has the lock.
        Ok(true) if is_live(home) => None,
        Ok(true) => Some("a merge was stopped and is not finished: disco recover".to_owned()),
        Err(error) => Some(in_full(&error)),
    }
}

fn unfinished(home: &Path) -> Result<bool, FileError> {
    let journal = home.join("journal");
    Ok(files::look(&journal)?.is_some() && !files::list_dir(&journal)?.is_empty())
}

/// How the last live run ended; `None` where there is none, or none can be read.
fn last(home: &Path) -> Option<Last> {
    let all = Runs::new(home).entries().ok()?;
    let ended = all.into_iter().rev().find_map(|listed| match listed {
        Listed::Entry(entry) if entry.mode == Mode::Live => entry.ended.clone().map(|ended| (entry, ended)),
        Listed::Entry(_) | Listed::Unreadable { .. } => None,
    });
    let (entry, ended) = ended?;
    let ended = ended.parse::<jiff::Timestamp>().ok()?.as_second();
    Some(Last { run: entry.run.to_string(), ended, outcome: word(&entry.outcome).to_owned() })
}

/// An outcome in one word, the one that `disco runs --format json` has.
fn word(outcome: &RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Unfinished => "unfinished",
        RunOutcome::Shown => "shown",
        RunOutcome::Merged => "merged",
        RunOutcome::Unconfirmed { .. } => "unconfirmed",
        RunOutcome::NotStarted { .. } => "not-started",
        RunOutcome::Failed => "failed",
        RunOutcome::ActionFailed => "action-failed",
        RunOutcome::Undone { .. } => "undone",
        RunOutcome::MergeFailed { .. } => "merge-failed",
        RunOutcome::Interrupted { .. } => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_file_holds_it_disables() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(disabled(home.path()), None);
        for (text, why) in [
            (r#"{"schema":1,"why":"audit","by":"bob","since":"2026-11-22T10:00:00Z"}"#, "audit"),
            ("the disk is looked at", "the disk is looked at"),
            ("", "by hand (no reason given)"),
        ] {
            std::fs::write(home.path().join("disabled"), text).unwrap();
            assert_eq!(disabled(home.path()).as_deref(), Some(why));
        }
    }

    #[test]
    fn a_merge_is_unfinished_while_there_is_a_journal() {
        let home = tempfile::tempdir().unwrap();
        assert!(!unfinished(home.path()).unwrap());
        std::fs::create_dir(home.path().join("journal")).unwrap();
        assert!(!unfinished(home.path()).unwrap());
        std::fs::write(home.path().join("journal/x"), "").unwrap();
        assert!(unfinished(home.path()).unwrap());
    }
}
