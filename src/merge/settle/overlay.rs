//! The differences of a run with what settling makes of some of them. The others, which are nearly all, are not copied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::merge::change_of;
use crate::model::change::ChangeSet;
use crate::model::change::{Change, ContentChange};
use crate::model::path::RootedPath;

/// Differences that can be changed.
pub(super) struct Overlay<'a> {
    given: &'a ChangeSet,
    /// What was made of some of them: another one, or none.
    made: BTreeMap<RootedPath, Option<Change>>,
}

impl<'a> Overlay<'a> {
    /// Those that were given.
    pub fn of(given: &'a ChangeSet) -> Overlay<'a> {
        Overlay { given, made: BTreeMap::new() }
    }

    /// The one at that path.
    pub fn get(&self, path: &RootedPath) -> Option<Cow<'a, Change>> {
        match self.made.get(path) {
            Some(made) => made.clone().map(Cow::Owned),
            None => change_of(self.given, path).map(Cow::Borrowed),
        }
    }

    /// Whether there is one at that path.
    pub fn has(&self, path: &RootedPath) -> bool {
        self.made.get(path).map_or_else(|| change_of(self.given, path).is_some(), Option::is_some)
    }

    /// Puts one there, in the place of what was.
    pub fn put(&mut self, change: Change) {
        self.made.insert(change.path.clone(), Some(change));
    }

    /// Takes out what is at that path.
    pub fn remove(&mut self, path: &RootedPath) {
        match change_of(self.given, path) {
            Some(_) => drop(self.made.insert(path.clone(), None)),
            None => drop(self.made.remove(path)),
        }
    }

    /// The paths at and below that one that have a difference, in order.
    pub fn within<'b>(&'b self, path: &'b RootedPath) -> impl Iterator<Item = &'b RootedPath> {
        let start = self.given.0.partition_point(|change| change.path < *path);
        let given = self.given.0.iter().skip(start).map(|change| &change.path);
        let given = given.take_while(|inner| inner.is_within(path));
        let given = given.filter(|inner| !self.made.contains_key(*inner));
        let made = self.made.range(path.clone()..).take_while(|(inner, _)| inner.is_within(path));
        let made = made.filter(|(_, made)| made.is_some()).map(|(inner, _)| inner);
        in_order(given, made)
    }

    /// All of them, without what they say of contents; none where they are those that were given.
    pub fn into_changes(self) -> Option<ChangeSet> {
        if self.made.is_empty() {
            return None;
        }
        let root = RootedPath::default();
        let all = self.within(&root).filter_map(|path| self.get(path));
        let bare = |change: Cow<'_, Change>| Change {
            path: change.path.clone(),
            kind: change.kind.clone(),
            content: ContentChange::Same,
        };
        Some(ChangeSet(all.map(bare).collect()))
    }
}

/// Two sorted lists as one.
fn in_order<T: Ord>(a: impl Iterator<Item = T>, b: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if first > second => b.next(),
        (None, _) => b.next(),
        (Some(_), _) => a.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::ChangeKind;

    fn change(path: &str) -> Change {
        let attributes = crate::sys::metadata::described(
            &crate::sys::metadata::Metadata {
                kind: crate::model::attributes::FileKind::Regular,
                uid: 0,
                gid: 0,
                permissions: 0o644,
                xattrs: BTreeMap::new(),
                atime: (0, 0),
                mtime: (0, 0),
            },
            0,
            None,
            None,
            None,
        );
        let content = ContentChange::Binary { before: 0, after: 1 };
        Change {
            path: RootedPath::new(path).unwrap(),
            kind: ChangeKind::Created { after: attributes.into() },
            content,
        }
    }

    #[test]
    fn what_nobody_touches_is_as_it_was_given() {
        let given = ChangeSet(["a", "a/x", "a!", "b", "c/d"].map(change).to_vec());
        let path = |path: &str| RootedPath::new(path).unwrap();
        assert_eq!(Overlay::of(&given).into_changes(), None);
        let mut overlay = Overlay::of(&given);
        let within = |overlay: &Overlay<'_>, of: &str| {
            overlay.within(&path(of)).map(RootedPath::to_string).collect::<Vec<_>>()
        };
        overlay.put(change("a/b"));
        overlay.put(change("a/z"));
        overlay.put(change("b"));
        overlay.remove(&path("a/x"));
        overlay.remove(&path("a/z"));
        overlay.remove(&path("c/d"));
        assert_eq!(within(&overlay, "a"), ["/a", "/a/b"]);
        assert_eq!(within(&overlay, "c"), [""; 0]);
        assert!(overlay.has(&path("b")) && !overlay.has(&path("a/x")) && overlay.get(&path("a/z")).is_none());
        let all = overlay.into_changes().unwrap();
        let paths: Vec<String> = all.0.iter().map(|change| change.path.to_string()).collect();
        assert_eq!(paths, ["/a", "/a/b", "/a!", "/b"]);
    }
}
