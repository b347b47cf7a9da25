//! Commands on modules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::names::ModuleName;
use crate::model::plan::Plan;
use crate::modules::{self, ModuleError};
use crate::plan::{self, PlanError};
use crate::sys::files::{self, FileError};

/// A command on modules that could not be done.
#[derive(Debug, Error)]
pub enum ModulesError {
    /// A module cannot be used.
    #[error(transparent)]
    Module(#[from] Box<ModuleError>),
    /// The modules cannot be put in an order.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Makes the folder of a new module in `folder`, and returns its path.
pub fn create(folder: &Path, name: &ModuleName) -> Result<PathBuf, ModulesError> {
    Ok(modules::scaffold(folder, name).map_err(Box::new)?)
}

/// The plan of the named modules in `folder`, with all that they require; of all modules there where none is named.
pub fn graph(folder: &Path, names: &[ModuleName]) -> Result<Plan, ModulesError> {
    let mut selected: BTreeSet<ModuleName> = names.iter().cloned().collect();
    if selected.is_empty() {
        // What has no module's name (`.git`, `README~`) is no module; nor what is no folder, below.
        let names = files::list_dir(folder)?;
        selected.extend(names.iter().filter_map(|name| ModuleName::new(name.to_str()?).ok()));
    }
    let mut read = Vec::new();
    let mut seen = selected.clone();
    let mut open: Vec<ModuleName> = selected.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let module = match modules::read(&folder.join(name.as_str()), &name) {
            Ok(module) => module,
            Err(ModuleError::Missing { .. }) => {
                // The plan says who needs it, if anybody does.
                if names.is_empty() {
                    selected.remove(&name);
                }
                continue;
            }
            Err(error) => return Err(Box::new(error).into()),
        };
        for requirement in &module.requires {
            if seen.insert(requirement.module.clone()) {
                open.push(requirement.module.clone());
            }
        }
        read.push(module);
    }
    Ok(plan::plan(&selected, &read)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_of_modules_is_planned() {
        let dir = tempfile::tempdir().unwrap();
        let name = |name| ModuleName::new(name).unwrap();
        for module in ["a", "b", "c"] {
            create(dir.path(), &name(module)).unwrap();
        }
        fs::create_dir(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join("README"), "no folder").unwrap();
        fs::write(dir.path().join("a/requires"), "after b").unwrap();
        let order =
            |plan: Plan| plan.modules.iter().map(|p| p.module.name.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(order(graph(dir.path(), &[]).unwrap()), "b a c");
        assert_eq!(order(graph(dir.path(), &[name("a")]).unwrap()), "b a");
        fs::write(dir.path().join("c/requires"), "gone").unwrap();
        assert_eq!(graph(dir.path(), &[]).unwrap_err().to_string(), "there is no module gone, which c needs");
    }
}
