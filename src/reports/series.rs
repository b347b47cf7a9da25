//! What many runs measured of the same thing: which runs, what is measured of them, and one series of values for each run,
//! module and piece of work. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::model::names::{ModuleName, NameError, RunId};
use crate::model::run::{Mode, RunRecord};
use crate::model::step::ModuleOutcome;
use crate::reports::parts::{self, Part, Phase};
use crate::reports::statistics::Rules;

/// Runs from one to another, both included: `RUN`, `FROM..TO`, `FROM..`, `..TO`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// The first; none where it begins with the oldest that is kept.
    pub from: Option<RunId>,
    /// The last; none where it goes up to the newest.
    pub to: Option<RunId>,
}

impl Span {
    /// The run, where it is but one.
    pub fn one(&self) -> Option<&RunId> {
        self.from.as_ref().filter(|from| Some(*from) == self.to.as_ref())
    }

    /// Whether a run is one of them.
    pub fn holds(&self, run: &RunId) -> bool {
        self.from.as_ref().is_none_or(|from| from <= run) && self.to.as_ref().is_none_or(|to| run <= to)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(run) = self.one() {
            return write!(f, "{run}");
        }
        let end = |run: &Option<RunId>| run.as_ref().map_or(String::new(), ToString::to_string);
        write!(f, "{}..{}", end(&self.from), end(&self.to))
    }
}

impl FromStr for Span {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Span, NameError> {
        let end = |text: &str| match text {
            "" => Ok(None),
            name => RunId::new(name).map(Some),
        };
        match text.split_once("..") {
            Some((from, to)) => Ok(Span { from: end(from)?, to: end(to)? }),
            None => {
                let run = RunId::new(text)?;
                Ok(Span { from: Some(run.clone()), to: Some(run) })
            }
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Wall time, in seconds.
    #[default]
    Time,
    /// User and system time, in seconds.
    Cpu,
    /// The most memory, in bytes.
    Memory,
}

impl Measure {
    /// The rules by which a difference of it is told: nobody minds 20 ms, or 1 MiB.
    pub fn rules(self) -> Rules {
        match self {
            Measure::Time | Measure::Cpu => Rules::new(0.02),
            Measure::Memory => Rules::new(f64::from(1 << 20)),
        }
    }

    fn of(self, part: &Part<'_>) -> f64 {
        match self {
            Measure::Time => part.cost.time_real,
            Measure::Cpu => part.cpu(),
            Measure::Memory => part.memory() as f64,
        }
    }

    fn together(self, values: impl Iterator<Item = f64>) -> f64 {
        match self {
            Measure::Time | Measure::Cpu => values.sum(),
            Measure::Memory => values.fold(0.0, f64::max),
        }
    }
}

/// What a series is of. The run comes before its parts, a module before its.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subject {
    /// The module; `None` for the run and disco's own work.
    pub module: Option<ModuleName>,
    /// The piece of work, as the table calls it; `None` for all of the module, or of the run.
    pub part: Option<String>,
}

impl Subject {
    /// Whether it is a module as a whole.
    pub fn is_module(&self) -> bool {
        self.module.is_some() && self.part.is_none()
    }

    /// Whether it is the run.
    pub fn is_run(&self) -> bool {
        self.module.is_none() && self.part.is_none()
    }
}

/// One value: which of the runs, and what was measured of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The index of the run.
    pub run: usize,
    /// The value.
    pub value: f64,
}

/// All series of these runs. What failed is left out: how long it takes to fail says nothing about how long it takes.
pub fn series(runs: &[RunRecord], measure: Measure) -> BTreeMap<Subject, Vec<Point>> {
    let mut all: BTreeMap<Subject, Vec<Point>> = BTreeMap::new();
    for (run, record) in runs.iter().enumerate() {
        let mut add = |module: Option<&ModuleName>, part: Option<String>, value: f64| {
            let subject = Subject { module: module.cloned(), part };
            all.entry(subject).or_default().push(Point { run, value });
        };
        let done = |part: &Part<'_>| part.step.is_none_or(|step| step.outcome.is_done());
        let parts = parts::parts(record);
        for part in parts.iter().filter(|part| done(part)) {
            add(part.module, Some(part.label()), measure.of(part));
        }
        for module in record.modules.iter().filter(|module| module.outcome == ModuleOutcome::Done) {
            // Fetching is the network's; it has a series of its own.
            let own = parts.iter().filter(|part| {
                part.module == Some(&module.module) && !matches!(part.phase, Phase::Fetch | Phase::Validate)
            });
            add(Some(&module.module), None, measure.together(own.map(|part| measure.of(part))));
        }
        let whole = record.modules.iter().all(|module| module.outcome == ModuleOutcome::Done);
        if whole && parts.iter().all(done) && record.ended.is_some() {
            let value = match measure {
                Measure::Time => parts::duration(record),
                Measure::Cpu | Measure::Memory => measure.together(parts.iter().map(|part| measure.of(part))),
            };
            add(None, None, value);
        }
    }
    all
}

/// Which runs were compared, for who reads the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// NOOP or live.
    pub mode: Mode,
    /// The runs, the oldest first.
    pub runs: Vec<RunId>,
}

impl Counted {
    /// These runs, which are all of one mode; `None` where there are none.
    pub fn of(runs: &[RunRecord]) -> Option<Counted> {
        let mode = runs.first()?.mode;
        Some(Counted { mode, runs: runs.iter().map(|record| record.run.clone()).collect() })
    }
}

/// The digest of a module in a run: which version of it ran.
pub(super) fn digest<'a>(record: &'a RunRecord, module: &ModuleName) -> Option<&'a str> {
    record.modules.iter().find(|one| one.module == *module)?.digest.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_hold_their_ends() {
        let runs = ["20260101-1", "20260102-1", "20260103-1"].map(|run| RunId::new(run).unwrap());
        for (text, held) in [
            ("20260102-1", [false, true, false]),
            ("20260102-1..", [false, true, true]),
            ("..20260102-1", [true, true, false]),
            ("..", [true; 3]),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(runs.each_ref().map(|run| span.holds(run)), held, "{text}");
            assert_eq!(span.to_string(), text);
        }
        for bad in ["", "a b", "../x", "a..b..c"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
