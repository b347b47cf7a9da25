//! `disco apply`: merges a plan, and tells it as a dance does.

use std::path::PathBuf;

use crate::cli::Global;
use crate::cli::dance::{Diff, named};
use crate::cli::dance_classic::{Loud, Manner, show};
use crate::cli::ending::{self, Codes, Ended};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::Terminal;
use crate::model::run::{Mode, RunRecord};
use crate::ops::apply::{self, Options, apply};
use crate::ops::dance::DanceEvent;
use crate::ops::monitors::Monitors;
use crate::ops::settings::settings;
use crate::settings::table::Name;
use crate::sys::interrupt::Interrupt;

/// What `disco apply` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan, as `disco dance --noop --plan FILE` has kept it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Merge it only if it is the file with this sha256, as it was signed off
    #[arg(long, value_name = "HEX", value_parser = digest)]
    digest: Option<String>,
    /// Merge a plan of another node: what it rests on is compared all the same
    #[arg(long)]
    any_node: bool,
    /// Another root to merge into than the plan's [default: the plan's]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// What becomes of what somebody has changed since: abort, theirs, mine, or such a word=GLOB
    #[arg(long, value_name = "RULES")]
    on_conflict: Option<String>,
    /// How differences of content are shown
    #[arg(long, value_enum, default_value = "normal")]
    diff: Diff,
    /// List changes of classes of noise too (locks, caches, backups, times), instead of counting them
    #[arg(long)]
    all: bool,
    /// Tell the end of the run in FILE, for Prometheus' textfile collector
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,
    /// Wait for another live run instead of refusing
    #[arg(long)]
    wait: bool,
    /// Merge also where `disco disable` has switched live runs off
    #[arg(long)]
    even_if_disabled: bool,
    /// Merge without the cluster's lock (disco/dlm/lock)
    #[arg(long)]
    no_cluster_lock: bool,
    /// Take the merge back after so many seconds unless `disco confirm` comes before
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800), conflicts_with = "root")]
    confirm: Option<u64>,
}

/// A sha256 as `sha256sum` prints it.
fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_lowercase())
    } else {
        Err("a sha256 has 64 digits and letters from a to f".to_owned())
    }
}

/// Merges the plan.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let root = match &args.root {
        Some(root) => root.clone(),
        None => apply::head(&args.file)?.root.path(),
    };
    let mut flags = global.flags();
    flags.extend([(Name::Root, root.to_string_lossy().into_owned())]);
    flags.extend(args.on_conflict.clone().map(|rules| (Name::OnConflict, rules)));
    flags.extend(args.textfile.as_deref().map(|file| (Name::Textfile, named(file))));
    flags.extend(args.no_cluster_lock.then(|| (Name::DlmTake, "false".to_owned())));
    let (settings, _) = settings(&flags)?;
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let options = Options {
        file: args.file.clone(),
        digest: args.digest.clone(),
        any_node: args.any_node,
        wait: args.wait,
        even_if_disabled: args.even_if_disabled,
        confirm: args.confirm,
    };
    let noise = (!args.all).then_some(&settings.noise.value);
    let manner = Manner { mode: Mode::Live, style: args.diff.into(), noise, loud: Loud::Normal };
    let mut monitors = Monitors::new("apply", &settings);
    let mut was_so = false;
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        show(&event, &manner, terminal);
    };
    let ended = apply(&settings, &options, &interrupt, &mut tell).map(|applied| {
        was_so = applied.was_so;
        applied.record
    });
    let ended = Ended::from(ended);
    let warnings = ended.tell(monitors, Codes::Plain);
    let words = |record: &RunRecord| match was_so {
        true => format!("Run {}: nothing to do, all is as the plan wants it", record.run),
        false => ending::summary(record),
    };
    ended.say(words, &warnings, terminal);
    ended.exit(Codes::Plain)
}
