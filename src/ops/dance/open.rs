//! Opens the sandbox of a run: from the settings and the ground to what it is made of, and to what its steps share.

use std::fs::File;
use std::path::Path;

use crate::model::path::RootedPath;
use crate::sandbox::limits::Limits;
use crate::sandbox::{Sandbox, Spec};
use crate::settings::Settings;
use crate::step;
use crate::sys::host;
use crate::sys::interrupt::Interrupt;
use crate::sys::scratch::ScratchFolder;

use super::ground::Ground;
use super::{DanceError, DanceEvent, Run, reach, truth};

/// What the sandbox of a run is made of, with `view` as what steps see of disco's home.
pub(super) fn spec<'a>(
    run: &mut Run<'_>,
    settings: &Settings,
    ground: &'a Ground,
    scratch: &'a ScratchFolder,
    view: &'a Path,
) -> Result<Spec<'a>, DanceError> {
    let inside = |paths: &[RootedPath]| paths.iter().map(RootedPath::absolute).collect();
    Ok(Spec {
        run: run.record.run.clone(),
        root: &ground.root,
        upon: None,
        scratch: scratch.path(),
        home: ground.mount.absolute(),
        view,
        hidden: inside(&ground.hidden),
        make: inside(&ground.made),
        host_name: (!ground.root.is_own()).then(|| settings.node.value.to_string()),
        network: reach::of(run, settings, ground),
        limits: Limits::of(settings, host::memory()?),
    })
}

/// Opens it.
pub(super) fn opened(run: &mut Run<'_>, spec: &Spec<'_>) -> Result<Sandbox, DanceError> {
    let sandbox = run.metered("sandbox", |_| Sandbox::open(spec))?;
    if let Some(why) = sandbox.lacks_knobs() {
        let message = format!("Writes to /proc/sys and /sys are refused here, not pretended: {why}");
        (run.on_event)(DanceEvent::Warned { message: &message });
    }
    Ok(sandbox)
}

/// The one of a run that needs no other.
pub(in crate::ops) fn open_sandbox(
    run: &mut Run<'_>,
    settings: &Settings,
    ground: &Ground,
    scratch: &ScratchFolder,
    view: &Path,
) -> Result<Sandbox, DanceError> {
    let spec = spec(run, settings, ground, scratch, view)?;
    opened(run, &spec)
}

/// What all steps of a run share.
pub(in crate::ops) fn step_context<'a>(
    settings: &'a Settings,
    ground: &'a Ground,
    view: &'a Path,
    values: &'a File,
    interrupt: &'a Interrupt,
) -> step::Context<'a> {
    step::Context {
        node: &settings.node.value,
        home: &ground.home,
        view,
        values,
        limit: settings.step_timeout.value,
        best: truth::best(settings.network.value),
        interrupt,
    }
}
