//! Names that move. What moves is brought into the upper whole, so there is no `EXDEV`; what it leaves
//! behind is a whiteout where the lower would show through.

use crate::dirfd::Side;
use crate::lookup::{Above, Depth, Survey};
use crate::node::{Layer, Node};
use crate::place::Place;
use crate::{Overlay, Result, Stat, xattr};
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What becomes of an object that has the new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Replace,
    Keep,
    Exchange,
}

/// One name of a rename: its directory and what the layers have there.
struct End<'r> {
    parent: &'r Arc<Node>,
    name: &'r OsStr,
    directory: Arc<OwnedFd>,
    survey: Survey,
}

impl Overlay {
    /// Moves what has one name to another name.
    pub(crate) fn rename(&self, from: (u64, &OsStr), to: (u64, &OsStr), target: Target) -> Result<()> {
        let _tree = self.tree.write();
        let (old_parent, new_parent) = (self.table.node(from.0)?, self.table.node(to.0)?);
        let (old, new) = ((&*old_parent, from.1), (&*new_parent, to.1));
        if new.1.len() > 255 {
            return Err(Errno::NAMETOOLONG);
        }
        // The kernel would carry the shim to the new name; it looks again and finds the real file.
        let revealed = self.shims.step_aside(old.0, old.1)
            || (target == Target::Exchange && self.shims.step_aside(new.0, new.1));
        if revealed {
            return Err(Errno::STALE);
        }
        let (node, _) = self.child(old.0, old.1)?.ok_or(Errno::NOENT)?;
        let other = self.child(new.0, new.1)?;
        match (&other, target) {
            (Some(_), Target::Keep) => return Err(Errno::EXIST),
            (None, Target::Exchange) => return Err(Errno::NOENT),
            (Some((other, _)), _) if other.id == node.id => return Ok(()),
            _ => {}
        }
        self.check(&node, new.0, other.as_ref().map(|(other, _)| &**other), target)?;

        self.bring_whole(&node)?;
        if let (Some((other, _)), Target::Exchange) = (&other, target) {
            self.check(other, old.0, None, target)?;
            self.bring_whole(other)?;
        }
        self.ensure_upper(new.0)?;
        if let Some(path) = node.path().filter(|_| node.is_dir()) {
            self.shims.step_aside_below(&path);
        }
        let old = self.end(old.0, old.1)?;
        let new = self.end(new.0, new.1)?;
        match (other, target) {
            (Some((other, _)), Target::Exchange) => {
                self.hide_below(&node, &old, &new)?;
                self.hide_below(&other, &new, &old)?;
                let exchange = RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&old.directory, old.name, &new.directory, new.name, exchange)?;
                self.moved(&node, &old, &new);
                self.moved(&other, &new, &old);
                Ok(())
            }
            (other, _) => {
                let loss = match &other {
                    Some((other, stat)) => {
                        // The attributes may be older than a copy-up of the same request.
                        let stat = if other.layer() == Layer::Lower { *stat } else { self.look(other)? };
                        Some(self.expect_loss(new.parent, new.name, other.id, other.layer(), stat)?)
                    }
                    None => None,
                };
                self.hide_below(&node, &old, &new)?;
                self.replace(&node, &old, &new)?;
                if let Some(loss) = loss {
                    self.suffer_loss(new.parent, new.name, loss, new.survey.below.as_ref())?;
                }
                self.moved(&node, &old, &new);
                Ok(())
            }
        }
    }

    fn end<'r>(&self, parent: &'r Arc<Node>, name: &'r OsStr) -> Result<End<'r>> {
        let directory = self.dir(parent, Side::Upper)?;
        Ok(End { parent, name, directory, survey: self.survey(parent, name, Depth::Both)? })
    }

    /// Refuses what no file system allows.
    fn check(&self, node: &Node, into: &Arc<Node>, other: Option<&Arc<Node>>, target: Target) -> Result<()> {
        if node.layer() == Layer::Sealed || other.is_some_and(|other| other.layer() == Layer::Sealed) {
            return Err(Errno::BUSY);
        }
        if node.is_dir() {
            let mut at = into.clone();
            loop {
                if at.id == node.id {
                    return Err(Errno::INVAL);
                }
                match at.any_name() {
                    Some((parent, _)) => at = parent,
                    None => break,
                }
            }
        }
        let Some(other) = other.filter(|_| target == Target::Replace) else { return Ok(()) };
        match (node.is_dir(), other.is_dir()) {
            (true, false) => Err(Errno::NOTDIR),
            (false, true) => Err(Errno::ISDIR),
            (true, true) if !self.is_empty(other)? => Err(Errno::NOTEMPTY),
            _ => Ok(()),
        }
    }

    /// Makes a directory hide what the lower has under its new name.
    fn hide_below(&self, node: &Node, from: &End<'_>, to: &End<'_>) -> Result<()> {
        if node.is_dir() && to.survey.below.is_some() {
            let place = Place::new(&from.directory, from.name);
            let before = place.stat()?;
            xattr::set(&place, xattr::OPAQUE, b"y", 0)?;
            place.restore_times(&before)?;
        }
        Ok(())
    }

    /// Moves an object of the upper over whatever the upper has under the new name.
    fn replace(&self, node: &Node, old: &End<'_>, new: &End<'_>) -> Result<()> {
        let hides = old.survey.below.is_some();
        let temporary = self.temporary_name();
        if hides {
            // Made first: it is what can fail for want of room.
            self.whiteouts.link(&self.work, OsStr::new(&temporary))?;
        }
        let exchanged = node.is_dir() && !matches!(new.survey.above, Above::Nothing);
        let flags = if exchanged { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
        let done = rustix::fs::renameat_with(&old.directory, old.name, &new.directory, new.name, flags);
        if let Err(errno) = done {
            if hides {
                // Nobody sees the work directory; the error that matters is the first.
                let _ = rustix::fs::unlinkat(&self.work, &temporary, AtFlags::empty());
            }
            return Err(errno);
        }
        match (exchanged, hides) {
            (false, false) => Ok(()),
            (false, true) => rustix::fs::renameat(&self.work, &temporary, &old.directory, old.name),
            // What was at the new name, a whiteout or an empty directory, is at the old one now.
            (true, true) => {
                let exchange = RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&self.work, &temporary, &old.directory, old.name, exchange)?;
                self.discard_any(&temporary)
            }
            (true, false) => {
                rustix::fs::renameat(&old.directory, old.name, &self.work, &temporary)?;
                self.discard_any(&temporary)
            }
        }
    }

    fn discard_any(&self, temporary: &str) -> Result<()> {
        match Stat::at(&self.work, temporary)?.is_dir() {
            true => self.discard(temporary),
            false => rustix::fs::unlinkat(&self.work, temporary, AtFlags::empty()),
        }
    }

    fn moved(&self, node: &Arc<Node>, from: &End<'_>, to: &End<'_>) {
        node.add_name(to.parent, to.name);
        self.table.remove_name(node, from.parent, from.name);
    }
}
