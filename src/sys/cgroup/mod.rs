//! The control group of a run: memory and processes of all that its steps start, bounded and counted by the kernel. Below the
//! group that disco is in, where that may have one; both versions of the interface (cgroups(7)).
//!
//! A run that was killed leaves an empty group, which the next one removes; one in which somebody is cannot be removed.
//!
//! [`of_step`] has the groups of single steps below it, `places` where all of them can be, `figures` what they tell.

mod figures;
pub mod of_step;
mod places;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::cgroup::places::{Controller, Place};
use crate::sys::scratch::is_stamped;

/// What begins the name of every group of ours.
const PREFIX: &str = "disco-";
/// The part of a group of version 2 in which the run's own processes are: one whose children are controlled can have none.
const INSIDE: &str = "inside";

/// What a group may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Memory and swap together, in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: u64,
}

/// How often the kernel has held a group to its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Processes that it has killed for want of memory.
    pub killed: u64,
    /// Processes and threads that it has not started.
    pub refused: u64,
}

/// A run's own group. Dropping it removes it, once nobody is in it.
#[derive(Debug)]
pub struct Group {
    places: Vec<Place>,
    bounds: Bounds,
}

impl Group {
    /// Makes `disco-NAME`, for a run of that name, wherever one can be made, and removes what killed runs have left beside it.
    /// `None` where none can be made: no control groups, or they are somebody else's.
    pub fn create(name: &str, bounds: Bounds) -> Option<Group> {
        let mut places = Vec::new();
        for mut place in places::of_this_process() {
            sweep(&place.folder);
            place.folder.push(format!("{PREFIX}{name}"));
            // Whatever keeps it from being made, or bounded: the steps are counted then.
            if place.make(bounds).is_ok() {
                places.push(place);
            }
        }
        (!places.is_empty()).then_some(Group { places, bounds })
    }

    /// Puts a process into it, with whatever that starts from now on. The kernel may take 20 ms for the first since a while.
    pub fn add(&mut self, pid: u32) -> io::Result<()> {
        let mut joined = Vec::new();
        for place in self.places.drain(..) {
            match join(&place, self.bounds, pid) {
                Ok(()) => joined.push(place),
                // It would have told figures only.
                Err(_) if !place.bounds() => remove_run(&place.folder),
                Err(error) => {
                    remove_run(&place.folder);
                    joined.iter().for_each(|place| remove_run(&place.folder));
                    return Err(error);
                }
            }
        }
        self.places = joined;
        Ok(())
    }

    /// How often the kernel has held it to its bounds so far.
    pub fn held(&self) -> Held {
        held(&self.places)
    }
}

/// Puts a process into one of a run's groups.
fn join(place: &Place, bounds: Bounds, pid: u32) -> io::Result<()> {
    let add = || fs::write(place.seat().join("cgroup.procs"), pid.to_string());
    while let Err(error) = add() {
        // Another run's sweep may have met it while it was empty, also in the middle of this.
        if place.seat().exists() {
            return Err(error);
        }
        // What it has left of it is in the way.
        remove_run(&place.folder);
        place.make(bounds)?;
    }
    Ok(())
}

/// How often the kernel has held these groups to their bounds. Version 1 counts that where the process was, version 2 also in
/// the groups above.
fn held(places: &[Place]) -> Held {
    let count = |controller, unified, one, key| {
        let place = places.iter().find(|place| place.controls.contains(&controller))?;
        let file = place.folder.join(if place.unified { unified } else { one });
        // A kernel without that file counts nothing.
        keyed(&fs::read_to_string(file).ok()?, key)
    };
    Held {
        killed: count(Controller::Memory, "memory.events", "memory.oom_control", "oom_kill").unwrap_or(0),
        refused: count(Controller::Processes, "pids.events", "pids.events", "max").unwrap_or(0),
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for place in &self.places {
            remove_run(&place.folder);
        }
    }
}

impl Place {
    /// Makes the group, bounded.
    fn make(&self, bounds: Bounds) -> io::Result<()> {
        loop {
            fs::create_dir(&self.folder)?;
            match self.bound(bounds) {
                Ok(()) => {
                    self.divide();
                    return Ok(());
                }
                // As in `join`.
                Err(_) if !self.folder.exists() => {}
                Err(error) => {
                    remove(&self.folder);
                    return Err(error);
                }
            }
        }
    }

    /// Readies it for groups of steps. Where a hierarchy will not have it, these are not controlled, and tell the less.
    fn divide(&self) {
        if !self.unified || fs::create_dir(self.folder.join(INSIDE)).is_err() {
            return;
        }
        for controller in ["memory", "pids", "io"] {
            // One that is not there is not asked for figures.
            let _ = fs::write(self.folder.join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }

    /// The group that the run's own processes are in.
    fn seat(&self) -> PathBuf {
        let inside = self.folder.join(INSIDE);
        if self.unified && inside.is_dir() { inside } else { self.folder.clone() }
    }

    fn bound(&self, bounds: Bounds) -> io::Result<()> {
        let write = |name: &str, value: u64| fs::write(self.folder.join(name), value.to_string());
        let if_there = |result: io::Result<()>| match result {
            // Swap is not accounted for by every kernel.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Ok(())
            }
            other => other,
        };
        for controller in &self.controls {
            match (controller, bounds.memory) {
                (Controller::Memory, Some(most)) if self.unified => {
                    write("memory.max", most)?;
                    if_there(write("memory.swap.max", 0))?;
                }
                (Controller::Memory, Some(most)) => {
                    // Old kernels bound what is below only when told so.
                    if_there(write("memory.use_hierarchy", 1))?;
                    write("memory.limit_in_bytes", most)?;
                    if_there(write("memory.memsw.limit_in_bytes", most))?;
                }
                (Controller::Memory, None) => {}
                (Controller::Processes, _) => write("pids.max", bounds.processes)?,
                (Controller::Io, _) => {}
            }
        }
        Ok(())
    }
}

/// Removes the groups that killed runs have left in a folder.
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(is_stamped) {
            let folder = entry.path();
            // Also empty groups of steps are somebody's while the run lives; where nobody is, rmdir(2) decides.
            let somebody = [folder.clone(), folder.join(INSIDE)]
                .iter()
                .any(|group| fs::read(group.join("cgroup.procs")).is_ok_and(|pids| !pids.is_empty()));
            if !somebody {
                below(&folder).chain([folder.clone()]).for_each(|group| _ = fs::remove_dir(group));
            }
        }
    }
}

/// The groups below one of a run.
fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Removes a run's group with all below it.
fn remove_run(folder: &Path) {
    below(folder).for_each(|group| remove(&group));
    remove(folder);
}

/// Removes a group of our own; those who were in it may still be ending.
fn remove(folder: &Path) {
    for _ in 0..50 {
        match fs::remove_dir(folder) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            // Gone, or left for the next run to remove.
            Ok(()) | Err(_) => return,
        }
    }
}

/// The number behind a key, in a text of `key number` lines.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
impl Group {
    /// A group that is there already.
    fn of_places(places: Vec<Place>) -> Group {
        Group { places, bounds: Bounds { memory: None, processes: 1 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_their_key() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(
            (keyed(text, "oom_kill"), keyed(text, "max"), keyed("max 0", "max")),
            (Some(3), None, Some(0))
        );
    }

    #[test]
    fn only_what_runs_are_called_is_swept_and_nothing_of_one_that_lives() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "disco-20260101-000000-000-1/step-1",
            "disco-20260101-000000-000-1/inside",
            "disco-x",
            "20260101-000000-000-1",
            "disco-20260101-000000-000-2/step-1/busy",
            "disco-20260101-000000-000-3/step-1",
            "disco-20260101-000000-000-3/inside",
        ] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("disco-20260101-000000-000-3/inside/cgroup.procs"), "7\n").unwrap();
        sweep(dir.path());
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let (busy, living) = ("disco-20260101-000000-000-2", "disco-20260101-000000-000-3");
        assert_eq!(left, ["20260101-000000-000-1", busy, living, "disco-x"]);
        assert!(dir.path().join(living).join("step-1").exists());
    }

    #[test]
    fn a_group_of_version_2_is_divided_with_what_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let place = |unified| Place {
            folder: dir.path().join(format!("disco-{unified}")),
            unified,
            controls: Vec::new(),
        };
        let bounds = Bounds { memory: None, processes: 1 };
        for unified in [false, true] {
            place(unified).make(bounds).unwrap();
            assert_eq!(place(unified).folder.join(INSIDE).is_dir(), unified);
            assert!(place(unified).seat().is_dir());
        }
        let asked = fs::read_to_string(place(true).folder.join("cgroup.subtree_control")).unwrap();
        assert_eq!(asked, "+io", "each by itself, and the last is what a plain file keeps");
    }
}
