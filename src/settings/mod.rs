//! What a run is set to: each value with where it came from. Plain data; [`resolve`] makes it without any effect.

pub mod dlm;
pub mod resolve;
pub mod schedule;
pub mod table;
pub mod unknown;
pub mod upload;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::conflict::OnConflict;
use crate::model::host::Host;
use crate::model::names::NodeName;
use crate::model::noise::Noise;
use crate::model::run::Mode;

pub use dlm::{Dlm, OnFailure};
pub use resolve::{Flags, check, home, resolve};
pub use schedule::Schedule;
pub use table::{Setting, TABLE};
pub use unknown::unknown;
pub use upload::Upload;

/// Where a value came from. Ordered from the strongest to the weakest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// A flag of the command line, with its dashes.
    Flag(String),
    /// A variable of the environment.
    Environment(String),
    /// A file of the root that the run is about, by its path there.
    RootFile(String),
    /// A parameter, by its whole name.
    Parameter(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Environment(variable) => write!(f, "env {variable}"),
            Origin::Parameter(name) => write!(f, "parameter {name}"),
            Origin::RootFile(path) => write!(f, "{path} of the root"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value with where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// What of the network a step can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Nothing.
    None,
    /// The node's package sources and proxies, and the hosts that a setting names.
    Fetch,
    /// All that the host can.
    Host,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Network::None => "none",
            Network::Fetch => "fetch",
            Network::Host => "host",
        })
    }
}

/// How much of something a step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// So many MiB.
    Mebibytes(u64),
    /// That part of what there is, in percent.
    Percent(u64),
    /// All that there is.
    Unlimited,
}

impl Amount {
    /// In bytes, of that many; `None` for all of it.
    pub fn bytes_of(self, there: u64) -> Option<u64> {
        match self {
            Amount::Mebibytes(number) => Some(number << 20),
            Amount::Percent(percent) => Some(there / 100 * percent),
            Amount::Unlimited => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Mebibytes(number) => write!(f, "{number}"),
            Amount::Percent(percent) => write!(f, "{percent}%"),
            Amount::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// What a failed action or health check does to what is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnActionFailure {
    /// It is taken back, and the services are brought to where they were.
    Undo,
    /// It stays.
    Keep,
}

impl OnActionFailure {
    /// As one would type it.
    pub fn word(self) -> &'static str {
        match self {
            OnActionFailure::Undo => "undo",
            OnActionFailure::Keep => "keep",
        }
    }
}

/// Where the log of the node's system is told how runs end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// The journal of systemd where there is one, else syslog where there is one.
    Auto,
    /// The journal.
    Journal,
    /// syslog, by /dev/log.
    Syslog,
    /// Nowhere.
    None,
}

impl Log {
    /// As one would type it.
    pub fn word(self) -> &'static str {
        match self {
            Log::Auto => "auto",
            Log::Journal => "journal",
            Log::Syslog => "syslog",
            Log::None => "none",
        }
    }
}

/// All settings of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// disco's own folder.
    pub home: Sourced<PathBuf>,
    /// The node's name.
    pub node: Sourced<NodeName>,
    /// Whether a run may merge.
    pub mode: Sourced<Mode>,
    /// The root that a run is about, as it was named.
    pub root: Sourced<PathBuf>,
    /// The master; none where nobody named one.
    pub server_uri: Sourced<Option<String>>,
    /// Whether a run fetches, or takes what the last fetch brought.
    pub fetch: Sourced<bool>,
    /// The rsync command line as words; never empty.
    pub rsync: Sourced<Vec<String>>,
    /// What of the network a step can reach.
    pub network: Sourced<Network>,
    /// The hosts beyond the package sources that a step can reach with [`Network::Fetch`].
    pub network_hosts: Sourced<Vec<Host>>,
    /// How long one step may take.
    pub step_timeout: Sourced<Duration>,
    /// How many processes one step may have at once, at least 1.
    pub step_processes: Sourced<u32>,
    /// How much memory one step may take, of the machine's.
    pub step_memory: Sourced<Amount>,
    /// How much one step may print, in MiB, at least 1.
    pub step_output: Sourced<u64>,
    /// How much of the disk with the scratchpad one step may take, of what is free there when it begins.
    pub step_disk: Sourced<Amount>,
    /// How many fetches run at a time, at least 1.
    pub fetch_jobs: Sourced<usize>,
    /// How long a master may be silent.
    pub fetch_timeout: Sourced<Duration>,
    /// How many run records are kept, of NOOP and live runs each, at least 1.
    pub keep_runs: Sourced<usize>,
    /// For how many days they are.
    pub keep_days: Sourced<u32>,
    /// How much disk space they may take, of that file system's.
    pub keep_size: Sourced<Amount>,
    /// What a failed action or health check does to the merge.
    pub on_action_failure: Sourced<OnActionFailure>,
    /// Whether a reboot that a step asked for is done.
    pub allow_reboot: Sourced<bool>,
    /// What becomes of paths that somebody has changed meanwhile.
    pub on_conflict: Sourced<OnConflict>,
    /// How many merges can be undone; 0 for none.
    pub undo_runs: Sourced<usize>,
    /// For how many days a merge can be undone.
    pub undo_days: Sourced<u32>,
    /// How much disk space that may take, of that file system's.
    pub undo_size: Sourced<Amount>,
    /// Patterns of the parameters that are secrets beside those that always are, with spaces between.
    pub secrets: Sourced<String>,
    /// The folder of scratchpads.
    pub storage: Sourced<PathBuf>,
    /// The file for Prometheus' textfile collector; none where nobody named one.
    pub textfile: Sourced<Option<PathBuf>>,
    /// Where the system's log is told how runs end.
    pub log: Sourced<Log>,
    /// What of the changes is counted instead of shown.
    pub noise: Sourced<Noise>,
    /// The lock server, and what runs have to do with it.
    pub dlm: Dlm,
    /// Who is told of runs, and how.
    pub upload: Upload,
    /// When runs by timer are.
    pub schedule: Schedule,
}

/// One setting as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name: the parameter's below `disco/`, where it is one.
    pub name: &'static str,
    /// Its value; empty where it has none.
    pub value: String,
    /// Where the value came from.
    pub origin: String,
    /// What it is.
    pub about: &'static str,
}

impl Settings {
    /// All settings in the order of the table.
    pub fn rows(&self) -> Vec<Row> {
        TABLE.iter().map(|setting| self.row(setting)).collect()
    }

    fn row(&self, setting: &'static Setting) -> Row {
        use table::Name;
        fn shown<T>(sourced: &Sourced<T>, show: impl Fn(&T) -> String) -> (String, String) {
            (show(&sourced.value), sourced.origin.to_string())
        }
        let seconds = |time: &Duration| time.as_secs().to_string();
        let path = |path: &PathBuf| path.display().to_string();
        let (value, origin) = match setting.name {
            Name::Home => shown(&self.home, path),
            Name::Node => shown(&self.node, NodeName::to_string),
            Name::Noop => shown(&self.mode, |mode| (*mode == Mode::Noop).to_string()),
            Name::Root => shown(&self.root, path),
            Name::ServerUri => shown(&self.server_uri, |uri| uri.clone().unwrap_or_default()),
            Name::Fetch => shown(&self.fetch, bool::to_string),
            Name::Rsync => shown(&self.rsync, |words| shell_words::join(words)),
            Name::Network => shown(&self.network, Network::to_string),
            Name::NetworkHosts => shown(&self.network_hosts, |hosts| {
                hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(" ")
            }),
            Name::StepTimeout => shown(&self.step_timeout, seconds),
            Name::StepProcesses => shown(&self.step_processes, u32::to_string),
            Name::StepMemory => shown(&self.step_memory, Amount::to_string),
            Name::StepOutput => shown(&self.step_output, u64::to_string),
            Name::StepDisk => shown(&self.step_disk, Amount::to_string),
            Name::FetchJobs => shown(&self.fetch_jobs, usize::to_string),
            Name::FetchTimeout => shown(&self.fetch_timeout, seconds),
            Name::KeepRuns => shown(&self.keep_runs, usize::to_string),
            Name::KeepDays => shown(&self.keep_days, u32::to_string),
            Name::KeepSize => shown(&self.keep_size, Amount::to_string),
            Name::OnActionFailure => shown(&self.on_action_failure, |what| what.word().to_owned()),
            Name::AllowReboot => shown(&self.allow_reboot, bool::to_string),
            Name::OnConflict => shown(&self.on_conflict, OnConflict::to_string),
            Name::UndoRuns => shown(&self.undo_runs, usize::to_string),
            Name::UndoDays => shown(&self.undo_days, u32::to_string),
            Name::UndoSize => shown(&self.undo_size, Amount::to_string),
            Name::Secrets => shown(&self.secrets, String::clone),
            Name::Storage => shown(&self.storage, path),
            Name::Textfile => shown(&self.textfile, |file| file.as_ref().map(path).unwrap_or_default()),
            Name::Log => shown(&self.log, |log| log.word().to_owned()),
            Name::Noise => shown(&self.noise, Noise::to_string),
            Name::Upload(key) => self.upload.row(key),
            name => self.schedule.row(name).unwrap_or_else(|| self.dlm.row(name)),
        };
        Row { name: setting.label, value, origin, about: setting.about }
    }
}

/// A setting that has no good value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{setting} is {value:?} ({origin}): {allowed}")]
pub struct SettingsError {
    /// Which setting.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is allowed.
    pub allowed: String,
}

impl SettingsError {
    /// The same without its value, which may be secret.
    pub fn without_value(&self) -> String {
        let SettingsError { setting, origin, allowed, .. } = self;
        format!("{setting} ({origin}) cannot be used: {allowed}")
    }
}
