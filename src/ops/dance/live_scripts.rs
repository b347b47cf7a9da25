//! The scripts of modules that are run on the live system, `after/` and `check/`: copied into the run's own folder, so that
//! what ran is on record, and is found again by whoever finishes the run after a crash.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::actions::schedule;
use crate::model::duty::{Duty, DutyOrigin, Schedule};
use crate::model::module::{Module, ScriptFolder};
use crate::model::names::NodeName;
use crate::sys::files::{self, FileError, Ownership};

/// Where they are, in the folder of a run.
pub(super) fn folder(run: &Path) -> PathBuf {
    run.join("live")
}

/// Copies those of these modules from `fetched`, where this run has them.
pub(super) fn copy(modules: &[&Module], fetched: &Path, run: &Path) -> Result<(), FileError> {
    for module in modules {
        for (names, below) in [(&module.after, ScriptFolder::After), (&module.checks, ScriptFolder::Check)] {
            for name in names {
                let place = Path::new(module.name.as_str()).join(below.name()).join(name);
                write(&folder(run).join(&place), &read(&fetched.join(&place))?)?;
            }
        }
    }
    Ok(())
}

/// Has the duties of a plan run the scripts that are in the folder of the run that applies it.
pub(super) fn find(schedule: &mut Schedule, run: &Path) {
    for duty in &mut schedule.after {
        if let Some(place) = place(&duty.origin) {
            let script = folder(run).join(&place);
            duty.effect = schedule::of_script(&script, place.to_string_lossy().into_owned());
        }
    }
}

/// Where a script is, below the modules.
fn place(origin: &DutyOrigin) -> Option<PathBuf> {
    let (module, below, script) = match origin {
        DutyOrigin::After { module, script } => (module, ScriptFolder::After, script),
        DutyOrigin::Check { module, script } => (module, ScriptFolder::Check, script),
        DutyOrigin::Actions { .. } | DutyOrigin::UnitFiles | DutyOrigin::OnChange { .. } => return None,
    };
    Some(Path::new(module.as_str()).join(below.name()).join(script))
}

fn read(script: &Path) -> Result<Vec<u8>, FileError> {
    let mut text = Vec::new();
    files::open(script)?.read_to_end(&mut text).map_err(FileError::at("read", script))?;
    Ok(text)
}

fn write(script: &Path, text: &[u8]) -> Result<(), FileError> {
    files::create_dirs(script.parent().unwrap_or(Path::new("/")), 0o700)?;
    files::write_whole(script, text, Ownership::New(0o700))
}

/// What a duty finds in its environment beside what every action does: as a script of its module.
pub(super) fn environment(duty: &Duty, node: &NodeName, home: &Path) -> BTreeMap<String, String> {
    let module = match &duty.origin {
        DutyOrigin::OnChange { module }
        | DutyOrigin::After { module, .. }
        | DutyOrigin::Check { module, .. } => module,
        DutyOrigin::Actions { .. } | DutyOrigin::UnitFiles => return BTreeMap::new(),
    };
    let folder = home.join("modules").join(module.as_str());
    [
        ("DISCO_NODE", node.to_string()),
        ("DISCO_MODULE", module.to_string()),
        ("DISCO_MODULE_DIR", folder.to_string_lossy().into_owned()),
        ("DISCO_HOME", home.to_string_lossy().into_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
