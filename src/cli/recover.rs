//! `disco recover`: finishes what was stopped.

use std::path::PathBuf;

use crate::cli::Global;
use crate::cli::dance::named;
use crate::cli::dance_classic::{Manner, show};
use crate::cli::ending::{count, not_told, told};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::model::run::Mode;
use crate::ops::dance::DanceEvent;
use crate::ops::monitors::Monitors;
use crate::ops::recover;
use crate::ops::settings::settings;
use crate::settings::table::Name;
use crate::sys::interrupt::Interrupt;

/// What `disco recover` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another root than this node's own
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Its files alone, for an early start of the machine: a second call does the rest
    #[arg(long)]
    files: bool,
    /// Wait for a live run that is under way instead of refusing
    #[arg(long)]
    wait: bool,
    /// Tell the end of the run in FILE, for Prometheus' textfile collector
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,
}

/// Does it.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut flags = global.flags();
    flags.extend(args.root.as_ref().map(|root| (Name::Root, root.to_string_lossy().into_owned())));
    flags.extend(args.textfile.as_deref().map(|file| (Name::Textfile, named(file))));
    let (settings, _) = settings(&flags)?;
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let mut monitors = Monitors::new("recover", &settings);
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        show(&event, &Manner::plain(Mode::Live), terminal);
    };
    let extent = if args.files { recover::Extent::Files } else { recover::Extent::Whole };
    let found = recover::recover(&settings, extent, args.wait, &interrupt, &mut tell).map_err(Failure::from);
    not_told(&told(monitors, &found), terminal);
    let found = found?;
    terminal.say_at(
        Level::Info,
        &match found {
            0 => "nothing to recover: no merge was stopped".to_owned(),
            number => format!("recovered {}: this node is whole", count(number, "merge")),
        },
    );
    Ok(Exit::Done)
}
