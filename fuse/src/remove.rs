//! Names that go: unlink and rmdir, and what has to be remembered of what lost a name.

use crate::ids::Ids;
use crate::links::Links;
use crate::lookup::{Above, Below, Depth, Seen, Survey};
use crate::node::{Hold, Layer, Node};
use crate::readdir::for_each;
use crate::touched::Extent;
use crate::{Overlay, Result, Stat};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// An object that is about to lose a name.
pub(crate) struct Loss<'o> {
    id: u64,
    layer: Layer,
    stat: Stat,
    /// The node, if anybody remembers it, and what keeps its object reachable without a name.
    node: Option<(Hold<'o>, Option<Arc<OwnedFd>>)>,
}

impl Overlay {
    /// Removes a name of something that is not a directory.
    pub(crate) fn unlink(&self, parent: u64, name: &OsStr) -> Result<()> {
        let _tree = self.tree.read();
        let parent = self.table.node(parent)?;
        loop {
            let stripe = self.stripe(&parent);
            let survey = self.survey(&parent, name, Depth::Both)?;
            let (id, layer, stat) = match self.seen(&survey) {
                Seen::Nothing => return Err(Errno::NOENT),
                Seen::Elsewhere { id } => {
                    drop(stripe);
                    self.materialise(&parent, name, id)?;
                    continue;
                }
                Seen::Object { id, layer, stat, origin: _ } => (id, layer, stat),
            };
            if stat.is_dir() {
                return Err(Errno::ISDIR);
            }
            self.no_mount_point(&parent, name)?;
            if survey.below.is_some() && parent.layer() == Layer::Lower {
                drop(stripe);
                self.ensure_upper(&parent)?;
                continue;
            }
            let loss = self.expect_loss(&parent, name, id, layer, stat)?;
            let directory = self.upper_of(&parent)?;
            match (survey.above, survey.below) {
                (Above::Object(_), Some(_)) => {
                    self.whiteouts.replace(&directory, name, &self.temporary_name())?;
                }
                (Above::Object(_), None) => rustix::fs::unlinkat(&directory, name, AtFlags::empty())?,
                _ => self.whiteouts.link(&directory, name)?,
            }
            return self.suffer_loss(&parent, name, loss, survey.below.as_ref());
        }
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, parent: u64, name: &OsStr) -> Result<()> {
        let _tree = self.tree.write();
        let parent = self.table.node(parent)?;
        let (node, stat) = self.child(&parent, name)?.ok_or(Errno::NOENT)?;
        if !node.is_dir() {
            return Err(Errno::NOTDIR);
        }
        if node.layer() == Layer::Sealed {
            return Err(Errno::BUSY);
        }
        self.no_mount_point(&parent, name)?;
        if !self.is_empty(&node)? {
            return Err(Errno::NOTEMPTY);
        }
        self.ensure_upper(&parent)?;
        let survey = self.survey(&parent, name, Depth::Both)?;
        let loss = self.expect_loss(&parent, name, node.id, node.layer(), stat)?;
        self.clear_name(&parent, name, &survey)?;
        self.suffer_loss(&parent, name, loss, survey.below.as_ref())
    }

    /// Takes an empty directory away, and leaves a whiteout where the lower would show through.
    fn clear_name(&self, parent: &Arc<Node>, name: &OsStr, survey: &Survey) -> Result<()> {
        let directory = self.upper_of(parent)?;
        match (survey.above, survey.below) {
            (Above::Object(_), None) => {
                match rustix::fs::unlinkat(&directory, name, AtFlags::REMOVEDIR) {
                    Err(Errno::NOTEMPTY | Errno::EXIST) => {}
                    done => return done,
                }
                let temporary = self.temporary_name();
                rustix::fs::renameat(&directory, name, &self.work, &temporary)?;
                self.discard(&temporary)
            }
            (Above::Object(_), Some(_)) => {
                let temporary = self.temporary_name();
                self.whiteouts.link(&self.work, OsStr::new(&temporary))?;
                let exchange = RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&self.work, &temporary, &directory, name, exchange)?;
                self.discard(&temporary)
            }
            _ => self.whiteouts.link(&directory, name),
        }
    }

    /// Removes a directory in the work directory that holds nothing but whiteouts.
    pub(crate) fn discard(&self, temporary: &str) -> Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = Arc::new(rustix::fs::openat(&self.work, temporary, flags, Mode::empty())?);
        let mut names: Vec<OsString> = Vec::new();
        for_each(&directory, |name, _, _| {
            names.push(name.to_owned());
            Ok(())
        })?;
        for name in names {
            rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
        }
        rustix::fs::unlinkat(&self.work, temporary, AtFlags::REMOVEDIR)
    }

    /// Gets ready for an object's loss of a name: if it is the last one known, it must stay reachable for
    /// whoever has it open.
    pub(crate) fn expect_loss(
        &self,
        parent: &Node,
        name: &OsStr,
        id: u64,
        layer: Layer,
        stat: Stat,
    ) -> Result<Loss<'_>> {
        let node = match self.table.get(id) {
            Some(node) if node.is_last_name(parent, name) => {
                let pin = self.place(&node)?.pin()?;
                Some((node, Some(pin)))
            }
            known => known.map(|node| (node, None)),
        };
        Ok(Loss { id, layer, stat, node })
    }

    /// Notes that an object has lost a name; `below` is what the lower had there.
    pub(crate) fn suffer_loss(
        &self,
        parent: &Arc<Node>,
        name: &OsStr,
        loss: Loss<'_>,
        below: Option<&Below>,
    ) -> Result<()> {
        self.names_changed(parent);
        if let Some(below) = below {
            self.note_base(parent, name, &below.stat, None);
        }
        self.touch_name(parent, name, Extent::Itself);
        if let Some(shim) = self.shims.at(parent, name) {
            if let Some(served) = self.table.get(Ids::shim(shim)) {
                self.table.remove_name(&served, parent, name);
            }
            self.shims.step_aside(parent, name);
        }
        if loss.stat.is_dir() {
            self.drop_descriptors(loss.id);
        }
        if let Some((node, pin)) = &loss.node {
            if pin.is_some() {
                node.lock().set_pin(pin.clone());
                self.drop_origin(node);
            }
            self.table.remove_name(node, parent, name);
        }
        match loss.layer {
            Layer::Lower if loss.stat.nlink > 1 && !loss.stat.is_dir() => {
                self.links.removed(loss.id, parent, name);
            }
            Layer::Upper | Layer::Merged if loss.stat.is_dir() || loss.stat.nlink <= 1 => {
                self.ids.died(loss.stat.ino);
            }
            Layer::Indexed => return self.clear_index(&loss),
            Layer::Lower | Layer::Upper | Layer::Merged | Layer::Sealed | Layer::Shim(_) => {}
        }
        Ok(())
    }

    /// Removes a file from the index when that is its last link and no name of the lower leads to it.
    fn clear_index(&self, loss: &Loss<'_>) -> Result<()> {
        let name = Links::name(loss.id);
        let stat = Stat::at(&self.index, &*name)?;
        if stat.nlink > 1 || self.links.unseen(loss.id) > 0 {
            return Ok(());
        }
        if let Some((node, pin)) = &loss.node {
            let mut inner = node.lock();
            inner.layer = Layer::Upper;
            let pin = inner.pin().or(pin.as_ref()).cloned();
            inner.set_pin(pin);
        }
        rustix::fs::unlinkat(&self.index, &*name, AtFlags::empty())?;
        self.ids.died(stat.ino);
        self.links.forget(loss.id);
        Ok(())
    }
}
