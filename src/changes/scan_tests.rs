//! Tests of a scan with the comparison after it: every shape that a scratchpad can have.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::changes::compare::compare;
use crate::layered::{Scratch, World, rooted};
use crate::model::change::{ChangeKind, ContentChange};

fn fill(root: &Path) {
    fs::create_dir_all(root.join("etc/app/deep")).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:\nfirst:x:77:77:\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    fs::write(root.join("etc/app/a"), "a\n").unwrap();
    fs::write(root.join("etc/app/deep/b"), "b\n").unwrap();
    symlink("etc", root.join("conf")).unwrap();
}

/// `+ path`, `~ path`, `- path` of all differences between two scans of one sandbox.
fn listed(previous: &Snapshot, current: &Snapshot) -> Vec<String> {
    let line = |change: &crate::model::change::Change| match change.kind {
        ChangeKind::Created { .. } => format!("+ {}", change.path),
        ChangeKind::Modified { .. } => format!("~ {}", change.path),
        ChangeKind::Deleted { .. } => format!("- {}", change.path),
    };
    compare(previous, current).0.iter().map(line).collect()
}

fn scanned(scratch: &Scratch, previous: &Snapshot) -> Snapshot {
    scan(&scratch.layers(&[]), &scratch.entries, &mut previous.clone()).unwrap()
}

#[test]
fn each_shape_of_the_scratchpad_is_understood() {
    type Row = (&'static str, fn(&Path), bool, &'static [&'static str]);
    let rows: &[Row] = &[
        ("nothing", |_| {}, false, &[]),
        ("a file", |at| fs::write(at.join("new"), "x").unwrap(), false, &["+ /new"]),
        (
            "a folder is deleted",
            |at| fs::remove_dir_all(at.join("etc/app")).unwrap(),
            false,
            &["- /etc/app", "- /etc/app/a", "- /etc/app/deep", "- /etc/app/deep/b"],
        ),
        (
            "a folder is replaced by a file",
            |at| {
                fs::remove_dir_all(at.join("etc/app")).unwrap();
                fs::write(at.join("etc/app"), "x").unwrap();
            },
            false,
            &["~ /etc/app", "- /etc/app/a", "- /etc/app/deep", "- /etc/app/deep/b"],
        ),
        (
            "an opaque folder with one of the old files",
            |at| {
                fs::remove_dir_all(at.join("etc/app/deep")).unwrap();
                fs::write(at.join("etc/app/new"), "").unwrap();
            },
            true,
            &["- /etc/app/deep", "- /etc/app/deep/b", "+ /etc/app/new"],
        ),
        (
            "a link to a folder becomes a folder",
            |at| {
                fs::remove_file(at.join("conf")).unwrap();
                fs::create_dir(at.join("conf")).unwrap();
                fs::write(at.join("conf/passwd"), "").unwrap();
            },
            false,
            &["~ /conf", "+ /conf/passwd"],
        ),
        (
            "only a mode",
            |at| fs::set_permissions(at.join("etc/app"), PermissionsExt::from_mode(0o700)).unwrap(),
            false,
            &["~ /etc/app"],
        ),
        (
            "the same content again",
            |at| {
                fs::remove_file(at.join("etc/app/a")).unwrap();
                fs::write(at.join("etc/app/a"), "a\n").unwrap();
            },
            false,
            &[],
        ),
    ];
    for (name, work, opaque, expected) in rows {
        let world = World::new(fill);
        work(&world.after());
        let scratch = world.scratch(&|path| *opaque && *path == rooted("etc/app"));
        let snapshot = scanned(&scratch, &Snapshot::default());
        assert_eq!(listed(&Snapshot::default(), &snapshot), *expected, "{name}");
        assert_eq!(listed(&snapshot, &scanned(&scratch, &snapshot)), [""; 0], "{name}, again");
    }
}

#[test]
fn each_module_has_its_own_differences() {
    let world = World::new(fill);
    fs::write(world.after().join("etc/app/a"), "one\n").unwrap();
    fs::remove_dir_all(world.after().join("etc/app/deep")).unwrap();
    let first = scanned(&world.scratch(&|_| false), &Snapshot::default());
    assert_eq!(
        listed(&Snapshot::default(), &first),
        ["~ /etc/app/a", "- /etc/app/deep", "- /etc/app/deep/b"]
    );
    fs::write(world.after().join("etc/app/a"), "two\n").unwrap();
    fs::create_dir(world.after().join("etc/app/deep")).unwrap();
    let second = scanned(&world.scratch(&|_| false), &first);
    assert_eq!(listed(&first, &second), ["~ /etc/app/a", "+ /etc/app/deep"]);
    let ContentChange::Text { before, after } = &compare(&first, &second).0[0].content else {
        panic!("text")
    };
    assert_eq!((before, after), (&"one\n".into(), &"two\n".into()));
    // back to the lower state: the scratchpad holds nothing any more
    let empty = Scratch { entries: Vec::new(), ..world.scratch(&|_| false) };
    let third = scanned(&empty, &second);
    assert_eq!(listed(&second, &third), ["~ /etc/app/a", "+ /etc/app/deep/b"]);
    assert_eq!(listed(&Snapshot::default(), &third), [""; 0]);
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let world = World::new(fill);
    fs::write(world.after().join("etc/app/a"), "one\n").unwrap();
    let scratch = world.scratch(&|_| false);
    std::thread::sleep(TICK * 2);
    let first = scanned(&scratch, &Snapshot::default());
    let second = scanned(&scratch, &first);
    let (State::Present(a), State::Present(b)) =
        (&first.view[&rooted("etc/app/a")], &second.view[&rooted("etc/app/a")])
    else {
        panic!("it is there")
    };
    assert!(Arc::ptr_eq(a, b), "it was read again");
    // a file that changed a moment ago may change again within the same tick of the clock: its state isn't trusted
    fs::write(world.after().join("etc/app/a"), "two\n").unwrap();
    let young = scanned(&world.scratch(&|_| false), &second);
    let State::Present(young) = &young.view[&rooted("etc/app/a")] else { panic!("it is there") };
    assert_eq!(young.mark, None);
}

#[test]
fn names_before_and_after_come_from_their_own_side() {
    let world = World::new(|root| {
        fill(root);
        std::os::unix::fs::chown(root.join("etc/app/a"), Some(77), Some(0)).unwrap();
    });
    fs::write(world.after().join("etc/app/a"), "new\n").unwrap();
    fs::write(world.after().join("etc/passwd"), "second:x:77:77:\n").unwrap();
    let scratch = world.scratch(&|_| false);
    let snapshot = scanned(&scratch, &Snapshot::default());
    let changes = compare(&Snapshot::default(), &snapshot);
    let ChangeKind::Modified { before, after } = &changes.0[0].kind else { panic!("modified") };
    assert_eq!((before.owner.as_str(), after.owner.as_str()), ("first", "second"));
    assert_eq!(changes.0.len(), 2, "a new name for an old number is no difference of its files");
}

#[test]
fn the_home_is_never_looked_at() {
    let world = World::new(fill);
    fs::create_dir_all(world.after().join("var/disco/runs")).unwrap();
    fs::remove_dir_all(world.after().join("etc/app")).unwrap();
    let scratch = world.scratch(&|_| false);
    let exclude = [rooted("var/disco"), rooted("etc/app/deep")];
    let snapshot = scan(&scratch.layers(&exclude), &scratch.entries, &mut Snapshot::default()).unwrap();
    assert_eq!(listed(&Snapshot::default(), &snapshot), ["- /etc/app", "- /etc/app/a", "+ /var"]);
}
