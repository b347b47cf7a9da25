//! What an object of the live root is, in the terms of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::model::change::ChangeSet;
use crate::model::path::RootedPath;
use crate::model::saved::{Expected, Role, Standing};
use crate::plans::digest;
use crate::plans::{PlanFileError, Stored};
use crate::sys::accounts::Accounts;
use crate::sys::metadata::{self, IsPrivate};
use crate::sys::tree::{Object, Root};

/// What is at a path; none where there is nothing.
pub fn look(
    root: &Root,
    path: &RootedPath,
    private: IsPrivate<'_>,
) -> Result<Option<Standing>, PlanFileError> {
    root.lookup(path)?.map(|object| of(&object, path, private)).transpose()
}

/// What an object is.
pub fn of(object: &Object, path: &RootedPath, private: IsPrivate<'_>) -> Result<Standing, PlanFileError> {
    // Names of accounts are those of one node: the numbers count.
    let (attributes, _) = metadata::attributes(object, 0, &Accounts::default(), private)?;
    let sha256 = match attributes.md5 {
        Some(_) => Some(digest::sha256_of(object.read()?).map_err(cannot_read(path))?),
        None => None,
    };
    Ok(Standing { attributes, sha256 })
}

/// What the live root holds at all paths of the differences and objects, and the directories above them.
pub fn expected(
    changes: &ChangeSet,
    objects: &[Stored],
    live: &Root,
    private: IsPrivate<'_>,
) -> Result<Vec<Expected>, PlanFileError> {
    let touched = changes.0.iter().map(|change| &change.path).chain(objects.iter().map(|one| &one.path));
    let touched: BTreeSet<&RootedPath> = touched.collect();
    let mut expected = BTreeMap::new();
    for path in &touched {
        expected.insert((*path).clone(), (Role::Touched, look(live, path, private)?));
        let mut above = path.parent();
        while let Some(directory) = above.filter(|directory| !expected.contains_key(directory)) {
            above = directory.parent();
            if !touched.contains(&directory) {
                let state = look(live, &directory, private)?;
                expected.insert(directory, (Role::Holds, state));
            }
        }
    }
    let each = |(path, (role, state))| Expected { path, role, state };
    Ok(expected.into_iter().map(each).collect())
}

pub(super) fn cannot_read(path: &RootedPath) -> impl FnOnce(io::Error) -> PlanFileError + use<> {
    let path = path.absolute();
    move |source| PlanFileError::Io { action: "read", path, source }
}

pub(super) fn cannot(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PlanFileError + use<> {
    let path = path.to_owned();
    move |source| PlanFileError::Io { action, path, source }
}
