//! Makes one change of a merge, from wherever an earlier attempt was stopped: it looks at what is there. Taking a change back
//! is making its inverse, so that there is one way only.

use std::ffi::OsStr;

use rustix::io::Errno;

use crate::merge::append::{self, Attempt};
use crate::merge::entry::{Deed, Entry, Stored};
use crate::merge::seen::Seen;
use crate::merge::store::Stores;
use crate::model::attributes::FileKind;
use crate::sys::metadata::{self, Times};
use crate::sys::object::Object;
use crate::sys::tree::{Directory, Rename, Root, TreeError};

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is made, now or before.
    Yes,
    /// Somebody has changed the place since: that stays.
    Kept,
}

/// What must be the same of an object that is replaced or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// That it is the object, whatever was done to it; and nobody has begun the change before.
    First,
    /// That it is the object, whatever was done to it.
    Object,
    /// Its content, too.
    Content,
}

/// Makes the change, if it is not made yet.
pub fn make(live: &Root, stores: &Stores, entry: &Entry, same: Sameness) -> Result<Made, TreeError> {
    // Somebody has taken the directory away, or put something else in its place.
    let parent = live.directory(&entry.path().parent().unwrap_or_default());
    if parent.is_err_and(|error| error.is_lost()) {
        return Ok(if matches!(entry, Entry::Delete { .. }) { Made::Yes } else { Made::Kept });
    }
    let there = live.lookup(entry.path())?;
    let there = there.as_ref();
    match entry {
        Entry::Place { path, at, new, .. } => match there {
            Some(there) => Ok(made(new.is(there.stat()))),
            None => {
                let (parent, name) = live.parent(path)?;
                let store = stores.folder(live, *at)?;
                if store.lookup(&at.name())?.is_none() {
                    return Ok(Made::Kept);
                }
                rename_new(&store, &at.name(), &parent, &name)?;
                Ok(Made::Yes)
            }
        },
        Entry::Replace { path, at, new, old, .. } => {
            let (parent, name) = live.parent(path)?;
            let place = Place { parent, name: &name, store: stores.folder(live, *at)?, at: *at };
            match there {
                Some(there) if new.is(there.stat()) => place.put_aside().map(|()| Made::Yes),
                Some(there) if is_the_old(old, there, same) => place.exchange(),
                Some(_) => Ok(Made::Kept),
                None => place.resume(),
            }
        }
        Entry::Delete { path, at, old } => match there {
            None => Ok(Made::Yes),
            Some(there) if is_the_old(old, there, same) => {
                let (parent, name) = live.parent(path)?;
                rename_new(&parent, &name, &stores.folder(live, *at)?, &at.name())?;
                Ok(Made::Yes)
            }
            Some(_) => Ok(Made::Kept),
        },
        Entry::Attributes { object, new, .. } => match there.filter(|there| object.is(there.stat())) {
            Some(there) => {
                let now = metadata::metadata(there, &|_| false)?;
                let times = if there.kind() == FileKind::Directory { Times::Kept } else { Times::Copied };
                // What is refused need not be asked for where it is so already.
                if !now.is_like(new) || (times == Times::Copied && now.mtime != new.mtime) {
                    metadata::apply(there, new, times)?;
                }
                Ok(Made::Yes)
            }
            None => Ok(Made::Kept),
        },
        Entry::Append { at, object, deed, .. } => {
            let tail = stores.folder(live, *at)?.lookup(&at.name())?;
            let (Some(there), Some(tail)) = (there.filter(|there| object.is(there.stat())), tail) else {
                return Ok(Made::Kept);
            };
            match deed {
                Deed::Add => append::add(there, &tail, object.size, attempt(same))?,
                Deed::TakeOff => append::take_off(there, &tail, object.size)?,
            }
            Ok(Made::Yes)
        }
    }
}

fn attempt(same: Sameness) -> Attempt {
    match same {
        Sameness::First => Attempt::First,
        Sameness::Object | Sameness::Content => Attempt::Again,
    }
}

fn made(yes: bool) -> Made {
    if yes { Made::Yes } else { Made::Kept }
}

fn is_the_old(old: &Seen, there: &Object, same: Sameness) -> bool {
    match same {
        Sameness::First | Sameness::Object => old.is(there.stat()),
        Sameness::Content => old.has_its_content(there.stat()),
    }
}

/// A place and the stored object that is to have it.
struct Place<'a> {
    parent: Directory,
    name: &'a OsStr,
    store: Directory,
    at: Stored,
}

impl Place<'_> {
    /// The place has the old object.
    fn exchange(&self) -> Result<Made, TreeError> {
        let stored = self.at.name();
        if self.store.lookup(&stored)?.is_none() {
            return Ok(Made::Kept);
        }
        match self.store.rename_into(&stored, &self.parent, self.name, Rename::Exchange) {
            Ok(()) => Ok(Made::Yes),
            Err(cause) if unsupported(&cause) => {
                // A moment without the object, where the file system cannot exchange two names.
                rename_new(&self.parent, self.name, &self.store, &self.at.aside())?;
                self.resume()
            }
            Err(cause) => Err(cause),
        }
    }

    /// The place is free, because the old object is aside already; or because somebody has removed it.
    fn resume(&self) -> Result<Made, TreeError> {
        let there = |name: &OsStr| Ok::<_, TreeError>(self.store.lookup(name)?.is_some());
        if !there(&self.at.aside())? || !there(&self.at.name())? {
            return Ok(Made::Kept);
        }
        rename_new(&self.store, &self.at.name(), &self.parent, self.name)?;
        self.put_aside().map(|()| Made::Yes)
    }

    /// The place has the new object: the old one gets the number that it would have after an exchange.
    fn put_aside(&self) -> Result<(), TreeError> {
        let aside = self.at.aside();
        if self.store.lookup(&aside)?.is_none() {
            return Ok(());
        }
        rename_new(&self.store, &aside, &self.store, &self.at.name())
    }
}

fn rename_new(from: &Directory, name: &OsStr, to: &Directory, new: &OsStr) -> Result<(), TreeError> {
    match from.rename_into(name, to, new, Rename::New) {
        // This file system cannot tell; then a look just before has to do.
        Err(cause) if unsupported(&cause) && to.lookup(new)?.is_none() => {
            from.rename_into(name, to, new, Rename::Replace)
        }
        done => done,
    }
}

fn unsupported(cause: &TreeError) -> bool {
    matches!(cause.errno(), Some(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP))
}
