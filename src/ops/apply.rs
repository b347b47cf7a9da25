//! `disco apply`: merges a plan that a NOOP run has kept, and nothing else. No module is fetched, no script runs, no sandbox
//! opens; all around the merge is as in a live run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::merge::settle::Settled;
use crate::merge::{Files, Source};
use crate::model::change::{ChangeSet, Writers};
use crate::model::names::{ModuleName, NodeName};
use crate::model::run::{ActionRecord, Mode, RunOutcome, RunRecord};
use crate::model::saved::PlanHead;
use crate::model::step::ModuleRecord;
use crate::ops::dance::differences::Differences;
use crate::ops::dance::finish::Wanted;
use crate::ops::dance::ground::Ground;
use crate::ops::dance::{self, DanceError, DanceEvent, Run, finish, recover};
use crate::ops::secrets;
use crate::plans::{self, Plan, objects};
use crate::sandbox;
use crate::settings::Settings;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use crate::sys::scratch::ScratchFolder;
use crate::sys::tree::Root;

mod ground_of;

pub use ground_of::Moved;

/// A plan that is not merged.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// It is another node's.
    #[error("the plan is of the node {plan}, and this is {node}")]
    OtherNode {
        /// Whose it is.
        plan: NodeName,
        /// Where it was to be merged.
        node: NodeName,
    },
    /// It is another plan than the one that was signed off.
    #[error("the plan {} has another digest: {found}", file.display())]
    OtherDigest {
        /// The file.
        file: PathBuf,
        /// sha256 of it.
        found: String,
    },
    /// The live root has changed since.
    #[error("the live root is no longer what the plan rests on; nothing is merged{}", listed(.0))]
    Moved(Vec<Moved>),
}

fn listed(moved: &[Moved]) -> String {
    moved.iter().map(|one| format!("\n  {one}")).collect()
}

/// What is merged, and how, beyond the settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// The plan.
    pub file: PathBuf,
    /// The digest that it must have, in hex.
    pub digest: Option<String>,
    /// Whether it may be another node's.
    pub any_node: bool,
    /// Wait for another live run instead of refusing.
    pub wait: bool,
    /// Merge also where live runs are switched off.
    pub even_if_disabled: bool,
    /// Take the merge back unless somebody confirms it within so many seconds.
    pub confirm: Option<u64>,
}

/// What became of a plan.
#[derive(Debug)]
pub struct Applied {
    /// The run that merged it, which is on disk by then.
    pub record: RunRecord,
    /// Whether the live root was as the plan wants it before, so that there was nothing to do.
    pub was_so: bool,
}

/// Which plan that is, before anything is done with it.
pub fn head(file: &Path) -> Result<PlanHead, DanceError> {
    Ok(plans::head(file)?)
}

/// Merges a plan.
pub fn apply(
    settings: &Settings,
    options: &Options,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<Applied, DanceError> {
    is_of_node(&head(&options.file)?, settings, options)?;
    let mut was_so = false;
    let (wait, even_if_disabled) = (options.wait, options.even_if_disabled);
    let start = dance::Start { mode: Mode::Live, wait, even_if_disabled };
    let record = dance::recorded(settings, start, interrupt, on_event, |run, settings, ground, scratch| {
        run.confirm = options.confirm;
        was_so = apply_in(run, settings, ground, options, interrupt, scratch)?;
        Ok(())
    })?;
    Ok(Applied { record, was_so })
}

fn is_of_node(head: &PlanHead, settings: &Settings, options: &Options) -> Result<(), ApplyError> {
    let node = &settings.node.value;
    if head.node == *node || options.any_node {
        return Ok(());
    }
    Err(ApplyError::OtherNode { plan: head.node.clone(), node: node.clone() })
}

/// Everything between the opening of the record and its closing; says whether there was nothing to do.
fn apply_in(
    run: &mut Run<'_>,
    settings: &Settings,
    ground: &Ground,
    options: &Options,
    interrupt: &Interrupt,
    scratch: &ScratchFolder,
) -> Result<bool, DanceError> {
    let folder = scratch.path().join("plan");
    files::create_dirs(&folder, 0o700)?;
    let upper = Root::open(&folder, "plan")?;
    let stop = || interrupt.signal().is_some();
    let plan = run.metered("plan_file", |_| plans::read(&options.file, Some(&upper), &stop))?;
    secrets::learn_plan(&plan);
    if options.digest.as_ref().is_some_and(|digest| !digest.eq_ignore_ascii_case(&plan.digest)) {
        return Err(ApplyError::OtherDigest { file: options.file.clone(), found: plan.digest }.into());
    }
    // The file may be another one by now than the one that was looked at first.
    is_of_node(&plan.head, settings, options)?;
    let live = recover::open(&run.record.root)?;
    let entries = objects::entries(&plan.objects);
    let differences = Differences::kept(upper, entries, live, ground);
    let (changes, settled) = run.metered("diff", |run| look(run, settings, &plan, &differences))?;
    if let Some(signal) = interrupt.signal() {
        return Err(DanceError::Interrupted(signal));
    }
    let was_so = changes.0.is_empty() && !plan.changes.0.is_empty();
    run.record.noise = settings.noise.value.count(&changes);
    enter(run, &plan, &changes, was_so)?;
    if was_so {
        run.record.outcome = RunOutcome::Merged;
        return Ok(true);
    }
    if let Some(module) = run.record.modules.first() {
        let (module, label) = (&module.module, &module.label);
        (run.on_event)(DanceEvent::Changed { module, changes: &changes, label });
    }
    run.note()?;
    // As a fetch lays them.
    let fetched = scratch.path().join("modules");
    plans::scripts::lay(&plan.scripts, &fetched)?;
    let wanted = Wanted { modules: &plan.head.wants.iter().collect::<Vec<_>>(), fetched: &fetched };
    let schedule = &plan.head.schedule;
    finish::go_live_as_planned(run, settings, schedule, wanted, (&changes, settled), &differences)?;
    Ok(false)
}

/// What of a plan is left to do, and what has become of the live root under it.
fn look(
    run: &Run<'_>,
    settings: &Settings,
    plan: &Plan,
    differences: &Differences,
) -> Result<(ChangeSet, Settled), DanceError> {
    let (upper, entries) = differences.scratchpad();
    let inner_home = recover::inner_home(settings, &run.record.root)?;
    let source = Source {
        changes: &plan.changes,
        entries,
        upper,
        files: Files::Copied,
        live: differences.lower(),
        private: &sandbox::is_private_xattr,
        exclude: differences.excluded(),
        appends: &BTreeMap::new(),
        run: &run.record.run,
        root: &run.record.root,
        home: &settings.home.value,
        inner_home: inner_home.as_ref(),
    };
    let changes = ground_of::left_to_do(plan, &source)?;
    let source = Source { changes: &changes, ..source };
    let settled = ground_of::settle(plan, &source, &settings.on_conflict.value)?;
    Ok((changes, settled))
}

/// Puts into the record what is going to be done.
fn enter(run: &mut Run<'_>, plan: &Plan, changes: &ChangeSet, was_so: bool) -> Result<(), DanceError> {
    let name = ModuleName::new("apply").expect("a plain word is a name");
    run.record.plan.push(name.clone());
    run.record.changes = changes.0.len();
    let record = ModuleRecord::done(name, Vec::new(), changes.into());
    run.add(ModuleRecord { label: plan.head.label.clone(), ..record }, changes, &Writers::default())?;
    if !was_so {
        let asked = plan.head.actions.iter();
        run.record.actions =
            asked.map(|action| ActionRecord { action: action.clone(), outcome: None }).collect();
    }
    Ok(())
}
