//! Shims: what the sandbox shows in the place of commands that act on the running system. The overlay serves disco's own
//! program under their names, at their own paths; called so, it asks the supervisor what to do.

pub(in crate::sandbox) mod answer;
mod checks;
pub mod client;
mod decide;
mod facts;
mod heard;
mod laid;
pub(in crate::sandbox) mod places;
pub mod verdict;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The commands that are shimmed where the node has them, and the programs that several of them are.
pub const NAMES: [&str; 66] = [
    "service",
    "systemctl",
    "invoke-rc.d",
    "deb-systemd-invoke",
    "initctl",
    "rc-service",
    "start-stop-daemon",
    "shutdown",
    "reboot",
    "halt",
    "poweroff",
    "telinit",
    "init",
    "runlevel",
    "openrc-shutdown",
    "kill",
    "killall",
    "killall5",
    "pkill",
    "skill",
    "snice",
    "pgrep",
    "pidof",
    "ps",
    "fuser",
    "lsof",
    "mount",
    "umount",
    "swapon",
    "swapoff",
    "losetup",
    "findmnt",
    "mountpoint",
    "modprobe",
    "insmod",
    "rmmod",
    "lsmod",
    "kmod",
    "ip",
    "ifconfig",
    "route",
    "tc",
    "ethtool",
    "ss",
    "netstat",
    "nft",
    "iptables",
    "ip6tables",
    "iptables-save",
    "ip6tables-save",
    "iptables-restore",
    "ip6tables-restore",
    "xtables-nft-multi",
    "xtables-legacy-multi",
    "date",
    "hwclock",
    "timedatectl",
    "hostname",
    "hostnamectl",
    "at",
    "batch",
    "atrm",
    "atq",
    "wall",
    "write",
    "logger",
];

/// How many of them, from the first, are about services and power.
const OF_SERVICES: usize = 15;

/// What a shim says, or whoever talks as one: nothing in it is to be trusted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FromShim {
    /// What it is to do; with a descriptor of what it was given to read, where it reads that.
    Asks(Question),
    /// How the real program has ended that it was to try.
    Tried {
        /// Its exit status.
        status: i32,
    },
}

/// What a shim asks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// The command that it stands for, one of [`NAMES`].
    pub name: String,
    /// The path by which it was executed.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub argv: Vec<String>,
    /// Where it was called.
    pub directory: PathBuf,
    /// What it found out for the verdict on its command line, in the order in which that asks.
    #[serde(default)]
    pub facts: Option<Vec<Option<String>>>,
}

/// What a shim is to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Print what the two descriptors hold on standard output and on standard error, and end with that status.
    Say {
        /// The exit status.
        status: i32,
    },
    /// Execute the real program, which comes as a descriptor: what it changes is the sandbox's.
    RunReal {
        /// Whether it is told that no manager of services runs.
        offline: bool,
        /// A word that is left out.
        without: Option<String>,
    },
    /// Run the real program, which comes as a descriptor, with other arguments, say how it ended, and listen on.
    Try {
        /// Its arguments, without its own name.
        arguments: Vec<String>,
        /// Whether what it prints is for nobody.
        silent: bool,
    },
}
