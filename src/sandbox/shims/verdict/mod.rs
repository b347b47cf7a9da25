//! What a shimmed command line asks for: an effect on the running system, a look at it, or a change of files. Pure: one
//! table for both sides, the shim and its supervisor. What has to be known of the node first is named ([`Check`]), not looked
//! at.
//!
//! A look runs the real program outside of the sandbox with the step's own words. So it is only what can be nothing else,
//! by lists of what is allowed; everything else is pretended, or runs inside, where it can act on nothing.

mod kernel;
mod machine;
mod mounts;
mod network;
mod packet_filters;
mod processes;
mod services;
mod systemctl;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

pub(super) use services::daemon_asks;

use crate::actions::{Deed, Mount};
use crate::model::action::EffectKind;

/// What to do about a shimmed command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It acts on nothing but what is inside, or would fail: run the real one.
    RunReal,
    /// It only changes or reads files, if told that no manager runs: run the real one so on the sandbox's.
    Files,
    /// It only looks: the host's own answer is the true one, with what was pretended laid over.
    Look(Look),
    /// It acts on the running system: pretend, and record.
    Effect(Wanted),
    /// It changes files and acts: run the real one, and record.
    FilesAndEffect(Wanted),
}

/// How what was pretended is laid over an answer of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Not at all: nothing is remembered that could be.
    Plain,
    /// systemctl about units, by its verb.
    Units {
        /// `is-active`, `status`, `show`, `list-units`, …
        verb: String,
        /// The units that it names.
        units: Vec<String>,
    },
    /// An init script's `status`.
    Service(String),
    /// Numbers of processes between words or on lines: `pidof`, `fuser`, `lsof -t`.
    Numbers,
    /// pgrep: a number at the start of each line; with how many words before it.
    Lines,
    /// A table in which a column is `PID`.
    Table,
    /// Whether these processes are there.
    Alive(Vec<i32>),
    /// The host's name.
    HostName,
    /// Modules of the kernel.
    Modules,
    /// Lines of `mount`.
    Mounts,
    /// Whether something is mounted there, and what.
    MountPoint(String),
    /// Whether a rule of a packet filter is there.
    Rule(String),
    /// Whether a daemon runs, by what it is known by.
    Daemon(String),
}

/// An effect that a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it acts on.
    pub kind: EffectKind,
    /// What of that kind, in words.
    pub target: String,
    /// What must be so, or it fails.
    pub check: Check,
    /// What is pretended from then on.
    pub deeds: Vec<Deed>,
    /// Whether it reads its standard input.
    pub reads: bool,
    /// What it prints.
    pub says: String,
}

/// What must be so for an effect to be possible; else the command fails as the real one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    Nothing,
    /// systemd has these units, and can do that to them.
    Units {
        /// `start`, `stop`, …
        verb: String,
        /// Their names, with their type.
        units: Vec<String>,
    },
    /// There is an init script or a unit of that name; else the real one says that there is none.
    Service(String),
    /// There is one, and no policy of the sandbox's forbids it.
    Allowed(String),
    /// These paths are there; else it says so.
    Paths(Vec<Missing>),
    /// The real one, run inside with these arguments, succeeds, and has said what there was to say.
    DryRun(Vec<String>),
    /// These processes are on the host, and are told to end.
    Processes {
        /// Their numbers.
        pids: Vec<i32>,
        /// Whether that ends them.
        ends: bool,
    },
    /// pgrep finds processes with these arguments.
    Matching {
        /// The arguments that choose.
        arguments: Vec<String>,
        /// Whether that ends them.
        ends: bool,
    },
    /// There are processes of these names.
    Named {
        /// The names of their programs.
        names: Vec<String>,
        /// Whether that ends them.
        ends: bool,
        /// Whether it is silent about those that are not there.
        quiet: bool,
    },
    /// Something is mounted there.
    Mounted(Vec<String>),
    /// That can be mounted there.
    Mountable(Mount),
    /// These modules are loaded.
    Loaded(Vec<String>),
    /// A daemon that start-stop-daemon starts or stops is as it has to be.
    Daemon(Daemon),
}

/// What start-stop-daemon is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Whether it is started; stopped, or sent a signal, where not.
    pub starts: bool,
    /// Whether a signal ends it.
    pub ends: bool,
    /// What it is known by.
    pub name: String,
    /// The program that is started.
    pub program: Option<String>,
    /// How the real one is asked whether it runs.
    pub asks: Vec<String>,
    /// Whether it is no failure that there is nothing to do.
    pub content: bool,
    /// Whether it is silent.
    pub quiet: bool,
}

/// A path that an effect needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The path.
    pub path: String,
    /// What is said where it is not there.
    pub says: String,
    /// And how that ends.
    pub status: i32,
}

/// Something that only the shim can tell, for it is where the step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Whether there is an init script or a unit of that name: `known`, or `masked`.
    Unit(String),
    /// Whether there is anything at that path, by its kind.
    Path(String),
    /// Whether a process of the sandbox has that number.
    Process(i32),
    /// Whether a policy forbids init scripts to act: whether there is one.
    Policy,
}

impl Verdict {
    /// What the shim has to tell for it.
    pub fn facts(&self) -> Vec<Fact> {
        match self {
            Verdict::Effect(wanted) | Verdict::FilesAndEffect(wanted) => match &wanted.check {
                Check::Units { units, .. } => units.iter().cloned().map(Fact::Unit).collect(),
                Check::Service(name) => vec![Fact::Unit(name.clone())],
                Check::Allowed(name) => vec![Fact::Unit(name.clone()), Fact::Policy],
                Check::Paths(missing) => missing.iter().map(|it| Fact::Path(it.path.clone())).collect(),
                Check::Processes { pids, .. } => pids.iter().copied().map(Fact::Process).collect(),
                Check::Mounted(targets) => targets.iter().cloned().map(Fact::Path).collect(),
                Check::Daemon(daemon) => daemon.program.iter().cloned().map(Fact::Path).collect(),
                Check::Mountable(mount) => {
                    vec![Fact::Path(mount.target.clone()), Fact::Path(mount.source.clone())]
                }
                _ => Vec::new(),
            },
            Verdict::Look(Look::Service(name)) => vec![Fact::Unit(name.clone())],
            Verdict::Look(Look::Units { units, .. }) => units.iter().cloned().map(Fact::Unit).collect(),
            Verdict::Look(Look::Alive(pids)) => pids.iter().copied().map(Fact::Process).collect(),
            Verdict::RunReal | Verdict::Files | Verdict::Look(_) => Vec::new(),
        }
    }

    /// The effect that it asks for, if any.
    pub fn wanted(&self) -> Option<&Wanted> {
        match self {
            Verdict::Effect(wanted) | Verdict::FilesAndEffect(wanted) => Some(wanted),
            Verdict::RunReal | Verdict::Files | Verdict::Look(_) => None,
        }
    }
}

impl Wanted {
    fn new(kind: EffectKind, target: impl Into<String>) -> Wanted {
        let (target, says) = (target.into(), String::new());
        Wanted { kind, target, check: Check::Nothing, deeds: vec![Deed::Other], reads: false, says }
    }

    fn check(self, check: Check) -> Wanted {
        Wanted { check, ..self }
    }

    fn deeds(self, deeds: Vec<Deed>) -> Wanted {
        Wanted { deeds, ..self }
    }

    fn reads(self, reads: bool) -> Wanted {
        Wanted { reads, ..self }
    }
}

impl From<Wanted> for Verdict {
    fn from(wanted: Wanted) -> Verdict {
        Verdict::Effect(wanted)
    }
}

/// Programs that are several commands: what is called by their names goes by the name that it was given.
const SEVERAL: [&str; 5] = ["systemctl", "kmod", "killall5", "xtables-nft-multi", "xtables-legacy-multi"];

/// The command that a shim of that name stands for, and its arguments: a program of several commands was given another's
/// name, or has it as its first word.
pub fn command<'a>(name: &'a str, argv: &'a [String]) -> (&'a str, &'a [String]) {
    let arguments = argv.get(1..).unwrap_or_default();
    if !SEVERAL.contains(&name) {
        return (name, arguments);
    }
    let called = argv.first().and_then(|called| Path::new(called).file_name()).and_then(|name| name.to_str());
    match (called, arguments.split_first()) {
        (Some("xtables-nft-multi" | "xtables-legacy-multi"), Some((first, rest))) => {
            (packet_filters::plain_name(first), rest)
        }
        (Some(called), _) => (packet_filters::plain_name(called), arguments),
        (None, _) => (name, arguments),
    }
}

/// Decides by the command's name and its arguments (without its own name); `booted` says whether systemd runs the node.
pub fn verdict(name: &str, arguments: &[String], booted: bool) -> Verdict {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let words = &words[..];
    match name {
        "systemctl" => systemctl::systemctl(words, booted),
        "service" | "invoke-rc.d" | "deb-systemd-invoke" | "initctl" | "rc-service" | "start-stop-daemon" => {
            services::verdict(name, words, booted)
        }
        "shutdown" | "reboot" | "halt" | "poweroff" | "telinit" | "init" | "runlevel" | "openrc-shutdown" => {
            machine::power(name, words)
        }
        "kill" | "killall" | "killall5" | "pkill" | "skill" | "snice" | "pgrep" | "pidof" | "ps"
        | "fuser" | "lsof" => processes::verdict(name, words),
        "mount" | "umount" | "swapon" | "swapoff" | "losetup" | "findmnt" | "mountpoint" => {
            mounts::verdict(name, words)
        }
        "modprobe" | "insmod" | "rmmod" | "lsmod" => kernel::verdict(name, words),
        "ip" | "ifconfig" | "route" | "tc" | "ethtool" | "ss" | "netstat" => network::verdict(name, words),
        "nft" | "iptables" | "ip6tables" | "iptables-save" | "ip6tables-save" | "iptables-restore"
        | "ip6tables-restore" => packet_filters::verdict(name, words),
        "date" | "hwclock" | "timedatectl" | "hostname" | "hostnamectl" | "at" | "batch" | "atrm" | "atq"
        | "wall" | "write" | "logger" => machine::verdict(name, words, booted),
        // What the program does under a name that is no shim's, it does inside: kmod's modinfo and depmod.
        _ => Verdict::RunReal,
    }
}
