//! What a plan rests on: whether the live root still is that, and what of the plan is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet, ContentChange};
use crate::model::conflict::{OnConflict, Whose};
use crate::model::path::RootedPath;
use crate::model::saved::{Expected, Role, Standing};
use crate::ops::dance::DanceError;
use crate::plans::{Plan, What, standing};
use crate::sandbox;
use crate::sys::tree::Root;

use super::ApplyError;

/// A path at which the live root is not what a plan rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where.
    pub path: RootedPath,
    /// How, as the end of a sentence.
    pub how: String,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.how)
    }
}

/// The differences that are left to do: without those that are so already. Everything else must be as the plan expects it,
/// or it must be said whose state of it counts; all that is not is in the error.
pub(super) fn left_to_do(
    plan: &Plan,
    live: &Root,
    excluded: &[RootedPath],
    on_conflict: &OnConflict,
) -> Result<ChangeSet, DanceError> {
    let expected: BTreeMap<&RootedPath, &Expected> =
        plan.expected.iter().map(|one| (&one.path, one)).collect();
    let hashes: BTreeMap<&RootedPath, &str> = hashes(plan);
    let known: BTreeSet<&RootedPath> = plan.changes.0.iter().map(|change| &change.path).collect();
    let mut left = Vec::new();
    let mut moved = Vec::new();
    for change in &plan.changes.0 {
        let path = &change.path;
        if excluded.iter().any(|home| path.is_within(home)) {
            continue;
        }
        let now = standing::look(live, path, &sandbox::is_private_xattr)?;
        if is_so(change, now.as_ref(), hashes.get(path).copied()) {
            continue;
        }
        let then = expected.get(path).and_then(|one| one.state.as_ref());
        match how_moved(then, now.as_ref()) {
            None => left.push(change.clone()),
            Some(how) => match on_conflict.at(path) {
                Whose::Abort => moved.push(Moved { path: path.clone(), how }),
                Whose::Theirs => {}
                Whose::Mine => left.extend(instead(change, now)),
            },
        }
        if goes(change) {
            strangers(path, live, &known, on_conflict, &mut left, &mut moved)?;
        }
    }
    if left.iter().all(|change| wanted(change).is_some_and(|after| after.kind == FileKind::Socket)) {
        // Sockets never merge: where they alone are left, nothing is.
        left.clear();
    }
    left.sort_by(|a, b| a.path.cmp(&b.path));
    for one in &plan.expected {
        let concerned = match one.role {
            // A change of its own was looked at above; what has none is one more name of something that changes.
            Role::Touched => !known.contains(&one.path) && !left.is_empty(),
            Role::Holds => {
                left.iter().any(|change| change.path.is_within(&one.path))
                    || moved.iter().any(|moved| moved.path.is_within(&one.path))
            }
        };
        if concerned {
            let now = standing::look(live, &one.path, &sandbox::is_private_xattr)?;
            let is_there = now.as_ref().map(|now| now.attributes.kind)
                == one.state.as_ref().map(|state| state.attributes.kind);
            let waived = is_there && one.role == Role::Holds && on_conflict.at(&one.path) != Whose::Abort;
            if let Some(how) = how_moved(one.state.as_ref(), now.as_ref()).filter(|_| !waived) {
                moved.push(Moved { path: one.path.clone(), how });
            }
        }
    }
    moved.sort_by(|a, b| a.path.cmp(&b.path));
    moved.dedup();
    if moved.is_empty() { Ok(ChangeSet(left)) } else { Err(ApplyError::Moved(moved).into()) }
}

/// sha256 of the content that each file of the plan will have.
fn hashes(plan: &Plan) -> BTreeMap<&RootedPath, &str> {
    let mut hashes = BTreeMap::new();
    for stored in &plan.objects {
        match &stored.what {
            What::File { sha256, .. } => drop(hashes.insert(&stored.path, sha256.as_str())),
            What::Link { to } => {
                if let Some(hash) = hashes.get(to).copied() {
                    hashes.insert(&stored.path, hash);
                }
            }
            What::Whiteout | What::Directory { .. } | What::Symlink { .. } | What::Special { .. } => {}
        }
    }
    hashes
}

/// Whether a path is as the difference wants it.
fn is_so(change: &Change, now: Option<&Standing>, sha256: Option<&str>) -> bool {
    match (wanted(change), now) {
        (None, None) => true,
        (Some(after), Some(now)) => {
            let after = Standing { attributes: after.clone(), sha256: sha256.map(str::to_owned) };
            after.is_same(now)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn wanted(change: &Change) -> Option<&Attributes> {
    match &change.kind {
        ChangeKind::Created { after } | ChangeKind::Modified { after, .. } => Some(after),
        ChangeKind::Deleted { .. } => None,
    }
}

/// Whether a directory goes by it, with all that it holds.
fn goes(change: &Change) -> bool {
    match &change.kind {
        ChangeKind::Deleted { before } => before.kind == FileKind::Directory,
        ChangeKind::Modified { before, after } => {
            before.kind == FileKind::Directory && after.kind != FileKind::Directory
        }
        ChangeKind::Created { .. } => false,
    }
}

/// What has become of an object, as the end of a sentence; none where it is the same.
fn how_moved(then: Option<&Standing>, now: Option<&Standing>) -> Option<String> {
    match (then, now) {
        (None, None) => None,
        (None, Some(_)) => Some("has appeared".to_owned()),
        (Some(_), None) => Some("has vanished".to_owned()),
        (Some(then), Some(now)) => {
            let parts = then.differences(now);
            (!parts.is_empty()).then(|| format!("has changed: {}", parts.join("; ")))
        }
    }
}

/// The difference from what is there now; none where nothing is left of it.
fn instead(change: &Change, now: Option<Standing>) -> Option<Change> {
    let size = |attributes: &Attributes| attributes.size;
    let (kind, content) = match (wanted(change).cloned(), now.map(|now| now.attributes)) {
        (Some(after), Some(before)) => {
            // What is shown of a text was made from another one.
            let content = ContentChange::Large { before: size(&before), after: size(&after) };
            (ChangeKind::Modified { before, after }, content)
        }
        (Some(after), None) => (ChangeKind::Created { after }, change.content.clone()),
        (None, Some(before)) => {
            let content = ContentChange::Large { before: size(&before), after: 0 };
            (ChangeKind::Deleted { before }, content)
        }
        (None, None) => return None,
    };
    Some(Change { path: change.path.clone(), kind, content })
}

/// What a directory that goes holds and the plan does not know: it would go with it.
fn strangers(
    directory: &RootedPath,
    live: &Root,
    known: &BTreeSet<&RootedPath>,
    on_conflict: &OnConflict,
    left: &mut Vec<Change>,
    moved: &mut Vec<Moved>,
) -> Result<(), DanceError> {
    let there = live.lookup(directory)?;
    if there.is_none_or(|object| object.kind() != FileKind::Directory) {
        return Ok(());
    }
    for name in live.directory(directory)?.names()? {
        let path = directory.join(&name).map_err(crate::plans::PlanFileError::from)?;
        if known.contains(&path) {
            continue;
        }
        match on_conflict.at(&path) {
            Whose::Abort | Whose::Theirs => {
                moved.push(Moved { path: path.clone(), how: "has appeared".to_owned() })
            }
            Whose::Mine => {
                let now = standing::look(live, &path, &sandbox::is_private_xattr)?;
                left.extend(now.map(|now| {
                    let (before, content) = (now.attributes, ContentChange::Same);
                    Change { path: path.clone(), kind: ChangeKind::Deleted { before }, content }
                }));
                strangers(&path, live, known, on_conflict, left, moved)?;
            }
        }
    }
    Ok(())
}
