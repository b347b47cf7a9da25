//! What the helper does beside answering: runs by timer where no other timer starts them, what of runs still waits to be told, and the
//! registration with a Foreman after a change. Each reads the settings anew, so that a parameter counts without a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use disco_agent::node::enrol::{self, EnrolError};
use disco_agent::runs::Answer;
use disco_agent::runs::queue::Wanted;

use crate::model::run::Mode;
use crate::model::told::in_full;
use crate::ops::proxy::{self, Done, ProxyError};
use crate::ops::schedule::{self, Look, Timer, Turn};
use crate::ops::settings::settings;
use crate::ops::upload::send::{When, send};
use crate::ops::upload::{ASKED_FOR, UploadError};
use crate::settings::{Flags, Settings};
use crate::sys::files;

use super::desk::Desk;
use super::tending::{Came, Line, Tending};

/// How often what waits to be told is tried, at the least: each server has pauses of its own beside that.
const TELL: Duration = Duration::from_secs(60);
/// How long after settings could not be read they are read again.
const AGAIN: Duration = Duration::from_secs(60);

/// Who wants a run by timer, as it is told.
pub(super) const TIMER: &str = "timer";

/// Who does them.
#[derive(Clone)]
pub(super) struct Chores {
    /// What settings are read with.
    pub(super) settings: Flags,
    /// Where a run by timer is asked for, as others are: it is told of, waits, and ends as they do.
    pub(super) desk: Arc<Desk>,
    /// Whether runs by timer are its business: where systemd starts the helper, `disco-dance.timer` has them.
    pub(super) own_timer: bool,
    /// How often the registration is compared with what this node offers.
    pub(super) tend: Duration,
    /// Says what somebody should look at.
    pub(super) say: fn(&str),
    /// Says what is good to know.
    pub(super) note: fn(&str),
}

impl Chores {
    /// Begins them, for as long as the process lives. Each has a thread of its own, and does one thing at a time: a server that hangs must
    /// not keep runs by timer, nor another server.
    pub(super) fn begin(self) {
        let (timer, teller) = (self.clone(), self.clone());
        if self.own_timer {
            std::thread::spawn(move || timer.keep_time());
        }
        std::thread::spawn(move || teller.tell());
        std::thread::spawn(move || self.tend());
    }

    /// The settings as they are now; `None` where they cannot be read, which [`Chores::tell`] says.
    fn settings(&self) -> Option<Settings> {
        settings(&self.settings).ok().map(|(settings, _)| settings)
    }

    /// Asks for runs by timer.
    fn keep_time(&self) {
        let mut timer = Timer::new();
        loop {
            std::thread::sleep(self.settings().map_or(AGAIN, |settings| self.on_time(&mut timer, &settings)));
        }
    }

    /// Asks for a run where it is time, and says how long there is nothing to do.
    fn on_time(&self, timer: &mut Timer, settings: &Settings) -> Duration {
        let looked = timer.look(settings).and_then(|look| match look {
            Look::Wait(time) => Ok(time),
            Look::Start => schedule::turn(settings).map(|turn| {
                match turn {
                    Turn::Begin => self.ask_for_run(settings),
                    Turn::NotNow(why) => (self.note)(&format!("No run by timer: {why}")),
                }
                Duration::from_secs(1)
            }),
        });
        looked.unwrap_or_else(|error| {
            (self.say)(&in_full(&error));
            AGAIN
        })
    }

    fn ask_for_run(&self, settings: &Settings) {
        let noop = settings.mode.value == Mode::Noop;
        let wanted = Wanted { noop, modules: vec![], by: TIMER.to_owned(), key: None, alone: false };
        match self.desk.take(wanted) {
            Answer::Refused { message, .. } => (self.say)(&format!("no run by timer: {message}")),
            Answer::Run(run) => (self.note)(&format!("Run {} is one by timer", run.id)),
            Answer::Runs { .. } | Answer::Standing(_) => {}
        }
    }

    /// Tells what waits to be told, and that settings cannot be read.
    fn tell(&self) {
        let mut is_first = true;
        loop {
            match settings(&self.settings) {
                Err(error) => (self.say)(&in_full(&error)),
                // What a run has left just now is left alone for a while.
                Ok(_) if is_first => {}
                Ok((settings, _)) => tell(&settings, self.say),
            }
            is_first = false;
            // Whoever looks after the registration more often wants the rest of it too.
            std::thread::sleep(TELL.min(self.tend));
        }
    }

    /// Looks after the registration.
    fn tend(&self) {
        let mut tending = Tending::new(self.tend, Instant::now());
        loop {
            std::thread::sleep(tending.wait(Instant::now()));
            let Some(settings) = self.settings() else {
                std::thread::sleep(AGAIN);
                continue;
            };
            match tending.took(look_after(&settings), Instant::now()) {
                Some(Line::Note(text)) => (self.note)(&text),
                Some(Line::Trouble(text)) => (self.say)(&text),
                None => {}
            }
        }
    }
}

fn tell(settings: &Settings, say: fn(&str)) {
    match send(settings, When::Due, ASKED_FOR) {
        Ok(round) => round.told().for_each(|line| say(&line)),
        // A run tells it right now, or nobody is to be told.
        Err(UploadError::Busy | UploadError::NotSet) => {}
        Err(error) => say(&in_full(&error)),
    }
}

fn look_after(settings: &Settings) -> Came {
    let folder = Path::new(proxy::FOLDER);
    // A node that is no proxy has no such file.
    if !matches!(files::look(&folder.join("settings.yml")), Ok(Some(_))) {
        return Came::Unchanged;
    }
    match proxy::tend(settings, folder) {
        Ok(Some(Done { kept, registration: Some(done) })) => {
            Came::Told(enrol::text(&kept, Some(&done)).trim_end().replace('\n', ";"))
        }
        Ok(Some(Done { registration: None, .. }) | None) => Came::Unchanged,
        Err(error @ ProxyError::Enrol(EnrolError::Foreman { .. })) => Came::Refused(in_full(&error)),
        Err(error) => Came::NotReady(in_full(&error)),
    }
}
