//! The control group of a run: memory and processes of all that its steps start, bounded and counted by the kernel. Below the
//! group that disco is in, where that may have one; both versions of the interface (cgroups(7)).
//!
//! A run that was killed leaves an empty group, which the next one removes; one in which somebody is cannot be removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::scratch::is_stamped;

/// What begins the name of every group of ours.
const PREFIX: &str = "disco-";

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

/// What a control group controls, of what matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Controller {
    Memory,
    Processes,
}

/// A folder in which a group can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    unified: bool,
    controls: Vec<Controller>,
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
        for mut place in places_of_this_process() {
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
    pub fn add(&self, pid: u32) -> io::Result<()> {
        for place in &self.places {
            let add = || fs::write(place.folder.join("cgroup.procs"), pid.to_string());
            while let Err(error) = add() {
                // Another run's sweep may have met it while it was empty, also in the middle of this.
                if place.folder.exists() {
                    return Err(error);
                }
                place.make(self.bounds)?;
            }
        }
        Ok(())
    }

    /// How often the kernel has held it to its bounds so far.
    pub fn held(&self) -> Held {
        let count = |controller, unified, one, key| {
            let place = self.controls(controller)?;
            let file = place.folder.join(if place.unified { unified } else { one });
            // A kernel without that file counts nothing.
            keyed(&fs::read_to_string(file).ok()?, key)
        };
        Held {
            killed: count(Controller::Memory, "memory.events", "memory.oom_control", "oom_kill").unwrap_or(0),
            refused: count(Controller::Processes, "pids.events", "pids.events", "max").unwrap_or(0),
        }
    }

    fn controls(&self, controller: Controller) -> Option<&Place> {
        self.places.iter().find(|place| place.controls.contains(&controller))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for place in &self.places {
            remove(&place.folder);
        }
    }
}

impl Place {
    /// Makes the group, bounded.
    fn make(&self, bounds: Bounds) -> io::Result<()> {
        loop {
            fs::create_dir(&self.folder)?;
            match self.bound(bounds) {
                Ok(()) => return Ok(()),
                // As above.
                Err(_) if !self.folder.exists() => {}
                Err(error) => {
                    remove(&self.folder);
                    return Err(error);
                }
            }
        }
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
                    write("memory.limit_in_bytes", most)?;
                    if_there(write("memory.memsw.limit_in_bytes", most))?;
                }
                (Controller::Memory, None) => {}
                (Controller::Processes, _) => write("pids.max", bounds.processes)?,
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
            // One that somebody is in stays: rmdir(2) says EBUSY.
            let _ = fs::remove_dir(entry.path());
        }
    }
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

fn places_of_this_process() -> Vec<Place> {
    let read = |name| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let mut places = places(&read("cgroup"), &read("mountinfo"));
    places.retain_mut(|place| !place.unified || place.climb());
    places
}

impl Place {
    /// Goes up to the next group whose children are controlled: one in which processes are can have no such. Whether there
    /// is any.
    fn climb(&mut self) -> bool {
        loop {
            let Ok(text) = fs::read_to_string(self.folder.join("cgroup.subtree_control")) else {
                return false;
            };
            let words: Vec<&str> = text.split_ascii_whitespace().collect();
            self.controls.clear();
            for (word, controller) in [("memory", Controller::Memory), ("pids", Controller::Processes)] {
                if words.contains(&word) {
                    self.controls.push(controller);
                }
            }
            if !self.controls.is_empty() {
                return true;
            }
            if !self.folder.pop() {
                return false;
            }
        }
    }
}

/// Where a process is that has this in /proc/self/cgroup, by the mounts of this /proc/self/mountinfo (proc_pid_mountinfo(5)).
fn places(groups: &str, mountinfo: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for line in mountinfo.lines() {
        let Some((mount, kind)) = line.split_once(" - ") else { continue };
        let (mount, kind): (Vec<&str>, Vec<&str>) = (mount.split(' ').collect(), kind.split(' ').collect());
        let (&[_, _, _, root, at, ..], &[kind, _, options]) = (&mount[..], &kind[..]) else { continue };
        let (unified, controls) = match kind {
            "cgroup2" => (true, Vec::new()),
            "cgroup" => (false, controllers(options)),
            _ => continue,
        };
        let group = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, names, path) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = if unified { id == "0" && names.is_empty() } else { controllers(names) == controls };
            ours.then_some(path)
        });
        let below = group.and_then(|group| Path::new(group).strip_prefix(root).ok());
        let known = places.iter().any(|place| place.unified == unified && place.controls == controls);
        if let Some(below) = below
            && (unified || !controls.is_empty())
            && !known
        {
            places.push(Place { folder: Path::new(at).join(below), unified, controls });
        }
    }
    places
}

fn controllers(names: &str) -> Vec<Controller> {
    let known = names.split(',').filter_map(|name| match name {
        "memory" => Some(Controller::Memory),
        "pids" => Some(Controller::Processes),
        _ => None,
    });
    known.collect()
}

/// The number behind a key, in a text of `key number` lines.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_in_its_groups() {
        let one = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                   36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                   37 31 0:34 /jail /sys/fs/cgroup/pids rw - cgroup cgroup rw,cpu,pids\n\
                   41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let groups = "8:cpu,pids:/jail/a\n4:memory:/x/y\n1:name=systemd:/\n0::/z\n";
        let place = |folder: &str, unified, controls: &[Controller]| Place {
            folder: folder.into(),
            unified,
            controls: controls.to_vec(),
        };
        assert_eq!(
            places(groups, one),
            [
                place("/sys/fs/cgroup/memory/x/y", false, &[Controller::Memory]),
                place("/sys/fs/cgroup/pids/a", false, &[Controller::Processes]),
                place("/sys/fs/cgroup/unified/z", true, &[]),
            ]
        );
        // Somebody else's part of the hierarchy is mounted, or nothing is.
        assert_eq!(places("8:cpu,pids:/other\n", one), []);
        assert_eq!(places(groups, ""), []);
    }

    #[test]
    fn in_the_one_hierarchy_a_group_goes_where_its_children_are_controlled() {
        let dir = tempfile::tempdir().unwrap();
        let (slice, scope) = (dir.path().join("user.slice"), dir.path().join("user.slice/session.scope"));
        fs::create_dir_all(&scope).unwrap();
        for (folder, controls) in [(dir.path(), "cpu memory pids\n"), (&slice, "pids\n"), (&scope, "\n")] {
            fs::write(folder.join("cgroup.subtree_control"), controls).unwrap();
        }
        let climbed = |folder: &Path| {
            let mut place = Place { folder: folder.to_owned(), unified: true, controls: Vec::new() };
            place.climb().then_some((place.folder, place.controls))
        };
        assert_eq!(climbed(&scope), Some((slice, vec![Controller::Processes])));
        let both = vec![Controller::Memory, Controller::Processes];
        assert_eq!(climbed(dir.path()), Some((dir.path().to_owned(), both)));
        fs::write(dir.path().join("cgroup.subtree_control"), "hugetlb\n").unwrap();
        assert_eq!(climbed(dir.path()), None);
    }

    #[test]
    fn counts_are_read_by_their_key() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(
            (keyed(text, "oom_kill"), keyed(text, "max"), keyed("max 0", "max")),
            (Some(3), None, Some(0))
        );
    }

    #[test]
    fn only_what_runs_are_called_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "disco-20260101-000000-000-1",
            "disco-x",
            "20260101-000000-000-1",
            "disco-20260101-000000-000-2/busy",
        ] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        sweep(dir.path());
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["20260101-000000-000-1", "disco-20260101-000000-000-2", "disco-x"]);
    }
}
