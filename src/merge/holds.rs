//! What file systems cannot hold, as a table: those that Linux shares with other systems know no owners, modes or links,
//! and some of them take a change of those and forget it. Pure. What is not in the table holds everything; should it not,
//! staging finds that out, while nothing that shows has changed.
//!
//! Owners and modes that a file system gives of its own are compared with what the sandbox showed. A mode may be another,
//! as with every program that writes there, but it must not let anybody read or write who could not in the sandbox.

use std::os::unix::ffi::OsStrExt;

use crate::model::attributes::{Attributes, FileKind};
use crate::model::path::RootedPath;
use crate::sys::file_system::{self, MountPoint};

/// A type of file systems that cannot hold everything. None of them has owners, modes, hard links, special files or
/// extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lacking {
    /// `f_type` of statfs(2).
    magic: u64,
    /// Its name.
    pub kind: &'static str,
    /// The largest file in bytes.
    largest: u64,
}

/// All of them.
const TABLE: [Lacking; 2] = [
    Lacking { magic: file_system::VFAT, kind: "vfat", largest: u32::MAX as u64 },
    Lacking { magic: file_system::EXFAT, kind: "exfat", largest: u64::MAX },
];

/// The row of a file system of that `f_type`; none for one that holds everything.
pub fn lacking(magic: u64) -> Option<Lacking> {
    TABLE.into_iter().find(|row| row.magic == magic)
}

/// What such a file system gives everything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The owner and group of all objects.
    pub owner: (u32, u32),
    /// The permissions of files, and of directories.
    pub permissions: (u32, u32),
}

impl Given {
    /// By the options of its mount: `uid=0,gid=0,fmask=0022,dmask=0022`.
    pub fn by(mount: &MountPoint) -> Given {
        let option = |name: &str, radix| {
            let value =
                mount.options.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| u32::from_str_radix(value, radix).ok()).unwrap_or(0)
        };
        let without = |mask: &str| 0o777 & !option(mask, 8);
        Given {
            owner: (option("uid", 10), option("gid", 10)),
            permissions: (without("fmask"), without("dmask")),
        }
    }
}

impl Lacking {
    /// What of an object it cannot hold, in words; none where it holds all that counts.
    pub fn of(&self, path: &RootedPath, after: &Attributes, given: Given) -> Option<String> {
        let permissions = match after.kind {
            FileKind::Regular => given.permissions.0,
            FileKind::Directory => given.permissions.1,
            FileKind::Symlink => return Some("symbolic links".to_owned()),
            FileKind::CharacterDevice | FileKind::BlockDevice => return Some("device nodes".to_owned()),
            FileKind::Fifo => return Some("named pipes".to_owned()),
            // Never merged.
            FileKind::Socket => return None,
        };
        if !self.holds_name(path) {
            return Some("its name".to_owned());
        }
        if (after.uid, after.gid) != given.owner {
            let (uid, gid) = given.owner;
            return Some(format!("its owner {}:{}: all is {uid}:{gid}'s there", after.uid, after.gid));
        }
        let opened = permissions & 0o666 & !after.mode;
        if after.mode & 0o7000 != 0 || opened != 0 {
            return Some(format!("its mode {:04o}: it would be {permissions:04o}", after.mode & 0o7777));
        }
        if let Some(name) = after.xattrs.keys().next() {
            return Some(format!("its extended attribute {name}"));
        }
        let too_large = after.kind == FileKind::Regular && after.size > self.largest;
        too_large.then(|| format!("{} bytes in one file", after.size))
    }

    fn holds_name(&self, path: &RootedPath) -> bool {
        let Some(name) = path.name() else { return true };
        let Some(name) = name.to_str() else { return false };
        let odd = |c: char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
        // Dots and spaces at the end are dropped without a word.
        !name.contains(odd) && !name.ends_with(['.', ' ']) && name.encode_utf16().count() <= 255
    }
}

/// What two paths have in common that are one and the same to a file system that does not tell capitals apart.
pub fn folded(path: &RootedPath) -> String {
    String::from_utf8_lossy(path.relative().as_os_str().as_bytes()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn file(mode: u32) -> Attributes {
        Attributes {
            kind: FileKind::from_mode(mode).unwrap(),
            device: 0,
            mode,
            uid: 0,
            gid: 0,
            owner: "root".into(),
            group: "root".into(),
            size: 1,
            md5: None,
            target: None,
            rdev: None,
            selinux: None,
            xattrs: BTreeMap::new(),
        }
    }

    #[test]
    fn what_vfat_cannot_hold() {
        let given = |options: &str| {
            Given::by(&MountPoint { path: "/boot".into(), kind: "vfat".into(), options: options.into() })
        };
        let vfat = lacking(0x4d44).unwrap();
        let owned = |mode| Attributes { uid: 3, gid: 4, ..file(mode) };
        let with_xattr = Attributes { xattrs: [("user.k".into(), String::new())].into(), ..file(0o100644) };
        let large = Attributes { size: 1 << 32, ..file(0o100644) };
        let default = "rw,fmask=0022,dmask=0022,codepage=437";
        for (name, after, options, lacks) in [
            ("a", file(0o100644), default, None),
            ("a", file(0o100755), default, None),
            ("a", file(0o100644), "rw,fmask=0077,dmask=0077", None),
            ("a", file(0o100600), default, Some("its mode 0600: it would be 0755")),
            ("a", file(0o100600), "fmask=0077", None),
            ("a", file(0o040700), default, Some("its mode 0700: it would be 0755")),
            ("a", file(0o104755), default, Some("its mode 4755: it would be 0755")),
            ("a", owned(0o100644), default, Some("its owner 3:4: all is 0:0's there")),
            ("a", owned(0o100644), "uid=3,gid=4", None),
            ("a", file(0o120777), default, Some("symbolic links")),
            ("a", file(0o010644), default, Some("named pipes")),
            ("a", file(0o020644), default, Some("device nodes")),
            ("a:b", file(0o100644), default, Some("its name")),
            ("a.", file(0o100644), default, Some("its name")),
            ("a", with_xattr, default, Some("its extended attribute user.k")),
            ("a", large, default, Some("4294967296 bytes in one file")),
        ] {
            let path = RootedPath::new(format!("boot/{name}")).unwrap();
            // Without a mask, a file system of this type lets everybody do everything.
            let options =
                if options.contains("mask") { options.to_owned() } else { format!("{options},fmask=0022") };
            assert_eq!(
                vfat.of(&path, &after, given(&options)).as_deref(),
                lacks,
                "{name} {:o} {options}",
                after.mode
            );
        }
        assert_eq!((lacking(0xef53), lacking(0x0102_1994)), (None, None), "ext4 and tmpfs hold everything");
    }
}
