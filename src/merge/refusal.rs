//! Why a merge is refused before anything is made: what keeps objects as they are, what has no room, what its file system
//! cannot hold. Each says where, and the way out.

use std::fmt;

use crate::merge::listed::list;
use crate::model::path::RootedPath;
use crate::sys::tree::Obstacle;

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A mount or a mark keeps an object as it is.
    Obstacle {
        /// The object.
        path: RootedPath,
        /// What keeps it.
        obstacle: Obstacle,
    },
    /// A file system is mounted read-only.
    ReadOnly {
        /// The first object there.
        path: RootedPath,
        /// Where it is mounted.
        mount: String,
        /// How many objects are to be changed there.
        objects: usize,
    },
    /// Replacing a directory would take disco's own home with it.
    Home {
        /// The directory.
        path: RootedPath,
        /// disco's home.
        home: RootedPath,
    },
    /// A file system has too little room for what is new.
    Room {
        /// The largest new object there.
        path: RootedPath,
        /// Where it is mounted.
        mount: String,
        /// Of what it has too little.
        of: Room,
        /// How much is needed.
        needed: u64,
        /// How much there is.
        free: u64,
    },
    /// A file system cannot hold something of an object.
    Lacks {
        /// The object.
        path: RootedPath,
        /// Where the file system is mounted.
        mount: String,
        /// Its type.
        kind: &'static str,
        /// What it cannot hold.
        what: String,
    },
}

/// What a file system has so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Bytes.
    Space,
    /// Objects.
    Inodes,
}

/// All reasons; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(pub Vec<Refusal>);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Obstacle { path, obstacle: Obstacle::MountPoint } => {
                write!(f, "{path} cannot be changed: a file system is mounted on it; unmount it for that")
            }
            Refusal::Obstacle { path, obstacle: Obstacle::Immutable } => write!(
                f,
                "{path} cannot be changed: it is marked as immutable or append-only (`lsattr -d` shows it, `chattr -i -a` \
                 takes it off)"
            ),
            Refusal::ReadOnly { path, mount, objects } => {
                write!(
                    f,
                    "{path}{} cannot be changed: the file system at {mount} is read-only",
                    and_more(*objects)
                )?;
                write!(f, " (`mount -o remount,rw {mount}` makes it writable)")
            }
            Refusal::Home { path, home } => {
                write!(f, "{path} cannot be removed: it holds {home}, where disco keeps its own files")
            }
            Refusal::Room { path, mount, of, needed, free } => {
                let (needed, free, what, which) = match of {
                    Room::Space => (size(*needed), size(*free), "", "the largest is"),
                    Room::Inodes => (needed.to_string(), free.to_string(), " objects", "one of them"),
                };
                write!(
                    f,
                    "the file system at {mount} has too little room: {needed}{what} needed, {free} free"
                )?;
                write!(f, " ({which} {path}); make room there")
            }
            Refusal::Lacks { path, mount, kind, what } => {
                write!(f, "{path} cannot be merged: the {kind} at {mount} cannot hold {what}")
            }
        }
    }
}

fn and_more(objects: usize) -> String {
    match objects {
        0 | 1 => String::new(),
        many => format!(" and {} more", many - 1),
    }
}

/// Bytes as one reads them.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        10_485_760.. => format!("{} MiB", bytes >> 20),
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.0, "things are in the way of the merge:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_where_how_much_and_what_to_do() {
        let path = RootedPath::new("boot/vmlinuz").unwrap();
        let room =
            |of, needed, free| Refusal::Room { path: path.clone(), mount: "/boot".into(), of, needed, free };
        let read_only = Refusal::ReadOnly { path: path.clone(), mount: "/boot".into(), objects: 3 };
        for (refusal, told) in [
            (
                room(Room::Space, 31 << 20, 12_000_000),
                "the file system at /boot has too little room: 31 MiB needed, 11 MiB free (the largest is /boot/vmlinuz); \
                 make room there",
            ),
            (
                room(Room::Inodes, 40, 3),
                "the file system at /boot has too little room: 40 objects needed, 3 free (one of them /boot/vmlinuz); \
                 make room there",
            ),
            (
                read_only,
                "/boot/vmlinuz and 2 more cannot be changed: the file system at /boot is read-only \
                 (`mount -o remount,rw /boot` makes it writable)",
            ),
        ] {
            assert_eq!(Refusals(vec![refusal]).to_string(), told);
        }
    }
}
