//! Every row of the table of conflicts: what somebody does meanwhile, and what is there after the merge.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::conflict::Clashes;
use super::settle::{self, Closeness, Settled, Watched};
use super::tests::{Merge, clear, fill, merge};
use super::{MergeError, Source, journals, prepared, recover, replay};
use crate::layered::{World, manifest, rooted};

type Work = fn(&Path);

fn write(root: &Path, path: &str, text: &str) {
    fs::write(root.join(path), text).unwrap();
}

fn mode(root: &Path, path: &str, mode: u32) {
    fs::set_permissions(root.join(path), PermissionsExt::from_mode(mode)).unwrap();
}

fn settled(source: &Source<'_>, on: &str) -> Result<Settled, MergeError> {
    settle::settle(source, Watched::default(), &on.parse().unwrap(), Closeness::Content)
}

/// What the live tree has: files with their text, links with their target, directories with their mode.
fn shown(live: &Path) -> BTreeSet<String> {
    let one = |(path, facts): (crate::model::path::RootedPath, crate::layered::Facts)| {
        let content = String::from_utf8_lossy(&facts.content).trim_end().to_owned();
        match facts.kind {
            'd' => format!("{path} {:o}", facts.mode & 0o7777),
            'l' => format!("{path} -> {content}"),
            _ => format!("{path} {content}"),
        }
    };
    manifest(live).into_iter().map(one).collect()
}

struct Row {
    run: Work,
    meanwhile: Work,
    /// The paths in conflict.
    conflicts: &'static [&'static str],
    /// What is there then, and what is not (`!`).
    theirs: &'static [&'static str],
    mine: &'static [&'static str],
}

fn rows() -> Vec<(&'static str, Row)> {
    let row = |name, run, meanwhile, conflicts, theirs, mine| {
        (name, Row { run, meanwhile, conflicts, theirs, mine })
    };
    vec![
        row(
            "created, and appeared",
            |after| write(after, "new", "run"),
            |live| write(live, "new", "else"),
            &["/new"],
            &["/new else"],
            &["/new run"],
        ),
        row(
            "created, and a full directory appeared",
            |after| write(after, "new", "run"),
            |live| {
                fs::create_dir_all(live.join("new/sub")).unwrap();
                write(live, "new/sub/f", "else");
            },
            &["/new"],
            &["/new/sub/f else"],
            &["/new run"],
        ),
        row(
            "created a directory, and a file appeared",
            |after| {
                fs::create_dir(after.join("new")).unwrap();
                write(after, "new/f", "run");
            },
            |live| write(live, "new", "else"),
            &["/new"],
            &["/new else"],
            &["/new/f run"],
        ),
        row(
            "created a directory, and one appeared",
            |after| {
                fs::create_dir(after.join("new")).unwrap();
                mode(after, "new", 0o700);
                write(after, "new/f", "run");
                write(after, "new/both", "run");
            },
            |live| {
                fs::create_dir(live.join("new")).unwrap();
                mode(live, "new", 0o711);
                write(live, "new/g", "else");
                write(live, "new/both", "else");
            },
            &["/new", "/new/both"],
            &["/new 711", "/new/f run", "/new/g else", "/new/both else"],
            &["/new 700", "/new/f run", "/new/g else", "/new/both run"],
        ),
        row(
            "changed, and changed",
            |after| write(after, "top", "run"),
            |live| write(live, "top", "else"),
            &["/top"],
            &["/top else"],
            &["/top run"],
        ),
        row(
            "changed, and replaced by a full directory",
            |after| write(after, "top", "run"),
            |live| {
                clear(&live.join("top"));
                fs::create_dir(live.join("top")).unwrap();
                write(live, "top/f", "else");
            },
            &["/top"],
            &["/top/f else"],
            &["/top run"],
        ),
        row(
            "changed, and vanished",
            |after| write(after, "top", "run"),
            |live| clear(&live.join("top")),
            &["/top"],
            &["!/top"],
            &["/top run"],
        ),
        row(
            "changed a directory, and vanished",
            |after| {
                mode(after, "d", 0o700);
                write(after, "d/e/z", "run");
            },
            |live| clear(&live.join("d")),
            &["/d"],
            &["!/d"],
            &["/d 700", "/d/e/z run", "!/d/x3"],
        ),
        row(
            "deleted, and changed, in a directory that goes",
            |after| clear(&after.join("a")),
            |live| write(live, "a/b/y", "else"),
            &["/a/b/y"],
            &["/a 755", "/a/b/y else", "!/a/x"],
            &["!/a"],
        ),
        row(
            "deleted, and replaced by a directory",
            |after| clear(&after.join("top")),
            |live| {
                clear(&live.join("top"));
                fs::create_dir(live.join("top")).unwrap();
                write(live, "top/f", "else");
            },
            &["/top"],
            &["/top/f else"],
            &["!/top"],
        ),
        row(
            "deleted a directory, and something appeared in it",
            |after| clear(&after.join("a")),
            |live| {
                fs::create_dir(live.join("a/b/sub")).unwrap();
                write(live, "a/b/sub/f", "else");
            },
            &["/a/b/sub"],
            &["/a 755", "/a/b 755", "/a/b/sub/f else", "!/a/x", "!/a/b/y"],
            &["!/a"],
        ),
        row(
            "a file in a directory's place, and something appeared in it",
            |after| {
                clear(&after.join("a"));
                write(after, "a", "run");
            },
            |live| write(live, "a/b/f", "else"),
            &["/a/b/f"],
            &["/a/b/f else", "/a/x the content of a/x", "/a/b/y the content of a/b/y"],
            &["/a run"],
        ),
        row(
            "in a directory that has vanished",
            |after| write(after, "a/b/y", "run"),
            |live| clear(&live.join("a")),
            &["/a"],
            &["!/a"],
            &["/a/b/y run", "!/a/x"],
        ),
    ]
}

#[test]
fn every_row_of_the_table_abort_theirs_and_mine() {
    for (name, row) in rows() {
        let begin = || {
            let world = World::new(fill);
            (row.run)(&world.after());
            let merge = Merge::new(world, &|_| false);
            (row.meanwhile)(&merge.world.live());
            merge
        };
        let of = begin();
        let Err(MergeError::Conflicts(Clashes(found))) = settled(&of.source(), "abort") else {
            panic!("{name}: no conflict")
        };
        let found: Vec<String> = found.iter().map(|clash| clash.path.to_string()).collect();
        assert_eq!(found, row.conflicts, "{name}");
        for (word, expected) in [("theirs", row.theirs), ("mine", row.mine)] {
            let of = begin();
            let (source, before) = (of.source(), manifest(&of.world.live()));
            let settled = settled(&source, word).unwrap();
            let told = if word == "mine" { settled.mine.len() } else { settled.left.len() };
            assert!(told > 0, "{name}: {word} was told nothing");
            assert!(manifest(&of.world.live()) == before, "{name}: settling changes nothing");
            let source =
                Source { changes: settled.changes(source.changes), exclude: &settled.exclude, ..source };
            merge(&source).unwrap_or_else(|error| panic!("{name}: {word}: {error}: {:?}", settled));
            let live = shown(&of.world.live());
            for line in expected {
                match line.strip_prefix('!') {
                    Some(gone) => {
                        assert!(!of.world.live().join(&gone[1..]).exists(), "{name}: {word}: {gone}")
                    }
                    None => assert!(live.contains(*line), "{name}: {word}: {line}: {live:?}"),
                }
            }
        }
    }
}

#[test]
fn what_is_there_already_is_not_modified() {
    type Both = (&'static str, Work);
    let both: [Both; 4] = [
        ("created", |root| write(root, "new", "same")),
        ("changed", |root| write(root, "top", "same")),
        ("deleted", |root| clear(&root.join("a"))),
        ("a directory", |root| fs::create_dir(root.join("new")).unwrap()),
    ];
    for (name, work) in both {
        let world = World::new(fill);
        work(&world.after());
        let merge = Merge::new(world, &|_| false);
        work(&merge.world.live());
        let settled = settled(&merge.source(), "abort").unwrap();
        let changes = settled.changes(merge.source().changes).0.len();
        assert_eq!((changes, settled.left, settled.mine), (0, vec![], vec![]), "{name}");
    }
}

#[test]
fn a_link_in_the_place_of_a_directory_is_never_followed() {
    for on in ["mine", "theirs"] {
        let world = World::new(fill);
        write(&world.after(), "d/e/new", "run");
        write(&world.after(), "top", "run");
        let merge = Merge::new(world, &|_| false);
        let live = merge.world.live();
        fs::rename(live.join("d/e"), live.join("elsewhere")).unwrap();
        symlink("../elsewhere", live.join("d/e")).unwrap();
        match (on, settled(&merge.source(), on)) {
            ("mine", Err(MergeError::Conflicts(Clashes(found)))) => {
                assert_eq!((found.len(), &found[0].path), (1, &rooted("d/e")));
            }
            ("theirs", Ok(settled)) => {
                let changes = settled.changes(merge.source().changes);
                let paths: Vec<_> = changes.0.iter().map(|change| change.path.to_string()).collect();
                assert_eq!((paths, settled.left.len()), (vec!["/top".to_owned()], 1));
            }
            (on, other) => panic!("{on}: {other:?}"),
        }
    }
}

#[test]
fn names_of_one_file_of_which_one_stays_theirs_are_not_linked_to_it() {
    let world = World::new(fill);
    fs::write(world.after().join("n1"), "run").unwrap();
    fs::hard_link(world.after().join("n1"), world.after().join("n2")).unwrap();
    let merge = Merge::new(world, &|_| false);
    write(&merge.world.live(), "n1", "else");
    let source = merge.source();
    let settled = settled(&source, "theirs=/n1").unwrap();
    let source = Source { changes: settled.changes(source.changes), exclude: &settled.exclude, ..source };
    self::merge(&source).unwrap();
    let live = shown(&merge.world.live());
    assert!(live.contains("/n1 else") && live.contains("/n2 run"), "{live:?}");
}

#[test]
fn what_both_have_added_is_merged_in_place_stopped_or_not_and_can_be_undone() {
    const CONTENT: &str = "the content of top\n";
    for stopped in [None, Some(0), Some(1)] {
        let world = World::new(fill);
        write(&world.after(), "top", &format!("{CONTENT}run\n"));
        let merge = Merge::new(world, &|_| false);
        let top = merge.world.live().join("top");
        write(&merge.world.live(), "top", &format!("{CONTENT}else\n"));
        let before = fs::metadata(&top).unwrap().ino();
        let source = merge.source();
        let path = rooted("top");
        let lengths = [(&path, CONTENT.len() as u64)].into();
        let watched = Watched { clashes: Vec::new(), lengths };
        let settled =
            settle::settle(&source, watched, &"abort".parse().unwrap(), Closeness::Content).unwrap();
        let source = Source { changes: settled.changes(source.changes), appends: &settled.appends, ..source };
        let prepared = prepared(&source).unwrap();
        let merged = match stopped {
            None => prepared.commit().unwrap(),
            Some(changes) => {
                prepared.stop_after(Some(changes));
                let mut merged = None;
                for _ in 0..2 {
                    // It can be stopped again.
                    drop(merged.take());
                    let found = replay::unfinished(&journals(source.home), source.root).unwrap().remove(0);
                    let recovery = recover::recover(found, source.live, source.home).unwrap();
                    let recover::Rest::Finish(whole) = recovery.rest else { panic!("it was begun") };
                    merged = Some(whole);
                }
                merged.unwrap()
            }
        };
        let text = || fs::read_to_string(&top).unwrap();
        assert_eq!((text(), fs::metadata(&top).unwrap().ino()), (format!("{CONTENT}else\nrun\n"), before));
        merged.undo("a test");
        assert_eq!(text(), format!("{CONTENT}else\n"), "{stopped:?}");
    }
}

#[test]
fn each_path_has_its_own_rule_and_all_conflicts_are_found() {
    let world = World::new(fill);
    for file in ["top", "a/b/y", "d/e/z"] {
        write(&world.after(), file, "run");
    }
    let merge = Merge::new(world, &|_| false);
    for file in ["top", "a/b/y", "d/e/z"] {
        write(&merge.world.live(), file, "else");
    }
    let Err(MergeError::Conflicts(found)) = settled(&merge.source(), "mine=/a/**") else { panic!("settled") };
    assert_eq!(found.0.len(), 2, "{found}");
    assert!(
        found.to_string().starts_with("2 paths are not as the sandbox saw them:\n  /d/e/z has changed"),
        "{found}"
    );
    let settled = settled(&merge.source(), "mine=/a/** theirs=/d/** mine=/top").unwrap();
    let names = |paths: Vec<&crate::model::path::RootedPath>| -> Vec<String> {
        paths.into_iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(settled.mine.iter().map(|clash| &clash.path).collect()), ["/a/b/y", "/top"]);
    assert_eq!(names(settled.left.iter().map(|left| &left.path).collect()), ["/d/e/z"]);
}
