//! Where control groups can be made: the hierarchies that this process sees, and what each controls.

use std::fs;
use std::path::{Path, PathBuf};

/// What a control group controls, of what matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Processes,
    /// What is read from block devices and written to them.
    Io,
}

/// A folder in which a group can be made, or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) unified: bool,
    pub(super) controls: Vec<Controller>,
}

/// Where this process may make groups, as far as that is known without trying.
pub(super) fn of_this_process() -> Vec<Place> {
    let read = |name| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let mut places = places(&read("cgroup"), &read("mountinfo"));
    for place in &mut places {
        if place.unified {
            place.climb();
        }
    }
    places
}

impl Place {
    /// Whether a group here bounds anything.
    pub(super) fn bounds(&self) -> bool {
        self.controls.iter().any(|one| matches!(one, Controller::Memory | Controller::Processes))
    }

    /// Goes up to the next group whose children are controlled: one in which processes are can have no such. Where there is
    /// none, it stays: any group tells how long its processes waited.
    pub(super) fn climb(&mut self) {
        let mut at = self.folder.clone();
        while let Ok(text) = fs::read_to_string(at.join("cgroup.subtree_control")) {
            let controls = controllers(text.split_ascii_whitespace());
            if controls.iter().any(|one| *one != Controller::Io) {
                (self.folder, self.controls) = (at, controls);
                return;
            }
            if !at.pop() {
                return;
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
            "cgroup" => (false, controllers(options.split(','))),
            _ => continue,
        };
        let group = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, names, path) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = match unified {
                true => id == "0" && names.is_empty(),
                false => controllers(names.split(',')) == controls,
            };
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

/// Those of the named controllers that matter here, in the kernel's order.
pub(super) fn controllers<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Controller> {
    let known = names.filter_map(|name| match name {
        "memory" => Some(Controller::Memory),
        "pids" => Some(Controller::Processes),
        "io" | "blkio" => Some(Controller::Io),
        _ => None,
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_in_its_groups() {
        let one = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                   36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                   37 31 0:34 /jail /sys/fs/cgroup/pids rw - cgroup cgroup rw,cpu,pids\n\
                   38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n\
                   39 31 0:36 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                   41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let groups = "8:cpu,pids:/jail/a\n7:blkio:/\n6:cpu:/\n4:memory:/x/y\n1:name=systemd:/\n0::/z\n";
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
                place("/sys/fs/cgroup/blkio/", false, &[Controller::Io]),
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
        for (folder, controls) in [(dir.path(), "cpu io memory pids\n"), (&slice, "pids\n"), (&scope, "\n")] {
            fs::write(folder.join("cgroup.subtree_control"), controls).unwrap();
        }
        let climbed = |folder: &Path| {
            let mut place = Place { folder: folder.to_owned(), unified: true, controls: Vec::new() };
            place.climb();
            (place.folder, place.controls)
        };
        assert_eq!(climbed(&scope), (slice, vec![Controller::Processes]));
        let all = vec![Controller::Io, Controller::Memory, Controller::Processes];
        assert_eq!(climbed(dir.path()), (dir.path().to_owned(), all));
        // What bounds nothing is no reason to leave one's own group.
        fs::write(dir.path().join("cgroup.subtree_control"), "hugetlb io\n").unwrap();
        fs::write(dir.path().join("user.slice/cgroup.subtree_control"), "\n").unwrap();
        assert_eq!(climbed(&scope), (scope, vec![]));
    }
}
