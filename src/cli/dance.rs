//! `disco dance`: what it takes, and which form of it is asked for.

use std::path::{Path, PathBuf};

use crate::changes::diff::DiffStyle;
use crate::cli::ending::Codes;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Global, dance_classic, dance_json, dance_pretty, json_forms};
use crate::model::names::{ModuleName, NodeName};
use crate::model::run::{Mode, TIME_LIMIT};
use crate::ops::dance::Options;
use crate::ops::monitors::Monitors;
use crate::ops::schedule::{self, Turn};
use crate::ops::settings::settings;
use crate::settings::table::Name;
use crate::settings::{Origin, Settings};
use crate::sys::interrupt::Interrupt;

const EXAMPLES: &str = "\
Examples:
  disco dance --noop             show what a run would change, and change nothing
  disco dance                    run, show, and merge if everything has succeeded
  NOOP=true disco dance          the same as --noop
  disco dance --noop --server rsync://master.example.com
  disco dance --root /mnt/image  another root than this node's own: nothing is started in it
  disco dance --on-conflict theirs=/etc/hosts  keep that file, should somebody change it meanwhile
  disco dance --only motd        one module, and what it requires
  disco dance --no-fetch         with the modules that the last fetch brought
  disco dance --diff unified --all       differences as in a patch, those of caches and locks too
  disco dance --scheduled        as a timer calls it: only at its moment, not in a blackout
  disco dance --quiet --textfile /var/lib/prometheus/node-exporter/disco.prom
  disco dance --format classic   the text that scripts read
  disco dance --noop --plan web1.plan    keep what was shown, to be merged by `disco apply`
  disco dance --noop --format json | jq -r '.changes?[]?.path'

Exit status: 0 done; 1 a step, validator or action failed; 65 a bad module; 69
the master is unavailable; 75 another live run is under way.";

/// Fetch this node's modules, run them in a sandbox, show every difference, merge if all succeeded.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Stop before the merge: show everything, change nothing
    #[arg(long)]
    pub noop: bool,
    /// The master: rsync://HOST[:PORT], [USER@]HOST or a folder
    #[arg(long, value_name = "URI")]
    pub server: Option<String>,
    /// Another root to show and merge into, such as a mounted image; services are not acted on [default: /]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Fetch nothing: take the parameters and modules that the last fetch brought
    #[arg(long)]
    pub no_fetch: bool,
    /// What of the network the steps reach: nothing, the node's package sources, or all that the host does
    /// [default: fetch]
    #[arg(long, value_name = "none|fetch|host")]
    pub network: Option<String>,
    /// Seconds that a step may take
    #[arg(long, value_name = "SECONDS")]
    pub step_timeout: Option<String>,
    /// What becomes of paths that somebody changes meanwhile: abort merges nothing, theirs keeps what is there, mine
    /// replaces it; can be repeated, the first that matches a path counts [default: abort]
    #[arg(long, value_name = "WORD[=GLOB]")]
    pub on_conflict: Vec<String>,
    /// How the run is told [default: pretty on a terminal, classic elsewhere]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Form>,
    /// How differences of content are shown [default: normal; in pretty unified, long ones cut]
    #[arg(long, value_enum)]
    pub diff: Option<Diff>,
    /// Run this module and what it requires, and no other; can be repeated
    #[arg(long, value_name = "MODULE")]
    pub only: Vec<ModuleName>,
    /// Exit with 0 for no changes, 2 for changes (pending or merged), 4 for failures, 6 for both
    #[arg(long)]
    pub detailed_exitcodes: bool,
    /// List changes of classes of noise too (locks, caches, backups, times), instead of counting them
    #[arg(long)]
    pub all: bool,
    /// Only errors, and one line at the end
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also when each step starts, what it cost, how true its report is, and what disco's own work cost
    #[arg(long, short)]
    pub verbose: bool,
    /// Tell the end of the run in FILE, for Prometheus' textfile collector
    #[arg(long, value_name = "FILE")]
    pub textfile: Option<PathBuf>,
    /// Wait for another live run instead of refusing
    #[arg(long)]
    pub wait: bool,
    /// Run without the cluster's lock (disco/dlm/lock)
    #[arg(long)]
    pub no_cluster_lock: bool,
    /// Take the merge back after so many seconds unless `disco confirm` comes before
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800), conflicts_with_all = ["noop", "root"])]
    pub confirm: Option<u64>,
    /// As a timer's run: ends with 0 where it is not its moment, in a blackout, or while live runs are disabled
    /// (disco/schedule/)
    #[arg(long, conflicts_with_all = ["root", "plan"])]
    pub scheduled: bool,
    /// As a run by timer whose moment was looked at already: it has the same time limit
    #[arg(long, hide = true, conflicts_with = "scheduled")]
    pub limited: bool,
    /// With --noop: keep what was shown in FILE, for `disco apply FILE`
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// The forms of a difference, for the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Diff {
    /// As diff(1) prints it
    Normal,
    /// As in a patch
    Unified,
    /// Counts of lines
    Stat,
    /// None
    None,
}

impl From<Diff> for DiffStyle {
    fn from(diff: Diff) -> DiffStyle {
        match diff {
            Diff::Normal => DiffStyle::Normal,
            Diff::Unified => DiffStyle::Unified,
            Diff::Stat => DiffStyle::Stat,
            Diff::None => DiffStyle::None,
        }
    }
}

/// How a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A calm view for somebody at a terminal
    Pretty,
    /// Lines as they always were, for scripts that read them
    Classic,
    /// One JSON object an event, for programs; docs/json.md describes it
    Json,
}

/// All that a dance needs before it starts.
pub(super) struct Prepared {
    pub(super) settings: Settings,
    pub(super) unknown: Vec<Origin>,
    pub(super) interrupt: Interrupt,
    pub(super) options: Options,
    pub(super) codes: Codes,
    pub(super) monitors: Monitors,
}

/// Settles what the arguments and the node say.
pub(super) fn prepare(args: &Args, global: &Global) -> Result<Prepared, Failure> {
    let mut flags = global.flags();
    let said = [
        (Name::Noop, args.noop.then(|| "true".to_owned())),
        (Name::ServerUri, args.server.clone()),
        (Name::Root, args.root.as_ref().map(|root| root.to_string_lossy().into_owned())),
        (Name::Fetch, args.no_fetch.then(|| "false".to_owned())),
        (Name::DlmTake, args.no_cluster_lock.then(|| "false".to_owned())),
        (Name::Network, args.network.clone()),
        (Name::StepTimeout, args.step_timeout.clone()),
        (Name::OnConflict, rules(&args.on_conflict)),
        (Name::Textfile, args.textfile.as_deref().map(named)),
    ];
    flags.extend(said.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let (settings, unknown) = settings(&flags)?;
    if args.plan.is_some() && settings.mode.value == Mode::Live {
        return Err(Failure::new(Kind::Usage, "--plan keeps what a dry run shows, and this is none")
            .hint(Some("add --noop; `disco apply FILE` merges the plan later".to_owned())));
    }
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let only = args.only.iter().cloned().collect();
    let options = Options { only, wait: args.wait, plan_file: args.plan.clone(), confirm: args.confirm };
    let codes = if args.detailed_exitcodes { Codes::Detailed } else { Codes::Plain };
    let monitors = Monitors::new("dance", &settings);
    if let (true, Some(limit)) = (args.scheduled || args.limited, settings.schedule.time_limit.value) {
        interrupt
            .after(limit, TIME_LIMIT)
            .map_err(|error| Failure::new(Kind::Io, "cannot watch the time limit").because(&error))?;
    }
    Ok(Prepared { settings, unknown, interrupt, options, codes, monitors })
}

/// A file that a flag names, as a setting.
pub(super) fn named(file: &Path) -> String {
    file.to_string_lossy().into_owned()
}

/// The rules of a repeated `--on-conflict` as one setting; none where none is given.
pub(super) fn rules(on_conflict: &[String]) -> Option<String> {
    (!on_conflict.is_empty()).then(|| on_conflict.join(" "))
}

/// What there is to say of something that was set and that nobody knows.
pub(super) fn sets_nothing(origin: &Origin) -> String {
    format!("{origin} is no setting of disco: see `disco settings`")
}

/// What there is to say of a node for which there is nothing to do.
pub(super) fn no_modules(node: &NodeName) -> String {
    format!("{node} has no modules: an empty file parameters/{node}/modules/NAME on the master selects NAME")
}

/// Why a run that a timer has started does not begin now; none where it does.
fn not_now(args: &Args, global: &Global) -> Result<Option<String>, Failure> {
    if !args.scheduled {
        return Ok(None);
    }
    let mut flags = global.flags();
    flags.extend(args.noop.then(|| (Name::Noop, "true".to_owned())));
    Ok(match schedule::turn(&settings(&flags)?.0)? {
        Turn::Begin => None,
        Turn::NotNow(why) => Some(why),
    })
}

/// Does the dance and tells it.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some(why) = not_now(args, global)? {
        match args.format {
            Some(Form::Json) => {
                let line = json_forms::not_now(&why);
                terminal.result(&line.map_err(|error| Failure::from_error(Kind::Software, &error))?);
            }
            Some(Form::Pretty | Form::Classic) | None => {
                terminal.say_at(Level::Info, &format!("not now: {why}"));
            }
        }
        return Ok(Exit::Done);
    }
    let suited = if terminal.is_terminal() && !args.quiet { Form::Pretty } else { Form::Classic };
    match args.format.unwrap_or(suited) {
        Form::Json if args.quiet || args.verbose => {
            Err(Failure::new(Kind::Usage, "--quiet and --verbose are for people, and JSON is for programs"))
        }
        Form::Pretty if !args.quiet => dance_pretty::run(args, global, terminal),
        Form::Pretty | Form::Classic => dance_classic::run(args, global, terminal),
        Form::Json => dance_json::run(args, global, terminal),
    }
}
