//! `disco fs`: a NOOP sandbox that stays, for shells to join and to be looked at.

use serde::Serialize;

use crate::cli::dance::Diff;
use crate::cli::dance_classic::{Manner, differences, show};
use crate::cli::ending::count;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::json_actions::Asked;
use crate::cli::json_forms::OneChange;
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::ops::dance::{DanceError, DanceEvent};
use crate::ops::mounted::{self, Mount, Mounted, MountedError, Reached, Refusal, Status};
use crate::ops::settings::settings;
use crate::settings::Settings;
use crate::settings::table::Name;

/// What `disco fs` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Fs {
    /// Mount a NOOP sandbox that stays until it is unmounted
    #[command(after_help = "\
A process of disco's own holds it. `disco shell` joins it, one at a time, and
what is changed there is there for the next one. Nothing of it is ever merged,
and no dance sees it.

Where it has changed nothing, a shell sees the node's own files as they are when
it starts, and later changes of what it has not looked at yet. File systems that
are mounted on the node stay in use by it until it is unmounted; those that are
mounted later are not seen in it.

Exit status: 0 also where one is mounted already, which is said.

Examples:
  disco fs mount
  disco shell
  disco fs diff
  disco fs unmount
  NOOP=true disco-fs-mount       the old name")]
    Mount(MountArgs),
    /// The old way to get it ready: mount one, unless one is mounted
    #[command(hide = true)]
    Init(MountArgs),
    /// Say whether one is mounted, since when, what it holds and who is in it
    #[command(after_help = "\
Exit status: 0 mounted, 1 not mounted (or gone: the process that held it was
killed).

Examples:
  disco fs status
  disco fs status --format json")]
    Status(StatusArgs),
    /// Show what differs in the mounted sandbox so far, also while a shell is open in it
    #[command(after_help = "\
Examples:
  disco fs diff
  disco fs diff --diff unified --all
  disco fs diff --format json | jq -r '.changes[].path'
  NOOP=true disco-fs-diff        the old name")]
    Diff(DiffArgs),
    /// End the mounted sandbox with all that runs in it, and drop what was changed there
    #[command(visible_alias = "umount", after_help = "Example:\n  disco fs unmount")]
    Unmount,
}

/// What `disco fs mount` takes.
#[derive(Debug, clap::Args)]
pub struct MountArgs {
    /// What of the network is reached in it: nothing, the node's package sources, or all that the host does
    /// [default: fetch]
    #[arg(long, value_name = "none|fetch|host")]
    network: Option<String>,
}

/// What `disco fs status` takes.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How differences are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Told {
    /// Lines as a dance has always told them
    #[default]
    Classic,
    /// One JSON object, for programs; docs/json.md describes it
    Json,
}

/// What `disco fs diff` takes.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// How they are told
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Told,
    /// How differences of content are shown; JSON has both sides instead
    #[arg(long, value_enum, default_value = "normal")]
    diff: Diff,
    /// List changes of classes of noise too (locks, caches, backups, times), instead of counting them
    #[arg(long)]
    all: bool,
}

/// Does what the arguments ask for.
pub fn run(what: Fs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut flags = global.flags();
    if let Fs::Mount(MountArgs { network: Some(network) }) | Fs::Init(MountArgs { network: Some(network) }) =
        &what
    {
        flags.insert(Name::Network, network.clone());
    }
    let (settings, _) = settings(&flags)?;
    match what {
        Fs::Mount(_) => mount(&settings, terminal, true),
        Fs::Init(_) => mount(&settings, terminal, false),
        Fs::Status(args) => status(&settings, args.format, terminal),
        Fs::Diff(args) => diff(&settings, &args, terminal),
        Fs::Unmount => unmount(&settings, terminal),
    }
}

/// The body of the holder.
pub(super) fn hold() -> Result<Exit, Failure> {
    let describe = |error: DanceError| {
        let Failure { kind, message, hint } = error.into();
        Refusal { kind: kind.code(), message, hint }
    };
    mounted::hold(describe).map(|()| Exit::Done).map_err(Failure::from)
}

fn mount(settings: &Settings, terminal: &mut Terminal, tell: bool) -> Result<Exit, Failure> {
    match mounted::mount(settings)? {
        Mount::New { run, swept } => {
            for path in &swept {
                show(&DanceEvent::Swept { path }, &Manner::plain(Mode::Noop), terminal);
            }
            if tell {
                let next = "`disco shell` joins it, `disco fs diff` shows what it changes, `disco fs unmount` drops it";
                terminal.say_at(Level::Info, &format!("Mounted a sandbox, run {run}: {next}"));
            }
        }
        Mount::Already(status) if status.network != settings.network.value => {
            return Err(MountedError::Network(status.network).into());
        }
        Mount::Already(status) if tell => {
            let Status { pid, since, .. } = *status;
            terminal
                .say_at(Level::Info, &format!("A sandbox is mounted already, since {since}, by pid {pid}"));
        }
        Mount::Already(_) => {}
    }
    Ok(Exit::Done)
}

/// The mounted sandbox, which must be there.
fn reach(settings: &Settings) -> Result<Mounted, Failure> {
    match mounted::reach(settings)? {
        Reached::Mounted(mounted) => Ok(mounted),
        Reached::NotMounted => Err(MountedError::NotMounted.into()),
        Reached::Gone => Err(MountedError::Gone.into()),
    }
}

fn diff(settings: &Settings, args: &DiffArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let so_far = reach(settings)?.differences()?;
    match args.format {
        Told::Classic => {
            for action in &so_far.actions {
                let asked = DanceEvent::Asked { action, root: &LiveRoot::Own };
                show(&asked, &Manner::plain(Mode::Noop), terminal);
            }
            let noise = (!args.all).then_some(&settings.noise.value);
            terminal.results(&differences(&so_far.changes, args.diff.into(), noise));
        }
        Told::Json => {
            let actions = so_far.actions.iter().map(Asked::from).collect();
            let changes = OneChange::all(&so_far.changes, &settings.noise.value);
            terminal.result(&json(&DiffLine { schema: SCHEMA, changes, actions })?);
        }
    }
    Ok(Exit::Done)
}

fn status(settings: &Settings, format: Format, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (state, status) = match mounted::reach(settings)? {
        Reached::Mounted(mounted) => ("mounted", Some(mounted.status()?)),
        Reached::NotMounted => ("not-mounted", None),
        Reached::Gone => ("gone", None),
    };
    match format {
        Format::Json => {
            terminal.result(&json(&StatusLine { schema: SCHEMA, state, sandbox: status.as_ref() })?);
        }
        Format::Text => match &status {
            Some(status) => terminal.results(&described(status)),
            None if state == "gone" => terminal.result(&MountedError::Gone.to_string()),
            None => terminal.result(&MountedError::NotMounted.to_string()),
        },
    }
    Ok(if status.is_some() { Exit::Done } else { Exit::Failed })
}

fn unmount(settings: &Settings, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match reach(settings) {
        Ok(mounted) => {
            let dropped = mounted.unmount()?;
            let (changes, actions) = (count(dropped.changes, "change"), count(dropped.actions, "action"));
            let run = dropped.run;
            terminal.say_at(Level::Info, &format!("Unmounted: {changes} and {actions} dropped, run {run}"));
            Ok(Exit::Done)
        }
        Err(failure) => {
            if let Reached::Gone = mounted::reach(settings)? {
                for path in mounted::forget(settings)? {
                    show(&DanceEvent::Swept { path: &path }, &Manner::plain(Mode::Noop), terminal);
                }
            }
            Err(failure)
        }
    }
}

fn described(status: &Status) -> String {
    let Status { version: _, run, pid, since, network, changes, actions, scratchpad, shells, joined } =
        status;
    let joined = match joined {
        Some(guest) => format!("pid {}, since {}", guest.pid, guest.since),
        None => "nobody".to_owned(),
    };
    format!(
        "mounted     since {since}, run {run}, held by pid {pid}
network     {network}
differs     {}, {} on the running system asked for
scratchpad  {} KiB
joined      {joined}; {} so far
",
        count(*changes, "object"),
        count(*actions, "action"),
        scratchpad.div_ceil(1024),
        count(*shells, "shell"),
    )
}

/// The version of the lines' form.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct DiffLine<'a> {
    schema: u32,
    changes: Vec<OneChange<'a>>,
    actions: Vec<Asked<'a>>,
}

#[derive(Debug, Serialize)]
struct StatusLine<'a> {
    schema: u32,
    state: &'static str,
    #[serde(flatten)]
    sandbox: Option<&'a Status>,
}

fn json(line: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(line).map_err(|error| Failure::from_error(Kind::Software, &error))
}
