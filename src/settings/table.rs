//! The one table of all settings: names, flags, variables, defaults.

use super::upload::{self, ROWS};
use crate::settings::schedule;

/// Which setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// disco's own folder.
    Home,
    /// The node's name.
    Node,
    /// NOOP or live.
    Noop,
    /// The root that a run is about.
    Root,
    /// The master.
    ServerUri,
    /// Whether a run fetches.
    Fetch,
    /// The rsync command line.
    Rsync,
    /// The network of steps.
    Network,
    /// What else of it they reach.
    NetworkHosts,
    /// The time limit of a step.
    StepTimeout,
    /// The most processes of a step.
    StepProcesses,
    /// The most memory of a step.
    StepMemory,
    /// The most output of a step.
    StepOutput,
    /// The most disk space of a step.
    StepDisk,
    /// Fetches at a time.
    FetchJobs,
    /// How long a master may be silent.
    FetchTimeout,
    /// Run records kept.
    KeepRuns,
    /// For how long they are.
    KeepDays,
    /// How much disk space they may take.
    KeepSize,
    /// What becomes of a merge after which an action fails.
    OnActionFailure,
    /// Whether recorded actions may end the system's run.
    AllowReboot,
    /// What becomes of paths that somebody has changed meanwhile.
    OnConflict,
    /// How many merges can be undone.
    UndoRuns,
    /// For how long a merge can be undone.
    UndoDays,
    /// How much disk space that may take.
    UndoSize,
    /// The parameters that are secrets.
    Secrets,
    /// The folder of scratchpads.
    Storage,
    /// The file for Prometheus.
    Textfile,
    /// Which log of the system is told.
    Log,
    /// What of the changes is counted instead of shown.
    Noise,
    /// The lock server.
    DlmUrl,
    /// The lock of live runs there.
    DlmLock,
    /// Whether live runs take it.
    DlmTake,
    /// How long they wait for it.
    DlmWait,
    /// What becomes of it after a failure.
    DlmOnFailure,
    /// Whether a live run needs the server.
    DlmRequired,
    /// This node's certificate.
    DlmCert,
    /// Its key.
    DlmKey,
    /// Whom to believe.
    DlmCa,
    /// Who logs in.
    DlmUser,
    /// Who is told of runs, and how.
    Upload(upload::Key),
    /// How often runs by timer are.
    Interval,
    /// Over how much time nodes are spread.
    Splay,
    /// When no run by timer begins.
    Blackout,
    /// How long a run by timer may take.
    TimeLimit,
}

/// One setting: what it is called where, and what it is when nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub name: Name,
    /// Its name in lists: the parameter's below `disco/`, where it is one.
    pub label: &'static str,
    /// Its flag, with dashes.
    pub flag: Option<&'static str>,
    /// Its parameter below `disco/`; the variable follows from it.
    pub parameter: Option<&'static str>,
    /// Its variable where that does not follow from the parameter.
    pub variable: Option<&'static str>,
    /// Its default as one would type it; empty where it has none or one that depends on the host.
    pub default: &'static str,
    /// What it is.
    pub about: &'static str,
}

impl Setting {
    /// Its variable: `DISCO_` and the parameter's path in capitals, `/` as `_`.
    pub fn environment(&self) -> Option<String> {
        let derived =
            || self.parameter.map(|path| format!("DISCO_{}", path.replace('/', "_").to_ascii_uppercase()));
        self.variable.map(str::to_owned).or_else(derived)
    }
}

pub(super) const fn parameter(
    name: Name,
    path: &'static str,
    flag: Option<&'static str>,
    default: &'static str,
    about: &'static str,
) -> Setting {
    Setting { name, label: path, flag, parameter: Some(path), variable: None, default, about }
}

/// All settings, in the order in which they are shown.
pub static TABLE: [Setting; 53] = [
    Setting {
        name: Name::Home,
        label: "home",
        flag: Some("--home"),
        parameter: None,
        variable: Some("DISCO_HOME"),
        default: "/var/disco",
        about: "disco's own folder",
    },
    Setting {
        name: Name::Noop,
        label: "noop",
        flag: Some("--noop"),
        parameter: None,
        variable: Some("NOOP"),
        default: "false",
        about: "show what a run would change, and merge nothing",
    },
    Setting {
        name: Name::Root,
        label: "root",
        flag: Some("--root"),
        parameter: None,
        variable: Some("DISCO_ROOT"),
        default: "/",
        about: "the root that a run shows and merges into",
    },
    parameter(Name::Node, "client/node", Some("--node"), "", "this node's name; by default the host name"),
    parameter(
        Name::ServerUri,
        "server/uri",
        Some("--server"),
        "",
        "the master: rsync://HOST[:PORT], [USER@]HOST, or a folder",
    ),
    parameter(
        Name::Fetch,
        "client/fetch",
        Some("--no-fetch"),
        "true",
        "fetch first; false: take what the last fetch brought",
    ),
    parameter(Name::Rsync, "client/cmds/rsync", None, "rsync", "the rsync command line, with quoted words"),
    parameter(
        Name::Network,
        "client/network",
        Some("--network"),
        "fetch",
        "what steps reach: none, fetch (the package sources) or host",
    ),
    parameter(
        Name::NetworkHosts,
        "client/network_hosts",
        None,
        "",
        "what fetch reaches besides: HOST[:PORT] or *.NAME, with spaces between",
    ),
    parameter(
        Name::StepTimeout,
        "client/step_timeout",
        Some("--step-timeout"),
        "3600",
        "seconds that one step may take",
    ),
    parameter(
        Name::StepProcesses,
        "client/step_processes",
        None,
        "4096",
        "processes that one step may have at once",
    ),
    parameter(
        Name::StepMemory,
        "client/step_memory",
        None,
        "80%",
        "memory that one step may take: MiB, a part of the machine's (80%), or unlimited",
    ),
    parameter(Name::StepOutput, "client/step_output", None, "256", "MiB that one step may print"),
    parameter(
        Name::StepDisk,
        "client/step_disk",
        None,
        "50%",
        "disk space that one step may take: MiB, a part of what is free (50%), or unlimited",
    ),
    parameter(Name::FetchJobs, "client/fetch_jobs", None, "8", "fetches at a time"),
    parameter(Name::FetchTimeout, "client/fetch_timeout", None, "60", "seconds that a master may be silent"),
    parameter(
        Name::KeepRuns,
        "client/keep_runs",
        None,
        "100",
        "records that are kept, of NOOP and live runs each",
    ),
    parameter(Name::KeepDays, "client/keep_days", None, "3650", "days for which a record is kept"),
    parameter(
        Name::KeepSize,
        "client/keep_size",
        None,
        "5%",
        "disk space of all records: MiB, a part of the disk (5%), or unlimited",
    ),
    parameter(
        Name::OnActionFailure,
        "client/on_action_failure",
        None,
        "undo",
        "what a failed action or health check does to the merge: undo or keep",
    ),
    parameter(
        Name::AllowReboot,
        "client/allow_reboot",
        None,
        "false",
        "whether a reboot or shutdown that a step asked for is done, after all else",
    ),
    parameter(
        Name::OnConflict,
        "client/on_conflict",
        Some("--on-conflict"),
        "abort",
        "of what somebody changed meanwhile: abort, theirs or mine; or such a word=GLOB, with spaces between",
    ),
    parameter(Name::UndoRuns, "client/undo/runs", None, "10", "merges that can be undone; 0: none"),
    parameter(Name::UndoDays, "client/undo/days", None, "30", "days for which a merge can be undone"),
    parameter(
        Name::UndoSize,
        "client/undo/size",
        None,
        "10%",
        "disk space of what merges replaced: MiB, a part of the disk (10%), or unlimited",
    ),
    parameter(
        Name::Secrets,
        "client/secrets",
        None,
        "",
        "more parameters whose values are never shown: patterns of their paths; with ! such as are no secrets",
    ),
    parameter(
        Name::Storage,
        "client/storage",
        None,
        "",
        "the folder of scratchpads; by default scratch below home",
    ),
    parameter(
        Name::Textfile,
        "client/textfile",
        Some("--textfile"),
        "",
        "a file for Prometheus' textfile collector, such as /var/lib/prometheus/node-exporter/disco.prom",
    ),
    parameter(
        Name::Log,
        "client/log",
        None,
        "auto",
        "which log of the system is told how runs end: journal, syslog, auto or none",
    ),
    parameter(
        Name::Noise,
        "client/noise",
        None,
        "",
        "changes that are counted and not shown: CLASS=GLOB adds, !GLOB never is, -CLASS or off leaves out",
    ),
    parameter(
        Name::DlmUrl,
        "dlm/url",
        Some("--url"),
        "",
        "the lock server, disco's or a Foreman: https://HOST[:PORT]",
    ),
    parameter(
        Name::DlmLock,
        "dlm/lock",
        None,
        "",
        "the lock there that live runs take, such as the cluster's name",
    ),
    parameter(
        Name::DlmTake,
        "dlm/take",
        Some("--no-cluster-lock"),
        "true",
        "take that lock in live runs; false: run without it",
    ),
    parameter(
        Name::DlmWait,
        "dlm/wait",
        None,
        "0",
        "seconds that a live run waits for it; 0: refuse at once if somebody else has it",
    ),
    parameter(
        Name::DlmOnFailure,
        "dlm/on_failure",
        None,
        "keep",
        "what becomes of it after a failed run: keep, release, or failed (released, and counted as a failure)",
    ),
    parameter(
        Name::DlmRequired,
        "dlm/required",
        None,
        "true",
        "no live run without the lock server; false: a warning",
    ),
    parameter(
        Name::DlmCert,
        "dlm/cert",
        Some("--cert"),
        "",
        "this node's certificate (PEM); by default disco's, Puppet's or Katello's",
    ),
    parameter(Name::DlmKey, "dlm/key", Some("--key"), "", "its key"),
    parameter(
        Name::DlmCa,
        "dlm/ca",
        Some("--ca"),
        "",
        "the authorities of the lock server (PEM); by default those beside the certificate, or the system's",
    ),
    parameter(Name::DlmUser, "dlm/user", Some("--user"), "", "log in to the lock server as this user"),
    ROWS[0],
    ROWS[1],
    ROWS[2],
    ROWS[3],
    ROWS[4],
    ROWS[5],
    ROWS[6],
    ROWS[7],
    ROWS[8],
    schedule::ROWS[0],
    schedule::ROWS[1],
    schedule::ROWS[2],
    schedule::ROWS[3],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_follow_from_parameters() {
        for (label, variable) in [
            ("server/uri", "DISCO_SERVER_URI"),
            ("client/cmds/rsync", "DISCO_CLIENT_CMDS_RSYNC"),
            ("client/network", "DISCO_CLIENT_NETWORK"),
            ("client/step_timeout", "DISCO_CLIENT_STEP_TIMEOUT"),
            ("noop", "NOOP"),
            ("home", "DISCO_HOME"),
        ] {
            let setting = TABLE.iter().find(|setting| setting.label == label).unwrap();
            assert_eq!(setting.environment().as_deref(), Some(variable));
        }
        let mut variables: Vec<_> = TABLE.iter().map(Setting::environment).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), TABLE.len(), "each has a variable of its own");
    }
}
