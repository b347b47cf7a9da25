//! `disco lock`: what it takes. What it does is in [`super::lock_work`] (as a host) and [`super::lock_look`] (the rest).

use std::path::PathBuf;

use disco_dlm::model::{HostName, LockName};

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::Terminal;
use crate::cli::{Format, Global, lock_look, lock_work};
use crate::lock::Server;
use crate::ops::lock::connect;
use crate::ops::settings::{for_anybody, settings};
use crate::settings::Settings;
use crate::settings::table::Name;
use crate::sys::interrupt::Interrupt;
use crate::sys::prompt;

/// Take, show and give back locks that hosts share, of disco's lock server or a Foreman
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the locks: what each is, who holds it, since when, who waits
    #[command(
        after_help = "Examples:\n  disco lock ls\n  disco lock ls 'host ~ web and enabled = true' --user admin"
    )]
    Ls {
        /// Only those that this search finds, in Foreman's language
        #[arg(value_name = "SEARCH", default_value = "")]
        search: String,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Show a lock: holders, queue, failures, policy
    #[command(after_help = "Examples:\n  disco lock show web\n  disco lock show web --format json")]
    Show {
        /// The lock
        name: LockName,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Acquire a lock for this host, which holds it until released
    #[command(after_help = "\
Exit status: 0 this host holds it; 75 refused; 69 no server; 77 not known there.

Examples:
  disco lock acquire web
  disco lock acquire web --wait=600 --note 'kernel update'")]
    Acquire {
        /// The lock
        name: LockName,
        /// Wait for it: for so many seconds, or until it is had
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "forever")]
        wait: Option<String>,
        /// What it is for, for others to read
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Release a lock of this host, or by force those of others
    #[command(
        override_usage = "disco lock release [OPTIONS] NAME",
        after_help = "\
Examples:
  disco lock release web
  disco lock release web --failed 'nginx does not start'
  disco lock release web --force --reason 'web3 is gone' --user admin
  disco lock release --after-boot      what was held over a reboot"
    )]
    Release(Release),
    /// Run a command under a lock: acquire, wait, run, release
    #[command(
        override_usage = "disco lock run [OPTIONS] NAME -- COMMAND...",
        after_help = "\
The command finds DISCO_LOCK_TOKEN, _NAME and _URL in its environment. The exit
status is the command's, or 75 if the lock was not had.

Examples:
  disco lock run web -- apt-get -y upgrade
  disco lock run web --over-reboot -- sh -c 'apt-get -y upgrade && reboot'"
    )]
    Run(Run),
    /// Show the policy of a lock, or change parts of it
    #[command(after_help = "\
Parts: slots (2, 10%), expires_after, stale_after, gap (90, 30m, 4h),
freeze_after (2), order (none, fair), poll, zone, windows ('mon,tue 22:00+120'),
blackouts ('2026-12-20..2027-01-05 holidays'); none takes one away.

Examples:
  disco lock policy web
  disco lock policy web set slots=2 order=fair freeze_after=1 --user admin")]
    Policy {
        /// The lock
        name: LockName,
        /// show, or set and KEY=VALUE
        #[arg(value_name = "show|set KEY=VALUE")]
        words: Vec<String>,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Show what happened to a lock, or to all
    #[command(after_help = "Examples:\n  disco lock events web\n  disco lock events --follow --user admin")]
    Events {
        /// The lock [default: all]
        name: Option<LockName>,
        /// How many, the newest ones
        #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
        lines: u64,
        /// Go on with what happens from now on
        #[arg(long, short)]
        follow: bool,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Show a lock, and again whenever it changes
    #[command(after_help = "Example:\n  disco lock watch web")]
    Watch {
        /// The lock
        name: LockName,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Enable a lock
    #[command(after_help = "Example:\n  disco lock enable web --user admin")]
    Enable(Because),
    /// Disable a lock: nobody acquires it, and who holds it keeps it
    #[command(after_help = "Example:\n  disco lock disable web --reason 'change freeze' --user admin")]
    Disable(Because),
    /// Forget the failures of a lock, so that it is granted again
    #[command(after_help = "Example:\n  disco lock thaw web --reason 'web2 is repaired' --user admin")]
    Thaw(Because),
    /// Remove a lock, with whoever holds it
    #[command(after_help = "Example:\n  disco lock delete web --user admin")]
    Delete {
        /// The lock
        name: LockName,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Make a lock; the first acquire does that too
    #[command(
        after_help = "Examples:\n  disco lock create web --user admin\n  disco lock create web slots=2 order=fair --user admin"
    )]
    Create {
        /// The lock
        name: LockName,
        /// Parts of its policy, as in `disco lock policy`
        #[arg(value_name = "KEY=VALUE")]
        parts: Vec<String>,
        /// Make it disabled
        #[arg(long)]
        disabled: bool,
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
    /// Show which certificate is used, and who the server takes us for
    #[command(after_help = "\
Looked for, in order: what is set (dlm/cert, dlm/key), /etc/disco/pki/host.pem,
Puppet's, Katello's.

Example:
  disco lock whoami")]
    Whoami {
        /// Which server, as whom
        #[command(flatten)]
        to: To,
    },
}

/// Which server, as whom, and in which form.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct To {
    /// The lock server: https://HOST[:PORT]
    #[arg(long, value_name = "URL", display_order = 800)]
    url: Option<String>,
    /// This host's certificate
    #[arg(long, value_name = "FILE", display_order = 800)]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", display_order = 800)]
    key: Option<PathBuf>,
    /// The authorities of the server
    #[arg(long, value_name = "FILE", display_order = 800)]
    ca: Option<PathBuf>,
    /// Log in as this user
    #[arg(long, value_name = "NAME", display_order = 800)]
    user: Option<String>,
    /// text or json
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        display_order = 800,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(super) format: Format,
}

/// What `release` takes.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// The lock
    #[arg(required_unless_present = "after_boot", hide = true)]
    pub(super) name: Option<LockName>,
    /// The work failed: it counts for freeze_after
    #[arg(long, value_name = "NOTE", conflicts_with = "force")]
    pub(super) failed: Option<String>,
    /// Take it away from who holds it, as a user
    #[arg(long, requires = "reason")]
    pub(super) force: bool,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(super) reason: Option<String>,
    /// By force: this host's slot alone
    #[arg(long, value_name = "NAME", requires = "force")]
    pub(super) host: Option<HostName>,
    /// What was held over a reboot, once that is over
    #[arg(long, conflicts_with_all = ["name", "failed", "force"])]
    pub(super) after_boot: bool,
    #[command(flatten)]
    pub(super) to: To,
}

/// What `run` takes.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The lock
    #[arg(hide = true)]
    pub(super) name: LockName,
    /// Wait so many seconds at most [default: no end]
    #[arg(long, value_name = "SECONDS", require_equals = true)]
    pub(super) wait: Option<u64>,
    /// What it is for [default: the command]
    #[arg(long, value_name = "TEXT")]
    pub(super) note: Option<String>,
    /// After a failure: keep (default), release, failed
    #[arg(long, value_name = "WHAT", value_parser = crate::settings::OnFailure::of_word)]
    pub(super) on_failure: Option<crate::settings::OnFailure>,
    /// End the command if the lock is lost
    #[arg(long)]
    pub(super) kill_on_loss: bool,
    /// Keep the lock until the machine was started anew
    #[arg(long)]
    pub(super) over_reboot: bool,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND", hide = true)]
    pub(super) command: Vec<String>,
    #[command(flatten)]
    pub(super) to: To,
}

/// What a switch takes.
#[derive(Debug, clap::Args)]
pub struct Because {
    /// The lock
    pub(super) name: LockName,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) to: To,
}

impl To {
    /// The settings that this command has.
    pub(super) fn settings(&self, global: &Global) -> Result<Settings, Failure> {
        let mut flags = global.flags();
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let said = [
            (Name::DlmUrl, self.url.clone()),
            (Name::DlmCert, path(&self.cert)),
            (Name::DlmKey, path(&self.key)),
            (Name::DlmCa, path(&self.ca)),
            (Name::DlmUser, self.user.clone()),
        ];
        flags.extend(said.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Ok(settings(&for_anybody(flags))?.0)
    }

    /// The server.
    pub(super) fn server(&self, global: &Global) -> Result<(Settings, Server), Failure> {
        let settings = self.settings(global)?;
        let server = connect(&settings, &mut ask)?;
        Ok((settings, server))
    }
}

/// Asks for a password at the terminal; none where there is no terminal.
pub(super) fn ask(question: &str) -> Option<String> {
    // With the terminal gone there is nobody to ask.
    prompt::is_attended()
        .then(|| prompt::secret(question).ok())
        .flatten()
        .filter(|password| !password.is_empty())
}

/// The signals, remembered.
pub(super) fn watch() -> Result<Interrupt, Failure> {
    Interrupt::watch()
        .map_err(|error| Failure::new(Kind::Software, "cannot watch for signals").because(&error))
}

/// Does what the arguments ask for.
pub fn run(command: Command, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        Command::Acquire { name, wait, note, to } => {
            lock_work::acquire(&name, wait.as_deref(), &note, &to, global, terminal)
        }
        Command::Release(args) if args.after_boot => lock_work::after_boot(&args.to, global, terminal),
        Command::Release(args) if args.force => lock_look::force(&args, global, terminal),
        Command::Release(args) => lock_work::release(&args, global, terminal),
        Command::Run(args) => lock_work::run(args, global, terminal),
        Command::Ls { search, to } => lock_look::list(&search, &to, global, terminal),
        Command::Show { name, to } => lock_look::show(&name, &to, global, terminal),
        Command::Policy { name, words, to } => lock_look::policy(&name, &words, &to, global, terminal),
        Command::Events { name, lines, follow, to } => {
            lock_look::events(name.as_ref(), lines, follow, &to, global, terminal)
        }
        Command::Watch { name, to } => lock_look::watch(&name, &to, global, terminal),
        Command::Enable(because) => lock_look::switch(lock_look::Switch::Enable, because, global, terminal),
        Command::Disable(because) => lock_look::switch(lock_look::Switch::Disable, because, global, terminal),
        Command::Thaw(because) => lock_look::switch(lock_look::Switch::Thaw, because, global, terminal),
        Command::Delete { name, to } => lock_look::delete(&name, &to, global, terminal),
        Command::Create { name, parts, disabled, to } => {
            lock_look::create(&name, &parts, disabled, &to, global, terminal)
        }
        Command::Whoami { to } => lock_look::whoami(&to, global, terminal),
    }
}
