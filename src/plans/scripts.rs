//! The scripts of modules that are run on the live system: kept with a plan, and laid out again as a fetch lays them.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Component, Path};

use crate::model::module::{Module, ScriptFolder};
use crate::model::saved::LiveScript;
use crate::plans::PlanFileError;
use crate::sys::files::{self, FileError, Ownership};

/// The modules that want something done around a merge.
pub fn wants(modules: &[&Module]) -> Vec<Module> {
    let wants = |module: &&&Module| {
        !module.after.is_empty() || !module.checks.is_empty() || !module.on_change.is_empty()
    };
    modules.iter().filter(wants).map(|module| (*module).clone()).collect()
}

fn named(module: &Module) -> impl Iterator<Item = (ScriptFolder, &String)> {
    let after = module.after.iter().map(|name| (ScriptFolder::After, name));
    after.chain(module.checks.iter().map(|name| (ScriptFolder::Check, name)))
}

/// The scripts of these modules, from the folder that holds theirs.
pub fn read(modules: &[Module], fetched: &Path) -> Result<Vec<LiveScript>, PlanFileError> {
    let mut scripts = Vec::new();
    for module in modules {
        for (folder, name) in named(module) {
            let path = fetched.join(module.name.as_str()).join(folder.name()).join(name);
            let mut bytes = Vec::new();
            files::open(&path)?.read_to_end(&mut bytes).map_err(FileError::at("read", &path))?;
            let (module, name, content) = (module.name.clone(), name.clone(), bytes.into());
            scripts.push(LiveScript { module, folder, name, content });
        }
    }
    Ok(scripts)
}

/// Lays the scripts below a folder of disco's own, which may not be there yet.
pub fn lay(scripts: &[LiveScript], into: &Path) -> Result<(), PlanFileError> {
    for script in scripts {
        let folder = into.join(script.module.as_str()).join(script.folder.name());
        files::create_dirs(&folder, 0o700)?;
        files::write_whole(&folder.join(&script.name), script.content.bytes(), Ownership::New(0o700))?;
    }
    Ok(())
}

/// Whether these are the scripts that the modules name, each once. An `Err` is what is wrong, in words.
pub(super) fn are_wanted(scripts: &[LiveScript], modules: &[Module]) -> Result<(), String> {
    let mut wanted = BTreeSet::new();
    for module in modules {
        wanted.extend(named(module).map(|(folder, name)| (&module.name, folder, name)));
    }
    for script in scripts {
        let LiveScript { module, folder, name, content: _ } = script;
        let mut parts = Path::new(name).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name.as_str());
        if !plain || !wanted.remove(&(module, *folder, name)) {
            return Err(format!("the script {module}/{}/{name:?} is wanted by nobody", folder.name()));
        }
    }
    match wanted.first() {
        None => Ok(()),
        Some((module, folder, name)) => {
            Err(format!("the script {module}/{}/{name:?} is not there", folder.name()))
        }
    }
}
