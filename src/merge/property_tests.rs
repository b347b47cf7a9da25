//! Random work on a tree: what a merge brings is what the sandbox showed, and what is taken back leaves no trace.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use rustix::fs::Mode;

use super::recover::{Rest, recover};
use super::tests::{Merge, clear, fill, part};
use super::{Files, Recovered, journals, prepared, replay};
use crate::layered::{World, manifest, rooted};
use crate::model::path::RootedPath;

const PATHS: [&str; 14] = [
    "a",
    "a/b",
    "a/b/y",
    "a/x",
    "a/x2",
    "d",
    "d/e",
    "d/e/z",
    "d/x3",
    "link",
    "top",
    "new",
    "new/sub",
    "new/sub/leaf",
];

#[derive(Debug, Clone)]
enum Work {
    Write(usize),
    Rewrite(usize),
    Folder(usize),
    Link(usize),
    Fifo(usize),
    Device(usize),
    HardLink(usize, usize),
    Rename(usize, usize),
    Remove(usize),
    Mode(usize, u32),
    Owner(usize, u32),
    Attribute(usize),
}

fn work() -> impl Strategy<Value = Work> {
    let path = || 0..PATHS.len();
    prop_oneof![
        path().prop_map(Work::Write),
        path().prop_map(Work::Rewrite),
        path().prop_map(Work::Folder),
        path().prop_map(Work::Link),
        path().prop_map(Work::Fifo),
        path().prop_map(Work::Device),
        (path(), path()).prop_map(|(a, b)| Work::HardLink(a, b)),
        (path(), path()).prop_map(|(a, b)| Work::Rename(a, b)),
        path().prop_map(Work::Remove),
        (path(), prop_oneof![Just(0o600), Just(0o4755), Just(0o1777), Just(0o000)])
            .prop_map(|(a, m)| Work::Mode(a, m)),
        (path(), 1_u32..4).prop_map(|(a, id)| Work::Owner(a, id)),
        path().prop_map(Work::Attribute),
    ]
}

/// Does one piece of work below `root`; what is impossible there (a parent that is no directory) is left undone.
fn perform(root: &Path, work: &Work, serial: usize) {
    let at = |index: usize| root.join(PATHS[index]);
    let fits = |path: &Path| {
        let mut above = path.parent().unwrap();
        loop {
            if !above.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                return false;
            }
            if above == root {
                return true;
            }
            above = above.parent().unwrap();
        }
    };
    let here = |index: usize| fits(&at(index)) && at(index).symlink_metadata().is_ok();
    match *work {
        Work::Write(i) if fits(&at(i)) => {
            clear(&at(i));
            let file = fs::File::create(at(i)).unwrap();
            file.write_at(format!("work {serial}\n").as_bytes(), serial as u64 % 3 * 70_000).unwrap();
        }
        Work::Rewrite(i) if here(i) && at(i).symlink_metadata().unwrap().is_file() => {
            part(&at(i));
            fs::write(at(i), format!("rewritten by {serial}\n")).unwrap();
        }
        Work::Folder(i) if fits(&at(i)) => {
            clear(&at(i));
            fs::create_dir(at(i)).unwrap();
        }
        Work::Link(i) if fits(&at(i)) => {
            clear(&at(i));
            symlink(format!("to/{serial}"), at(i)).unwrap();
        }
        Work::Fifo(i) | Work::Device(i) if fits(&at(i)) => {
            clear(&at(i));
            let (kind, number) = match work {
                Work::Device(_) => (rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
                _ => (rustix::fs::FileType::Fifo, 0),
            };
            rustix::fs::mknodat(rustix::fs::CWD, at(i), kind, Mode::from_raw_mode(0o640), number).unwrap();
        }
        Work::HardLink(i, j)
            if here(i)
                && fits(&at(j))
                && !at(i).symlink_metadata().unwrap().is_dir()
                && !at(i).starts_with(at(j)) =>
        {
            clear(&at(j));
            fs::hard_link(at(i), at(j)).unwrap();
        }
        Work::Rename(i, j)
            if here(i) && fits(&at(j)) && !at(i).starts_with(at(j)) && !at(j).starts_with(at(i)) =>
        {
            clear(&at(j));
            fs::rename(at(i), at(j)).unwrap();
        }
        Work::Remove(i) if here(i) => clear(&at(i)),
        Work::Mode(i, mode) if here(i) && !at(i).is_symlink() => {
            part(&at(i));
            fs::set_permissions(at(i), PermissionsExt::from_mode(mode)).unwrap();
        }
        Work::Owner(i, id) if here(i) => {
            part(&at(i));
            std::os::unix::fs::lchown(at(i), Some(id * 100), Some(id)).unwrap();
        }
        Work::Attribute(i) if here(i) => {
            part(&at(i));
            let value = serial.to_string().into_bytes();
            rustix::fs::lsetxattr(at(i), "trusted.disco-test", &value, rustix::fs::XattrFlags::empty())
                .unwrap();
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_live_tree_becomes_what_the_sandbox_showed(
        works in prop::collection::vec(work(), 1..14),
        opaque in prop::collection::vec(any::<bool>(), PATHS.len()),
        taken in any::<bool>(),
    ) {
        let world = World::new(fill);
        for (serial, work) in works.iter().enumerate() {
            perform(&world.after(), work, serial);
        }
        let opaque = |path: &RootedPath| PATHS.iter().position(|known| rooted(known) == *path).is_some_and(|at| opaque[at]);
        let mut merge = Merge::new(world, &opaque);
        merge.files = if taken { Files::Taken } else { Files::Copied };
        super::tests::merge(&merge.source()).unwrap();
        merge.assert_live_is(&merge.world.after());
    }

    #[test]
    fn a_merge_that_is_taken_back_leaves_the_tree_as_it_was(works in prop::collection::vec(work(), 1..14)) {
        let world = World::new(fill);
        for (serial, work) in works.iter().enumerate() {
            perform(&world.after(), work, serial);
        }
        let merge = Merge::new(world, &|_| false);
        let back = prepared(&merge.source()).unwrap().commit().unwrap().undo("a test");
        prop_assert_eq!(back.still(), Vec::new());
        prop_assert_eq!(back.close().unwrap(), Vec::new());
        prop_assert_eq!(manifest(&merge.world.live()), manifest(&merge.world.lower()));
        prop_assert_eq!(prepared(&merge.source()).unwrap().discard().unwrap(), Vec::new());
        prop_assert_eq!(manifest(&merge.world.live()), manifest(&merge.world.lower()));
    }

    #[test]
    fn a_merge_that_is_stopped_anywhere_is_finished_or_never_was(
        works in prop::collection::vec(work(), 1..14),
        stop in any::<prop::sample::Index>(),
    ) {
        let world = World::new(fill);
        for (serial, work) in works.iter().enumerate() {
            perform(&world.after(), work, serial);
        }
        let merge = Merge::new(world, &|_| false);
        let source = merge.source();
        let found = || {
            let mut found = replay::unfinished(&journals(source.home), source.root).unwrap();
            assert_eq!(found.len(), 1);
            found.remove(0)
        };
        // Stopped before the point of no return.
        prepared(&source).unwrap().stop_after(None);
        let recovery = recover(found(), source.live, source.home).unwrap();
        prop_assert_eq!(recovery.how, Recovered::Before);
        let Rest::Clear(journal) = recovery.rest else { panic!("it had begun") };
        journal.cleared().unwrap();
        prop_assert_eq!(manifest(&merge.world.live()), manifest(&merge.world.lower()));
        // Stopped after it.
        let prepared = prepared(&source).unwrap();
        let changes = prepared.changes();
        let stop = stop.index(changes + 1);
        prepared.stop_after(Some(stop));
        for again in [true, true, false] {
            let recovery = recover(found(), source.live, source.home).unwrap();
            prop_assert_eq!(recovery.how, Recovered::After { changes, kept: Vec::new() });
            let Rest::Finish(merged) = recovery.rest else { panic!("it is merged") };
            // Or the journal's end was not on the disk yet.
            if !again {
                merged.keep().unwrap();
            }
        }
        merge.assert_live_is(&merge.world.after());
        prop_assert!(replay::unfinished(&journals(source.home), source.root).unwrap().is_empty());
    }

    #[test]
    fn a_merge_whose_taking_back_is_stopped_anywhere_is_taken_back(
        works in prop::collection::vec(work(), 1..14),
        stop in any::<prop::sample::Index>(),
    ) {
        let world = World::new(fill);
        for (serial, work) in works.iter().enumerate() {
            perform(&world.after(), work, serial);
        }
        let merge = Merge::new(world, &|_| false);
        let source = merge.source();
        let merged = prepared(&source).unwrap().commit().unwrap();
        let stop = stop.index(merged.work.entries.len() + 1);
        merged.stop_undoing_after(stop);
        let recorded = replay::unfinished(&journals(source.home), source.root).unwrap().remove(0);
        let recovery = recover(recorded, source.live, source.home).unwrap();
        let undone = Recovered::Undone { why: "a test".to_owned(), still: Vec::new() };
        prop_assert_eq!(recovery.how, undone);
        let Rest::Back(back) = recovery.rest else { panic!("it is taken back") };
        prop_assert_eq!(back.close().unwrap(), Vec::new());
        prop_assert_eq!(manifest(&merge.world.live()), manifest(&merge.world.lower()));
        prop_assert!(replay::unfinished(&journals(source.home), source.root).unwrap().is_empty());
    }
}
