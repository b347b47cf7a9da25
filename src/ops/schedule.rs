//! Runs by timer: whether one that a timer has started may begin, and the timer of a node that has no other.
//!
//! When the last one began is noted in `schedule.json` of disco's home, by the run itself: so all timers of a node agree, and a
//! moment is used once, also where the run was refused.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use disco_dlm::model::{Calendar, Time};
use disco_dlm::rules::{Cover, Covered, covered};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::run::Mode;
use crate::ops::dance::{DanceError, prepare_home};
use crate::ops::disable;
use crate::sandbox;
use crate::schedule::{Moments, Next, Wakefulness};
use crate::settings::Settings;
use crate::sys::clock;
use crate::sys::files::{self, FileError, Ownership, Synced};

/// The longest that whoever keeps a timer waits before it looks again: settings change, and clocks are put.
const MOST: u64 = 60;
/// How many blackouts are looked through for a moment that is outside of them.
const MOST_BLACKOUTS: usize = 100;
/// The version of the file's form.
const SCHEMA: u32 = 1;

/// A schedule that cannot be kept.
#[derive(Debug, Error)]
pub enum ScheduleError {
    /// disco's home could not be used, or this is a step of a run.
    #[error(transparent)]
    Home(Box<DanceError>),
    /// The file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Whether a run by timer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It does.
    Begin,
    /// Not now, for this reason.
    NotNow(String),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Noted {
    schema: u32,
    /// When the last run by timer began, or the node first asked: seconds since 1970.
    last: i64,
}

fn now() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX)
}

fn file(settings: &Settings) -> PathBuf {
    settings.home.value.join("schedule.json")
}

/// What is noted; a file that makes no sense is as none: the next note replaces it.
fn noted(settings: &Settings) -> Result<Option<i64>, FileError> {
    let text = files::read_if_there(&file(settings))?;
    let noted: Option<Noted> = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(noted.filter(|noted| noted.schema == SCHEMA).map(|noted| noted.last))
}

fn note(settings: &Settings, last: i64) -> Result<(), FileError> {
    let path = file(settings);
    let json = serde_json::to_vec(&Noted { schema: SCHEMA, last });
    let json = json.map_err(|error| FileError::at("write", &path)(io::Error::other(error)))?;
    files::write_synced(&path, &json, Ownership::New(0o644), Synced::Content)
}

/// The moments of this node; none where no interval is set.
fn moments(settings: &Settings) -> Option<Moments> {
    let interval = settings.schedule.interval.value?.as_secs();
    let splay = settings.schedule.splay.value.map_or(interval, |splay| splay.as_secs());
    Some(Moments::of(settings.node.value.as_str(), interval, splay))
}

/// Whether a run that a timer has started now may begin: it is its moment (where an interval is set), no blackout is in the way, and
/// live runs are not disabled (where it is one). Notes that the moment is used.
pub fn turn(settings: &Settings) -> Result<Turn, ScheduleError> {
    let home = |error| ScheduleError::Home(Box::new(error));
    if sandbox::is_inside() {
        return Err(home(DanceError::Inside));
    }
    let settings = &prepare_home(settings).map_err(home)?;
    let now = now();
    if let Some(moments) = moments(settings) {
        let last = match noted(settings)? {
            Some(last) => last,
            // A node that is new waits for its moment.
            None => {
                note(settings, now)?;
                now
            }
        };
        // Who is called by somebody else's timer has no sleep of its own to spread.
        if let Next::At(then) = moments.next(last, i64::MIN, now) {
            return Ok(Turn::NotNow(next_run(&moments, &settings.schedule.blackout.value.0, then)));
        }
    }
    note(settings, now)?;
    if let Covered::By { what, until } = covered(&settings.schedule.blackout.value.0, Time::new(now, 0)) {
        return Ok(Turn::NotNow(in_the_way(&what, until)));
    }
    if settings.mode.value == Mode::Live
        && let Some(disabled) = disable::look(&settings.home.value)?
    {
        return Ok(Turn::NotNow(format!("live runs are disabled {disabled}")));
    }
    Ok(Turn::Begin)
}

/// When the next run is that no blackout is in the way of, where the next moment is then.
fn next_run(moments: &Moments, calendar: &Calendar, mut then: i64) -> String {
    for _ in 0..MOST_BLACKOUTS {
        match covered(calendar, Time::new(then, 0)) {
            Covered::Free => break,
            Covered::By { until: Some(until), .. } => then = moments.after(until.seconds().saturating_sub(1)),
            Covered::By { what, until: None } => return in_the_way(&what, None),
        }
    }
    format!("the next run is at {}", clock::told((then, 0)))
}

fn in_the_way(what: &Cover, until: Option<Time>) -> String {
    let until = until.map_or_else(
        || " for ever".to_owned(),
        |until| format!(" until {}", clock::told((until.seconds(), until.nanoseconds()))),
    );
    match what {
        Cover::Window(window) => format!("blackout{until} ({window})"),
        Cover::Blackout(day) if day.reason.is_empty() => format!("blackout{until}"),
        Cover::Blackout(day) => format!("blackout{until}: {}", day.reason),
        Cover::Beyond => "the clock says a time that no calendar has".to_owned(),
    }
}

/// The timer of a node that has no other. Whoever keeps it looks, does what it says, and looks again, with settings read anew.
#[derive(Debug)]
pub struct Timer {
    wakefulness: Wakefulness,
    started: Option<i64>,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing, for so long; at most a minute, whatever else is set: then look again, with the settings read anew.
    Wait(Duration),
    /// Ask for a run, where that has its [`turn`].
    Start,
}

impl Default for Timer {
    fn default() -> Timer {
        Timer::new()
    }
}

impl Timer {
    /// A timer that begins now.
    pub fn new() -> Timer {
        Timer { wakefulness: Wakefulness::new(now()), started: None }
    }

    /// What there is to do now.
    pub fn look(&mut self, settings: &Settings) -> Result<Look, ScheduleError> {
        let now = now();
        let awake = self.wakefulness.since(now, MOST);
        let Some(moments) = moments(settings) else { return Ok(Look::Wait(Duration::from_secs(MOST))) };
        let last = match noted(settings)? {
            Some(last) => last,
            None => {
                let home = |error| ScheduleError::Home(Box::new(error));
                note(&prepare_home(settings).map_err(home)?, now)?;
                now
            }
        };
        // What was started may not have noted it yet, or cannot: that is no reason to start it again and again.
        let last = self.started.map_or(last, |started| last.max(started));
        Ok(match moments.next(last, awake, now) {
            Next::Now => {
                self.started = Some(now);
                Look::Start
            }
            Next::At(then) => {
                let wait = then.saturating_sub(now).unsigned_abs();
                Look::Wait(Duration::from_secs(wait.min(MOST)))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::schedule::Closed;

    #[test]
    fn a_run_is_told_of_when_it_can_begin() {
        let moments = Moments::of("n", 3600, 0);
        let hour = |hour: i64| 1_800_000_000 / 3600 * 3600 + hour * 3600;
        let told =
            |calendar: &str, hours| next_run(&moments, &calendar.parse::<Closed>().unwrap().0, hour(hours));
        let at = |hours| format!("the next run is at {}", clock::told((hour(hours), 0)));
        assert_eq!(told("", 1), at(1));
        // 2027-01-15 08:00 UTC is the hour 0.
        let blackouts = "zone=UTC; daily 09:30+60; daily 10:45+30; 2027-01-16..2027-01-17";
        assert_eq!((told(blackouts, 1), told(blackouts, 2)), (at(1), at(4)));
        assert_eq!(told(blackouts, 16), at(64), "the whole of two days");
        assert!(told("zone=UTC; daily 00:00+1440", 1).starts_with("blackout for ever"));
    }
}
