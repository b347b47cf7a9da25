//! How something gets a name that was free: in one step, so that whoever kills the process finds in the layer
//! either that the name is free, or the new object. Not what the object is: that is `create`.

use crate::lookup::{Above, Depth};
use crate::node::Node;
use crate::place::Place;
use crate::{Overlay, Result, Stat, xattr};
use parking_lot::MutexGuard;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// About what a new object takes of the disk, in bytes.
const ENTRY: u64 = 4096;

/// A name that nothing has in the view, and that nobody else takes while this is held.
pub(crate) struct Free<'o> {
    /// The directory of the upper.
    pub directory: Arc<OwnedFd>,
    /// Whether a whiteout has the name: it hides something of the lower until the new object does.
    pub hidden: bool,
    name: &'o OsStr,
    _stripe: MutexGuard<'o, ()>,
}

impl Overlay {
    /// Takes a free name. The caller holds the tree, and no stripe.
    pub(crate) fn free<'o>(&'o self, parent: &Arc<Node>, name: &'o OsStr) -> Result<Free<'o>> {
        if name.len() > 255 {
            return Err(Errno::NAMETOOLONG);
        }
        self.ensure_upper(parent)?;
        let stripe = self.stripe(parent);
        if !parent.is_root() && parent.lock().names.is_empty() {
            return Err(Errno::NOENT);
        }
        let survey = self.survey(parent, name, Depth::View)?;
        let hidden = match (survey.above, survey.below) {
            (Above::Object(_), _) | (Above::Nothing, Some(_)) => return Err(Errno::EXIST),
            (Above::Nothing, None) => false,
            (Above::Whiteout, _) => true,
        };
        Ok(Free { directory: self.upper_of(parent)?, hidden, name, _stripe: stripe })
    }

    /// Gives a free name to what `build` makes under the name, and in the directory, that it gets. Over a
    /// whiteout it is built in the work directory first. What fails half way leaves nothing behind.
    pub(crate) fn put(
        &self,
        free: &Free<'_>,
        build: impl FnOnce(&Arc<OwnedFd>, &OsStr) -> Result<Stat>,
    ) -> Result<Stat> {
        self.charge(ENTRY)?;
        if !free.hidden {
            return build(&free.directory, free.name).inspect_err(|errno| {
                // What has the name already is not ours to remove.
                if *errno != Errno::EXIST {
                    remove(&free.directory, free.name);
                }
            });
        }
        let acl = default_acl(&free.directory)?;
        let temporary = self.temporary_name();
        let temporary = OsStr::new(&temporary);
        let Some(acl) = acl else { return build_and_move(&self.work, temporary, free, build) };
        // What is made in a directory inherits this list; so it is made in one that has the same.
        rustix::fs::mkdirat(&self.work, temporary, Mode::RWXU)?;
        let built = xattr::set(&Place::new(&self.work, temporary), DEFAULT_ACL, &acl, 0).and_then(|()| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let nursery = rustix::fs::openat(&self.work, temporary, flags, Mode::empty())?;
            build_and_move(&Arc::new(nursery), OsStr::new("new"), free, build)
        });
        remove(&self.work, temporary);
        built
    }
}

const DEFAULT_ACL: &std::ffi::CStr = c"system.posix_acl_default";

fn default_acl(directory: &Arc<OwnedFd>) -> Result<Option<Vec<u8>>> {
    match xattr::whole(|buffer| xattr::get(&Place::Fd(directory.clone()), DEFAULT_ACL, buffer)) {
        Ok(acl) => Ok(Some(acl)),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Builds an object aside and moves it over the whiteout.
fn build_and_move(
    aside: &Arc<OwnedFd>,
    name: &OsStr,
    free: &Free<'_>,
    build: impl FnOnce(&Arc<OwnedFd>, &OsStr) -> Result<Stat>,
) -> Result<Stat> {
    let moved = build(aside, name).and_then(|stat| {
        // A directory does not go over a file: the two change places.
        let flags = if stat.is_dir() { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
        rustix::fs::renameat_with(aside, name, &free.directory, free.name, flags)?;
        Ok(stat)
    });
    if moved.as_ref().map_or(true, Stat::is_dir) {
        remove(aside, name);
    }
    moved
}

/// Removes what is half made, or done with. The error that led here is the one to report, and what stays in
/// the work directory is seen by nobody.
fn remove(directory: &Arc<OwnedFd>, name: &OsStr) {
    if rustix::fs::unlinkat(directory, name, AtFlags::empty()).is_err() {
        let _ = rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR);
    }
}
