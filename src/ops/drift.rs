//! `disco drift`: what disco has written against what is there now. Nothing runs, and nothing changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::model::change::{Change, ChangeKind, ContentChange};
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::told::in_full;
use crate::ops::blame::{self, Author, BlameError};
use crate::ops::history;
use crate::runs::Runs;
use crate::sandbox;
use crate::sys::accounts::Accounts;
use crate::sys::metadata;
use crate::sys::tree::{Root, TreeError};

/// A place that is not as disco has left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// From what disco has left to what is there.
    pub change: Change,
    /// Who has left it so.
    pub by: Author,
}

/// What has drifted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drift {
    /// Of which root.
    pub root: LiveRoot,
    /// The places, sorted.
    pub places: Vec<Drifted>,
    /// How many places were compared.
    pub compared: usize,
    /// Runs whose records could not be read, and why: what they wrote was not compared.
    pub unread: Vec<(RunId, String)>,
}

/// Everything at and below `only` of the root at that path, or of the node's own, that is not as the last run that wrote it left it; everywhere without one.
pub fn drift(home: &Path, root: Option<&Path>, only: Option<&RootedPath>) -> Result<Drift, BlameError> {
    let root = &history::root(root)?;
    let runs = Runs::new(home);
    let all = runs.entries()?;
    let mut unread: Vec<(RunId, String)> = all.iter().filter_map(blame::unreadable).collect();
    let mut left: BTreeMap<RootedPath, (ChangeKind, Author)> = BTreeMap::new();
    for entry in history::standing(&all, root).into_iter().filter(|entry| entry.has_changed()) {
        let recorded = match runs.changes(&entry.run) {
            Ok(recorded) => recorded,
            Err(error) => {
                unread.push((entry.run.clone(), in_full(&error)));
                continue;
            }
        };
        for recorded in recorded {
            let recorded = match recorded {
                Ok(recorded) => recorded,
                Err(error) => {
                    unread.push((entry.run.clone(), in_full(&error)));
                    break;
                }
            };
            let Change { path, kind, .. } = recorded.change;
            if only.is_none_or(|only| path.is_within(only)) {
                let by = Author {
                    run: entry.run.clone(),
                    started: entry.started.clone(),
                    module: recorded.module,
                    step: recorded.step,
                };
                left.insert(path, (kind, by));
            }
        }
    }
    let live = Root::open(&root.path(), "")?;
    let accounts = Accounts::load(&live)?;
    let compared = left.len();
    let mut places = Vec::new();
    for (path, (kind, by)) in left {
        if let Some(kind) = compare(&live, &accounts, &path, kind)? {
            places.push(Drifted { change: Change { path, kind, content: ContentChange::Same }, by });
        }
    }
    unread.sort();
    unread.dedup();
    Ok(Drift { root: root.clone(), places, compared, unread })
}

/// How what is there differs from what was left.
fn compare(
    live: &Root,
    accounts: &Accounts,
    path: &RootedPath,
    left: ChangeKind,
) -> Result<Option<ChangeKind>, TreeError> {
    let there = match live.lookup(path)? {
        None => None,
        Some(object) => {
            let device = object.stat().device;
            let (there, _) = metadata::attributes(&object, device, accounts, &sandbox::is_private_xattr)?;
            Some(Arc::new(there))
        }
    };
    if !blame::is_other(&left, there.as_deref()) {
        return Ok(None);
    }
    let left = match left {
        ChangeKind::Created { after } | ChangeKind::Modified { after, .. } => Some(after),
        ChangeKind::Deleted { .. } => None,
    };
    Ok(match (left, there) {
        (Some(before), Some(after)) => Some(ChangeKind::Modified { before, after }),
        (Some(before), None) => Some(ChangeKind::Deleted { before }),
        (None, Some(after)) => Some(ChangeKind::Created { after }),
        (None, None) => None,
    })
}
