//! The mounts of the lower: a small number for each, and whether it is a pseudo file system.
//! Not the mounts of the sandbox: those are made by others, over the empty directories shown here.

use crate::{Result, Stat};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::os::fd::AsFd;

/// Pseudo file systems by their `f_type`: what they show belongs to the running kernel, not to the node's disk.
const PSEUDO: &[i64] = &[
    0x9fa0,     // proc
    0x62656572, // sysfs
    0x1cd1,     // devpts
    0x27e0eb,   // cgroup
    0x63677270, // cgroup2
    0x64626720, // debugfs
    0x74726163, // tracefs
    0xcafe4a11, // bpf
    0x73636673, // securityfs
    0xf97cff8c, // selinuxfs
    0x43415d53, // smackfs
    0x19800202, // mqueue
    0x958458f6, // hugetlbfs
    0x6165676c, // pstore
    0x62656570, // configfs
    0x65735543, // fusectl
    0x42494e4d, // binfmt_misc
    0x6e736673, // nsfs
    0xde5e81e4, // efivarfs
    0x67596969, // rpc_pipefs
    0x6e667364, // nfsd
    0x0187,     // autofs
    0x6c6f6f70, // binderfs
    0x09041934, // anonymous inodes
];

/// What is known of one mount of the lower.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mount {
    /// Small number, the high part of the numbers of its objects; 0 is the lower's root, 1 the upper.
    pub index: u64,
    /// Whether it is to be shown as an empty directory.
    pub pseudo: bool,
}

/// The mounts seen so far, by the kernel's mount id.
#[derive(Debug)]
pub(crate) struct Mounts {
    known: RwLock<HashMap<u64, Mount>>,
    /// Devices of devtmpfs mounts: their `f_type` is that of any tmpfs.
    devtmpfs: Vec<u64>,
}

impl Mounts {
    /// Starts with the root's mount as number 0.
    pub(crate) fn new(root: &Stat, mountinfo: &str) -> Mounts {
        let known = HashMap::from([(root.mount, Mount { index: 0, pseudo: false })]);
        Mounts { known: RwLock::new(known), devtmpfs: devtmpfs(mountinfo) }
    }

    /// Whether nothing was seen that is on another mount than the root.
    pub(crate) fn is_one(&self) -> bool {
        self.known.read().len() == 1
    }

    /// Returns the mount of an object of the lower; `open` is asked for a descriptor of it the first time.
    pub(crate) fn of<F: AsFd>(&self, stat: &Stat, open: impl FnOnce() -> Result<F>) -> Result<Mount> {
        if let Some(mount) = self.known.read().get(&stat.mount) {
            return Ok(*mount);
        }
        let kind = rustix::fs::fstatfs(open()?)?.f_type as i64;
        let pseudo = PSEUDO.contains(&kind) || self.devtmpfs.contains(&stat.dev);
        let mut known = self.known.write();
        let index = known.len() as u64 + 1;
        Ok(*known.entry(stat.mount).or_insert(Mount { index, pseudo }))
    }
}

/// Returns the devices of the devtmpfs mounts that `mountinfo` lists.
fn devtmpfs(mountinfo: &str) -> Vec<u64> {
    let device = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        right.starts_with("devtmpfs ").then_some(())?;
        let (major, minor) = left.split(' ').nth(2)?.split_once(':')?;
        Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
    };
    mountinfo.lines().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devtmpfs_is_found_by_its_type_alone() {
        let text = "22 1 0:5 / /dev rw,relatime shared:2 - devtmpfs devtmpfs rw,size=4k\n\
                    23 1 0:6 / /run rw - tmpfs devtmpfs rw\n24 22 0:7 / /dev/pts rw - devpts devpts rw\n";
        assert_eq!(devtmpfs(text), [rustix::fs::makedev(0, 5)]);
    }
}
