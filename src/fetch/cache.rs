//! What the last fetch brought, as the view of a run that fetches nothing. No rsync here.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::fetch::{FetchError, What};
use crate::model::names::{ModuleName, NodeName};
use crate::sys::files::{self, FileError};
use crate::sys::folders;

/// disco's own folder as the source of a run, and the folder of that run.
#[derive(Debug, Clone, Copy)]
pub struct Cache<'a> {
    /// disco's own folder.
    pub home: &'a Path,
    /// The folder of this run.
    pub view: &'a Path,
}

/// How often a folder is taken anew because a fetch has replaced it meanwhile.
const TRIES: usize = 10;

impl Cache<'_> {
    /// Takes the parameters of that node as they were fetched last.
    pub fn parameters(&self, node: &NodeName) -> Result<(), FetchError> {
        self.one(What::Parameters(node.clone()))
    }

    /// Takes these modules as they were fetched last.
    pub fn modules(&self, names: &BTreeSet<ModuleName>) -> Result<(), FetchError> {
        names.iter().try_for_each(|name| self.one(What::Module(name.clone())))
    }

    fn one(&self, what: What) -> Result<(), FetchError> {
        let (cached, taken) = (self.home.join(what.folder()), self.view.join(what.folder()));
        what.create_parent(self.view)?;
        for left in (0..TRIES).rev() {
            let Some(before) = identity(&cached)? else { return Err(FetchError::NeverFetched { what }) };
            let linked = folders::hard_link_tree(&cached, &taken);
            // A fetch replaces the folder whole, in one exchange: it is the same one, so nobody has touched what it holds.
            if identity(&cached)? == Some(before) {
                return Ok(linked?);
            }
            if left > 0 {
                folders::remove_tree(&taken)?;
            }
        }
        Err(FetchError::Replaced { what })
    }
}

/// What tells one folder from another that takes its place; none where there is none.
fn identity(path: &Path) -> Result<Option<(u64, u64, i64, i64)>, FileError> {
    let there = files::look_through(path)?.filter(std::fs::Metadata::is_dir);
    Ok(there.map(|there| (there.dev(), there.ino(), there.ctime(), there.ctime_nsec())))
}
