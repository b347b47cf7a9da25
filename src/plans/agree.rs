//! Whether the parts of a plan say the same, so that what is shown of it is what it does. Pure. An `Err` is what is wrong, in
//! words.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeSet, ContentChange};
use crate::model::path::RootedPath;
use crate::model::saved::{Expected, Role, Standing};
use crate::model::text::Text;
use crate::plans::objects::has_object;
use crate::plans::{Stored, What, digest};
use crate::sys::metadata::{self, Metadata};

/// The md5 of each file's content, in hex, found when it was read.
pub type Contents = BTreeMap<RootedPath, String>;

/// Whether the objects can stand side by side: each once, in order, below directories alone, links after what they are of.
pub fn sound(objects: &[Stored]) -> Result<(), String> {
    let mut before: BTreeMap<&RootedPath, &What> = BTreeMap::new();
    let mut last: Option<&RootedPath> = None;
    for Stored { path, what } in objects {
        if last.is_some_and(|last| last >= path) {
            return Err(format!("{path} is listed twice, or out of order"));
        }
        last = Some(path);
        let mut above = path.parent();
        while let Some(directory) = above {
            match before.get(&directory) {
                None | Some(What::Directory { .. }) => {}
                Some(_) => return Err(format!("{path} lies below {directory}, which is no directory")),
            }
            above = directory.parent();
        }
        let fits = match what {
            What::Whiteout => true,
            What::Directory { metadata, .. } => is(metadata, &[FileKind::Directory]),
            What::Symlink { metadata, .. } => is(metadata, &[FileKind::Symlink]),
            What::Special { metadata, .. } => {
                is(metadata, &[FileKind::Fifo, FileKind::CharacterDevice, FileKind::BlockDevice])
            }
            What::File { metadata, size, data, .. } => {
                is(metadata, &[FileKind::Regular]) && ascending(data, *size)
            }
            What::Link { to } => matches!(
                before.get(to),
                Some(What::File { .. } | What::Symlink { .. } | What::Special { .. })
            ),
        };
        if !fits || (*path == RootedPath::default() && !matches!(what, What::Directory { .. })) {
            return Err(format!("the object at {path} makes no sense"));
        }
        before.insert(path, what);
    }
    Ok(())
}

fn is(metadata: &Metadata, kinds: &[FileKind]) -> bool {
    kinds.contains(&metadata.kind) && metadata.permissions & !0o7777 == 0
}

fn ascending(data: &[(u64, u64)], size: u64) -> bool {
    let mut at = 0;
    // The system's own limit of a file.
    size <= i64::MAX.unsigned_abs()
        && data.iter().all(|(start, end)| {
            let fits = *start >= at && start < end && *end <= size;
            at = *end;
            fits
        })
}

/// Whether differences, objects and expectations are of each other. The objects must be sound.
pub fn agree(
    changes: &ChangeSet,
    expected: &[Expected],
    objects: &[Stored],
    contents: &Contents,
) -> Result<(), String> {
    let held = Held { objects: objects.iter().map(|one| (&one.path, &one.what)).collect(), contents };
    let mut awaited: BTreeMap<&RootedPath, &Expected> = BTreeMap::new();
    for one in expected {
        let directory = one.state.as_ref().is_some_and(|state| state.attributes.kind == FileKind::Directory);
        if one.role == Role::Holds && !directory {
            return Err(format!("{} is said to hold something, and to be no directory", one.path));
        }
        if awaited.insert(&one.path, one).is_some() {
            return Err(format!("{} is expected twice", one.path));
        }
    }
    let mut changed: BTreeSet<&RootedPath> = BTreeSet::new();
    for change in &changes.0 {
        let path = &change.path;
        if changed.last().is_some_and(|last| *last >= path) {
            return Err(format!("the difference of {path} is listed twice, or out of order"));
        }
        changed.insert(path);
        let mut above = path.parent();
        while let Some(directory) = above {
            if !awaited.contains_key(&directory) {
                return Err(format!("nothing is said to be expected at {directory}"));
            }
            above = directory.parent();
        }
        let before = awaited.get(path).filter(|one| one.role == Role::Touched);
        let before = before.ok_or_else(|| format!("nothing is said to be expected at {path}"))?;
        if !held.bears_out(change, before.state.as_ref()) {
            return Err(format!("the difference of {path} is not that of its object"));
        }
    }
    let linked: BTreeSet<&RootedPath> = objects.iter().filter_map(|one| link(&one.what)).collect();
    for Stored { path, what } in objects.iter().filter(|one| !changed.contains(&one.path)) {
        let named = link(what).is_some() || linked.contains(path);
        let state = awaited.get(path).and_then(|one| one.state.as_ref());
        if !named || state.is_none() || held.standing(path) != state.map(plain) {
            return Err(format!("{path} is among the objects, and no difference"));
        }
    }
    Ok(())
}

fn link(what: &What) -> Option<&RootedPath> {
    match what {
        What::Link { to } => Some(to),
        What::Whiteout
        | What::Directory { .. }
        | What::File { .. }
        | What::Symlink { .. }
        | What::Special { .. } => None,
    }
}

/// The state without what belongs to one node: the names of accounts, the device.
fn plain(state: &Standing) -> Standing {
    let attributes =
        Attributes { device: 0, owner: String::new(), group: String::new(), ..state.attributes.clone() };
    Standing { attributes, ..state.clone() }
}

/// The objects of a plan, by path.
struct Held<'a> {
    objects: BTreeMap<&'a RootedPath, &'a What>,
    contents: &'a Contents,
}

impl Held<'_> {
    /// What the object at a path is, plain; none where there is none.
    fn standing(&self, path: &RootedPath) -> Option<Standing> {
        let what = self.objects.get(path)?;
        let (path, what) = match link(what) {
            Some(to) => (to, self.objects.get(to)?),
            None => (path, what),
        };
        let (metadata, size, sha256, target, rdev) = match what {
            What::Whiteout | What::Link { .. } => return None,
            What::Directory { metadata, .. } => (metadata, 0, None, None, None),
            What::File { metadata, size, sha256, .. } => (metadata, *size, Some(sha256.clone()), None, None),
            What::Symlink { metadata, target } => (metadata, target.len() as u64, None, Some(target), None),
            What::Special { metadata, rdev } => {
                (metadata, 0, None, None, (metadata.kind != FileKind::Fifo).then_some(*rdev))
            }
        };
        let md5 = if sha256.is_some() { Some(self.contents.get(path)?.clone()) } else { None };
        let target = target.map(|target| metadata::shown(target.as_encoded_bytes()));
        let attributes = metadata::described(metadata, size, md5, target, rdev);
        Some(Standing { attributes, sha256 })
    }

    /// Whether a difference is that between what is expected and the object.
    fn bears_out(&self, change: &Change, expected: Option<&Standing>) -> bool {
        let path = &change.path;
        let (before, after) = change.kind.sides();
        let own = if has_object(&change.kind) { self.standing(path) } else { None };
        let attributes = |standing: &Standing| plain(standing).attributes;
        let of = |one: &Attributes| attributes(&Standing { attributes: one.clone(), sha256: None });
        let then = expected.map(attributes) == before.map(of);
        let now = match after {
            Some(after) if has_object(&change.kind) => own.as_ref().map(attributes) == Some(of(after)),
            // A socket has no object, and whatever goes has none that stays.
            Some(_) => !self.objects.contains_key(path),
            None => self.objects.get(path).is_none_or(|what| matches!(what, What::Whiteout)),
        };
        let shown = |text: &Text, side: Option<&Standing>| {
            let sum = side.and_then(|side| side.sha256.clone());
            sum.map_or(text.is_empty(), |sum| sum == digest::sha256(text.shown().as_bytes()))
        };
        let size = |side: Option<&Standing>| {
            side.filter(|side| side.sha256.is_some()).map_or(0, |side| side.attributes.size)
        };
        let sum = |side: Option<&Standing>| side.and_then(|side| side.sha256.clone());
        then && now
            && match &change.content {
                ContentChange::Same => {
                    let empty = |side: Option<&Standing>| size(side) == 0;
                    sum(expected) == sum(own.as_ref()) || (empty(expected) && empty(own.as_ref()))
                }
                ContentChange::Text { before, after } => {
                    shown(before, expected) && shown(after, own.as_ref())
                }
                // A plan holds everything.
                ContentChange::Withheld { .. } => false,
                ContentChange::Binary { before, after } | ContentChange::Large { before, after } => {
                    *before == size(expected) && *after == size(own.as_ref())
                }
            }
    }
}
