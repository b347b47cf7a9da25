//! What a file system is, where it is mounted, and how much room it has.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, StatVfsMountFlags, StatxFlags};

use crate::sys::files::{self, FileError};

/// `f_type` of vfat, which has no owners and no modes but those of its mount.
pub const VFAT: u64 = 0x4d44;
/// `f_type` of exfat, which has none either.
pub const EXFAT: u64 = 0x2011_bab0;

/// Whether what is on a file system of that `f_type` can have modes of its own.
pub(super) fn has_modes(object: impl AsFd) -> rustix::io::Result<bool> {
    #[allow(clippy::unnecessary_cast)] // the type differs by architecture
    let magic = rustix::fs::fstatfs(object)?.f_type as u64;
    Ok(![VFAT, EXFAT].contains(&magic))
}

/// A file system as one of its directories shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// `st_dev` of what it holds.
    pub device: u64,
    /// The kernel's number of the mount.
    pub mount: u64,
    /// `f_type` of statfs(2).
    pub magic: u64,
    /// The unit of its space, in bytes.
    pub block: u64,
    /// Bytes that are free for anybody, as many as there can be where it has no bound of its own; what is kept for root is
    /// not touched.
    pub free: u64,
    /// Objects that can still be made; none where that has no bound of its own.
    pub free_inodes: Option<u64>,
    /// Whether this mount, or all of it, is read-only.
    pub read_only: bool,
}

impl FileSystem {
    /// The one that holds an open directory of that device.
    #[allow(clippy::unnecessary_cast)] // the field types differ by architecture
    pub(super) fn of(directory: impl AsFd, device: u64) -> rustix::io::Result<FileSystem> {
        let vfs = rustix::fs::fstatvfs(&directory)?;
        let statfs = rustix::fs::fstatfs(&directory)?;
        let mount = rustix::fs::statx(&directory, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?.stx_mnt_id;
        let block = vfs.f_frsize.max(1);
        Ok(FileSystem {
            device,
            mount,
            magic: statfs.f_type as u64 & 0xffff_ffff,
            block,
            free: if vfs.f_blocks > 0 { vfs.f_bavail.saturating_mul(block) } else { u64::MAX },
            free_inodes: (vfs.f_files > 0).then_some(vfs.f_favail),
            read_only: vfs.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}

/// Where something is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// The path, as this process sees it.
    pub path: String,
    /// The type of the file system.
    pub kind: String,
    /// The options of its super block, with commas between.
    pub options: String,
}

/// All mounts that this thread sees, by the kernel's number.
pub fn mounts() -> Result<BTreeMap<u64, MountPoint>, FileError> {
    Ok(parse(&files::read_to_string(Path::new("/proc/thread-self/mountinfo"))?))
}

/// Reads proc_pid_mountinfo(5).
fn parse(mountinfo: &str) -> BTreeMap<u64, MountPoint> {
    mountinfo.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<(u64, MountPoint)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ');
    let number = mount.next()?.parse().ok()?;
    let path = unescaped(mount.nth(3)?);
    let mut file_system = file_system.split(' ');
    let kind = file_system.next()?.to_owned();
    let options = file_system.nth(1).unwrap_or_default().to_owned();
    Some((number, MountPoint { path, kind, options }))
}

/// `\040` is a space; other characters that would end a field are written so too.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_their_options() {
        let text = "36 35 98:0 / /boot/efi rw,noatime master:1 - vfat /dev/sda1 rw,fmask=0077\n\
                    37 35 98:1 /x /mnt/a\\040b ro - tmpfs tmp rw\nnonsense\n";
        let mounts = parse(text);
        let point = |path: &str, kind: &str, options: &str| MountPoint {
            path: path.into(),
            kind: kind.into(),
            options: options.into(),
        };
        assert_eq!(mounts.get(&36), Some(&point("/boot/efi", "vfat", "rw,fmask=0077")));
        assert_eq!(mounts.get(&37), Some(&point("/mnt/a b", "tmpfs", "rw")));
        assert_eq!(mounts.len(), 2);
    }
}
