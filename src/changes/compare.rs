//! The differences between two states of the view: pure. A rewrite with equal content and metadata is none; times, inode
//! numbers and the size of a directory are never one.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::changes::snapshot::{Present, Snapshot, State};
use crate::model::attributes::Attributes;
use crate::model::change::{Change, ChangeKind, ChangeSet, ContentChange};
use crate::model::path::RootedPath;
use crate::model::text::Text;
use crate::sys::metadata::Body;

/// What changed from `previous` to `current`, two snapshots of the same sandbox. Against the lower layer itself:
/// `previous` is `Snapshot::default()`.
pub fn compare(previous: &Snapshot, current: &Snapshot) -> ChangeSet {
    let changes = side_by_side(&previous.view, &current.view).filter_map(|(path, before, after)| {
        if let (Some(State::Present(before)), Some(State::Present(after))) = (before, after)
            && Arc::ptr_eq(before, after)
        {
            return None;
        }
        let before = before.unwrap_or_else(|| previous.state(path, current));
        let after = after.unwrap_or_else(|| current.state(path, previous));
        let (kind, content) = difference(before, after)?;
        Some(Change { path: path.clone(), kind, content })
    });
    ChangeSet(changes.collect())
}

/// Whether what is there is what was left there, long ago: labels that the kernel gives to what was left without one are none of it.
pub fn stayed(left: &Attributes, there: &Attributes) -> bool {
    let labelled = Attributes { selinux: left.selinux.clone().and(there.selinux.clone()), ..there.clone() };
    left.is_same(&labelled)
}

/// The paths of both, each once, sorted, with what each side has there. Both are long and mostly the same, so they are
/// walked in step.
fn side_by_side<'a, T>(
    one: &'a BTreeMap<RootedPath, T>,
    other: &'a BTreeMap<RootedPath, T>,
) -> impl Iterator<Item = (&'a RootedPath, Option<&'a T>, Option<&'a T>)> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (one.peek(), other.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let here = if order.is_le() { one.next() } else { None };
        let there = if order.is_ge() { other.next() } else { None };
        let path = here.or(there)?.0;
        Some((path, here.map(|(_, value)| value), there.map(|(_, value)| value)))
    })
}

fn difference(before: &State, after: &State) -> Option<(ChangeKind, ContentChange)> {
    Some(match (before, after) {
        (State::Absent, State::Absent) => return None,
        (State::Absent, State::Present(after)) => {
            (ChangeKind::Created { after: after.attributes.clone() }, content(None, Some(after)))
        }
        (State::Present(before), State::Absent) => {
            (ChangeKind::Deleted { before: before.attributes.clone() }, content(Some(before), None))
        }
        (State::Present(before), State::Present(after)) => {
            if before.attributes.is_same(&after.attributes) {
                return None;
            }
            let (old, new) = (before.attributes.clone(), after.attributes.clone());
            (ChangeKind::Modified { before: old, after: new }, content(Some(before), Some(after)))
        }
    })
}

/// How the content differs; an absent side, or one that is no regular file, counts as empty.
fn content(before: Option<&Arc<Present>>, after: Option<&Arc<Present>>) -> ContentChange {
    let side = |present: Option<&Arc<Present>>| {
        let present = present?;
        Some((present.body.clone()?, present.attributes.md5.clone(), present.attributes.size))
    };
    let (old, new) = (side(before), side(after));
    if old.as_ref().map(|(_, md5, _)| md5) == new.as_ref().map(|(_, md5, _)| md5) {
        return ContentChange::Same;
    }
    let nothing = || (Body::Text(Text::default()), None, 0);
    let ((old, _, before), (new, _, after)) = (old.unwrap_or_else(nothing), new.unwrap_or_else(nothing));
    match (old, new) {
        (Body::Text(before), Body::Text(after)) if before == after => ContentChange::Same,
        (Body::Text(before), Body::Text(after)) => ContentChange::Text { before, after },
        (Body::Large, _) | (_, Body::Large) => ContentChange::Large { before, after },
        (Body::Binary, _) | (_, Body::Binary) => ContentChange::Binary { before, after },
    }
}
