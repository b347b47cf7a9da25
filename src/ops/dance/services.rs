//! What is so on the live system before anything is done there: which services run, what settings are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::actions::back::touched;
use crate::actions::knobs;
use crate::model::action::{Effect, EffectKind};
use crate::model::duty::{Schedule, Stood};
use crate::model::step::Outcome;
use crate::sys::act;
use crate::sys::files::{self, FileError};

/// How long a service may take to say whether it runs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the schedule has to do with, as it is now.
pub(super) fn stood(schedule: &Schedule) -> Result<Stood, FileError> {
    let systemd = has_systemd()?;
    let mut stood = Stood { boot: boot()?, systemd, ..Stood::default() };
    let (services, settings) = touched(schedule);
    for service in services.into_keys() {
        let runs = if systemd { unit_runs(&service) } else { script_says(&service)? };
        stood.services.insert(service, runs);
    }
    for name in settings {
        // One that is not there, or that nobody can read, cannot be set back, and says so then.
        let value = knobs::file_of(&name).and_then(|path| files::read_to_string(&path).ok());
        stood.settings.extend(value.map(|value| (name, value)));
    }
    Ok(stood)
}

/// Whether systemd runs this node, as sd_booted(3) has it.
pub(super) fn has_systemd() -> Result<bool, FileError> {
    Ok(files::look(Path::new("/run/systemd/system"))?.is_some_and(|there| there.is_dir()))
}

/// The name of this boot.
pub(super) fn boot() -> Result<String, FileError> {
    Ok(files::read_to_string(Path::new("/proc/sys/kernel/random/boot_id"))?.trim().to_owned())
}

/// Whether a service has an init script, as far as can be seen.
pub(super) fn has_script(service: &str) -> bool {
    !matches!(files::look_through(&script(service)), Ok(None))
}

fn script(service: &str) -> PathBuf {
    Path::new("/etc/init.d").join(service)
}

fn unit_runs(service: &str) -> Option<bool> {
    let acted = act::run(&asks(&["systemctl", "is-active", service]), &[], PATIENCE);
    match acted.output.trim() {
        "active" | "reloading" | "refreshing" | "activating" | "deactivating" => Some(true),
        "inactive" | "failed" | "unknown" => Some(false),
        _ => None,
    }
}

/// What an init script says of its service. One that knows no `status` fails at that as if it were not running: it does not
/// say anything.
fn script_says(service: &str) -> Result<Option<bool>, FileError> {
    let path = script(service);
    let Some(there) = files::look_through(&path)? else { return Ok(Some(false)) };
    if !there.is_file() || !files::read_to_string(&path).is_ok_and(|text| text.contains("status")) {
        return Ok(None);
    }
    let script = path.to_string_lossy();
    Ok(match act::run(&asks(&[script.as_ref(), "status"]), &[], PATIENCE).outcome {
        Outcome::Done => Some(true),
        Outcome::Exited { status: 1..=3 } => Some(false),
        Outcome::Exited { .. }
        | Outcome::Signaled { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Failed { .. } => None,
    })
}

fn asks(words: &[&str]) -> Effect {
    Effect {
        kind: EffectKind::Service,
        target: String::new(),
        program: words.first().copied().unwrap_or_default().into(),
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        cwd: "/".into(),
        line: None,
        input: None,
        processes: Vec::new(),
    }
}
