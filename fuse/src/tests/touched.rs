//! What was touched is told: whoever reads nothing else of the layer knows all of it.

use super::{MAKER, look, overlay};
use crate::attributes::Change;
use crate::create::Maker;
use crate::ids::ROOT;
use crate::rename::Target;
use crate::{Extent, LayerEntry, LayerKind, Overlay, Touched, read_layer, read_layer_at, read_layer_within};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// What is compared of an object of the layer.
type Facts = (LayerKind, u32, u64, Vec<u8>);
type Known = BTreeMap<PathBuf, Facts>;

fn facts(overlay: &Overlay, entry: &LayerEntry) -> Facts {
    let stat = &entry.attributes;
    match entry.kind {
        LayerKind::Whiteout => (entry.kind, 0, 0, Vec::new()),
        LayerKind::Directory { .. } => (entry.kind, stat.mode, 0, Vec::new()),
        LayerKind::Other => {
            let upper = format!("/proc/self/fd/{}", overlay.upper_dir().as_raw_fd());
            (entry.kind, stat.mode, stat.ino, fs::read(Path::new(&upper).join(&entry.path)).unwrap())
        }
    }
}

fn everything(overlay: &Overlay) -> Known {
    let layer = read_layer(overlay.upper_dir()).unwrap();
    layer.iter().map(|entry| (entry.path.clone(), facts(overlay, entry))).collect()
}

/// Brings `known` up to date, as the documentation of [`Touched`] says. Returns how many objects were read.
fn follow(overlay: &Overlay, known: &mut Known, touched: Touched) -> usize {
    let upper = overlay.upper_dir();
    let named = |known: &Known, ino: u64| -> Vec<(PathBuf, Extent)> {
        let names = known.iter().filter(|(_, facts)| facts.0 == LayerKind::Other && facts.2 == ino);
        names.map(|(path, _)| (path.clone(), Extent::Itself)).collect()
    };
    let mut queue: Vec<(PathBuf, Extent)> = touched.paths.into_iter().collect();
    queue.extend(touched.inodes.iter().flat_map(|ino| named(known, *ino)));
    for (path, _) in queue.clone() {
        queue.extend(
            known
                .get(&path)
                .filter(|old| old.0 == LayerKind::Other)
                .map(|old| named(known, old.2))
                .into_iter()
                .flatten(),
        );
        let new = read_layer_at(upper, &path).unwrap().map(|new| new.attributes.ino);
        queue.extend(new.map(|ino| named(known, ino)).into_iter().flatten());
    }
    let mut read = 0;
    for (path, extent) in queue {
        let new = read_layer_at(upper, &path).unwrap();
        let kinds = (known.get(&path).map(|old| old.0), new.as_ref().map(|new| new.kind));
        let stays = matches!(kinds, (Some(LayerKind::Directory { opaque }), Some(LayerKind::Directory { opaque: now })) if opaque == now);
        let new = if path.as_os_str().is_empty() || (stays && extent == Extent::Itself) {
            known.remove(&path);
            new.into_iter().collect()
        } else {
            known.retain(|other, _| !other.starts_with(&path));
            read_layer_within(upper, &path).unwrap()
        };
        read += new.len();
        known.extend(new.iter().map(|entry| (entry.path.clone(), facts(overlay, entry))));
    }
    read
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const DIRECTORIES: [&str; 5] = ["", "d", "d/e", "m", "m/n"];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "n"];

fn fill(lower: &Path) {
    for directory in &DIRECTORIES[1..] {
        fs::create_dir_all(lower.join(directory)).unwrap();
    }
    for path in ["a", "d/a", "d/e/a", "m/a", "m/n/a"] {
        fs::write(lower.join(path), path).unwrap();
    }
    for path in ["b", "d/b", "d/e/b", "m/n/b"] {
        fs::hard_link(lower.join("m/a"), lower.join(path)).unwrap();
    }
}

/// Does one thing, which may well be impossible. What is looked up is forgotten at once, or some time later.
fn act(overlay: &Overlay, dice: &mut Dice, open: &mut Vec<u64>) {
    let path = |dice: &mut Dice| {
        let at = (DIRECTORIES[dice.roll(DIRECTORIES.len())], NAMES[dice.roll(NAMES.len())]);
        Path::new(at.0).join(at.1)
    };
    // Held for this request alone.
    let directory = |path: &Path| {
        let mut at = overlay.lookup(ROOT, OsStr::new("")).ok().flatten().map(|(hold, _)| hold);
        let mut id = ROOT;
        for name in path.parent().unwrap() {
            let (next, _) = overlay.lookup(id, name).ok().flatten()?;
            id = next.id;
            at = Some(next);
        }
        Some((at, id))
    };
    let (one, other) = (path(dice), path(dice));
    let (Some((_one, parent)), Some((_other, into))) = (directory(&one), directory(&other)) else { return };
    let (name, new) = (one.file_name().unwrap(), other.file_name().unwrap());
    if dice.roll(6) == 0 {
        open.extend(overlay.lookup(parent, name).ok().flatten().map(|(node, _)| {
            let id = node.id;
            node.remembered();
            id
        }));
    }
    let known = overlay.lookup(parent, name).ok().flatten();
    let id = known.as_ref().map_or(ROOT, |(node, _)| node.id);
    let folder = Maker { mode: 0o755, ..MAKER };
    let change = Change { mode: Some(0o600 + dice.roll(64) as u32), ..Change::default() };
    let text = format!("text {}", dice.roll(1000));
    // Each may fail, for there is no such name, or there is: that is as good.
    let _ = match dice.roll(13) {
        0 => overlay.create(parent, name, MAKER).map(drop),
        1 | 2 => overlay.write(id, 0, text.as_bytes(), false).map(drop),
        3 => overlay.set_attributes(id, &change).map(drop),
        4 => overlay.unlink(parent, name),
        5 => overlay.remove_directory(parent, name),
        6 => overlay.make_directory(parent, name, folder).map(drop),
        7 => overlay.rename((parent, name), (into, new), Target::Replace),
        8 => overlay.rename((parent, name), (into, new), Target::Exchange),
        9 => overlay.make_link(id, into, new).map(drop),
        10 => overlay.make_symlink(parent, name, OsStr::new("/proc/version"), MAKER).map(drop),
        11 => overlay.set_xattr(id, c"user.k", b"v", 0),
        _ if open.is_empty() => Ok(()),
        _ => {
            let open = open[dice.roll(open.len())];
            overlay.write(open, 3, text.as_bytes(), false).map(drop)
        }
    };
    if !open.is_empty() && dice.roll(12) == 0 {
        overlay.forget(open.swap_remove(dice.roll(open.len())), 1);
    }
}

#[test]
fn whoever_reads_what_was_touched_alone_knows_the_whole_layer() {
    let mut did = 0;
    for seed in 0..24 {
        let (_directory, overlay) = overlay(fill);
        overlay.watch();
        let (mut known, mut open, mut dice) = (Known::new(), Vec::new(), Dice(seed));
        for round in 0..40 {
            for _ in 0..=dice.roll(8) {
                act(&overlay, &mut dice, &mut open);
            }
            let touched = overlay.take_touched();
            did += touched.paths.len();
            let told = format!("{touched:?}");
            follow(&overlay, &mut known, touched);
            let all = everything(&overlay);
            assert_eq!(known, all, "seed {seed}, round {round}: {told}");
            // The differences go on from here.
            known = all;
        }
    }
    assert!(did > 1500, "only {did} paths were touched: the test does too little");
}

#[test]
fn a_file_that_is_written_often_is_told_once_a_time() {
    let (_directory, overlay) = overlay(fill);
    overlay.watch();
    let id = look(&overlay, "d/a").unwrap();
    for time in 0..3 {
        for number in 0..1000 {
            overlay.write(id, number, b"x", false).unwrap();
        }
        let touched = overlay.take_touched();
        // The first write copies up the directory as well.
        let expected: &[&str] = if time == 0 { &["d", "d/a"] } else { &["d/a"] };
        assert_eq!(touched.paths.keys().collect::<Vec<_>>(), expected);
        assert!(touched.inodes.is_empty());
    }
    assert_eq!(overlay.take_touched(), Touched::default());
    look(&overlay, "m/n/a").unwrap();
    overlay.read(id, 0, 10, |data| assert!(data.is_ok()));
    assert_eq!(overlay.take_touched(), Touched::default(), "a look is no touch");
}

#[test]
fn nothing_is_kept_for_nobody() {
    let (_directory, overlay) = overlay(fill);
    let id = look(&overlay, "d/a").unwrap();
    overlay.write(id, 0, b"x", false).unwrap();
    overlay.unlink(ROOT, OsStr::new("a")).unwrap();
    assert_eq!(overlay.take_touched(), Touched::default());
}

#[test]
fn the_cost_of_one_more_file_does_not_depend_on_those_before() {
    let (_directory, overlay) = overlay(fill);
    overlay.watch();
    let mut known = Known::new();
    let counts: Vec<usize> = (0..300)
        .map(|number| {
            overlay.create(ROOT, OsStr::new(&format!("f{number}")), MAKER).unwrap();
            let touched = overlay.take_touched();
            follow(&overlay, &mut known, touched)
        })
        .collect();
    assert_eq!(known.len(), 300);
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn a_write_to_a_file_without_a_name_is_told_only_where_another_name_shows_it() {
    let (_directory, overlay) = overlay(fill);
    overlay.watch();
    let alone = look(&overlay, "a").unwrap();
    let linked = look(&overlay, "d/b").unwrap();
    overlay.write(linked, 0, b"x", false).unwrap();
    overlay.unlink(ROOT, OsStr::new("a")).unwrap();
    let d = look(&overlay, "d").unwrap();
    overlay.unlink(d, OsStr::new("b")).unwrap();
    overlay.take_touched();
    overlay.write(alone, 0, b"y", false).unwrap();
    assert_eq!(overlay.take_touched(), Touched::default());
    overlay.write(linked, 0, b"y", false).unwrap();
    let touched = overlay.take_touched();
    assert!(!touched.paths.is_empty() || !touched.inodes.is_empty());
    assert!(!touched.paths.contains_key(Path::new("d/b")), "{touched:?}");
}
