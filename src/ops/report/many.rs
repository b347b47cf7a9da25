//! What many runs say together: the trend of all that is kept, and two groups side by side.

use std::path::Path;

use thiserror::Error;

use crate::model::names::ModuleName;
use crate::model::run::{Mode, RunRecord};
use crate::reports::compare::{self, Comparison};
use crate::reports::series::{Measure, Span};
use crate::reports::trend::{self, Trend};
use crate::runs::{RunError, Runs};

/// The most runs that count, of each group.
const MOST: usize = 50;

/// What is asked of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Of {
    /// What is measured.
    pub measure: Measure,
    /// Only the runs of that mode; where it is `None`, of that of the newest one.
    pub mode: Option<Mode>,
}

/// There is nothing to say it of.
#[derive(Debug, Error)]
pub enum NoRunsOf {
    /// No run counts.
    #[error("no run counts: there is none that ran a module{}", of(.0))]
    None(Option<Span>),
    /// No run had that module.
    #[error("no run that counts had the module {0}")]
    Module(ModuleName),
    /// The records cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn of(span: &Option<Span>) -> String {
    span.as_ref().map_or(String::new(), |span| format!(" among {span}"))
}

/// The trend of the newest runs; of one module alone where it is named.
pub fn trend(home: &Path, module: Option<&ModuleName>, of: Of) -> Result<Trend, NoRunsOf> {
    let runs = newest(home, &Span::default(), of.mode)?;
    let mut trend = trend::trend(&runs, of.measure).ok_or(NoRunsOf::None(None))?;
    if let Some(module) = module {
        trend.series.retain(|row| row.subject.module.as_ref() == Some(module));
        if trend.series.is_empty() {
            return Err(NoRunsOf::Module(module.clone()));
        }
    }
    Ok(trend)
}

/// The runs of two spans, side by side. Both are of one mode, unless they are single runs.
pub fn compare(home: &Path, a: &Span, b: &Span, of: Of) -> Result<Comparison, NoRunsOf> {
    let second = newest(home, b, of.mode)?;
    let mode = second.first().map(|record| record.mode);
    let first = newest(home, a, mode)?;
    let none = |runs: &[RunRecord], span: &Span| match runs {
        [] => Err(NoRunsOf::None(Some(span.clone()))),
        _ => Ok(()),
    };
    none(&first, a)?;
    none(&second, b)?;
    compare::compare(&first, &second, of.measure).ok_or_else(|| NoRunsOf::None(Some(b.clone())))
}

/// The newest runs of a span that ran a module, of one mode and one root, the oldest first. One that is named by itself is
/// taken whatever it is; one that cannot be read does not hide the others.
fn newest(home: &Path, span: &Span, mode: Option<Mode>) -> Result<Vec<RunRecord>, RunError> {
    let runs = Runs::new(home);
    if let Some(run) = span.one() {
        return Ok(vec![runs.load(run)?]);
    }
    up_to(&runs, span, mode, None)
}

/// The same, like that record where it is given.
pub(super) fn up_to(
    runs: &Runs,
    span: &Span,
    mode: Option<Mode>,
    like: Option<&RunRecord>,
) -> Result<Vec<RunRecord>, RunError> {
    let mut kept: Vec<RunRecord> = Vec::new();
    for run in runs.list()?.iter().rev().filter(|run| span.holds(run)) {
        if kept.len() == MOST {
            break;
        }
        let record = match runs.load(run) {
            Ok(record) => record,
            Err(RunError::Damaged { .. } | RunError::Newer { .. } | RunError::NoSuchRun(_)) => continue,
            Err(error) => return Err(error),
        };
        let first = like.or(kept.first());
        let same = first.is_none_or(|first| (first.mode, &first.root) == (record.mode, &record.root));
        let wanted = mode.is_none_or(|mode| mode == record.mode);
        if same && wanted && record.modules.iter().any(|module| !module.steps.is_empty()) {
            kept.push(record);
        }
    }
    kept.reverse();
    Ok(kept)
}
