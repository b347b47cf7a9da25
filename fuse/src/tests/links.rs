//! Names of a hard-linked file that nobody has looked up are in the layer all the same.

use super::{look, overlay};
use crate::attributes::Change;
use crate::ids::ROOT;
use crate::rename::Target;
use crate::{LayerKind, Overlay, read_layer};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// One file under four names: two side by side, one above, one below.
fn four(lower: &Path) {
    fs::create_dir_all(lower.join("d/e")).unwrap();
    fs::write(lower.join("d/a"), "x").unwrap();
    for name in ["d/b", "top", "d/e/deep"] {
        fs::hard_link(lower.join("d/a"), lower.join(name)).unwrap();
    }
}

fn chmod(overlay: &Overlay, id: u64) {
    overlay.set_attributes(id, &Change { mode: Some(0o600), ..Change::default() }).unwrap();
}

/// What the layer has apart from directories: whiteouts marked, links of one file counted.
fn told(overlay: &Overlay) -> Vec<String> {
    let entries = read_layer(overlay.upper_dir()).unwrap();
    let files = entries.iter().filter(|entry| !matches!(entry.kind, LayerKind::Directory { .. }));
    files
        .map(|entry| {
            let hidden = if entry.kind == LayerKind::Whiteout { "!" } else { "" };
            format!("{hidden}{}", entry.path.display())
        })
        .collect()
}

#[test]
fn all_names_come_with_the_one_that_is_changed() {
    for known in ["d/a", "top", "d/e/deep"] {
        let (_directory, overlay) = overlay(four);
        let id = look(&overlay, known).unwrap();
        chmod(&overlay, id);
        assert_eq!(told(&overlay), ["d/a", "d/b", "d/e/deep", "top"], "changed through {known}");
        let stat = overlay.get_attributes(id).unwrap();
        assert_eq!((stat.nlink, stat.permissions()), (4, 0o600));
        for path in ["d/b", "top"] {
            assert!(overlay.base(Path::new(path)).is_some_and(|base| base.permissions() != 0o600), "{path}");
        }
    }
}

#[test]
fn a_name_that_was_hidden_does_not_come_back() {
    let (_directory, overlay) = overlay(four);
    let d = look(&overlay, "d").unwrap();
    overlay.unlink(d, OsStr::new("b")).unwrap();
    overlay.unlink(ROOT, OsStr::new("top")).unwrap();
    let id = look(&overlay, "d/a").unwrap();
    chmod(&overlay, id);
    assert_eq!(told(&overlay), ["d/a", "!d/b", "d/e/deep", "!top"]);
    assert_eq!(overlay.get_attributes(id).unwrap().nlink, 2);
}

#[test]
fn a_name_in_a_directory_that_was_renamed_is_there() {
    let (_directory, overlay) = overlay(four);
    let d = look(&overlay, "d").unwrap();
    overlay.rename((d, OsStr::new("e")), (ROOT, OsStr::new("moved")), Target::Replace).unwrap();
    assert_eq!(told(&overlay), ["!d/e"], "only the name has moved");
    overlay.bring_moved().unwrap();
    // What had moved was copied, and its names with it.
    assert_eq!(told(&overlay), ["d/a", "d/b", "!d/e", "moved/deep", "top"]);
    chmod(&overlay, look(&overlay, "top").unwrap());
    let id = look(&overlay, "moved/deep").unwrap();
    let stat = overlay.get_attributes(id).unwrap();
    assert_eq!((stat.nlink, stat.permissions()), (4, 0o600));
}

#[test]
fn a_file_open_without_its_name_changes_under_the_others() {
    let (_directory, overlay) = overlay(four);
    let id = look(&overlay, "top").unwrap();
    overlay.unlink(ROOT, OsStr::new("top")).unwrap();
    chmod(&overlay, id);
    assert_eq!(told(&overlay), ["d/a", "d/b", "d/e/deep", "!top"]);
    assert_eq!(overlay.get_attributes(id).unwrap().nlink, 3);
    // And without any, it is a copy of its own.
    let d = look(&overlay, "d").unwrap();
    let e = look(&overlay, "d/e").unwrap();
    for (parent, name) in [(d, "a"), (d, "b"), (e, "deep")] {
        overlay.unlink(parent, OsStr::new(name)).unwrap();
    }
    assert_eq!(overlay.get_attributes(id).unwrap().nlink, 0);
}

#[test]
fn a_name_in_a_directory_that_was_renamed_follows_a_change_through_another() {
    let (_directory, overlay) = overlay(four);
    let d = look(&overlay, "d").unwrap();
    overlay.rename((d, OsStr::new("e")), (ROOT, OsStr::new("moved")), Target::Replace).unwrap();
    chmod(&overlay, look(&overlay, "top").unwrap());
    assert_eq!(told(&overlay), ["d/a", "d/b", "!d/e", "moved/deep", "top"]);
    let stat = overlay.get_attributes(look(&overlay, "moved/deep").unwrap()).unwrap();
    assert_eq!((stat.nlink, stat.permissions()), (4, 0o600));
}
