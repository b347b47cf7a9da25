//! The host's side of the knobs: how their files are reached, and which are never opened. Everything is opened for reading
//! alone, through clones of the mounts that are read-only themselves.

use super::Shown;
use crate::clone::read_only_clone_alone;
use crate::{Result, Stat};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

#[derive(Debug)]
pub(super) struct Host {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: OsString,
    root: OwnedFd,
    names: Vec<OsString>,
}

/// Where a path leads.
enum Place<'a> {
    Top,
    In(&'a Part, PathBuf),
}

impl Host {
    pub(super) fn new(parts: &[Shown<'_>]) -> io::Result<Host> {
        let part = |shown: &Shown<'_>| {
            Ok(Part {
                name: shown.folder.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned(),
                // What is mounted below is other file systems: some act when they are only looked at.
                root: read_only_clone_alone(shown.folder)?,
                names: shown.names.iter().map(OsString::from).collect(),
            })
        };
        Ok(Host { parts: parts.iter().map(part).collect::<io::Result<_>>()? })
    }

    fn place(&self, path: &Path) -> Result<Place<'_>> {
        let mut components = path.components().filter(|component| *component != Component::RootDir);
        let Some(Component::Normal(first)) = components.next() else { return Ok(Place::Top) };
        let part = self.parts.iter().find(|part| part.name == first).ok_or(Errno::NOENT)?;
        let below: PathBuf = components.collect();
        let is_shown = |name: &OsStr| part.names.is_empty() || part.names.iter().any(|shown| shown == name);
        match below.components().next() {
            Some(Component::Normal(name)) if !is_shown(name) => Err(Errno::NOENT),
            Some(_) | None => Ok(Place::In(part, below)),
        }
    }

    pub(super) fn stat(&self, path: &Path) -> Result<Stat> {
        match self.place(path)? {
            Place::In(part, below) => Stat::at(&part.root, below.as_os_str()),
            Place::Top => {
                let first = self.parts.first().ok_or(Errno::NOENT)?;
                Stat::of(&first.root)
            }
        }
    }

    pub(super) fn read_link(&self, path: &Path) -> Result<Vec<u8>> {
        match self.place(path)? {
            Place::Top => Err(Errno::INVAL),
            Place::In(part, below) => {
                rustix::fs::readlinkat(&part.root, below, Vec::new()).map(std::ffi::CString::into_bytes)
            }
        }
    }

    /// Opens a file for reading, without waiting for anything.
    pub(super) fn open(&self, path: &Path) -> Result<OwnedFd> {
        if is_never_read(path) {
            return Err(Errno::ACCESS);
        }
        self.open_as(path, OFlags::NONBLOCK)
    }

    fn open_as(&self, path: &Path, flags: OFlags) -> Result<OwnedFd> {
        let Place::In(part, below) = self.place(path)? else { return Err(Errno::ACCESS) };
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { &below };
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        rustix::fs::openat2(&part.root, below, flags, Mode::empty(), within)
    }

    /// What is in a directory: names, types, and numbers of the host's.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<(OsString, FileType, u64)>> {
        let dot = |name: &str| (OsString::from(name), FileType::Directory, 1);
        let mut entries = vec![dot("."), dot("..")];
        let Place::In(part, below) = self.place(path)? else {
            entries.extend(self.parts.iter().map(|part| (part.name.clone(), FileType::Directory, 1)));
            return Ok(entries);
        };
        let directory = self.open_as(path, OFlags::DIRECTORY)?;
        for entry in Dir::new(directory)? {
            let entry = entry?;
            let name = OsString::from_vec(entry.file_name().to_bytes().to_owned());
            let is_dot = matches!(name.as_bytes(), b"." | b"..");
            let is_hidden =
                below.as_os_str().is_empty() && !part.names.is_empty() && !part.names.contains(&name);
            if !is_dot && !is_hidden {
                entries.push((name, entry.file_type(), entry.ino().max(1)));
            }
        }
        Ok(entries)
    }

    /// The whole text of a file that may be read, and is at most that long.
    pub(super) fn text(&self, path: &Path, longest: usize) -> Option<Vec<u8>> {
        // Whatever keeps it from being read, there is nothing to compare with.
        let stat = self.stat(path).ok().filter(|stat| stat.permissions() & 0o444 != 0)?;
        let file = self.open(path).ok().filter(|_| stat.kind() == FileType::RegularFile)?;
        read_at(&file, 0, longest + 1).ok().filter(|text| text.len() <= longest)
    }
}

/// What one read at that place gives.
pub(super) fn read_at(file: &OwnedFd, offset: u64, size: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; size];
    loop {
        match rustix::io::pread(file, &mut buffer[..], offset) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
    }
}

/// Whether a file is never read: reading it waits, acts, or takes from somebody else what he waits for.
fn is_never_read(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    match name {
        // Waits while anything is about to wake the machine.
        b"wakeup_count" => path.parent() == Some(Path::new("/sys/power")),
        // Folds the counters of all processors.
        b"stat_refresh" => path.starts_with("/proc/sys/vm"),
        // Each event is told once.
        b"event" => path.starts_with("/proc/acpi"),
        // Consume what they show.
        b"trace_pipe" | b"kmsg" => true,
        // Memory, ports and data of devices, in which a read can act.
        b"rom" | b"vpd" => path.starts_with("/sys"),
        _ => {
            let number = name.strip_prefix(b"resource").and_then(|number| number.first());
            path.starts_with("/sys") && number.is_some_and(u8::is_ascii_digit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_when_it_is_read_is_never_opened() {
        for (path, expected) in [
            ("/sys/power/wakeup_count", true),
            ("/sys/devices/x/power/wakeup_count", false),
            ("/proc/sys/vm/stat_refresh", true),
            ("/proc/acpi/event", true),
            ("/sys/devices/pci0000:00/0000:00:01.0/resource0", true),
            ("/sys/devices/pci0000:00/0000:00:01.0/resource2_wc", true),
            ("/sys/devices/pci0000:00/0000:00:01.0/resource", false),
            ("/sys/devices/pci0000:00/0000:00:01.0/config", false),
            ("/sys/devices/pci0000:00/0000:00:01.0/rom", true),
            ("/proc/sys/kernel/hostname", false),
        ] {
            assert_eq!(is_never_read(Path::new(path)), expected, "{path}");
        }
    }
}
