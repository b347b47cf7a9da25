//! What keeping one side does to the differences: theirs leaves changes out, mine makes them changes of what is there now.

use std::sync::Arc;

use crate::merge::MergeError;
use crate::merge::conflict::Clash;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ContentChange};
use crate::model::path::RootedPath;
use crate::sys::tree::Object;

use super::{Left, Settle, is_excluded};

impl Settle<'_> {
    /// Leaves a change out.
    pub(super) fn leave(
        &mut self,
        path: &RootedPath,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
        now: Option<&Attributes>,
        clash: &Clash,
    ) {
        let is_directory = |one: Option<&Attributes>| one.is_some_and(|one| one.kind == FileKind::Directory);
        self.changes.remove(path);
        self.left.push(Left { path: path.clone(), why: format!("it stays as it is: {}", clash.how()) });
        // Where there is no directory, nothing can be in it; and what was to go for a file's sake stays.
        let instead = is_directory(before) && after.is_some() && !is_directory(after);
        if !is_directory(now) || instead {
            self.drop_within(path, &format!("{path} stays as it is"));
        }
        if now.is_some() {
            self.kept.insert(path.clone());
        }
        if !is_directory(now) {
            self.exclude.push(path.clone());
        }
    }

    /// Makes a change one of what is there now.
    pub(super) fn replace(
        &mut self,
        path: &RootedPath,
        after: Option<&Attributes>,
        now: Option<Attributes>,
    ) -> Result<(), MergeError> {
        let holds = now.as_ref().is_some_and(|now| now.kind == FileKind::Directory);
        let stays = after.is_some_and(|after| after.kind == FileKind::Directory);
        let kind = match (now.map(Arc::new), after.cloned().map(Arc::new)) {
            (Some(before), Some(after)) => ChangeKind::Modified { before, after },
            (None, Some(after)) => ChangeKind::Created { after },
            (Some(before), None) => ChangeKind::Deleted { before },
            (None, None) => {
                self.changes.remove(path);
                return Ok(());
            }
        };
        self.put(path, kind);
        if stays && !holds {
            self.remade.push(path.clone());
        }
        if holds && !stays {
            for (inner, object) in self.held(path)? {
                if !self.changes.has(&inner) && !is_excluded(self.source, &inner) {
                    self.goes(&inner, &object)?;
                }
            }
        }
        Ok(())
    }

    /// Has an object go that the run has never seen, with all that it holds.
    pub(super) fn goes(&mut self, path: &RootedPath, object: &Object) -> Result<(), MergeError> {
        let before = self.attributes(object)?;
        let holds = before.kind == FileKind::Directory;
        self.put(path, ChangeKind::Deleted { before: before.into() });
        if holds {
            for (inner, object) in self.held(path)? {
                self.goes(&inner, &object)?;
            }
        }
        Ok(())
    }

    /// What a live directory holds.
    pub(super) fn held(&self, path: &RootedPath) -> Result<Vec<(RootedPath, Object)>, MergeError> {
        let directory = self.source.live.directory(path)?;
        let mut held = Vec::new();
        for name in directory.names()? {
            // A plain name of a directory makes a plain path.
            if let (Some(object), Ok(inner)) = (directory.lookup(&name)?, path.join(&name)) {
                held.push((inner, object));
            }
        }
        Ok(held)
    }

    /// The directories above what stays do not go.
    pub(super) fn keep_above(&mut self) {
        for kept in std::mem::take(&mut self.kept) {
            let mut above = kept.parent();
            while let Some(directory) = above {
                let change = self.changes.get(&directory);
                match change.as_ref().map(|change| &change.kind) {
                    Some(ChangeKind::Deleted { .. }) => {
                        self.changes.remove(&directory);
                        self.left.push(Left { path: directory.clone(), why: format!("{kept} in it stays") });
                    }
                    Some(ChangeKind::Modified { after, .. }) if after.kind != FileKind::Directory => {
                        self.drop_within(&directory, &format!("{kept} stays, and so does the directory"));
                        self.exclude.push(directory.clone());
                    }
                    Some(ChangeKind::Modified { .. } | ChangeKind::Created { .. }) | None => {}
                }
                above = directory.parent();
            }
        }
    }

    pub(super) fn put(&mut self, path: &RootedPath, kind: ChangeKind) {
        self.changes.put(Change { path: path.clone(), kind, content: ContentChange::Same });
    }

    /// Leaves out the changes of a path and of all below it; without a reason, they are not told.
    pub(super) fn drop_within(&mut self, path: &RootedPath, why: &str) {
        let within: Vec<RootedPath> = self.changes.within(path).cloned().collect();
        for inner in within {
            self.changes.remove(&inner);
            self.seen.remove(&inner);
            if !why.is_empty() {
                self.left.push(Left { path: inner, why: why.to_owned() });
            }
        }
    }
}
