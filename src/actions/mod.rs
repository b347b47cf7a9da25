//! What steps ask of the running system, as values: what a run has set without setting it, and the commands that do it.
//! Pure; nothing here acts.
//!
//! [`schedule`](fn@schedule::schedule) brings the commands into the order in which a live run makes them, before its merge and
//! after it; [`back`](fn@back::back) says what takes them back.
//!
//! [`Pretended`] is what the steps of a run were told had been done to the running system, and was not: the state that they
//! would find it in. Not here: what a command line asks for, and how an answer about the system is brought in line with this
//! (`crate::sandbox::shims`).

pub mod ask;
pub mod back;
pub mod knob_effects;
pub mod knobs;
pub mod owed;
mod reduce;
pub mod schedule;

use std::collections::{BTreeMap, BTreeSet};

/// One thing that was pretended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A service runs now, or not.
    Service {
        /// Its name, with or without `.service`.
        name: String,
        /// Whether it runs.
        runs: bool,
    },
    /// A daemon that somebody starts and stops by hand runs now, or not.
    Daemon {
        /// What it is known by: its pid file, program or name.
        name: String,
        /// Whether it runs.
        runs: bool,
    },
    /// A process of the host has been told to end.
    Ended(i32),
    /// The host has a name.
    HostName(String),
    /// A module of the kernel is there, or not.
    Module {
        /// Its name.
        name: String,
        /// Whether it is loaded.
        loaded: bool,
    },
    /// Something is mounted.
    Mounted(Mount),
    /// Nothing is mounted there, or of that source, any more.
    Unmounted(String),
    /// A rule of a packet filter is there, or not.
    Rule {
        /// The command, table, chain and words of the rule.
        rule: String,
        /// Whether it is there.
        there: bool,
    },
    /// Something that nothing is known of afterwards but that it was done.
    Other,
}

/// A mount that was pretended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: String,
    /// Where.
    pub target: String,
    /// The type of file system; `auto` where nobody has said it.
    pub kind: String,
    /// Its options.
    pub options: String,
}

/// The state that the steps of one run would find, as far as it differs from the host's.
#[derive(Debug, Clone, Default)]
pub struct Pretended {
    any: bool,
    services: BTreeMap<String, bool>,
    daemons: BTreeMap<String, bool>,
    ended: BTreeSet<i32>,
    host_name: Option<String>,
    modules: BTreeMap<String, bool>,
    mounted: Vec<Mount>,
    unmounted: BTreeSet<String>,
    rules: BTreeMap<String, bool>,
}

impl Pretended {
    /// Remembers it.
    pub fn apply(&mut self, deed: &Deed) {
        self.any = true;
        match deed {
            Deed::Service { name, runs } => drop(self.services.insert(service_name(name).to_owned(), *runs)),
            Deed::Daemon { name, runs } => drop(self.daemons.insert(name.clone(), *runs)),
            Deed::Ended(pid) => drop(self.ended.insert(*pid)),
            Deed::HostName(name) => self.host_name = Some(name.clone()),
            Deed::Module { name, loaded } => drop(self.modules.insert(module_name(name), *loaded)),
            Deed::Mounted(mount) => {
                self.mounted.retain(|there| there.target != mount.target);
                self.mounted.push(mount.clone());
            }
            Deed::Unmounted(what) => {
                let before = self.mounted.len();
                self.mounted.retain(|there| there.target != *what && there.source != *what);
                if self.mounted.len() == before {
                    self.unmounted.insert(what.clone());
                }
            }
            Deed::Rule { rule, there } => drop(self.rules.insert(rule.clone(), *there)),
            Deed::Other => {}
        }
    }

    /// Whether anything was pretended, so that the host's own answers may not be what a step would have got.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Whether a service runs, where that was pretended.
    pub fn service(&self, name: &str) -> Option<bool> {
        self.services.get(service_name(name)).copied()
    }

    /// The services of which something was pretended, without `.service`, and whether they run.
    pub fn services(&self) -> impl Iterator<Item = (&str, bool)> {
        self.services.iter().map(|(name, runs)| (name.as_str(), *runs))
    }

    /// Whether a daemon runs, where that was pretended.
    pub fn daemon(&self, name: &str) -> Option<bool> {
        self.daemons.get(name).copied()
    }

    /// The processes of the host that were told to end.
    pub fn ended(&self) -> impl Iterator<Item = i32> {
        self.ended.iter().copied()
    }

    /// Whether a process of the host was told to end.
    pub fn has_ended(&self, pid: i32) -> bool {
        self.ended.contains(&pid)
    }

    /// The host's name, where it was set.
    pub fn host_name(&self) -> Option<&str> {
        self.host_name.as_deref()
    }

    /// The modules of the kernel of which something was pretended, and whether they are loaded.
    pub fn modules(&self) -> impl Iterator<Item = (&str, bool)> {
        self.modules.iter().map(|(name, loaded)| (name.as_str(), *loaded))
    }

    /// What was mounted.
    pub fn mounted(&self) -> &[Mount] {
        &self.mounted
    }

    /// Whether something is mounted there, where that was pretended.
    pub fn is_mounted(&self, target: &str) -> Option<bool> {
        if self.mounted.iter().any(|mount| mount.target == target) {
            return Some(true);
        }
        self.is_unmounted(target).then_some(false)
    }

    /// Whether what is mounted there, or of that source, on the host is no more.
    pub fn is_unmounted(&self, what: &str) -> bool {
        self.unmounted.contains(what)
    }

    /// Whether a rule of a packet filter is there, where that was pretended.
    pub fn rule(&self, rule: &str) -> Option<bool> {
        self.rules.get(rule).copied()
    }
}

/// A service's name as init scripts have it.
fn service_name(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// A module's name as the kernel has it.
pub fn module_name(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(deeds: &[Deed]) -> Pretended {
        let mut state = Pretended::default();
        deeds.iter().for_each(|deed| state.apply(deed));
        state
    }

    #[test]
    fn the_last_deed_counts() {
        assert!(!Pretended::default().any());
        let service = |name: &str, runs| Deed::Service { name: name.into(), runs };
        let state = after(&[service("ssh", true), service("ssh.service", false), service("cron", true)]);
        assert_eq!((state.service("ssh"), state.service("ssh.service")), (Some(false), Some(false)));
        assert_eq!((state.service("cron.service"), state.service("at")), (Some(true), None));
        let module = |name: &str, loaded| Deed::Module { name: name.into(), loaded };
        let state = after(&[module("nf-tables", true), module("nf_tables", false)]);
        assert_eq!(state.modules().collect::<Vec<_>>(), [("nf_tables", false)]);
        assert!(after(&[Deed::Other]).any());
    }

    #[test]
    fn what_is_mounted_can_be_unmounted() {
        let mount = |source: &str, target: &str| {
            Deed::Mounted(Mount {
                source: source.into(),
                target: target.into(),
                kind: "auto".into(),
                options: "rw".into(),
            })
        };
        let gone = |what: &str| Deed::Unmounted(what.into());
        for (deeds, mounted) in [
            (vec![mount("/dev/a", "/mnt")], Some(true)),
            (vec![mount("/dev/a", "/mnt"), gone("/mnt")], None),
            (vec![mount("/dev/a", "/mnt"), gone("/dev/a")], None),
            (vec![gone("/mnt")], Some(false)),
            (vec![gone("/mnt"), mount("/dev/a", "/mnt")], Some(true)),
            (vec![gone("/mnt"), mount("/dev/a", "/mnt"), gone("/mnt")], Some(false)),
            (vec![mount("/dev/a", "/srv")], None),
        ] {
            assert_eq!(after(&deeds).is_mounted("/mnt"), mounted, "{deeds:?}");
        }
    }
}
