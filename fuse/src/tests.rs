//! The core without a mount: requests in, results out. What the kernel makes of them is tested in `tests/`.

use crate::create::Maker;
use crate::ids::ROOT;
use crate::rename::Target;
use crate::{LayerKind, Options, Overlay, read_layer};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::Path;

mod first_look;
mod links;
mod model;
mod races;
mod requests;
mod steps;
mod touched;

const MAKER: Maker = Maker { uid: 0, gid: 0, mode: 0o644, umask: 0 };

/// An overlay of what `fill` makes. A plain descriptor stands in for the clone, which takes the right to mount.
fn overlay(fill: impl FnOnce(&Path)) -> (tempfile::TempDir, Overlay) {
    let directory = tempfile::tempdir().unwrap();
    let (lower, scratch) = (directory.path().join("lower"), directory.path().join("scratch"));
    fs::create_dir(&lower).unwrap();
    fs::create_dir(&scratch).unwrap();
    fill(&lower);
    let lower = OwnedFd::from(File::open(&lower).unwrap());
    (directory, Overlay::open(Options::over(lower, scratch)).unwrap())
}

/// Looks a path up and lets the kernel's place remember it, as the kernel does.
fn look(overlay: &Overlay, path: &str) -> Option<u64> {
    let mut at = ROOT;
    for name in Path::new(path) {
        let (node, _) = overlay.lookup(at, name).unwrap()?;
        at = node.id;
        node.remembered();
    }
    Some(at)
}

fn names(overlay: &Overlay, id: u64) -> Vec<String> {
    let mut names = Vec::new();
    overlay
        .read_directory(id, 0, |entry| {
            names.push(entry.name.to_string_lossy().into_owned());
            false
        })
        .unwrap();
    names.retain(|name| name != "." && name != "..");
    names
}

#[test]
fn requests_about_what_is_not_there_say_so() {
    let (_directory, overlay) = overlay(|lower| fs::write(lower.join("f"), "").unwrap());
    let f = look(&overlay, "f").unwrap();
    let none = OsStr::new("none");
    assert_eq!(overlay.unlink(ROOT, none), Err(Errno::NOENT));
    assert_eq!(overlay.remove_directory(ROOT, OsStr::new("f")), Err(Errno::NOTDIR));
    assert_eq!(overlay.lookup(f, none).unwrap_err(), Errno::NOTDIR);
    assert_eq!(overlay.rename((ROOT, none), (ROOT, OsStr::new("f")), Target::Replace), Err(Errno::NOENT));
    assert_eq!(overlay.get_attributes(12345), Err(Errno::STALE));
    assert_eq!(overlay.write(99, 0, b"x", false), Err(Errno::STALE));
    assert_eq!(overlay.create(ROOT, OsStr::new("f"), MAKER).map(|_| ()), Err(Errno::EXIST));
}

#[test]
fn a_reader_in_the_middle_misses_nothing_that_stayed() {
    let (_directory, overlay) = overlay(|lower| {
        for number in 0..500 {
            fs::write(lower.join(format!("f{number}")), "").unwrap();
        }
    });
    let (mut seen, mut at) = (Vec::new(), 0);
    loop {
        let mut chunk = Vec::new();
        overlay
            .read_directory(ROOT, at, |entry| {
                chunk.push((entry.cookie, entry.name.to_string_lossy().into_owned()));
                chunk.len() == 30
            })
            .unwrap();
        let Some((last, _)) = chunk.last() else { break };
        at = *last;
        for (cookie, name) in chunk.into_iter().filter(|(cookie, _)| *cookie > 2) {
            assert!(cookie >> 62 == 0, "a place must be a positive number for every file system user");
            overlay.unlink(ROOT, OsStr::new(&name)).unwrap();
            seen.push(name);
        }
        // Another reader begins meanwhile, and sees the directory as it is by then.
        assert_eq!(names(&overlay, ROOT).len(), 500 - seen.len());
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (500, 500));
}

#[test]
fn the_layer_says_what_was_done() {
    let (_directory, overlay) = overlay(|lower| {
        for path in ["a", "b", "a/c"] {
            fs::create_dir(lower.join(path)).unwrap();
        }
        fs::write(lower.join("a/f"), "x").unwrap();
    });
    let directory = Maker { mode: 0o755, ..MAKER };
    let a = look(&overlay, "a").unwrap();
    overlay.unlink(a, OsStr::new("f")).unwrap();
    overlay.remove_directory(ROOT, OsStr::new("b")).unwrap();
    overlay.make_directory(ROOT, OsStr::new("b"), directory).unwrap();
    overlay.make_directory(ROOT, OsStr::new("new"), directory).unwrap();
    let (g, _) = overlay.create(a, OsStr::new("g"), MAKER).unwrap();
    overlay.write(g.id, 0, b"text", false).unwrap();
    let layer = read_layer(overlay.upper_dir()).unwrap();
    let told: Vec<_> = layer.iter().map(|entry| (entry.path.to_str().unwrap(), entry.kind)).collect();
    let plain = LayerKind::Directory { opaque: false };
    assert_eq!(
        told,
        [
            ("a", plain),
            ("a/f", LayerKind::Whiteout),
            ("a/g", LayerKind::Other),
            ("b", LayerKind::Directory { opaque: true }),
            ("new", plain),
        ]
    );
    let change = crate::attributes::Change { mode: Some(0o700), ..Default::default() };
    overlay.set_attributes(ROOT, &change).unwrap();
    let layer = read_layer(overlay.upper_dir()).unwrap();
    assert_eq!((layer[0].path.as_path(), layer[0].attributes.permissions()), (Path::new(""), 0o700));
}

#[test]
fn everything_is_forgotten_when_the_kernel_forgets() {
    let (_directory, overlay) = overlay(|lower| {
        fs::create_dir_all(lower.join("a/b/c")).unwrap();
        fs::write(lower.join("a/b/c/f"), "x").unwrap();
    });
    let f = look(&overlay, "a/b/c/f").unwrap();
    let ids = ["a", "a/b", "a/b/c", "a/b/c/f"].map(|path| look(&overlay, path).unwrap());
    // Looked up on the way to each of the paths, and once to each for its own sake.
    for (id, lookups) in ids.iter().zip([5, 4, 3, 1]) {
        overlay.forget(*id, lookups);
    }
    assert_eq!(overlay.remembered(), 5, "a file that is in use keeps its directories");
    overlay.write(f, 0, b"y", false).unwrap();
    overlay.forget(f, 1);
    assert_eq!(overlay.remembered(), 1);
    assert_eq!(look(&overlay, "a/b/c/f"), Some(f), "the number survives");
}
