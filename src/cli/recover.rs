//! `disco recover`: finishes what was stopped.

use std::path::PathBuf;

use crate::changes::diff::DiffStyle;
use crate::cli::Global;
use crate::cli::dance::show;
use crate::cli::ending::count;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::model::run::Mode;
use crate::ops::dance::DanceEvent;
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
}

/// Does it.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut flags = global.flags();
    flags.extend(args.root.as_ref().map(|root| (Name::Root, root.to_string_lossy().into_owned())));
    let (settings, _) = settings(&flags)?;
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let mut tell = |event: DanceEvent<'_>| show(&event, Mode::Live, DiffStyle::None, terminal);
    let extent = if args.files { recover::Extent::Files } else { recover::Extent::Whole };
    let found = recover::recover(&settings, extent, args.wait, &interrupt, &mut tell)?;
    terminal.say_at(
        Level::Info,
        &match found {
            0 => "nothing to recover: no merge was stopped".to_owned(),
            number => format!("recovered {}: this node is whole", count(number, "merge")),
        },
    );
    Ok(Exit::Done)
}
