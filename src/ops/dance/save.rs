//! The end of a NOOP run that is kept as a plan: everything that it has shown, and what the live root must hold for that.

use std::borrow::Cow;
use std::path::Path;

use crate::model::change::{ChangeSet, ContentChange};
use crate::model::duty::Schedule;
use crate::model::module::Module;
use crate::model::path::RootedPath;
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::saved::PlanHead;
use crate::plans::write::Contents;
use crate::plans::{self, objects, scripts, standing};
use crate::sandbox::{self, Scratch};
use crate::secrets::{known, private};
use crate::settings::Settings;
use crate::sys::clock;

use super::differences::Differences;
use super::finish::Wanted;
use super::{DanceError, DanceEvent, Run, conflicts};

/// Whether a plan can have that name: before anything runs for it.
pub(in crate::ops) fn is_free(file: Option<&Path>) -> Result<(), DanceError> {
    Ok(file.map_or(Ok(()), plans::write::is_free)?)
}

/// What a run has shown.
pub(super) struct Shown<'a> {
    /// All its differences.
    pub changes: &'a ChangeSet,
    /// What is done on the live system around their merge.
    pub schedule: &'a Schedule,
    /// What its modules want there.
    pub wanted: Wanted<'a>,
}

/// Keeps what the run has shown in a file. A run that failed has shown nothing whole.
pub(super) fn save(
    run: &mut Run<'_>,
    settings: &Settings,
    sealed: &Scratch,
    differences: &Differences,
    shown: &Shown<'_>,
    file: &Path,
) -> Result<(), DanceError> {
    if run.record.outcome != RunOutcome::Shown {
        let message = format!("No plan is written to {}: the run has failed", file.display());
        (run.on_event)(DanceEvent::Warned { message: &message });
        return Ok(());
    }
    let written = run.metered("plan_file", |run| {
        let (upper, entries) = differences.scratchpad();
        let changes = without(shown.changes, differences.excluded());
        let wants = scripts::wants(shown.wanted.modules);
        let scripts = scripts::read(&wants, shown.wanted.fetched)?;
        let objects = objects::of_layer(&changes, entries, upper, &sandbox::is_private_xattr)?;
        let expected =
            standing::expected(&changes, &objects, differences.lower(), &sandbox::is_private_xattr)?;
        // After the look: so it was a look at what the sandbox saw.
        conflicts::refuse(sealed, &changes, differences)?;
        let contents = Contents {
            head: &head(&run.record, settings, wants, shown.schedule, &changes),
            changes: &changes,
            expected: &expected,
            objects: &objects,
            scripts: &scripts,
            upper,
        };
        Ok::<_, DanceError>(plans::write(file, &contents)?)
    })?;
    (run.on_event)(DanceEvent::Saved { file, digest: &written.digest, size: written.size });
    Ok(())
}

/// The differences that merge.
fn without(changes: &ChangeSet, excluded: &[RootedPath]) -> ChangeSet {
    let merges = |path: &RootedPath| !excluded.iter().any(|home| path.is_within(home));
    ChangeSet(changes.0.iter().filter(|change| merges(&change.path)).cloned().collect())
}

fn head(
    record: &RunRecord,
    settings: &Settings,
    wants: Vec<Module>,
    schedule: &Schedule,
    changes: &ChangeSet,
) -> PlanHead {
    // The paths too: they are shown, and not all of them are text.
    let mut texts: Vec<String> = changes.0.iter().map(|change| change.path.to_string()).collect();
    let words =
        record.actions.iter().map(|one| &one.action.effect).chain(schedule.duties().map(|duty| &duty.effect));
    texts.extend(words.flat_map(|effect| effect.argv.iter().chain(&effect.input).cloned()));
    let sides = changes.0.iter().flat_map(|change| match &change.content {
        // What stands in a file that only root can read is known by its being there.
        ContentChange::Text { before, after } if !private::is_withheld(change) => {
            vec![before.shown(), after.shown()]
        }
        _ => Vec::new(),
    });
    let secrets = known::those_in(texts.iter().map(Cow::from).chain(sides));
    PlanHead {
        node: record.node.clone(),
        root: record.root.clone(),
        version: record.version.clone(),
        run: record.run.clone(),
        made: clock::now(),
        label: record.label.clone(),
        modules: record.plan.clone(),
        settings: vec![
            ("disco/client/network".to_owned(), settings.network.value.to_string()),
            ("disco/server/uri".to_owned(), settings.server_uri.value.clone().unwrap_or_default()),
        ],
        actions: record.actions.iter().map(|one| one.action.clone()).collect(),
        wants,
        schedule: schedule.clone(),
        secrets,
    }
}
