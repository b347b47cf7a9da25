//! Before a live run: a merge into the same root that was stopped in the middle (a kill, a power cut) is finished first, and
//! the actions that belong to it are run; one that had only been prepared is taken back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::merge::{self, MergeError, Recovered};
use crate::model::root::LiveRoot;
use crate::model::run::RunOutcome;
use crate::runs::{RunError, Runs};
use crate::settings::Settings;
use crate::sys::clock;
use crate::sys::tree::Root;

use super::ground::Ground;
use super::{DanceError, DanceEvent, Run, finish};

/// The folder of the journals of merges under way.
pub(super) fn journals(home: &Path) -> PathBuf {
    home.join("journal")
}

/// The live root, open for a merge.
pub(in crate::ops) fn open(root: &LiveRoot) -> Result<Root, DanceError> {
    let label = match root {
        LiveRoot::Own => "live root".to_owned(),
        root @ LiveRoot::Other(_) => root.to_string(),
    };
    Ok(Root::open(&root.path(), &label)?)
}

/// Finishes what was interrupted. The caller has the lock of live runs on this root.
pub(super) fn recover(
    settings: &Settings,
    ground: &Ground,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<(), DanceError> {
    for journal in merge::journal::interrupted(&journals(&settings.home.value), &ground.root)? {
        let recovered = merge::recover::recover(&journal, &open(&ground.root)?)?;
        let run = journal.intent().plan.run.clone();
        on_event(DanceEvent::Recovered { run: &run, how: &recovered });
        // Before its actions, none of which has begun: they are run once, whatever becomes of this run.
        journal.close().map_err(MergeError::Journal)?;
        let runs = Runs::new(&settings.home.value);
        match runs.load(&run) {
            Ok(record) => {
                let folder = runs.folder(&run);
                let fetched = BTreeMap::new();
                let mut run = Run { record, folder, runs, fetched, plan_file: None, on_event };
                complete(&mut run, settings, &recovered)?;
            }
            // Somebody has removed it: what it asked for is not known any more.
            Err(RunError::NoSuchRun(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Brings the record of the interrupted run to its end, its actions included.
fn complete(run: &mut Run<'_>, settings: &Settings, recovered: &Recovered) -> Result<(), DanceError> {
    run.record.ended.get_or_insert_with(clock::now);
    match recovered {
        Recovered::Before => {
            let reason = "it was stopped before anything was merged".to_owned();
            run.record.outcome = RunOutcome::MergeFailed { reason };
            run.save()
        }
        Recovered::After { .. } => {
            run.record.outcome = RunOutcome::Merged;
            let (outcome, kept) = finish::act(run, settings);
            run.record.outcome = outcome;
            kept.and(run.save())
        }
    }
}
