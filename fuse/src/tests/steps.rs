//! What a process that is killed leaves in the layer: while names change, another thread looks at the upper
//! all the time, and never finds that something hidden has come back.

use super::{MAKER, look, overlay};
use crate::create::Maker;
use crate::ids::ROOT;
use crate::rename::Target;
use crate::{Overlay, Result};
use rustix::fs::{AtFlags, FileType};
use std::ffi::OsStr;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const ROUNDS: usize = 300;
const DIRECTORY: Maker = Maker { mode: 0o755, ..MAKER };

/// A way to give a name to something new.
type Way = fn(&Overlay, &OsStr) -> Result<()>;

const WAYS: [(&str, Way); 7] = [
    ("create", |overlay, name| overlay.create(ROOT, name, MAKER).map(drop)),
    ("mkdir", |overlay, name| overlay.make_directory(ROOT, name, DIRECTORY).map(drop)),
    ("symlink", |overlay, name| overlay.make_symlink(ROOT, name, OsStr::new("to"), MAKER).map(drop)),
    ("mknod", |overlay, name| {
        let mode = FileType::Fifo.as_raw_mode() | 0o600;
        overlay.make_node(ROOT, name, Maker { mode, ..MAKER }, 0).map(drop)
    }),
    ("link", |overlay, name| overlay.make_link(look(overlay, "other").unwrap(), ROOT, name).map(drop)),
    ("rename", |overlay, name| {
        overlay.make_symlink(ROOT, OsStr::new("new"), OsStr::new("to"), MAKER)?;
        overlay.rename((ROOT, OsStr::new("new")), (ROOT, name), Target::Replace)
    }),
    ("rename of a directory", |overlay, name| {
        overlay.make_directory(ROOT, OsStr::new("new"), DIRECTORY)?;
        overlay.rename((ROOT, OsStr::new("new")), (ROOT, name), Target::Replace)
    }),
];

#[test]
fn a_hidden_name_is_never_free_while_something_new_gets_it() {
    for (way, make) in WAYS {
        let (_directory, overlay) = overlay(|lower| {
            fs::write(lower.join("f"), "lower").unwrap();
            fs::write(lower.join("other"), "").unwrap();
        });
        let f = OsStr::new("f");
        overlay.unlink(ROOT, f).unwrap();
        let (finished, gaps) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !finished.load(Ordering::Relaxed) {
                    if rustix::fs::statat(&overlay.upper, f, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                        gaps.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            for _ in 0..ROUNDS {
                make(&overlay, f).unwrap();
                overlay.unlink(ROOT, f).or_else(|_| overlay.remove_directory(ROOT, f)).unwrap();
            }
            finished.store(true, Ordering::Relaxed);
        });
        assert_eq!(gaps.into_inner(), 0, "{way}");
        assert_eq!(fs::read_dir(_directory.path().join("scratch/work")).unwrap().count(), 2, "{way}");
    }
}

#[test]
fn a_name_that_moves_away_is_never_free() {
    for target in ["free", "whiteout", "file", "lower"] {
        for kind in ["file", "directory"] {
            let (_directory, overlay) = overlay(|lower| {
                for number in 0..ROUNDS {
                    let (from, to) = (format!("from{number}"), format!("to{number}"));
                    let make = |name: &str| match kind {
                        "file" => fs::write(lower.join(name), "").unwrap(),
                        _ => fs::create_dir(lower.join(name)).unwrap(),
                    };
                    make(&from);
                    if target == "whiteout" || target == "lower" {
                        make(&to);
                    }
                }
            });
            let (at, gaps) = (AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut current, mut came) = (0, false);
                    while current < ROUNDS {
                        let number = at.load(Ordering::Relaxed);
                        came &= number == current;
                        current = number;
                        let name = format!("from{number}");
                        let found = rustix::fs::statat(&overlay.upper, &name, AtFlags::SYMLINK_NOFOLLOW);
                        if came && found.is_err() {
                            gaps.fetch_add(1, Ordering::Relaxed);
                        }
                        came |= found.is_ok();
                    }
                });
                for number in 0..ROUNDS {
                    let (from, to) = (format!("from{number}"), format!("to{number}"));
                    let (from, to) = (OsStr::new(&from), OsStr::new(&to));
                    match (target, kind) {
                        ("whiteout", "file") => overlay.unlink(ROOT, to).unwrap(),
                        ("whiteout", _) => overlay.remove_directory(ROOT, to).unwrap(),
                        ("file", "file") => drop(overlay.make_node(ROOT, to, MAKER, 0).unwrap()),
                        ("file", _) => drop(overlay.make_directory(ROOT, to, DIRECTORY).unwrap()),
                        _ => {}
                    }
                    overlay.rename((ROOT, from), (ROOT, to), Target::Replace).unwrap();
                    at.store(number + 1, Ordering::Relaxed);
                    assert!(overlay.lookup(ROOT, from).unwrap().is_none(), "{kind} to {target}");
                    assert!(overlay.lookup(ROOT, to).unwrap().is_some(), "{kind} to {target}");
                }
            });
            assert_eq!(gaps.into_inner(), 0, "{kind} to {target}");
            assert_eq!(
                fs::read_dir(_directory.path().join("scratch/work")).unwrap().count(),
                2,
                "{kind} to {target}"
            );
        }
    }
}
