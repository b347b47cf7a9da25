//! Runs by timer: whether one that a timer has started may begin, and the timer of a node that has no other.
//!
//! When the last one began is noted in `schedule.json` of disco's home, by the run itself: so all timers of a node agree, and a
//! moment is used once, also where the run was refused.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use disco_dlm::model::Time;
use disco_dlm::rules::{Cover, Covered, covered};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::run::Mode;
use crate::ops::dance::{DanceError, prepare_home};
use crate::ops::disable;
use crate::sandbox;
use crate::schedule::{Moments, Next, Wakefulness};
use crate::settings::Settings;
use crate::sys::files::{self, FileError, Ownership, Synced};
use crate::sys::{clock, daemon};

/// The longest that whoever keeps a timer waits before it looks again: settings change, and clocks are put.
const MOST: u64 = 60;
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
    /// The run could not be started.
    #[error("cannot start a run by timer")]
    Start(#[source] io::Error),
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
            return Ok(Turn::NotNow(format!("the next run is at {}", clock::told((then, 0)))));
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

/// The timer of a node that has no other. Whoever keeps it looks, does what it says, and looks again:
///
/// ```ignore
/// let mut timer = Timer::new();
/// loop {
///     match timer.look(&settings()?)? {
///         Look::Wait(time) => wait(time),
///         Look::Start => schedule::start(&flags)?,
///     }
/// }
/// ```
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
    /// Start a run: [`start`].
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

/// Starts a run by timer, in a session of its own and without streams; nobody waits for it. Its record says how it ended. With `flags` it
/// is a run of the same home, by the same name, as whoever keeps the timer has.
pub fn start(flags: &[String]) -> Result<(), ScheduleError> {
    let words: Vec<&str> = flags.iter().map(String::as_str).chain(["dance", "--scheduled"]).collect();
    daemon::start_detached(&words).map_err(ScheduleError::Start)
}
