//! Tests of a whole merge into a plain folder. Owners, device nodes and marks need root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::IFlags;

use super::conflict::{Clashes, Conflict};
use super::plan::{Make, Op};
use super::refusal::{Refusal, Refusals, Room};
use super::*;
use crate::layered::{Scratch, World, is_litter, manifest, rooted};

/// A whole merge.
pub(super) fn merge(source: &Source<'_>) -> Result<MergeReport, MergeError> {
    prepared(source)?.commit()?.keep()
}

pub(super) struct Merge {
    pub(super) world: World,
    scratch: Scratch,
    pub(super) live: Root,
    changes: ChangeSet,
    run: RunId,
    exclude: Vec<RootedPath>,
    pub(super) home: tempfile::TempDir,
    pub(super) root: LiveRoot,
    pub(super) files: Files,
}

impl Merge {
    pub(super) fn new(world: World, opaque: &dyn Fn(&RootedPath) -> bool) -> Merge {
        Merge::excluding(world, opaque, &[])
    }

    fn excluding(world: World, opaque: &dyn Fn(&RootedPath) -> bool, exclude: &[RootedPath]) -> Merge {
        let scratch = world.scratch(opaque);
        let changes = scratch.changes(exclude);
        let live = Root::open(&world.live(), "").unwrap();
        let run = RunId::new("20120101-1").unwrap();
        let home = tempfile::tempdir().unwrap();
        let root = LiveRoot::new(&world.live()).unwrap();
        Merge {
            world,
            scratch,
            live,
            changes,
            run,
            exclude: exclude.to_vec(),
            home,
            root,
            files: Files::Copied,
        }
    }

    pub(super) fn source(&self) -> Source<'_> {
        let (entries, upper) = (&self.scratch.entries, &self.scratch.upper);
        let (changes, live, run) = (&self.changes, &self.live, &self.run);
        Source {
            changes,
            entries,
            upper,
            files: self.files,
            live,
            private: &|_| false,
            exclude: &self.exclude,
            appends: &NONE,
            run,
            root: &self.root,
            home: self.home.path(),
            inner_home: None,
        }
    }

    /// That the live tree equals another, times apart where `lower` has the same object.
    pub(super) fn assert_live_is(&self, expected: &Path) {
        let lower = manifest(&self.world.lower());
        let (mut live, mut expected) = (manifest(&self.world.live()), manifest(expected));
        assert!(!live.keys().any(is_litter), "litter: {:?}", live.keys().filter(|path| is_litter(path)));
        for (path, now) in &mut expected {
            let mut untimed = lower.get(path).cloned();
            if let (Some(was), Some(live)) = (&mut untimed, live.get_mut(path)) {
                was.mtime = now.mtime;
                was.linked.clone_from(&now.linked);
                if was == now {
                    (now.mtime, live.mtime) = (None, None);
                }
            }
        }
        for path in live.keys().chain(expected.keys()) {
            assert_eq!(live.get(path), expected.get(path), "{path}");
        }
    }
}

impl Prepared<'_> {
    /// Leaves everything as a kill does: before the point of no return, or after so many changes.
    pub(super) fn stop_after(mut self, changes: Option<usize>) {
        if let Some(changes) = changes {
            self.work.journal.write(&Line::Commit { changes: self.work.entries.len() }).unwrap();
            let (stores, entries) = (&self.work.journal.head().stores, self.work.entries.only(0..changes));
            apply::forward(self.work.live, stores, &entries, self.work.same, self.work.volatile).unwrap();
        }
    }
}

impl Merged<'_> {
    /// Leaves everything as a kill does after so many changes were taken back.
    pub(super) fn stop_undoing_after(mut self, changes: usize) {
        self.work.journal.write(&Line::Undoing { why: "a test".to_owned() }).unwrap();
        let (stores, all) = (&self.work.journal.head().stores, self.work.entries.len());
        let entries = self.work.entries.only(all - changes..all);
        apply::backward(self.work.live, stores, &entries, &BTreeSet::new(), self.work.volatile);
    }
}

static NONE: BTreeMap<RootedPath, u64> = BTreeMap::new();

pub(super) fn fill(root: &Path) {
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir_all(root.join("d/e")).unwrap();
    for file in ["a/x", "a/b/y", "d/e/z", "top"] {
        fs::write(root.join(file), format!("the content of {file}\n")).unwrap();
    }
    fs::hard_link(root.join("a/x"), root.join("a/x2")).unwrap();
    fs::hard_link(root.join("a/x"), root.join("d/x3")).unwrap();
    symlink("a", root.join("link")).unwrap();
    chown(root.join("d/e/z"), Some(77), Some(78)).unwrap();
}

pub(super) fn clear(path: &Path) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Parts a file from its other names, as copy-up does; what follows changes it for good, for a parting alone is not merged.
pub(super) fn part(path: &Path) {
    if path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        let copy = path.with_extension("copy");
        crate::layered::copy(path, &copy);
        fs::rename(copy, path).unwrap();
    }
}

fn mark_immutable(path: PathBuf, on: bool) {
    let file = fs::File::open(path).unwrap();
    let mut flags = rustix::fs::ioctl_getflags(&file).unwrap();
    flags.set(IFlags::IMMUTABLE, on);
    rustix::fs::ioctl_setflags(&file, flags).unwrap();
}

/// Changes in every way: a new tree, a replaced file, a type change, a mode, a deletion.
pub(super) fn change_everything(after: &Path) {
    fs::create_dir_all(after.join("new/sub")).unwrap();
    fs::write(after.join("new/sub/leaf"), "leaf\n").unwrap();
    fs::write(after.join("top"), "other\n").unwrap();
    fs::remove_dir_all(after.join("a/b")).unwrap();
    fs::write(after.join("a/b"), "no folder any more\n").unwrap();
    fs::set_permissions(after.join("d"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::remove_file(after.join("d/e/z")).unwrap();
}

#[test]
fn a_failure_while_staging_leaves_the_tree_as_it_was() {
    let world = World::new(fill);
    change_everything(&world.after());
    let merge = Merge::new(world, &|_| false);
    mark_immutable(merge.world.live().join("a"), true);
    let refused = prepared(&merge.source());
    mark_immutable(merge.world.live().join("a"), false);
    let Err(MergeError::Refused(Refusals(refused))) = refused else { panic!("{refused:?}") };
    let [Refusal::Obstacle { path, .. }] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(*path, rooted("a"), "the check sees it before anything is made");
    assert!(replay::unfinished(&journals(merge.home.path()), &merge.root).unwrap().is_empty());
    // What is there by that name is somebody else's.
    fs::create_dir_all(merge.world.live().join(".disco-undo/20120101-1")).unwrap();
    fs::write(merge.world.live().join(".disco-undo/20120101-1/theirs"), "").unwrap();
    assert!(prepared(&merge.source()).is_err());
    clear(&merge.world.live().join(".disco-undo"));
    assert_eq!(manifest(&merge.world.live()), manifest(&merge.world.lower()));
    self::merge(&merge.source()).unwrap();
    merge.assert_live_is(&merge.world.after());
}

#[test]
fn a_failure_while_applying_takes_everything_back() {
    for stubborn in ["a", "d", "d/e"] {
        let world = World::new(fill);
        change_everything(&world.after());
        let merge = Merge::new(world, &|_| false);
        let prepared = prepared(&merge.source()).unwrap();
        mark_immutable(merge.world.live().join(stubborn), true);
        let failed = prepared.commit();
        mark_immutable(merge.world.live().join(stubborn), false);
        let Err(MergeError::Apply { still, left, .. }) = failed else { panic!("{failed:?}") };
        assert_eq!((still, left), (Vec::new(), Vec::new()), "{stubborn}");
        assert_eq!(manifest(&merge.world.live()), manifest(&merge.world.lower()), "{stubborn}");
        assert!(replay::unfinished(&journals(merge.home.path()), &merge.root).unwrap().is_empty());
    }
}

#[test]
fn a_full_file_system_leaves_the_tree_as_it_was() {
    // The mount is in a namespace of this one thread, and ends with it.
    std::thread::spawn(|| {
        use nix::mount::{MsFlags, mount};
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let world = World::new(fill);
        fs::write(world.after().join("a/small"), "fits\n").unwrap();
        fs::write(world.after().join("d/large"), vec![b'x'; 300 * 1024]).unwrap();
        let kept = world.live();
        let moved = kept.with_file_name("full");
        fs::rename(&kept, &moved).unwrap();
        fs::create_dir(&kept).unwrap();
        mount(Some("tmpfs"), &kept, Some("tmpfs"), MsFlags::empty(), Some("size=128k,mode=755")).unwrap();
        crate::layered::copy(&moved, &kept);
        let merge = Merge::new(world, &|_| false);
        let failed = self::merge(&merge.source());
        let Err(MergeError::Refused(Refusals(refused))) = failed else { panic!("{failed:?}") };
        let [Refusal::Room { path, mount, of: Room::Space, needed, free }] = &refused[..] else {
            panic!("{refused:?}")
        };
        assert_eq!((path, mount.as_str()), (&rooted("d/large"), kept.to_str().unwrap()));
        assert!((300 << 10..330 << 10).contains(needed) && *free < 128 << 10, "{needed} {free}");
        merge.assert_live_is(&merge.world.lower());
        drop(merge.live);
        nix::mount::umount2(&kept, nix::mount::MntFlags::MNT_DETACH).unwrap();
    })
    .join()
    .unwrap();
}

#[test]
fn what_changed_meanwhile_is_refused_by_name() {
    type Row = (&'static str, fn(&Path), &'static str, Conflict);
    let rows: &[Row] = &[
        ("edited", |live| fs::write(live.join("top"), "mine\n").unwrap(), "top", Conflict::Changed),
        (
            "same size",
            |live| fs::write(live.join("top"), "THE content of top\n").unwrap(),
            "top",
            Conflict::Changed,
        ),
        ("gone", |live| fs::remove_file(live.join("top")).unwrap(), "top", Conflict::Vanished),
        ("name taken", |live| fs::write(live.join("new"), "").unwrap(), "new", Conflict::Appeared),
        (
            "new in a deleted folder",
            |live| fs::write(live.join("a/b/mine"), "").unwrap(),
            "a/b/mine",
            Conflict::Appeared,
        ),
        (
            "other mode",
            |live| fs::set_permissions(live.join("d"), PermissionsExt::from_mode(0o711)).unwrap(),
            "d",
            Conflict::Changed,
        ),
    ];
    for (name, meanwhile, expected, how) in rows {
        let world = World::new(fill);
        change_everything(&world.after());
        let merge = Merge::new(world, &|_| false);
        meanwhile(&merge.world.live());
        let before = manifest(&merge.world.live());
        let failed = self::merge(&merge.source());
        let Err(MergeError::Conflicts(Clashes(found))) = failed else { panic!("{name}: {failed:?}") };
        let found: Vec<_> = found.iter().map(|clash| (clash.path.clone(), clash.conflict)).collect();
        assert_eq!(found, [(rooted(expected), *how)], "{name}");
        assert_eq!(manifest(&merge.world.live()), before, "{name}");
    }
}

#[test]
fn a_parent_that_became_a_link_is_never_followed() {
    let world = World::new(fill);
    fs::write(world.after().join("d/e/new"), "").unwrap();
    let merge = Merge::new(world, &|_| false);
    fs::rename(merge.world.live().join("d/e"), merge.world.live().join("elsewhere")).unwrap();
    symlink("../elsewhere", merge.world.live().join("d/e")).unwrap();
    let failed = self::merge(&merge.source());
    let Err(MergeError::Conflicts(Clashes(found))) = failed else { panic!("it was followed") };
    assert_eq!((&found[0].path, found[0].conflict), (&rooted("d/e"), Conflict::NoDirectory));
    assert!(!merge.world.live().join("elsewhere/new").exists());
}

#[test]
fn the_root_itself_can_change_its_mode() {
    let world = World::new(fill);
    fs::set_permissions(world.after(), PermissionsExt::from_mode(0o711)).unwrap();
    let mut merge = Merge::new(world, &|_| false);
    let root = LayerEntry {
        path: rooted("/"),
        kind: crate::model::layer::LayerKind::Directory { opaque: false },
        stamp: None,
    };
    merge.scratch.entries.insert(0, root);
    merge.changes = merge.scratch.changes(&[]);
    self::merge(&merge.source()).unwrap();
    merge.assert_live_is(&merge.world.after());
}

#[test]
fn a_socket_is_left_out_and_named() {
    let world = World::new(fill);
    fs::create_dir(world.after().join("run")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.after().join("run/s")).unwrap();
    let merge = Merge::new(world, &|_| false);
    assert_eq!(self::merge(&merge.source()).unwrap().sockets, [rooted("run/s")]);
    assert!(merge.world.live().join("run").is_dir() && !merge.world.live().join("run/s").exists());
}

#[test]
fn a_file_changes_in_place_only_where_that_is_the_same() {
    let world = World::new(fill);
    for file in ["top", "a/x2"] {
        part(&world.after().join(file));
        fs::set_permissions(world.after().join(file), PermissionsExt::from_mode(0o600)).unwrap();
    }
    let merge = Merge::new(world, &|_| false);
    let open = fs::File::open(merge.world.live().join("top")).unwrap();
    let source = merge.source();
    let facts = survey::survey(&source).unwrap();
    let plan = plan::plan(source.changes, &facts, source.exclude);
    let staged = |op: &Op<'_>| match op {
        Op::Place { items, .. } => plan.items(items).iter().map(|item| item.make).collect(),
        Op::Attributes { .. } | Op::Append { .. } | Op::Delete { .. } => Vec::new(),
    };
    assert_eq!(plan.ops.iter().map(staged).collect::<Vec<_>>(), [vec![Make::Copy], vec![]], "{plan:?}");
    assert_eq!(plan.ops[1], Op::Attributes { path: &rooted("top") });
    self::merge(&merge.source()).unwrap();
    assert_eq!(open.metadata().unwrap().permissions().mode(), 0o100600, "an open log stays the file");
    merge.assert_live_is(&merge.world.after());
}

#[test]
fn the_home_stays_whatever_happens_around_it() {
    let world = World::new(|root| {
        fill(root);
        fs::create_dir_all(root.join("var/disco/runs")).unwrap();
    });
    fs::write(world.after().join("var/disco/mine"), "").unwrap();
    fs::write(world.after().join("top"), "other\n").unwrap();
    let home = [rooted("var/disco")];
    let merge = Merge::excluding(world, &|_| false, &home);
    self::merge(&merge.source()).unwrap();
    assert!(!merge.world.live().join("var/disco/mine").exists());
    assert_eq!(fs::read_to_string(merge.world.live().join("top")).unwrap(), "other\n");
    let world = World::new(|root| fs::create_dir_all(root.join("var/disco/runs")).unwrap());
    clear(&world.after().join("var"));
    let merge = Merge::excluding(world, &|_| false, &home);
    let Err(MergeError::Refused(Refusals(refused))) = self::merge(&merge.source()) else { panic!("it went") };
    assert_eq!(refused, [Refusal::Home { path: rooted("var"), home: rooted("var/disco") }]);
}

#[test]
fn a_place_that_somebody_changes_at_the_last_moment_keeps_all_of_it_from_being_merged() {
    let world = World::new(fill);
    change_everything(&world.after());
    let merge = Merge::new(world, &|_| false);
    let live = merge.world.live();
    let prepared = prepared(&merge.source()).unwrap();
    fs::write(live.join("theirs"), "theirs\n").unwrap();
    fs::rename(live.join("theirs"), live.join("top")).unwrap();
    let before = manifest(&live);
    let Err(MergeError::Meanwhile { paths, still }) = prepared.commit() else { panic!("it is merged") };
    assert_eq!((paths, still), (vec![rooted("top")], Vec::new()));
    let now: Vec<_> = manifest(&live).into_keys().filter(|path| !is_litter(path)).collect();
    assert_eq!(now, before.into_keys().filter(|path| !is_litter(path)).collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(live.join("top")).unwrap(), "theirs\n");
    assert!(live.join("a/b").is_dir() && !live.join(".disco-undo").exists());
    assert!(replay::unfinished(&journals(merge.home.path()), &merge.root).unwrap().is_empty());
}
