//! Names that move. A file that moves is brought into the upper, a directory says where the lower has it; so there is no
//! `EXDEV`. What it leaves behind is a whiteout where the lower would show through.

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
        self.within_a_mount(old.0, new.0)?;
        let (node, _) = self.child(old.0, old.1)?.ok_or(Errno::NOENT)?;
        let other = self.child(new.0, new.1)?;
        match (&other, target) {
            (Some(_), Target::Keep) => return Err(Errno::EXIST),
            (None, Target::Exchange) => return Err(Errno::NOENT),
            (Some((other, _)), _) if other.id == node.id => return Ok(()),
            _ => {}
        }
        for (parent, name) in [old, new] {
            self.no_mount_point(parent, name)?;
        }
        self.check(&node, new.0, other.as_ref().map(|(other, _)| &**other), target)?;

        self.touch_ends((old.0, old.1), (new.0, new.1));
        self.free_to_move(&node)?;
        if let (Some((other, _)), Target::Exchange) = (&other, target) {
            self.check(other, old.0, None, target)?;
            self.free_to_move(other)?;
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
                exchange((&old.directory, old.name), (&new.directory, new.name))?;
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
        let directory = self.upper_of(parent)?;
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
        // One that was moved before says already what is below it.
        if node.is_dir() && node.lock().origin().is_none() && to.survey.below.is_some() {
            xattr::set(&Place::new(&from.directory, from.name), xattr::UNDER, b"", 0)?;
        }
        Ok(())
    }

    /// Moves an object of the upper over whatever the upper has under the new name. There is no moment in
    /// which the old name leads to what the lower has.
    fn replace(&self, node: &Node, old: &End<'_>, new: &End<'_>) -> Result<()> {
        let taken = match new.survey.above {
            Above::Object(_) => true,
            Above::Whiteout => false,
            Above::Nothing => new.survey.below.is_some(),
        };
        match old.survey.below.is_some() {
            false => self.move_over(node, old, new),
            true if node.is_dir() || !taken => self.swap_with_whiteout(old, new),
            true => self.link_over(old, new),
        }
    }

    /// The old name is free afterwards.
    fn move_over(&self, node: &Node, old: &End<'_>, new: &End<'_>) -> Result<()> {
        if !node.is_dir() || matches!(new.survey.above, Above::Nothing) {
            return rustix::fs::renameat(&old.directory, old.name, &new.directory, new.name);
        }
        // What was at the new name, a whiteout or an empty directory, is at the old one for a moment.
        exchange((&old.directory, old.name), (&new.directory, new.name))?;
        let temporary = self.temporary_name();
        rustix::fs::renameat(&old.directory, old.name, &self.work, &temporary)?;
        self.discard_any(&temporary)
    }

    /// The old name is hidden afterwards; the new one has nothing yet, or an empty directory.
    fn swap_with_whiteout(&self, old: &End<'_>, new: &End<'_>) -> Result<()> {
        let temporary = self.temporary_name();
        let aside = (&self.work, OsStr::new(&temporary));
        let target = (&new.directory, new.name);
        match new.survey.above {
            Above::Whiteout => {}
            Above::Nothing => self.whiteouts.link(target.0, target.1)?,
            Above::Object(_) => {
                self.whiteouts.link(aside.0, aside.1)?;
                exchange(aside, target).inspect_err(|_| remove(aside))?;
            }
        }
        exchange((&old.directory, old.name), target).inspect_err(|_| match new.survey.above {
            Above::Whiteout => {}
            Above::Nothing => remove(target),
            // If this fails too, the empty directory is lost; the first error says why.
            Above::Object(_) => drop(exchange(aside, target).map(|()| remove(aside))),
        })?;
        match new.survey.above {
            Above::Object(_) => self.discard(&temporary),
            Above::Whiteout | Above::Nothing => Ok(()),
        }
    }

    /// The old name is hidden afterwards; the new one has a file. Both lead to the object for a moment, as
    /// rename(2) allows.
    fn link_over(&self, old: &End<'_>, new: &End<'_>) -> Result<()> {
        let (link, whiteout) = (self.temporary_name(), self.temporary_name());
        let (link, whiteout) = ((&self.work, OsStr::new(&link)), (&self.work, OsStr::new(&whiteout)));
        // Made first: it is what can fail for want of room.
        self.whiteouts.link(whiteout.0, whiteout.1)?;
        let done = match rustix::fs::linkat(&old.directory, old.name, link.0, link.1, AtFlags::empty()) {
            Ok(()) => {
                rustix::fs::renameat(link.0, link.1, &new.directory, new.name).inspect_err(|_| remove(link))
            }
            // No room for one more link: the old name is free for a moment.
            Err(Errno::MLINK) => rustix::fs::renameat(&old.directory, old.name, &new.directory, new.name),
            Err(errno) => Err(errno),
        };
        done.inspect_err(|_| remove(whiteout))?;
        rustix::fs::renameat(whiteout.0, whiteout.1, &old.directory, old.name)
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
        self.names_changed(from.parent);
        self.names_changed(to.parent);
    }
}

fn exchange(one: (&Arc<OwnedFd>, &OsStr), other: (&Arc<OwnedFd>, &OsStr)) -> Result<()> {
    rustix::fs::renameat_with(one.0, one.1, other.0, other.1, RenameFlags::EXCHANGE)
}

/// Takes a whiteout or a link away again, after an error, which is the one to report.
fn remove(at: (&Arc<OwnedFd>, &OsStr)) {
    let _ = rustix::fs::unlinkat(at.0, at.1, AtFlags::empty());
}
