//! Commands that act on the running system: pretended in the sandbox, recorded, run after a merge.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::names::ModuleName;

/// A command that a step asked for and that only the live system can carry out, such as `service x restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its place in the order of the run, from 0.
    pub seq: u32,
    /// The module whose step asked.
    pub module: ModuleName,
    /// The step that asked.
    pub step: String,
    /// What it asked for.
    #[serde(flatten)]
    pub effect: Effect,
}

/// An effect on the running system that was asked for and not made: as a command that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// What it acts on.
    #[serde(default)]
    pub kind: EffectKind,
    /// What of that kind, in words: `postgresql`, `process 812 (nginx)`, `net.ipv4.ip_forward`; empty where the kind says it.
    #[serde(default)]
    pub target: String,
    /// The program as the step named it, absolute where the step's PATH led to it.
    pub program: PathBuf,
    /// Its arguments, the name it was called by first.
    pub argv: Vec<String>,
    /// The folder it was called in.
    pub cwd: PathBuf,
    /// The line of the step's script that asked, where that could be found out.
    #[serde(default)]
    pub line: Option<u32>,
    /// What it was given on its standard input, where it is a command that reads that (a table of rules, a job).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The processes that its words name by number, as they were then: another one of that number is not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessId>,
}

/// A process, told apart from later ones of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks after the machine did (proc_pid_stat(5), field 22).
    pub started: u64,
}

/// What an effect acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectKind {
    /// A service, or whoever manages services.
    #[default]
    Service,
    /// The machine: off, on again, another run level.
    Power,
    /// A process of the host: a signal, a priority.
    Process,
    /// A file system, or what it lies on: mounts, swap, loop devices, quotas.
    Mount,
    /// A module of the kernel.
    KernelModule,
    /// A setting of the kernel or of a device.
    Setting,
    /// Addresses, links, routes, packet filters.
    Network,
    /// The clock and its zone.
    Clock,
    /// The host's name.
    HostName,
    /// A job for later.
    Job,
    /// A message to whoever is logged in, or to the log.
    Message,
}

impl Action {
    /// The command as one would type it.
    pub fn command(&self) -> String {
        self.effect.command()
    }
}

impl Effect {
    /// The command as one would type it.
    pub fn command(&self) -> String {
        let words = self.argv.iter().enumerate().map(|(at, word)| quoted(word, at > 0));
        words.collect::<Vec<_>>().join(" ")
    }

    /// The short name of the program, and the words after it as one would type them.
    pub fn words(&self) -> (&str, String) {
        let program = self.argv.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
        let words = self.argv.iter().skip(1).map(|word| quoted(word, true));
        (program, words.collect::<Vec<_>>().join(" "))
    }
}

/// A word as a shell wants it; `=` needs no quotes but in the first, where it would set a variable.
fn quoted(word: &str, may_have_equals: bool) -> String {
    let bare = if may_have_equals { word.replace('=', "") } else { word.to_owned() };
    if !bare.is_empty() && shell_words::quote(&bare) == bare.as_str() {
        return word.to_owned();
    }
    shell_words::quote(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_as_one_would_type_it() {
        for words in [&["sysctl", "-w", "a.b=1"][..], &["a=b", "x y", "", "=", "it's", "a=b c"]] {
            let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let command =
                argv.iter().enumerate().map(|(at, word)| quoted(word, at > 0)).collect::<Vec<_>>().join(" ");
            assert_eq!(shell_words::split(&command).unwrap(), argv);
            assert_eq!(command.contains('\''), words[0] != "sysctl", "{command}");
        }
    }
}
