//! What directories hold: read from the live root or from a store, one object after the other, sorted by path, and compared with
//! what the journal says. None of it is kept in memory but the names of the directories that are being read.

use crate::merge::MergeError;
use crate::merge::entries::{Entries, HeldLines};
use crate::merge::entry::{Entry, Held};
use crate::merge::seen::Seen;
use crate::merge::store::Stores;
use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::tree::{Root, TreeError};

/// Goes through all that the directory at `at` holds, as if it were at `place`, until somebody has had enough.
pub(super) fn each<E: From<TreeError>>(
    live: &Root,
    at: &RootedPath,
    place: &RootedPath,
    told: &mut dyn FnMut(Held) -> Result<Go, E>,
) -> Result<Go, E> {
    let directory = live.directory(at)?;
    for name in directory.names()? {
        let (Ok(inner), Ok(path)) = (at.join(&name), place.join(&name)) else { continue };
        let Some(object) = directory.lookup(&name)? else { continue };
        let held = Held { path: path.clone(), seen: Seen::from(object.stat()) };
        if told(held)? == Go::Stop
            || object.kind() == FileKind::Directory && each(live, &inner, &path, told)? == Go::Stop
        {
            return Ok(Go::Stop);
        }
    }
    Ok(Go::On)
}

/// Whether somebody wants the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    On,
    Stop,
}

/// Whether the directory at `path` holds just what it held when it was placed.
pub(super) fn is_the_same(live: &Root, path: &RootedPath, mut then: HeldLines) -> Result<bool, MergeError> {
    let went = each::<MergeError>(live, path, path, &mut |now| {
        let then = then.next().transpose().map_err(MergeError::Journal)?;
        let as_then = then.is_some_and(|then| then.path == now.path && is_as_then(&then.seen, &now.seen));
        Ok(if as_then { Go::On } else { Go::Stop })
    })?;
    Ok(went == Go::On && then.next().is_none())
}

/// Whether two looks are at one object with the same content, permissions and owner.
fn is_as_then(then: &Seen, now: &Seen) -> bool {
    let directory = then.kind() == Some(FileKind::Directory);
    (then.inode, then.mode, then.owner) == (now.inode, now.mode, now.owner)
        && (directory || (then.size, then.mtime) == (now.size, now.mtime))
}

/// How many bytes of files a merge has replaced.
pub(super) fn bytes(live: &Root, stores: &Stores, entries: &Entries) -> Result<u64, MergeError> {
    let mut bytes = 0;
    for entry in entries.iter() {
        let entry = entry.map_err(MergeError::Journal)?;
        let (Entry::Replace { at, old, .. } | Entry::Delete { at, old, .. }) = &entry else { continue };
        if old.kind() != Some(FileKind::Directory) {
            bytes += size(old);
            continue;
        }
        let path = stores.path(*at).join(at.name()).unwrap_or_default();
        let went = each::<TreeError>(live, &path, &path, &mut |held| {
            bytes += size(&held.seen);
            Ok(Go::On)
        });
        match went {
            Ok(_) => {}
            // A volatile store, after the machine has started anew; or it was left as it was.
            Err(error) if error.is_lost() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

fn size(seen: &Seen) -> u64 {
    if seen.kind() == Some(FileKind::Regular) { seen.size } else { 0 }
}
