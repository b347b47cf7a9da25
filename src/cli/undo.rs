//! `disco undo`: takes back what a run has merged, and lists what can be taken back.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::dance::named;
use crate::cli::dance_classic::{Manner, show};
use crate::cli::ending::{Codes, Ended, count};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::merge::undo::Kept;
use crate::model::names::RunId;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::ops::dance::DanceEvent;
use crate::ops::monitors::Monitors;
use crate::ops::settings::settings;
use crate::ops::undo::{self, Options};
use crate::settings::table::Name;
use crate::sys::interrupt::Interrupt;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Each place gets again what it held before that run, if nobody has changed it
since: otherwise nothing is changed, and each such place is named. An undo is a
run like any other, and can be undone itself.

Examples:
  disco undo --list
  disco undo --noop
  disco undo
  disco undo 20261120-190451-042-1234 --on-conflict theirs=/etc/hosts

Exit status: 0 done; 1 somebody has changed a place since, or there is nothing
to undo; 75 another live run is under way.";

/// What `disco undo` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run [default: the last one that has merged something]
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// Show what would be brought back, and change nothing
    #[arg(long)]
    noop: bool,
    /// List the merges that can be undone
    #[arg(long, conflicts_with_all = ["run", "noop", "wait", "on_conflict"])]
    list: bool,
    /// How to print the list
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", requires = "list")]
    format: Format,
    /// What becomes of what somebody has changed since: abort, theirs, mine, or such a word=GLOB
    #[arg(long, value_name = "RULES")]
    on_conflict: Option<String>,
    /// Wait for another live run instead of refusing
    #[arg(long)]
    wait: bool,
    /// Undo also where `disco disable` has switched live runs off
    #[arg(long)]
    even_if_disabled: bool,
    /// Undo without the cluster's lock (disco/dlm/lock)
    #[arg(long, conflicts_with = "list")]
    no_cluster_lock: bool,
    /// Tell the end of the run in FILE, for Prometheus' textfile collector
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    textfile: Option<PathBuf>,
}

/// Does it.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut flags = global.flags();
    flags.extend(args.on_conflict.clone().map(|rules| (Name::OnConflict, rules)));
    flags.extend(args.textfile.as_deref().map(|file| (Name::Textfile, named(file))));
    flags.extend(args.no_cluster_lock.then(|| (Name::DlmTake, "false".to_owned())));
    let (mut settings, _) = settings(&flags)?;
    // Undos are of the node's own root.
    settings.root.value = PathBuf::from("/");
    if args.list {
        let kept = undo::list(&settings)?;
        if kept.is_empty() {
            terminal.say_at(Level::Warning, "there is no merge that can be undone");
        }
        terminal.results(&match args.format {
            Format::Text => table(&kept),
            Format::Json => json_lines(&kept),
        });
        return Ok(Exit::Done);
    }
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let options = Options {
        run: args.run.clone(),
        noop: args.noop,
        wait: args.wait,
        even_if_disabled: args.even_if_disabled,
    };
    let mut monitors = Monitors::new("undo", &settings);
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        show(&event, &Manner::plain(Mode::Live), terminal);
    };
    let ended = Ended::from(undo::undo(&settings, &options, &interrupt, &mut tell));
    let warnings = ended.tell(monitors, Codes::Plain);
    let words = |record: &RunRecord| match record.undoes {
        Some(_) => summary(record),
        // It had waited to be confirmed.
        None => format!("Run {} is undone, as if it had never merged", record.run),
    };
    ended.say(words, &warnings, terminal);
    match ended {
        Ended::Run(record) if record.undoes.is_none() => Ok(Exit::Done),
        ended => ended.exit(Codes::Plain),
    }
}

fn summary(record: &RunRecord) -> String {
    let of = record.undoes.as_ref().map_or_else(String::new, RunId::to_string);
    let places = count(record.changes, "place");
    match &record.outcome {
        RunOutcome::Shown => format!("NOOP: to undo run {of} changes {places}; nothing is changed"),
        _ => {
            format!("Run {}: run {of} is undone, {places} as before it; `disco undo` undoes this", record.run)
        }
    }
}

/// One merge in a line.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: u32,
    run: &'a RunId,
    merged: &'a str,
    undoes: Option<&'a RunId>,
    bytes: u64,
}

fn json_lines(kept: &[Kept]) -> String {
    let line = |one: &Kept| {
        let (run, merged, undoes) = (&one.head.run, one.head.began.as_str(), one.head.undoes.as_ref());
        format!("{}\n", serde_json::json!(Row { schema: 1, run, merged, undoes, bytes: one.bytes }))
    };
    kept.iter().map(line).collect()
}

fn table(kept: &[Kept]) -> String {
    let line = |one: &Kept| {
        let undoes = one.head.undoes.as_ref().map_or_else(String::new, |run| format!("  undid {run}"));
        let line =
            format!("{}  {}  {:>8} KiB kept{undoes}", one.head.run, one.head.began, one.bytes.div_ceil(1024));
        line + "\n"
    };
    kept.iter().map(line).collect()
}
