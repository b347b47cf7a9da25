//! Whether this process may make cgroups that limit memory and processes: cgroups(7), v1 and v2.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::sys::probe::Found;

/// Makes a cgroup with that controller where this process is, and removes it.
pub fn controller(name: &str) -> Found {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let Some((version, folder)) = place(name, &mounts, &own) else {
        return Err(io::Error::other(format!("no cgroup hierarchy has the controller {name}")));
    };
    if version == "v2" {
        let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
        if !controllers.split_whitespace().any(|controller| controller == name) {
            return Err(io::Error::other(format!(
                "the cgroup {} has no controller {name}",
                folder.display()
            )));
        }
    }
    let probe = folder.join(format!("disco-doctor-{}", std::process::id()));
    fs::create_dir(&probe)?;
    fs::remove_dir(&probe)?;
    Ok(format!("cgroups {version} can be made in {}", folder.display()))
}

/// The version of the hierarchy with that controller, and the folder of the cgroup that this process is in.
fn place(controller: &str, mounts: &str, own: &str) -> Option<(&'static str, PathBuf)> {
    let mut found = None;
    for line in mounts.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let Some(dash) = words.iter().position(|word| *word == "-") else { continue };
        let (Some(root), Some(at)) = (words.get(3), words.get(4)) else { continue };
        let (Some(kind), Some(options)) = (words.get(dash + 1), words.get(dash + 3)) else { continue };
        let version = match *kind {
            "cgroup" if options.split(',').any(|option| option == controller) => "v1",
            "cgroup2" => "v2",
            _ => continue,
        };
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let is_it = match version {
                "v1" => controllers.split(',').any(|name| name == controller),
                _ => controllers.is_empty(),
            };
            is_it.then_some(path)
        });
        // What is mounted may be a part of the hierarchy, and this process outside of it.
        let below = path.and_then(|path| path.strip_prefix(root.trim_end_matches('/'))).unwrap_or("");
        let folder = PathBuf::from(at).join(below.trim_start_matches('/'));
        if version == "v1" {
            return Some((version, folder));
        }
        found = Some((version, folder));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_where_it_is_mounted() {
        let v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
        let v1 = "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                  32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "4:memory:/a/b\n1:cpu:/\n0::/c\n";
        for (controller, mounts, expected) in [
            ("memory", v2, Some(("v2", "/sys/fs/cgroup/c"))),
            ("memory", v1, Some(("v1", "/sys/fs/cgroup/memory/a/b"))),
            ("pids", v1, Some(("v2", "/sys/fs/cgroup/unified/c"))),
            ("memory", "", None),
        ] {
            let expected = expected.map(|(version, folder)| (version, PathBuf::from(folder)));
            assert_eq!(place(controller, mounts, own), expected, "{controller}\n{mounts}");
        }
    }
}
