//! `disco try` and `disco shell`: a command or a shell in a sandbox of its own.

use std::path::PathBuf;

use crate::cli::dance::Diff;
use crate::cli::dance_classic::{Loud, Manner, show};
use crate::cli::ending::{self, Codes, Ended};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Global, dance};
use crate::model::run::{Mode, RunRecord};
use crate::ops::dance::{DanceError, DanceEvent};
use crate::ops::monitors::Monitors;
use crate::ops::mounted::{self, Mounted, MountedError, Reached};
use crate::ops::session::{self, Options, Session, session};
use crate::ops::settings::{for_anybody, settings};
use crate::settings::table::Name;
use crate::settings::{Flags, Settings};
use crate::sys::host;
use crate::sys::interrupt::Interrupt;

/// What `disco try` takes.
#[derive(Debug, clap::Args)]
pub struct TryArgs {
    /// Merge what the command changed, if it succeeds
    #[arg(long)]
    commit: bool,
    /// Keep what it changed in FILE, for `disco apply FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "commit")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
    /// The command and its arguments, after --
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What `disco shell` takes.
#[derive(Debug, clap::Args)]
pub struct ShellArgs {
    /// Drop what was changed, whatever else is said
    #[arg(long, conflicts_with = "merge")]
    noop: bool,
    /// Merge what was changed when the shell ends; its sandbox is its own, also where one is mounted
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    common: Common,
}

/// What both take.
#[derive(Debug, clap::Args)]
struct Common {
    /// Another root to show and merge into, such as a mounted image; services are not acted on [default: /]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// What of the network it reaches: nothing, the node's package sources, or all that the host does
    /// [default: fetch]
    #[arg(long, value_name = "none|fetch|host")]
    network: Option<String>,
    /// How differences of content are shown
    #[arg(long, value_enum, default_value = "normal")]
    diff: Diff,
    /// List changes of classes of noise too (locks, caches, backups, times), instead of counting them
    #[arg(long)]
    all: bool,
    /// With a merge: wait for a live run that is under way instead of refusing
    #[arg(long)]
    wait: bool,
    /// With a merge: without the cluster's lock (disco/dlm/lock)
    #[arg(long)]
    no_cluster_lock: bool,
    /// With a merge, what becomes of paths that somebody changes meanwhile: abort merges nothing, theirs keeps what is
    /// there, mine replaces it; can be repeated, the first that matches a path counts [default: abort]
    #[arg(long, value_name = "WORD[=GLOB]")]
    on_conflict: Vec<String>,
}

impl Common {
    /// The settings that these flags name.
    fn flags(&self, global: &Global) -> Flags {
        let mut flags = for_anybody(global.flags());
        flags.extend(self.network.clone().map(|network| (Name::Network, network)));
        let root = self.root.as_ref().map(|root| root.to_string_lossy().into_owned());
        flags.extend(root.map(|root| (Name::Root, root)));
        flags.extend(self.no_cluster_lock.then(|| (Name::DlmTake, "false".to_owned())));
        flags.extend(dance::rules(&self.on_conflict).map(|rules| (Name::OnConflict, rules)));
        flags
    }

    /// How it is told.
    fn manner<'a>(&self, mode: Mode, settings: &'a Settings) -> Manner<'a> {
        let noise = (!self.all).then_some(&settings.noise.value);
        Manner { mode, style: self.diff.into(), noise, loud: Loud::Normal }
    }
}

/// Tries a command; the exit status is the command's.
pub fn try_command(args: TryArgs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let after = After { merge: args.commit, plan: args.plan };
    let done = hold(&Session::Try(args.command), after, &args.common, global, terminal)?;
    Ok(done.map_or_else(Exit::Signal, |record| {
        let step = record.modules.first().and_then(|module| module.steps.first());
        match step.map(|step| step.outcome.exit_status()) {
            Some(status) if status != 0 => Exit::Status(status),
            Some(_) | None => ending::exit_of(&record, Codes::Plain),
        }
    }))
}

/// Opens a shell: in the mounted sandbox, if there is one, nothing is to be merged and no other root is named; else in one
/// of its own.
pub fn shell(args: &ShellArgs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if !args.merge && args.common.root.is_none() && host::is_root() {
        let (settings, _) = settings(&args.common.flags(global))?;
        match mounted::reach(&settings)? {
            Reached::Mounted(mounted) => return join(mounted, &settings, &args.common, terminal),
            Reached::Gone => {
                let own = format!("{}: this shell has a sandbox of its own", MountedError::Gone);
                terminal.say_at(Level::Warning, &own);
            }
            Reached::NotMounted => {}
        }
    }
    let after = After { merge: args.merge && !args.noop, plan: None };
    let done = hold(&Session::Shell, after, &args.common, global, terminal)?;
    Ok(done.map_or_else(Exit::Signal, |record| ending::exit_of(&record, Codes::Plain)))
}

/// Opens a shell in the mounted sandbox.
fn join(
    mounted: Mounted,
    settings: &Settings,
    common: &Common,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    // The mounted sandbox has its network already: only who asks for one can be refused.
    let network = common.network.as_ref().map(|_| settings.network.value);
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let manner = common.manner(Mode::Noop, settings);
    let mut tell = |event: DanceEvent<'_>| show(&event, &manner, terminal);
    match mounted::join(&mounted, settings, network, &interrupt, &mut tell) {
        Ok(record) => {
            let stays =
                "`disco fs diff` shows what differs in the mounted sandbox, `disco fs unmount` drops it";
            terminal.say_at(Level::Info, &format!("Run {}: {stays}", record.run));
            Ok(ending::exit_of(&record, Codes::Plain))
        }
        Err(DanceError::Interrupted(signal)) => {
            terminal.say_at(Level::Error, &DanceError::Interrupted(signal).to_string());
            Ok(Exit::Signal(signal))
        }
        Err(error) => Err(error.into()),
    }
}

/// What somebody who is not root is told.
const LIMITS: &str = "not root: as root of a user namespace, to which all files seem to be root's; what only others may \
    read stays unreadable, no owner can be given, no device node made, and nothing can be merged";

/// What becomes of what a session has changed.
struct After {
    merge: bool,
    plan: Option<PathBuf>,
}

/// Holds the session; `Err` of the inner result is the signal that ended it.
fn hold(
    what: &Session,
    after: After,
    common: &Common,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Result<RunRecord, i32>, Failure> {
    let (settings, _) = settings(&common.flags(global))?;
    let mode = match settings.mode.value {
        Mode::Live if after.merge => Mode::Live,
        Mode::Live | Mode::Noop => Mode::Noop,
    };
    if mode == Mode::Live && !host::is_root() {
        return Err(Failure::new(Kind::Permission, "only root can merge what was changed")
            .hint(Some("without that it shows what was changed, and drops it".to_owned())));
    }
    if after.plan.is_some() && !host::is_root() {
        return Err(Failure::new(Kind::Permission, "only root sees all that a plan has to keep"));
    }
    if session::settle()? {
        terminal.say_at(Level::Info, LIMITS);
    }
    let interrupt = Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))?;
    let manner = common.manner(mode, &settings);
    let command = match what {
        Session::Try(_) => "try",
        Session::Shell => "shell",
    };
    let mut monitors = Monitors::new(command, &settings);
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        show(&event, &manner, terminal);
    };
    let options = Options { mode, wait: common.wait, plan_file: after.plan };
    let ended = Ended::from(session(&settings, what, &options, &interrupt, &mut tell));
    // What somebody only tries is no state of the node.
    let warnings = match mode {
        Mode::Live => ended.tell(monitors, Codes::Plain),
        Mode::Noop => Vec::new(),
    };
    ended.say(ending::summary, &warnings, terminal);
    match ended {
        Ended::Run(record) => Ok(Ok(*record)),
        Ended::Signal(signal) => Ok(Err(signal)),
        Ended::Not(failure) => Err(failure),
    }
}
