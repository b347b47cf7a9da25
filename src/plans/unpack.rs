//! Makes a plan's objects in a folder of disco's own, as the scratchpad had them: a plain tree that can be merged.

use std::fs::File;
use std::io;

use crate::model::path::RootedPath;
use crate::plans::{PlanFileError, Stored, What};
use crate::sys::metadata::{self, Metadata, Times};
use crate::sys::sparse;
use crate::sys::tree::Root;

use super::standing::cannot;

/// Makes an object; a file comes back to be written, and is dressed after that.
pub(super) fn make(into: &Root, stored: &Stored) -> Result<Option<File>, PlanFileError> {
    let path = &stored.path;
    if *path == RootedPath::default() {
        return Ok(None);
    }
    make_parents(into, path)?;
    let (parent, name) = into.parent(path)?;
    match &stored.what {
        What::Whiteout => {}
        What::Directory { .. } => parent.make_directory(&name)?,
        What::File { size, .. } => {
            let file = parent.create_file(&name)?;
            sparse::stretch(&file, *size).map_err(unpacking(path))?;
            return Ok(Some(file));
        }
        What::Symlink { metadata, target } => {
            parent.make_symlink(&name, target)?;
            dress(into, path, metadata)?;
        }
        What::Special { metadata, rdev } => {
            parent.make_node(&name, metadata.kind, *rdev)?;
            dress(into, path, metadata)?;
        }
        What::Link { to } => {
            let (from, from_name) = into.parent(to)?;
            parent.link(&name, &from, &from_name)?;
        }
    }
    Ok(None)
}

/// Gives all directories what they are, now that nothing is made in them any more.
pub(super) fn dress_directories(into: &Root, objects: &[Stored]) -> Result<(), PlanFileError> {
    for stored in objects.iter().rev() {
        if let What::Directory { metadata, .. } = &stored.what {
            dress(into, &stored.path, metadata)?;
        }
    }
    Ok(())
}

/// Gives an object what it is.
pub(super) fn dress(into: &Root, path: &RootedPath, wanted: &Metadata) -> Result<(), PlanFileError> {
    Ok(metadata::apply(&into.object(path)?, wanted, Times::Copied)?)
}

/// The directories above an object that the plan does not change: only here for what they hold.
fn make_parents(into: &Root, path: &RootedPath) -> Result<(), PlanFileError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if into.lookup(&parent)?.is_some() {
        return Ok(());
    }
    make_parents(into, &parent)?;
    let (above, name) = into.parent(&parent)?;
    Ok(above.make_directory(&name)?)
}

pub(super) fn unpacking(path: &RootedPath) -> impl FnOnce(io::Error) -> PlanFileError + use<> {
    cannot("unpack", &path.absolute())
}
