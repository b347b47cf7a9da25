//! `disco confirm`, and the process that waits for it.

use crate::cli::Global;
use crate::cli::dance_classic::{Manner, show};
use crate::cli::ending::{not_told, told};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::model::names::RunId;
use crate::model::run::Mode;
use crate::ops::confirm;
use crate::ops::dance::DanceEvent;
use crate::ops::monitors::Monitors;
use crate::ops::settings::settings;
use crate::sys::interrupt::Interrupt;

/// What `disco confirm` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run [default: the one that waits to be confirmed]
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
}

/// Confirms.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (settings, _) = settings(&global.flags())?;
    let mut monitors = Monitors::new("confirm", &settings);
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        if let DanceEvent::Lock { .. } | DanceEvent::Warned { .. } = event {
            show(&event, &Manner::plain(Mode::Live), terminal);
        }
    };
    let run = confirm::confirm(&settings, args.run.as_ref(), &watched()?, &mut tell).map_err(Failure::from);
    not_told(&told(monitors, &run), terminal);
    terminal.say_at(Level::Info, &format!("Run {} is confirmed: it stays merged", run?));
    Ok(Exit::Done)
}

/// Waits until the run is confirmed, or takes its merge back. Whoever started it has left: only monitors hear of that.
pub fn wait(run: &RunId, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (settings, _) = settings(&global.flags())?;
    let mut monitors = Monitors::new("confirm", &settings);
    let done =
        confirm::wait_for_confirmation(&settings, run, &watched()?, &mut |event| monitors.hear(&event))
            .map_err(Failure::from);
    not_told(&told(monitors, &done), terminal);
    done.map(|()| Exit::Done)
}

fn watched() -> Result<Interrupt, Failure> {
    Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))
}
