//! What an object of the lower was when the view first showed it, and what becomes of that.

use super::{look, overlay};
use crate::attributes::Change;
use crate::ids::ROOT;
use crate::{Look, Overlay, Stat};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// The lower's object, as it is now.
fn now(directory: &tempfile::TempDir, path: &str) -> Look {
    let lower = fs::File::open(directory.path().join("lower")).unwrap();
    Look::from(&Stat::at(&lower, path).unwrap())
}

fn fill(lower: &Path) {
    fs::create_dir(lower.join("d")).unwrap();
    for path in ["d/f", "d/g", "d/h"] {
        fs::write(lower.join(path), "first").unwrap();
    }
}

/// Looks at a path, and has the kernel forget it.
fn glance(overlay: &Overlay, path: &str) -> u64 {
    let mut held = Vec::new();
    let mut at = ROOT;
    for name in Path::new(path) {
        held.push(overlay.lookup(at, name).unwrap().unwrap().0);
        at = held.last().unwrap().id;
    }
    at
}

/// Puts another object in the place of one.
fn replace(directory: &tempfile::TempDir, path: &str, text: &str) {
    let path = directory.path().join("lower").join(path);
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

fn chmod(overlay: &Overlay, path: &str) {
    let id = look(overlay, path).unwrap();
    overlay.set_attributes(id, &Change { mode: Some(0o600), ..Change::default() }).unwrap();
}

#[test]
fn the_base_is_the_first_look_and_not_the_copy_up() {
    let (directory, overlay) = overlay(fill);
    overlay.watch();
    let first = ["d/f", "d/g", "d/h"].map(|path| now(&directory, path));
    for path in ["d/f", "d/g", "d/h"] {
        glance(&overlay, path);
    }
    assert_eq!(overlay.remembered(), 1, "the table of nodes has forgotten all");
    fs::write(directory.path().join("lower/d/f"), "changed").unwrap();
    replace(&directory, "d/g", "other");
    fs::write(directory.path().join("lower/d/h"), "changed").unwrap();
    chmod(&overlay, "d/f");
    chmod(&overlay, "d/g");
    let d = look(&overlay, "d").unwrap();
    overlay.unlink(d, OsStr::new("h")).unwrap();
    for (path, first) in ["d/f", "d/g", "d/h"].iter().zip(first) {
        assert_eq!(overlay.base(Path::new(path)), Some(first), "{path}");
        assert!(!first.is_unchanged(&now(&directory, path)), "{path}");
    }
    assert!(!overlay.base(Path::new("d/g")).unwrap().is_same_object(&now(&directory, "d/g")));
}

#[test]
fn a_listing_with_attributes_is_a_look() {
    let (directory, overlay) = overlay(fill);
    overlay.watch();
    let first = now(&directory, "d/f");
    let d = look(&overlay, "d").unwrap();
    overlay.read_directory_plus(d, 0, |_, _| false).unwrap();
    fs::write(directory.path().join("lower/d/f"), "changed").unwrap();
    chmod(&overlay, "d/f");
    assert_eq!(overlay.base(Path::new("d/f")), Some(first));
}

#[test]
fn looking_afresh_renews_what_was_left_alone_and_nothing_else() {
    let (directory, overlay) = overlay(fill);
    overlay.watch();
    let first = now(&directory, "d/f");
    let f = look(&overlay, "d/f").unwrap();
    glance(&overlay, "d/g");
    overlay.write(f, 0, b"mine", false).unwrap();
    for path in ["d/f", "d/g"] {
        fs::write(directory.path().join("lower").join(path), "changed").unwrap();
    }
    let second = now(&directory, "d/g");
    overlay.look_afresh();
    chmod(&overlay, "d/g");
    chmod(&overlay, "d/f");
    assert_eq!(overlay.base(Path::new("d/g")), Some(second), "shown anew");
    assert_eq!(overlay.base(Path::new("d/f")), Some(first), "the sandbox has its own");
}

#[test]
fn whoever_does_not_watch_has_what_was_copied_up() {
    let (directory, overlay) = overlay(fill);
    glance(&overlay, "d/f");
    fs::write(directory.path().join("lower/d/f"), "changed").unwrap();
    chmod(&overlay, "d/f");
    assert_eq!(overlay.base(Path::new("d/f")), Some(now(&directory, "d/f")));
    assert_eq!(overlay.base(Path::new("d/g")), None);
}
