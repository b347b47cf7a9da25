//! Commands on modules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::module::Module;
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
    while !open.is_empty() {
        let mut required = Vec::new();
        for (name, module) in open.iter().zip(read_all(folder, &open)) {
            match module {
                Ok(module) => {
                    let needed = module.requires.iter().map(|requirement| &requirement.module);
                    required.extend(needed.filter(|needed| seen.insert((*needed).clone())).cloned());
                    read.push(module);
                }
                // The plan says who needs it, if anybody does.
                Err(ModuleError::Missing { .. }) if names.is_empty() => _ = selected.remove(name),
                Err(ModuleError::Missing { .. }) => {}
                Err(error) => return Err(Box::new(error).into()),
            }
        }
        open = required;
    }
    Ok(plan::plan(&selected, &read)?)
}

/// So few modules are read sooner than a thread is started.
const FEW: usize = 500;

/// These modules, in this order; many of them by several threads, since reading them is most of what a plan costs.
fn read_all(folder: &Path, names: &[ModuleName]) -> Vec<Result<Module, ModuleError>> {
    let read = |name: &ModuleName| modules::read(&folder.join(name.as_str()), name);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = names.len().div_ceil(threads).max(FEW);
    let read_share = |share: &[ModuleName]| share.iter().map(read).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let shares: Vec<_> =
            names.chunks(share).map(|share| scope.spawn(move || read_share(share))).collect();
        let joined = shares.into_iter().map(|share| share.join());
        // A panic of a thread is this one's.
        joined.flat_map(|share| share.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
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

    #[test]
    fn many_modules_are_planned_as_few_are() {
        let dir = tempfile::tempdir().unwrap();
        let name = |at: usize| format!("m{at:05}");
        let count = 3 * FEW + 1;
        for at in 0..count {
            let folder = dir.path().join(name(at));
            fs::create_dir(&folder).unwrap();
            // The last comes first.
            let requires = if at + 1 < count { format!("after {}", name(at + 1)) } else { String::new() };
            fs::write(folder.join("requires"), requires).unwrap();
        }
        let plan = graph(dir.path(), &[]).unwrap();
        let order: Vec<_> = plan.modules.iter().map(|planned| planned.module.name.to_string()).collect();
        assert_eq!(order, (0..count).rev().map(name).collect::<Vec<_>>());
        fs::write(dir.path().join(name(7)).join("requires"), "after gone").unwrap();
        assert_eq!(
            graph(dir.path(), &[]).unwrap_err().to_string(),
            "there is no module gone, which m00007 needs"
        );
    }
}
