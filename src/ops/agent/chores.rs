//! What the helper does beside answering: runs by timer where no other timer starts them, what of runs still waits to be told, and the
//! registration with a Foreman after a change. Each reads the settings anew, so that a parameter counts without a restart.

use std::path::Path;
use std::time::{Duration, Instant};

use disco_agent::node::enrol::{self, EnrolError};

use crate::model::told::in_full;
use crate::ops::proxy::{self, Done, ProxyError};
use crate::ops::schedule::{self, Look, Timer};
use crate::ops::settings::settings;
use crate::ops::upload::send::{When, send};
use crate::ops::upload::{ASKED_FOR, UploadError};
use crate::settings::{Flags, Settings};
use crate::sys::files;

use super::tending::{Came, Line, Tending};

/// How often what waits to be told is tried: each server has pauses of its own beside that.
const TELL: Duration = Duration::from_secs(60);
/// How long after settings could not be read they are read again.
const AGAIN: Duration = Duration::from_secs(60);

/// Does them, one after the other, for as long as the process lives. `own_timer` is whether runs by timer are its business: where systemd
/// starts the helper, `disco-dance.timer` has them. `started_with` are the flags for each disco that is started; `tend` is how often the registration is compared with what this node offers.
pub(super) fn for_ever(
    flags: &Flags,
    started_with: &[String],
    own_timer: bool,
    tend: Duration,
    say: fn(&str),
    note: fn(&str),
) {
    let mut timer = own_timer.then(Timer::new);
    let mut told = Instant::now();
    let mut tending = Tending::new(tend, told);
    loop {
        let wait = match settings(flags) {
            Ok((settings, _)) => {
                let wait = timer.as_mut().map_or(TELL, |timer| on_time(timer, &settings, started_with, say));
                if told.elapsed() >= TELL {
                    told = Instant::now();
                    tell(&settings, say);
                }
                if tending.wait(Instant::now()).is_zero() {
                    let came = look_after(&settings);
                    match tending.took(came, Instant::now()) {
                        Some(Line::Note(text)) => note(&text),
                        Some(Line::Trouble(text)) => say(&text),
                        None => {}
                    }
                }
                wait.min(TELL).min(tending.wait(Instant::now()))
            }
            Err(error) => {
                say(&in_full(&error));
                AGAIN
            }
        };
        std::thread::sleep(wait);
    }
}

/// Starts a run where it is time, and says how long there is nothing to do.
fn on_time(timer: &mut Timer, settings: &Settings, started_with: &[String], say: fn(&str)) -> Duration {
    let looked = timer.look(settings).and_then(|look| match look {
        Look::Wait(time) => Ok(time),
        Look::Start => schedule::start(started_with).map(|()| Duration::from_secs(1)),
    });
    looked.unwrap_or_else(|error| {
        say(&in_full(&error));
        AGAIN
    })
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
