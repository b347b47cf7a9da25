//! What a fetch brought becomes the cache; and a run's view is completed from it. No rsync here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::fetch::What;
use crate::model::names::{ModuleName, NodeName};
use crate::sys::files::{self, FileError};
use crate::sys::folders;

/// Makes these parts of the view the cache in disco's own folder, each in one rename; a part that is the same stays.
///
/// The files are hard links, so call it before anything is added to the view. No lock is needed: readers and other runs see
/// each folder as one fetch brought it. After a crash a part may still be the old one, and a hidden folder that ends in `~`
/// may be left.
pub fn publish(view: &Path, home: &Path, parts: &[What]) -> Result<(), FileError> {
    for part in parts {
        let (fetched, cached) = (view.join(part.folder()), home.join(part.folder()));
        if folders::are_links(&fetched, &cached)? {
            continue;
        }
        part.create_parent(home)?;
        let new = folders::beside(&cached)?;
        let published =
            folders::hard_link_tree(&fetched, &new).and_then(|()| folders::replace_tree(&new, &cached));
        if published.is_err() {
            // The error that matters is the first; what cannot be removed either is hidden and ends in `~`.
            let _ = folders::remove_tree(&new);
        }
        published?;
    }
    Ok(())
}

/// Lays the modules' own parameters under the node's in the view, `parameters/NODE/parameters/`; and the node's settings,
/// `parameters/disco/`, beside them.
///
/// What the node says wins, a value over a folder too; where several modules name the same, the first of them by name
/// does. Files are hard links, so the cache and the modules keep what they have.
pub fn lay_defaults(
    view: &Path,
    home: &Path,
    node: &NodeName,
    modules: &BTreeSet<ModuleName>,
) -> Result<(), FileError> {
    let parameters = view.join("parameters");
    let own = parameters.join(node.as_str()).join("parameters");
    if files::look(&own)?.is_some_and(|there| !there.is_dir()) {
        // Through a link the defaults would be laid wherever on this host it leads.
        return Err(FileError::at("lay defaults under", own)(std::io::ErrorKind::NotADirectory.into()));
    }
    files::create_dirs(&own, 0o755)?;
    for module in modules {
        let defaults = view.join(What::Module(module.clone()).folder()).join("parameters");
        if is_folder(&defaults)? {
            lay_under(&defaults, &own)?;
        }
    }
    let (settings, shown) = (home.join("parameters/disco"), parameters.join("disco"));
    if is_folder(&settings)? && files::look(&shown)?.is_none() {
        folders::hard_link_tree(&settings, &shown)?;
    }
    Ok(())
}

fn is_folder(path: &Path) -> Result<bool, FileError> {
    Ok(files::look(path)?.is_some_and(|there| there.is_dir()))
}

fn lay_under(defaults: &Path, own: &Path) -> Result<(), FileError> {
    for name in files::list_dir(defaults)? {
        let (from, to) = (defaults.join(&name), own.join(&name));
        match (is_folder(&from)?, files::look(&to)?) {
            (true, None) => folders::hard_link_tree(&from, &to)?,
            (false, None) => folders::link_file(&from, &to)?,
            (true, Some(there)) if there.is_dir() => lay_under(&from, &to)?,
            (true | false, Some(_)) => {}
        }
    }
    Ok(())
}
