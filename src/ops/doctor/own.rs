//! What disco needs of its own folders and of other programs; and a whole sandbox, with a step in it.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::merge;
use crate::model::requirement::Requirement;
use crate::model::root::LiveRoot;
use crate::model::step::Outcome;
use crate::model::told::in_full;
use crate::ops::dance::{self, DanceError};
use crate::ops::disable;
use crate::ops::session;
use crate::sandbox::protocol::{Command, Task};
use crate::sandbox::{self, SandboxError};
use crate::settings::Settings;
use crate::sys::interrupt::Interrupt;
use crate::sys::probe::{Found, home, machine, trying};
use crate::sys::{clock, execute, files, folders, scratch};

use super::Weight::{Needed, Wanted};
use super::{NOTHING, requirement};

pub(super) fn own_files(settings: &Settings) -> Vec<Requirement> {
    let at = settings.home.value.as_path();
    let elsewhere = "choose another home: --home DIR or DISCO_HOME";
    let shell = files::look_through(Path::new("/bin/bash")).map(|there| there.is_some());
    let shell = match shell {
        Ok(true) => Ok("/bin/bash".to_owned()),
        Ok(false) | Err(_) => Err(io::Error::other("there is no /bin/bash")),
    };
    let rsync = settings.rsync.value.first().map(String::as_str).unwrap_or_default();
    vec![
        requirement(
            ("home", Needed, "records, parameters and scratchpads", NOTHING, elsewhere),
            home::there(at),
        ),
        requirement(
            (
                "home-permissions",
                Wanted,
                "records that only root writes",
                "all of it, as long as nobody else writes there",
                "chown root and chmod 755 disco's home",
            ),
            home::private(at),
        ),
        requirement(
            (
                "home-space",
                Wanted,
                "what steps write",
                "runs that write little",
                "make room, or choose another home with --home",
            ),
            home::space(&settings.storage.value),
        ),
        requirement(
            ("home-marks", Needed, "remembering what a step deleted", NOTHING, elsewhere),
            home::marks(&settings.storage.value),
        ),
        requirement(
            (
                "home-exchange",
                Wanted,
                "taking over what was fetched in one step",
                "all but a fetch while somebody reads the last one",
                elsewhere,
            ),
            home::exchange(at),
        ),
        requirement(
            ("home-locks", Needed, "keeping two live runs apart", NOTHING, elsewhere),
            home::locks(at),
        ),
        requirement(
            (
                "rsync",
                Wanted,
                "fetching from a master",
                "`disco try`, `disco shell`, `--no-fetch`",
                "install rsync, or set disco/client/cmds/rsync",
            ),
            machine::program(rsync),
        ),
        requirement(
            ("bash", Wanted, "scripts and templates", "`disco try` of other programs", "install bash"),
            shell,
        ),
        requirement(
            (
                "left-overs",
                Wanted,
                "nothing: a run that was killed leaves its folder, a merge that was stopped its journal",
                "everything: the next run removes the one, the next live run finishes the other",
                "`disco dance`",
            ),
            left_over(settings),
        ),
        requirement(
            (
                "live-runs",
                Wanted,
                "runs that merge",
                "dry runs, `disco try`, `disco recover`",
                "`disco enable`, when what is named there is over",
            ),
            live_runs(settings),
        ),
    ]
}

fn live_runs(settings: &Settings) -> Found {
    match disable::look(&settings.home.value).map_err(io::Error::other)? {
        None => Ok("they are enabled".to_owned()),
        Some(disabled) => Err(io::Error::other(format!("they are disabled {disabled}"))),
    }
}

fn left_over(settings: &Settings) -> Found {
    let runs = scratch::left_over(&settings.storage.value).map_err(io::Error::other)?.len();
    let journals = merge::replay::unfinished(&merge::journals(&settings.home.value), &LiveRoot::Own);
    let merges = journals.map_err(|error| io::Error::other(in_full(&error)))?.len();
    match (runs, merges) {
        (0, 0) => Ok("nothing of a killed run is left".to_owned()),
        _ => Err(io::Error::other(format!(
            "runs that were killed: {runs}; merges that were stopped: {merges}"
        ))),
    }
}

/// A sandbox and a step in it, in a home of its own.
pub(super) fn whole(settings: &Settings) -> Requirement {
    let row = ("sandbox", Needed, "every run", NOTHING, "see what is missing above");
    if sandbox::is_inside() {
        return requirement(row, Err(io::Error::other(DanceError::Inside.to_string())));
    }
    let found = trying(|| {
        let folder = home::beside(&settings.storage.value)?;
        let mut settings = settings.clone();
        (settings.home.value, settings.storage.value) = (folder.clone(), folder.join("scratch"));
        let tried = session::settle().and_then(|_| open_and_run(&settings));
        let tried = tried.map_err(|error| io::Error::other(in_full(&error)));
        let removed = folders::remove_tree(&folder).map_err(io::Error::other);
        let found = tried?;
        removed?;
        Ok(found)
    });
    requirement(row, found)
}

fn open_and_run(settings: &Settings) -> Result<String, DanceError> {
    let cannot = |source| SandboxError::Cannot { action: "watch for signals", source };
    let interrupt = Interrupt::watch().map_err(cannot)?;
    let start = clock::since_epoch();
    let mut ended = Outcome::Done;
    dance::recorded(
        settings,
        dance::Start::NOOP,
        &interrupt,
        &mut |_| {},
        |run, settings, ground, scratch| {
            let view = scratch.path().join("view");
            for name in ["parameters", "modules"] {
                files::create_dirs(&view.join(name), 0o700)?;
            }
            let mut sandbox = dance::open_sandbox(run, settings, ground, scratch, &view)?;
            let command = Command {
                argv: vec!["true".to_owned()],
                environment: execute::ENVIRONMENT
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
                directory: "/".into(),
            };
            let limit = Duration::from_secs(10);
            ended = sandbox.run(Task::Execute(command), &[], limit, &interrupt, &mut |_| {})?.outcome;
            sandbox.seal()?;
            Ok(())
        },
    )?;
    let took = clock::since_epoch().saturating_sub(start).as_millis();
    match ended {
        Outcome::Done => Ok(format!("one was opened, a step ran in it, and it was closed, in {took} ms")),
        other => Err(SandboxError::Inside(format!("`true` ended with {other}")).into()),
    }
}
