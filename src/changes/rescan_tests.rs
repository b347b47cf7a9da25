//! Tests of bringing a snapshot up to date: it finds what a scan of everything finds, and looks at what was touched alone.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use super::*;
use crate::changes::compare::compare;
use crate::changes::scan::scan;
use crate::layered::{Scratch, World, rooted};

fn fill(root: &Path) {
    fs::create_dir_all(root.join("d/deep")).unwrap();
    for path in ["a", "b", "d/x", "d/y", "d/deep/z"] {
        fs::write(root.join(path), path).unwrap();
    }
}

/// What `scratch` holds, read as a sandbox reads it.
fn read<'a>(scratch: &'a Scratch, looked: &'a Cell<usize>) -> impl Fn(&RootedPath, Extent) -> Found + 'a {
    move |path, extent| {
        let wanted = |entry: &&LayerEntry| match extent {
            Extent::Itself => entry.path == *path,
            Extent::Whole => entry.path.is_within(path),
        };
        let found: Vec<_> = scratch.entries.iter().filter(wanted).cloned().collect();
        looked.set(looked.get() + found.len());
        Ok(found)
    }
}

type Found = Result<Vec<LayerEntry>, ScanError>;

fn touched(paths: &[(&str, Extent)]) -> Touched {
    let paths = paths.iter().map(|(path, extent)| (rooted(path), *extent)).collect();
    Touched { paths, ..Touched::default() }
}

/// Follows what is touched, and compares that with a scan of everything.
#[track_caller]
fn follow(scratch: &Scratch, touched: &Touched, last: &mut Snapshot) -> (Vec<String>, usize) {
    let looked = Cell::new(0);
    let before = last.clone();
    let read = read(scratch, &looked);
    let changed = rescan(&scratch.layers(&[]), touched, last, &read).unwrap();
    let all = scan(&scratch.layers(&[]), &scratch.entries, &mut before.clone()).unwrap();
    assert_eq!(last.first_difference(&all), None);
    assert_eq!(last.entries.keys().collect::<Vec<_>>(), all.entries.keys().collect::<Vec<_>>());
    let changes = compare(&changed.before, &changed.after);
    assert_eq!(changes, compare(&before, &all));
    (changes.0.iter().map(|change| change.path.to_string()).collect(), changed.looked)
}

#[test]
fn what_is_touched_is_found_as_a_scan_of_everything_finds_it() {
    use Extent::{Itself, Whole};
    type Step = (fn(&Path), bool, &'static [(&'static str, Extent)], &'static [&'static str]);
    let steps: &[Step] = &[
        (|at| fs::write(at.join("a"), "new").unwrap(), false, &[("a", Itself)], &["/a"]),
        (|at| fs::write(at.join("d/x"), "new").unwrap(), false, &[("d", Itself), ("d/x", Itself)], &["/d/x"]),
        (|at| fs::remove_file(at.join("d/y")).unwrap(), false, &[("d/y", Itself)], &["/d/y"]),
        (|at| fs::write(at.join("d/y"), "d/y").unwrap(), false, &[("d/y", Itself)], &["/d/y"]),
        // The directory hides all that the lower one holds from now on.
        (
            |at| fs::remove_dir_all(at.join("d/deep")).unwrap(),
            true,
            &[("d", Whole)],
            &["/d/deep", "/d/deep/z"],
        ),
        (|at| fs::remove_file(at.join("d/x")).unwrap(), true, &[("d/x", Itself)], &["/d/x"]),
        (
            |at| fs::create_dir_all(at.join("d/deep/er")).unwrap(),
            true,
            &[("d/deep", Itself), ("d/deep/er", Itself)],
            &["/d/deep", "/d/deep/er"],
        ),
        (
            |at| {
                fs::remove_dir_all(at.join("d")).unwrap();
                fs::write(at.join("d"), "file").unwrap();
            },
            false,
            &[("d", Whole)],
            &["/d", "/d/deep", "/d/deep/er", "/d/y"],
        ),
        (|at| fs::remove_file(at.join("d")).unwrap(), false, &[("d", Itself)], &["/d"]),
        (|at| fs::write(at.join("b"), "b").unwrap(), false, &[("b", Itself)], &[]),
    ];
    let world = World::new(fill);
    let mut last = Snapshot::default();
    for (number, (work, opaque, paths, expected)) in steps.iter().enumerate() {
        work(&world.after());
        let scratch = world.scratch(&|path| *opaque && *path == rooted("d"));
        let (changed, _) = follow(&scratch, &touched(paths), &mut last);
        assert_eq!(changed, *expected, "step {number}");
    }
}

#[test]
fn one_touched_file_among_a_thousand_is_all_that_is_looked_at() {
    let world = World::new(fill);
    let mut last = Snapshot::default();
    let mut counts = Vec::new();
    fs::create_dir(world.after().join("new")).unwrap();
    for number in 0..1000 {
        fs::write(world.after().join(format!("new/{number}")), "").unwrap();
        if ![0, 1, 99, 999].contains(&number) {
            continue;
        }
        let scratch = world.scratch(&|_| false);
        let paths: Vec<_> =
            ["new".to_owned()].into_iter().chain((0..=number).map(|at| format!("new/{at}"))).collect();
        let all: Vec<_> = paths.iter().map(|path| (&**path, Extent::Itself)).collect();
        follow(&scratch, &touched(&all), &mut last);
        fs::write(world.after().join("new/0"), format!("after {number}")).unwrap();
        let scratch = world.scratch(&|_| false);
        let (changed, looked) = follow(&scratch, &touched(&[("new/0", Extent::Itself)]), &mut last);
        assert_eq!(changed, ["/new/0"]);
        counts.push(looked);
    }
    // The file, its directory, and the root.
    assert_eq!(counts, [3, 3, 3, 3]);
}

#[test]
fn a_failure_leaves_the_snapshot_as_it_was() {
    let world = World::new(fill);
    fs::write(world.after().join("a"), "new").unwrap();
    let scratch = world.scratch(&|_| false);
    let mut last = Snapshot::default();
    let all = touched(&[("a", Extent::Itself)]);
    let missing = Scratch {
        entries: vec![LayerEntry { path: rooted("gone"), ..scratch.entries[0].clone() }],
        ..scratch
    };
    let looked = Cell::new(0);
    let failed = rescan(
        &missing.layers(&[]),
        &touched(&[("gone", Extent::Itself)]),
        &mut last,
        &read(&missing, &looked),
    );
    assert!(matches!(failed, Err(ScanError::Lost { .. })), "{failed:?}");
    assert_eq!((last.view.len(), last.entries.len()), (0, 0));
    let scratch = world.scratch(&|_| false);
    assert_eq!(follow(&scratch, &all, &mut last).0, ["/a"]);
}

#[test]
fn all_names_of_a_touched_file_are_looked_at() {
    let world = World::new(fill);
    fs::write(world.after().join("new"), "one").unwrap();
    for name in ["d/link", "link"] {
        fs::hard_link(world.after().join("new"), world.after().join(name)).unwrap();
    }
    let numbered = |mut scratch: Scratch| {
        for entry in &mut scratch.entries {
            let object = scratch.upper.lookup(&entry.path).unwrap();
            let stat = object.as_ref().map(|object| *object.stat());
            entry.stamp = stat.map(|stat| crate::model::layer::Stamp {
                device: stat.device,
                inode: stat.inode,
                size: stat.size,
                mtime: stat.mtime,
                ctime: stat.ctime,
            });
        }
        scratch
    };
    let mut last = Snapshot::default();
    let names = ["d", "d/link", "link", "new"].map(|path| (path, Extent::Itself));
    follow(&numbered(world.scratch(&|_| false)), &touched(&names), &mut last);
    let linked = ["/d/link", "/link", "/new"];
    fs::write(world.after().join("new"), "two").unwrap();
    // The copy of the tree is made anew, with other numbers: so one name is told by the old number.
    let scratch = numbered(world.scratch(&|_| false));
    assert_eq!(follow(&scratch, &touched(&[("link", Extent::Itself)]), &mut last).0, linked);
    fs::write(world.after().join("new"), "three").unwrap();
    let scratch = numbered(world.scratch(&|_| false));
    let number = last.entries[&rooted("new")].stamp.unwrap().inode;
    let by_number = Touched { inodes: [number].into(), ..Touched::default() };
    assert_eq!(follow(&scratch, &by_number, &mut last).0, linked);
}
