//! `disco blame`: which run, module and step wrote what is at a path, and each line of a text. From the recorded differences of
//! the live runs that stand, and from what is there now.

use std::path::Path;

use thiserror::Error;

use crate::changes::compare;
use crate::model::attributes::Attributes;
use crate::model::change::{ChangeKind, ContentChange, Recorded};
use crate::model::names::{ModuleName, RunId};
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::told::in_full;
use crate::ops::blame::lines::{Side, Stage};
use crate::ops::history;
use crate::runs::{Listed, RunError, Runs};
use crate::sandbox;
use crate::sys::accounts::Accounts;
use crate::sys::files::FileError;
use crate::sys::metadata::{self, Body};
use crate::sys::tree::{Root, TreeError};

mod lines;

/// What keeps it from being told who wrote something.
#[derive(Debug, Error)]
pub enum BlameError {
    /// The records cannot be read.
    #[error(transparent)]
    Record(#[from] RunError),
    /// There is no such root.
    #[error(transparent)]
    Root(#[from] FileError),
    /// What is there cannot be read.
    #[error(transparent)]
    Read(#[from] TreeError),
    /// No record says that disco has written it.
    #[error("no run that is kept has written {0}")]
    Unknown(RootedPath),
}

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The run.
    pub run: RunId,
    /// When that started.
    pub started: String,
    /// The module.
    pub module: ModuleName,
    /// The step, where it is known.
    pub step: Option<String>,
}

/// What one write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It was made.
    Created,
    /// Its content, or what it is, was changed.
    Changed,
    /// Its owner, mode or the like alone was changed.
    Attributes,
    /// It was deleted.
    Deleted,
}

/// Who wrote a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Blame {
    /// The root.
    pub root: LiveRoot,
    /// The path there.
    pub path: RootedPath,
    /// All who wrote it, the newest first, as far back as somebody else wrote all of it anew.
    pub authors: Vec<(Deed, Author)>,
    /// What is there now, where something is.
    pub there: Option<Attributes>,
    /// Whether that is something else than what the last one left.
    pub changed_since: bool,
    /// The lines of what is there, where it is a text: who of `authors` wrote it, where that was one of disco's, and its text,
    /// where everybody may read it.
    pub lines: Vec<(Option<usize>, Option<String>)>,
    /// Runs whose records could not be read, and why: they may have written it too.
    pub unread: Vec<(RunId, String)>,
}

/// Who wrote what is at a path of the root at that path, or of the node's own.
pub fn blame(home: &Path, root: Option<&Path>, path: &RootedPath) -> Result<Blame, BlameError> {
    let root = &history::root(root)?;
    let runs = Runs::new(home);
    let all = runs.entries()?;
    let mut unread: Vec<(RunId, String)> = all.iter().filter_map(unreadable).collect();
    let live = Root::open(&root.path(), "")?;
    let (there, now) = look(&live, path)?;

    let mut walk = lines::Walk::new(Side { text: now.as_deref(), md5: md5(there.as_ref()) });
    let (mut authors, mut changed_since) = (Vec::new(), false);
    let mut last: Option<ChangeKind> = None;
    for entry in history::standing(&all, root).into_iter().rev() {
        if !entry.may_have_changed(path) {
            continue;
        }
        let found = match runs.changes_at(&entry.run, path) {
            Ok(found) => found,
            Err(error) => {
                unread.push((entry.run.clone(), in_full(&error)));
                continue;
            }
        };
        for recorded in found.into_iter().rev() {
            if last.is_none() {
                last = Some(recorded.change.kind.clone());
                changed_since = is_other(&recorded.change.kind, there.as_ref());
            }
            let author = |step: Option<String>| Author {
                run: entry.run.clone(),
                started: entry.started.clone(),
                module: recorded.module.clone(),
                step,
            };
            let texts = match &recorded.change.content {
                ContentChange::Text { before, after } => (before.shown(), after.shown()),
                ContentChange::Same
                | ContentChange::Binary { .. }
                | ContentChange::Large { .. }
                | ContentChange::Withheld { .. } => Default::default(),
            };
            for (deed, step, stage) in stages(&recorded, (&texts.0, &texts.1)).into_iter().rev() {
                if deed != Deed::Attributes {
                    walk.back(&stage, authors.len());
                }
                authors.push((deed, author(step)));
            }
        }
        if walk.is_done() && authors.iter().any(|(deed, _)| *deed != Deed::Attributes) {
            break;
        }
    }
    if authors.is_empty() {
        return Err(match unread.is_empty() {
            true => BlameError::Unknown(path.clone()),
            false => {
                unread.sort();
                let (run, _) = unread.swap_remove(0);
                match runs.load(&run).err() {
                    Some(error) => BlameError::Record(error),
                    None => BlameError::Unknown(path.clone()),
                }
            }
        });
    }
    let readable = there.as_ref().is_some_and(|it| it.mode & 0o004 != 0);
    let text = now.as_deref().unwrap_or_default();
    let lines = walk.owners().into_iter().zip(text.lines());
    let lines = lines.map(|(by, line)| (by, readable.then(|| line.to_owned()))).collect();
    Ok(Blame { root: root.clone(), path: path.clone(), authors, there, changed_since, lines, unread })
}

/// Why that cannot be read, where it cannot.
pub(super) fn unreadable(listed: &Listed) -> Option<(RunId, String)> {
    match listed {
        Listed::Entry(_) => None,
        Listed::Unreadable { run, error } => Some((run.clone(), in_full(error))),
    }
}

/// What is at a path, and its text where it is one.
pub(super) fn look(
    live: &Root,
    path: &RootedPath,
) -> Result<(Option<Attributes>, Option<String>), TreeError> {
    let Some(object) = live.lookup(path)? else { return Ok((None, None)) };
    let accounts = Accounts::load(live)?;
    let device = object.stat().device;
    let (attributes, body) = metadata::attributes(&object, device, &accounts, &sandbox::is_private_xattr)?;
    let text = match body {
        Some(Body::Text(text)) => Some(text.shown().into_owned()),
        Some(Body::Binary | Body::Large) | None => None,
    };
    Ok((Some(attributes), text))
}

/// Whether what is there is something else than what a change left.
pub(super) fn is_other(left: &ChangeKind, there: Option<&Attributes>) -> bool {
    match (left.sides().1, there) {
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
        (Some(left), Some(there)) => !compare::stayed(left, there),
    }
}

fn md5(attributes: Option<&Attributes>) -> Option<&str> {
    attributes?.md5.as_deref()
}

/// What the steps of a module did to one path, one after the other.
fn stages<'a>(
    recorded: &'a Recorded,
    (before, after): (&'a str, &'a str),
) -> Vec<(Deed, Option<String>, Stage<'a>)> {
    let (old, new) = recorded.change.kind.sides();
    let deed = match (&recorded.change.kind, &recorded.change.content) {
        (ChangeKind::Created { .. }, _) => Deed::Created,
        (ChangeKind::Deleted { .. }, _) => Deed::Deleted,
        (ChangeKind::Modified { before, after }, ContentChange::Same) if before.kind == after.kind => {
            if before.target == after.target {
                Deed::Attributes
            } else {
                Deed::Changed
            }
        }
        (ChangeKind::Modified { .. }, _) => Deed::Changed,
    };
    let (mut before, after) = match &recorded.change.content {
        ContentChange::Text { .. } => {
            let side = |text, attributes| Side { text: Some(text), md5: md5(attributes) };
            (side(before, old), side(after, new))
        }
        ContentChange::Same
        | ContentChange::Binary { .. }
        | ContentChange::Large { .. }
        | ContentChange::Withheld { .. } => {
            (Side { text: None, md5: md5(old) }, Side { text: None, md5: md5(new) })
        }
    };
    let (mut stages, mut first) = (Vec::new(), deed);
    for earlier in &recorded.earlier {
        let side = Side { text: Some(&earlier.text), md5: None };
        stages.push((first, Some(earlier.step.clone()), Stage { before, after: side }));
        (before, first) = (side, if deed == Deed::Deleted { deed } else { Deed::Changed });
    }
    stages.push((first, recorded.step.clone(), Stage { before, after }));
    stages
}
