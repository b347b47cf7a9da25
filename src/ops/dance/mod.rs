//! The dance: fetch, plan, run everything in one sandbox, show, and (live, if all succeeded) merge and act.
//!
//! One path for NOOP and live: a NOOP run is a live run that stops before the merge. An `Err` means that disco could not
//! do its part; a module that fails is in the record.

pub(super) mod around;
mod cluster;
mod confirm;
mod conflicts;
mod costs;
pub(super) mod differences;
mod duties;
mod error;
mod event;
pub(super) mod finish;
pub(super) mod ground;
pub(super) mod hidden;
mod live_scripts;
mod lock;
mod modules;
mod open;
mod output;
mod pending;
mod reach;
mod record;
pub(super) mod recover;
mod save;
mod services;
mod start;
pub(super) mod truth;
mod undo;
mod validators;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use crate::model::module::Module;
use crate::model::names::{ModuleName, RunId};
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, RunRecord, SCHEMA};
use crate::model::told::in_full;
use crate::model::truth::Label;
use crate::ops::gather::{self};
use crate::ops::secrets;
use crate::render;
use crate::runs::Runs;
use crate::sandbox::{self};
use crate::secrets::known;
use crate::settings::Settings;
use crate::step::StepError;
use crate::sys::clock::{self, Timed};
use crate::sys::files::{self};
use crate::sys::interrupt::Interrupt;
use crate::sys::scratch::{self, ScratchFolder};
use crate::sys::spool;
use crate::sys::starter;

pub use error::DanceError;
pub use event::{DanceEvent, Doing};
pub use recover::Extent;

pub(super) use save::is_free;
pub(super) use start::Start;

pub use ground::RootError;
pub(super) use open::{open_sandbox, step_context};

use differences::Differences;
use ground::Ground;

/// How a dance is to go, beyond the settings.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run these modules of the node and what they require; all where there are none.
    pub only: BTreeSet<ModuleName>,
    /// Wait for another live run instead of refusing.
    pub wait: bool,
    /// Keep what a NOOP run has shown as a plan in this file.
    pub plan_file: Option<PathBuf>,
    /// Take the merge back unless somebody confirms it within so many seconds.
    pub confirm: Option<u64>,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) record: RunRecord,
    folder: PathBuf,
    began: Instant,
    runs: Runs,
    fetched: BTreeMap<ModuleName, Timed>,
    /// Where what it has shown is kept as a plan.
    pub(super) plan_file: Option<PathBuf>,
    pub(super) confirm: Option<u64>,
    /// The lock of the cluster, where this run has one.
    cluster: cluster::Cluster,
    pub(super) on_event: &'a mut dyn FnMut(DanceEvent<'_>),
}

/// Does the dance, and returns its record, which is on disk by then.
pub fn dance(
    settings: &Settings,
    options: &Options,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunRecord, DanceError> {
    let mode = settings.mode.value;
    is_free(options.plan_file.as_deref())?;
    let start = Start { mode, wait: options.wait, even_if_disabled: false };
    recorded(settings, start, interrupt, on_event, |run, settings, ground, scratch| {
        run.plan_file.clone_from(&options.plan_file);
        run.confirm = options.confirm;
        run_in(run, settings, ground, options, interrupt, scratch)
    })
}

/// Removes what runs that were killed have left: what they had half written of their records, then their scratch folders, by
/// which they are known.
pub(super) fn sweep(settings: &Settings, on_event: &mut dyn FnMut(DanceEvent<'_>)) -> Result<(), DanceError> {
    let runs = Runs::new(&settings.home.value);
    for left in scratch::left_overs(&settings.storage.value).map_err(DanceError::Prepare)? {
        if let Some(Ok(run)) = left.path().file_name().and_then(|name| name.to_str()).map(RunId::new) {
            runs.tidy(&run)?;
        }
        let path = left.remove().map_err(DanceError::Prepare)?;
        on_event(DanceEvent::Swept { path: &path });
    }
    runs.tidy_names()?;
    record::tidy_home(&settings.home.value)
}

/// Does `work` as a run: with the run lock where it is live, a scratch folder, and a record from its start to its end.
/// The settings that it is given have disco's own folders free of symlinks; the ground is the root that they name.
pub(super) fn recorded(
    settings: &Settings,
    start: Start,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
    work: impl FnOnce(&mut Run<'_>, &Settings, &Ground, &ScratchFolder) -> Result<(), DanceError>,
) -> Result<RunRecord, DanceError> {
    if sandbox::is_inside() {
        return Err(DanceError::Inside);
    }
    let Start { mode, wait, .. } = start;
    let (said, settings) = (settings, &prepare_home(settings)?);
    let ground = &Ground::look(said, settings)?;
    start.may_begin(settings, ground)?;
    secrets::learn(settings, Some(&ground.tree));
    let on_event: &mut dyn FnMut(DanceEvent<'_>) = &mut |event| hidden::tell(event, on_event);
    let id = new_run_id();
    let (_lock, waited) = match mode {
        Mode::Live => {
            let path = ground.lock(&settings.home.value)?;
            let (lock, waited) = lock::take(&path, wait, &id, interrupt, on_event)?;
            // Somebody may have switched them off while it waited.
            start.may_begin(settings, ground)?;
            (Some(lock), waited)
        }
        Mode::Noop => (None, None),
    };
    if mode == Mode::Live {
        recover::recover(settings, ground, Extent::Whole, on_event)?;
    }
    sweep(settings, on_event)?;
    let (mut cluster, waited_for_lock) = match mode {
        Mode::Live => cluster::take(settings, ground, &id, interrupt, on_event)?,
        Mode::Noop => Default::default(),
    };
    let on_failure = settings.dlm.on_failure.value;
    let mut record = new_record(settings, &ground.root, id.clone(), mode);
    record.waits.extend(waited.into_iter().chain(waited_for_lock));
    let scratch = match ScratchFolder::create(&settings.storage.value, id.as_str()) {
        Ok(scratch) => scratch,
        Err(error) => {
            let error = DanceError::Prepare(error);
            record.outcome = RunOutcome::NotStarted { reason: in_full(&error) };
            cluster.end(&record, on_failure, on_event);
            return Err(error);
        }
    };
    let runs = Runs::new(&settings.home.value);
    let mut run = Run {
        folder: runs.folder(&id),
        began: Instant::now(),
        record,
        runs,
        fetched: BTreeMap::new(),
        plan_file: None,
        confirm: None,
        cluster,
        on_event,
    };
    let noted = run.note();
    let result = noted.and_then(|()| work(&mut run, settings, ground, &scratch));
    let result = result.map_err(|error| interrupted(interrupt, error));
    (run.record.ended, run.record.own) = (Some(clock::now()), Some(clock::whole_process()));
    if let Err(error) = &result {
        run.record.outcome = match error {
            DanceError::Interrupted(signal) => RunOutcome::Interrupted { signal: *signal },
            DanceError::Unrecorded { outcome, .. } => outcome.clone(),
            DanceError::Merge(_) => RunOutcome::MergeFailed { reason: in_full(error) },
            _ if run.record.modules.is_empty() => RunOutcome::NotStarted { reason: in_full(error) },
            _ => RunOutcome::Failed,
        };
    }
    let saved = run.note();
    let saved = if run.record.outcome.is_merged() { finish::told(saved, &run.record.outcome) } else { saved };
    run.cluster.end(&run.record, on_failure, run.on_event);
    (run.on_event)(DanceEvent::Ended { record: &run.record });
    let pruned = record::prune(settings, &run.runs);
    let forgotten = if mode == Mode::Live { undo::prune(settings, &ground.root) } else { Ok(()) };
    let removed = scratch.remove().map_err(DanceError::Prepare);
    // What ended the run is told first: mostly all of these have one cause.
    result.and(saved)?;
    pruned?;
    if let Err(error) = forgotten {
        let message = format!("cannot forget what could be undone: {}", in_full(&error));
        (run.on_event)(DanceEvent::Warned { message: &message });
    }
    for message in known::take_warnings() {
        (run.on_event)(DanceEvent::Warned { message: &message });
    }
    removed.map(|()| hidden::to_show(run.record))
}

/// Finishes merges that were stopped and removes what their runs have left, as every live run does first, and nothing else.
pub(super) fn recovered(
    settings: &Settings,
    extent: Extent,
    wait: bool,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    let (said, settings) = (settings, &prepare_home(settings)?);
    let ground = &Ground::look(said, settings)?;
    secrets::learn(settings, Some(&ground.tree));
    let on_event: &mut dyn FnMut(DanceEvent<'_>) = &mut |event| hidden::tell(event, on_event);
    let path = ground.lock(&settings.home.value)?;
    let _lock = lock::take(&path, wait, &new_run_id(), interrupt, on_event)?;
    match recover::recover(settings, ground, extent, on_event) {
        // The machine may have started anew, and nobody else waits for it.
        Err(DanceError::Unconfirmed { run, .. }) => confirm::start_waiter(settings, &run),
        other => other,
    }?;
    sweep(settings, on_event)
}

/// Confirms the merge that waits for it.
pub(super) fn confirmed(
    settings: &Settings,
    run: Option<&RunId>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunId, DanceError> {
    let settings = &prepare_home(settings)?;
    let path = settings.home.value.join("lock");
    let _lock = lock::take(&path, true, &new_run_id(), interrupt, on_event)?;
    confirm::confirm(settings, run, on_event)
}

/// Takes the merge back that waits to be confirmed; none where there is none.
pub(super) fn refused(
    settings: &Settings,
    run: Option<&RunId>,
    wait: bool,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<Option<RunId>, DanceError> {
    let settings = &prepare_home(settings)?;
    secrets::learn(settings, Some(&recover::open(&LiveRoot::Own)?));
    let on_event: &mut dyn FnMut(DanceEvent<'_>) = &mut |event| hidden::tell(event, on_event);
    let path = settings.home.value.join("lock");
    let _lock = lock::take(&path, wait, &new_run_id(), interrupt, on_event)?;
    confirm::refuse(settings, run, on_event)
}

/// Waits until a merge is confirmed, or takes it back when the time is up.
pub fn wait_for_confirmation(
    settings: &Settings,
    run: &RunId,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    confirm::wait_for(&prepare_home(settings)?, run, interrupt, on_event)
}

/// Everything of a dance between the opening of the record and its closing.
fn run_in(
    run: &mut Run<'_>,
    settings: &Settings,
    ground: &Ground,
    options: &Options,
    interrupt: &Interrupt,
    scratch: &ScratchFolder,
) -> Result<(), DanceError> {
    let view = scratch.path().join("view");
    for name in ["parameters", "modules"] {
        files::create_dirs(&view.join(name), 0o700)?;
    }
    if settings.fetch.value {
        let from = settings.server_uri.value.as_deref().unwrap_or_default();
        (run.on_event)(DanceEvent::Fetching { from });
    }
    let mut fetched = |done, of| (run.on_event)(DanceEvent::Doing(Doing::FetchingModules { done, of }));
    let (only, stop) = (&options.only, interrupt.flag());
    let gathered = gather::gather(settings, &view, &ground.tree, only, stop, &mut fetched)?;
    gathered.internal.iter().for_each(|(part, timed)| run.took(part, *timed));
    run.record.plan = gathered.plan.modules.iter().map(|planned| planned.module.name.clone()).collect();
    run.fetched = gathered.fetched;
    run.note()?;
    (run.on_event)(DanceEvent::Planned {
        run: &run.record.run,
        root: &run.record.root,
        modules: run.record.plan.len(),
    });
    let values = render::Context {
        params: gathered.params,
        hostname: settings.node.value.to_string(),
        facts: gathered.facts,
    };
    let values = spool::of_json(&values).map_err(StepError::Spool)?;
    let spec = open::spec(run, settings, ground, scratch, &view)?;
    let mut sandbox = open::opened(run, &spec)?;
    let context = step_context(settings, ground, &view, &values, interrupt);
    let mut differences = Differences::new(sandbox.layers(), ground, scratch.path())?;
    modules::run_all(run, &gathered.plan, &mut sandbox, &context, &mut differences)?;
    let sealed = sandbox.seal()?;
    validators::run_all(run, &gathered.plan, &spec, &sealed, &context)?;
    let modules: Vec<&Module> = gathered.plan.modules.iter().map(|planned| &planned.module).collect();
    let wanted = finish::Wanted { modules: &modules, fetched: &view.join("modules") };
    finish::finish(run, settings, interrupt, &sealed, &mut differences, wanted)
}

/// An error that a signal has caused is that signal.
fn interrupted(interrupt: &Interrupt, error: DanceError) -> DanceError {
    interrupt.signal().map_or(error, DanceError::Interrupted)
}

/// Makes disco's own folders, and says where they really are: inside a sandbox no symlink on the way to them is followed.
pub(super) fn prepare_home(settings: &Settings) -> Result<Settings, DanceError> {
    let mut settings = settings.clone();
    files::create_dirs(&settings.home.value, 0o755)?;
    for name in ["parameters", "modules", "runs"] {
        files::create_dirs(&settings.home.value.join(name), 0o700)?;
    }
    files::create_dirs(&settings.storage.value, 0o700)?;
    settings.home.value = files::canonical(&settings.home.value)?;
    settings.storage.value = files::canonical(&settings.storage.value)?;
    Ok(settings)
}

fn new_run_id() -> RunId {
    let id = format!("{}-{}", clock::stamp(), std::process::id());
    // A stamp and a number are digits and dashes.
    RunId::new(id).expect("a time stamp is a run id")
}

fn new_record(settings: &Settings, root: &LiveRoot, run: RunId, mode: Mode) -> RunRecord {
    RunRecord {
        schema: SCHEMA,
        run,
        node: settings.node.value.clone(),
        mode,
        root: root.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        by: Some(starter::starter()),
        waits: Vec::new(),
        started: clock::now(),
        ended: None,
        outcome: RunOutcome::Unfinished,
        plan: Vec::new(),
        changes: 0,
        noise: 0,
        label: Label::default(),
        internal: Vec::new(),
        merge_phases: Vec::new(),
        own: None,
        modules: Vec::new(),
        actions: Vec::new(),
        duties: Vec::new(),
        undoes: None,
        validators: Vec::new(),
    }
}
