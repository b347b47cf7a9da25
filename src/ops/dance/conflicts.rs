//! What somebody has changed on the live root since the sandbox first saw it: found as a whole, settled by the rules that the
//! user has given, and told.

use std::collections::{BTreeMap, BTreeSet};

use crate::merge::conflict::{Clash, Clashes};
use crate::merge::settle::{self, Closeness, Settled, Watched};
use crate::merge::{MergeError, Source};
use crate::model::change::ChangeSet;
use crate::model::path::RootedPath;
use crate::sandbox::{Drift, Scratch};
use crate::settings::Settings;
use crate::sys::tree::Root;

use super::differences::Differences;
use super::{DanceError, DanceEvent, Run};

/// The differences that are merged, or all conflicts that nobody has settled.
pub(super) fn settle(
    settings: &Settings,
    sealed: &Scratch,
    source: &Source<'_>,
) -> Result<Settled, DanceError> {
    let watched = watched(sealed, source.live, source.changes, source.exclude)?;
    Ok(settle::settle(source, watched, &settings.on_conflict.value, Closeness::Stat)?)
}

/// That everything that the run changes is on the live root as the sandbox saw it.
pub(super) fn refuse(
    sealed: &Scratch,
    changes: &ChangeSet,
    differences: &Differences,
) -> Result<(), DanceError> {
    let clashes = watched(sealed, differences.lower(), changes, differences.excluded())?.clashes;
    if clashes.is_empty() { Ok(()) } else { Err(MergeError::Conflicts(Clashes(clashes)).into()) }
}

/// Tells what was settled, once it is merged so.
pub(super) fn tell(run: &mut Run<'_>, settled: &Settled) {
    for left in &settled.left {
        (run.on_event)(DanceEvent::NotMerged { path: &left.path, why: &left.why });
    }
    for clash in &settled.mine {
        (run.on_event)(DanceEvent::MergedOver { path: &clash.path, what: &clash.how() });
    }
}

/// Everything that the run changes, or that is on the way to it, and is not as the sandbox saw it first.
fn watched<'a>(
    sealed: &Scratch,
    live: &Root,
    changes: &'a ChangeSet,
    exclude: &[RootedPath],
) -> Result<Watched<'a>, DanceError> {
    let (mut clashes, mut lengths) = (Vec::new(), BTreeMap::new());
    let mut add = |path: &RootedPath, drift: Drift| -> Result<(), MergeError> {
        let live = live.lookup(path)?;
        clashes.extend(match (drift, live) {
            (Drift::None, _) => None,
            (Drift::Changed { then, now, mixed }, _) => Some(Clash::drifted(path, &then, &now, mixed)),
            (Drift::Appeared, Some(live)) => Some(Clash::appeared(path, live.stat())),
            // It was, and is gone again.
            (Drift::Appeared, None) => None,
            (Drift::Vanished { then }, _) => Some(Clash::vanished(path, then.kind())),
        });
        Ok(())
    };
    let mut ways = BTreeSet::new();
    for path in changes.0.iter().map(|change| &change.path) {
        if exclude.iter().any(|home| path.is_within(home)) {
            continue;
        }
        add(path, sealed.layers().drift(path)?)?;
        lengths.extend(sealed.layers().copied_length(path)?.map(|length| (path, length)));
        let mut above = path.parent();
        while let Some(directory) = above.filter(|directory| ways.insert(directory.clone())) {
            add(&directory, sealed.layers().drift_on_the_way(&directory)?)?;
            above = directory.parent();
        }
    }
    Ok(Watched { clashes, lengths })
}
