//! What a plan rests on: whether the live root still is that, and what of the plan is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::merge::conflict::{Clash, Conflict};
use crate::merge::settle::{self, Closeness, Settled, Watched};
use crate::merge::{MergeError, Source};
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet};
use crate::model::conflict::OnConflict;
use crate::model::path::RootedPath;
use crate::model::saved::{Expected, Role, Standing};
use crate::ops::dance::DanceError;
use crate::plans::{Plan, What, standing};
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

/// The differences that are left to do: without those that are so already.
pub(super) fn left_to_do(plan: &Plan, source: &Source<'_>) -> Result<ChangeSet, DanceError> {
    let hashes = hashes(plan);
    let (mut left, mut so) = (Vec::new(), 0);
    for change in &plan.changes.0 {
        let path = &change.path;
        if source.exclude.iter().any(|home| path.is_within(home)) {
            continue;
        }
        let now = standing::look(source.live, path, source.private)?;
        match is_so(change, now.as_ref(), hashes.get(path).copied()) {
            true => so += 1,
            false => left.push(change.clone()),
        }
    }
    // Sockets never merge, and what was added to a log is not found again once others have added to it: where they alone are
    // left, nothing is.
    let is_socket = |change: &Change| wanted(change).is_some_and(|after| after.kind == FileKind::Socket);
    if left.iter().all(|change| is_socket(change) || (so > 0 && is_log(change))) {
        left.clear();
    }
    Ok(ChangeSet(left))
}

/// Settles what has become of the live root since the plan was made, as a merge does; the source has the differences that are left
/// to do. All that nobody has settled is in the error.
pub(super) fn settle(plan: &Plan, source: &Source<'_>, on: &OnConflict) -> Result<Settled, DanceError> {
    let known: BTreeSet<&RootedPath> = source.changes.0.iter().map(|change| &change.path).collect();
    let so: BTreeSet<&RootedPath> =
        plan.changes.0.iter().map(|change| &change.path).filter(|path| !known.contains(path)).collect();
    let mut moved = BTreeMap::new();
    let mut watched = Watched::default();
    let mut stays = Vec::new();
    for one in plan.expected.iter().filter(|one| !known.is_empty() && !so.contains(&one.path)) {
        let path = &one.path;
        // The directories on the way are met also where a change of them is left out.
        let concerned = known.contains(path)
            || one.role == Role::Touched
            || known.iter().any(|inner| inner.is_within(path));
        let now = standing::look(source.live, path, source.private)?;
        let Some(how) = how_moved(one, now.as_ref()).filter(|_| concerned) else { continue };
        moved.insert(path.clone(), how.clone());
        if known.contains(path) || one.role == Role::Holds {
            watched.clashes.push(clash(one, source.live, now.as_ref())?);
        } else {
            // It gets one more name, or gives one: that is of what was shown, or of nothing.
            stays.push(Moved { path: path.clone(), how });
        }
    }
    watched.lengths = source.changes.0.iter().filter_map(length).collect();
    let settled = match settle::settle(source, watched, on, Closeness::Content) {
        Err(MergeError::Conflicts(clashes)) => {
            stays.extend(clashes.0.into_iter().map(|clash| {
                let how = moved.remove(&clash.path);
                Moved { how: how.unwrap_or_else(|| clash.conflict.to_string()), path: clash.path }
            }));
            None
        }
        settled => Some(settled?),
    };
    stays.sort_by(|a, b| a.path.cmp(&b.path));
    match settled {
        Some(settled) if stays.is_empty() => Ok(settled),
        Some(_) | None => Err(ApplyError::Moved(stays).into()),
    }
}

/// Whether it adds to a log.
fn is_log(change: &Change) -> bool {
    let longer = length(change).zip(wanted(change)).is_some_and(|((_, before), after)| before < after.size);
    longer && change.path.relative().starts_with("var/log")
}

/// How long a file was before the run has changed it.
fn length(change: &Change) -> Option<(&RootedPath, u64)> {
    match &change.kind {
        ChangeKind::Modified { before, .. } if before.kind == FileKind::Regular => {
            Some((&change.path, before.size))
        }
        ChangeKind::Modified { .. } | ChangeKind::Created { .. } | ChangeKind::Deleted { .. } => None,
    }
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

/// What has become of an object, as the end of a sentence; none where it is the same.
fn how_moved(expected: &Expected, now: Option<&Standing>) -> Option<String> {
    match (&expected.state, now) {
        (None, None) => None,
        (None, Some(_)) => Some(Conflict::Appeared.to_string()),
        (Some(_), None) => Some(Conflict::Vanished.to_string()),
        (Some(then), Some(now)) => {
            let parts = then.differences(now);
            (!parts.is_empty()).then(|| format!("{}: {}", Conflict::Changed, parts.join("; ")))
        }
    }
}

/// The same for whoever settles it.
fn clash(expected: &Expected, live: &Root, now: Option<&Standing>) -> Result<Clash, DanceError> {
    let path = &expected.path;
    Ok(match (&expected.state, now) {
        (Some(then), Some(now)) => Clash::differs(path, &then.attributes, &now.attributes),
        (None, Some(_)) => Clash::appeared(path, live.object(path)?.stat()),
        (then, None) => Clash::vanished(path, then.as_ref().map(|then| then.attributes.kind)),
    })
}
