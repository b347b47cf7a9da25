//! What a name in a directory leads to in the merged view, and the node for it. Changes nothing, except that
//! a name of a hard-linked file that was copied up through another name is linked into the upper here.

use crate::lower::Under;
use crate::node::{Hold, Layer, Node};
use crate::place::Place;
use crate::{Overlay, Result, Stat};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// What the upper has under a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Above {
    Nothing,
    Whiteout,
    Object(Stat),
}

/// What the lower has under a name, as far as it shows in this directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below {
    pub stat: Stat,
    pub id: u64,
    pub sealed: bool,
}

/// What both layers have under one name.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub above: Above,
    pub below: Option<Below>,
    /// What lies below a directory of the upper.
    pub under: Under,
}

/// What a name leads to.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Nothing,
    Object {
        id: u64,
        layer: Layer,
        stat: Stat,
        /// For a directory that was moved: where the lower has it.
        origin: Option<Arc<Path>>,
    },
    /// A file of the lower whose inode was copied up under another name.
    Elsewhere {
        id: u64,
    },
}

/// How much of a name's story is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What shows.
    View,
    /// Also what is hidden below, for whoever is going to remove or replace it.
    Both,
}

impl Overlay {
    /// Looks at a name in both layers; the caller holds the directory's stripe or the tree.
    pub(crate) fn survey(&self, parent: &Arc<Node>, name: &OsStr, depth: Depth) -> Result<Survey> {
        let mut survey = Survey { above: Above::Nothing, below: None, under: Under::Same };
        let (layer, orphan) = {
            let inner = parent.lock();
            (inner.layer, inner.pin().is_some() && !parent.is_root())
        };
        if orphan {
            return Ok(survey);
        }
        let (upper, lower) = match layer {
            Layer::Upper => (true, false),
            Layer::Merged => (true, true),
            Layer::Lower => (false, true),
            Layer::Sealed => return Ok(survey),
            Layer::Indexed | Layer::Shim(_) => return Err(Errno::NOTDIR),
        };
        if !parent.is_dir() {
            return Err(Errno::NOTDIR);
        }
        if upper {
            let directory = self.upper_of(parent)?;
            match Stat::at(&directory, name) {
                Ok(stat) if self.whiteouts.is_whiteout(&directory, name, &stat)? => {
                    survey.above = Above::Whiteout;
                }
                Ok(stat) => {
                    survey.above = Above::Object(stat);
                    if stat.is_dir() && (lower || self.moved.any()) {
                        survey.under = Under::of(&Place::new(&directory, name))?;
                    }
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        let wanted = match survey.above {
            Above::Nothing => true,
            Above::Whiteout => depth == Depth::Both,
            Above::Object(stat) => depth == Depth::Both || (stat.is_dir() && survey.under == Under::Same),
        };
        if lower && wanted {
            survey.below = self.below(parent, name)?;
        }
        Ok(survey)
    }

    fn below(&self, parent: &Arc<Node>, name: &OsStr) -> Result<Option<Below>> {
        let directory = self.lower_of(parent)?;
        let Some((stat, part)) = self.lowers.look(&directory, name)? else { return Ok(None) };
        let mount = self.mount_of(part, name, &stat)?;
        if mount.pseudo && !stat.is_dir() {
            // A namespace kept alive by a bind mount: nothing that could be copied or read.
            return Ok(None);
        }
        let sealed = stat.is_dir() && (mount.pseudo || self.is_scratch(&stat));
        if self.touches.are_wanted() {
            self.seen.note(parent.id, name, &stat);
        }
        Ok(Some(Below { stat, id: self.ids.lower(mount.index, stat.ino), sealed }))
    }

    /// Says what a survey shows.
    pub(crate) fn seen(&self, survey: &Survey) -> Seen {
        match (&survey.above, &survey.below) {
            (Above::Whiteout, _) | (Above::Nothing, None) => Seen::Nothing,
            (Above::Object(stat), below) => {
                let id = self.ids.upper(stat.ino);
                let (layer, origin) = match &survey.under {
                    Under::At(path) if stat.is_dir() => (Layer::Merged, Some(Arc::from(path.as_path()))),
                    Under::Same if stat.is_dir() && below.is_some_and(|b| b.stat.is_dir() && !b.sealed) => {
                        (Layer::Merged, None)
                    }
                    _ if !stat.is_dir() && self.links.is_indexed(id) => (Layer::Indexed, None),
                    _ => (Layer::Upper, None),
                };
                Seen::Object { id, layer, stat: *stat, origin }
            }
            (Above::Nothing, Some(below)) => {
                if below.stat.nlink > 1 && !below.stat.is_dir() && self.links.is_indexed(below.id) {
                    return Seen::Elsewhere { id: below.id };
                }
                let layer = if below.sealed { Layer::Sealed } else { Layer::Lower };
                Seen::Object { id: below.id, layer, stat: below.stat, origin: None }
            }
        }
    }

    /// Returns the node of a name in the merged view and its object's attributes; never a shim.
    /// The caller holds the tree, and no stripe.
    pub(crate) fn child(&self, parent: &Arc<Node>, name: &OsStr) -> Result<Option<(Hold<'_>, Stat)>> {
        if name.len() > 255 {
            return Err(Errno::NAMETOOLONG);
        }
        loop {
            let stripe = self.stripe(parent);
            match self.seen(&self.survey(parent, name, Depth::View)?) {
                Seen::Nothing => return Ok(None),
                Seen::Elsewhere { id } => {
                    drop(stripe);
                    self.materialise(parent, name, id)?;
                }
                Seen::Object { id, layer, stat, origin } => {
                    let node = self.intern(id, layer, &stat);
                    if let Some(path) = origin {
                        self.note_origin(&node, &path);
                    }
                    if node.add_name(parent, name)
                        && layer == Layer::Lower
                        && stat.nlink > 1
                        && !stat.is_dir()
                    {
                        self.links.seen(node.id, parent, name);
                    }
                    return Ok(Some((node, stat)));
                }
            }
        }
    }

    /// Returns the node of an object that was just seen.
    pub(crate) fn intern(&self, id: u64, layer: Layer, stat: &Stat) -> Hold<'_> {
        let node = self.table.intern(id, stat.kind(), layer);
        if node.kind == stat.kind() {
            return node;
        }
        // The live lower reused an inode number while the kernel still remembers what had it before.
        self.table.intern(self.ids.fresh(), stat.kind(), layer)
    }

    /// Looks a name up for a request: a shim where one is to be served, otherwise the object.
    pub(crate) fn visible(&self, parent: &Arc<Node>, name: &OsStr) -> Result<Option<(Hold<'_>, Stat)>> {
        let Some((node, stat)) = self.child(parent, name)? else { return Ok(None) };
        let replaceable = matches!(node.kind, FileType::RegularFile | FileType::Symlink);
        if let Some(shim) = self.shims.at(parent, name).filter(|_| replaceable) {
            let id = crate::ids::Ids::shim(shim);
            let served = self.table.intern(id, FileType::RegularFile, Layer::Shim(shim));
            served.add_name(parent, name);
            return Ok(Some((served, self.shims.stat(shim))));
        }
        Ok(Some((node, stat)))
    }

    /// Returns the node as somebody sees it who executes it.
    #[cfg(test)]
    pub(crate) fn lookup(&self, parent: u64, name: &OsStr) -> Result<Option<(Hold<'_>, Stat)>> {
        Ok(self.lookup_for(parent, name, || true)?.map(|(node, stat, _)| (node, stat)))
    }

    /// Returns the node for the kernel to remember, with its attributes, and whether the name is a shim's, so that each who comes
    /// has to ask; `None` when there is no such name. A shim is for those who execute: whoever copies or compares has the real file.
    pub(crate) fn lookup_for(
        &self,
        parent: u64,
        name: &OsStr,
        executes: impl FnOnce() -> bool,
    ) -> Result<Option<(Hold<'_>, Stat, bool)>> {
        let _tree = self.tree.read();
        let parent = self.table.node(parent)?;
        let is_shims = self.shims.at(&parent, name).is_some();
        let found =
            if is_shims && !executes() { self.child(&parent, name)? } else { self.visible(&parent, name)? };
        let Some((node, stat)) = found else { return Ok(None) };
        let stat = self.shown(&node, stat);
        Ok(Some((node, stat, is_shims)))
    }

    /// Takes back lookups of the kernel's.
    pub(crate) fn forget(&self, id: u64, count: u64) {
        if id == crate::ids::ROOT {
            return;
        }
        if let Some(node) = self.table.get(id) {
            self.table.release(&node, count);
        }
    }
}
