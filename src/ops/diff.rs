//! `disco diff`: the differences that a run has shown, from its record.

use std::path::Path;

use crate::model::change::Recorded;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::ops::history::Which;
use crate::runs::{RunError, Runs};

/// The run, and what its modules changed at and below a path, in their order.
pub fn diff(
    home: &Path,
    which: &Which,
    only: Option<&RootedPath>,
) -> Result<(RunId, Vec<Recorded>), RunError> {
    let runs = Runs::new(home);
    let run = which.run(&runs)?;
    // Whether there is such a run, and whether this disco can read it.
    runs.load(&run)?;
    let within = |recorded: &Recorded| only.is_none_or(|only| recorded.change.path.is_within(only));
    let found = runs.changes(&run)?.filter(|recorded| recorded.as_ref().map_or(true, within));
    let found = found.collect::<Result<_, RunError>>()?;
    Ok((run, found))
}
