//! What became slower or faster in the course of many runs, and with which of them that began. Pure.

use serde::Serialize;

use crate::model::names::RunId;
use crate::model::run::RunRecord;
use crate::reports::series::{self, Counted, Measure, Subject};
use crate::reports::statistics::{self, Tests};

/// With fewer runs no trend can be told: even the clearest would be chance too often.
pub const FEWEST: usize = 8;

/// The trend of all that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// What was measured.
    pub measure: Measure,
    /// Of which runs.
    #[serde(flatten)]
    pub counted: Counted,
    /// One for the run, each module and each piece of work.
    pub series: Vec<Row>,
}

impl Trend {
    /// Whether something is slower now, or needs more, than before.
    pub fn is_worse(&self) -> bool {
        self.series.iter().any(|row| row.standing == Standing::Worse)
    }
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Of what.
    #[serde(flatten)]
    pub subject: Subject,
    /// The values, the oldest first.
    pub points: Vec<Value>,
    /// The median since the last shift; of all where there is none.
    pub median: f64,
    /// The noise around it.
    pub noise: f64,
    /// Where the values have gone to another level.
    pub shifts: Vec<Shift>,
    /// What the last of them has made of it.
    pub standing: Standing,
}

impl Row {
    /// The last value.
    pub fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.value)
    }
}

/// A value of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// Which run.
    pub run: RunId,
    /// The value.
    pub value: f64,
}

/// From one level to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    /// The first run of the new level.
    pub since: RunId,
    /// The median before it.
    pub before: f64,
    /// The median since.
    pub after: f64,
    /// How often chance alone would do it, among all series here.
    pub p: f64,
    /// Whether the module's files were others from that run on; `None` where that is not known.
    pub module_changed: Option<bool>,
}

/// What the last shift has made of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// There was none.
    Steady,
    /// Slower, or more.
    Worse,
    /// Faster, or less.
    Better,
    /// There are too few runs to say.
    TooFew,
}

/// The trend of these runs, the oldest first; `None` where there are none.
pub fn trend(runs: &[RunRecord], measure: Measure) -> Option<Trend> {
    let counted = Counted::of(runs)?;
    let all = series::series(runs, measure);
    // What was measured often enough is looked at, and by that each gets its share of what chance may do.
    let family = all.values().filter(|points| points.len() >= FEWEST).count();
    let (rules, mut tests) = (measure.rules(), Tests::default());
    let rows = all.into_iter().map(|(subject, points)| {
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let few = values.len() < FEWEST;
        let found = if few { Vec::new() } else { tests.shifts(&values, &rules, family) };
        let level = &values[found.last().map_or(0, |shift| shift.at)..];
        let standing = match found.last() {
            _ if few => Standing::TooFew,
            None => Standing::Steady,
            Some(shift) if shift.after > shift.before => Standing::Worse,
            Some(_) => Standing::Better,
        };
        let (median, noise) = (statistics::median(level).unwrap_or(0.0), statistics::noise(level));
        let digest = |at: usize| series::digest(&runs[points[at].run], subject.module.as_ref()?);
        let shift = |shift: statistics::Shift| Shift {
            since: runs[points[shift.at].run].run.clone(),
            before: shift.before,
            after: shift.after,
            p: shift.p,
            module_changed: digest(shift.at - 1).zip(digest(shift.at)).map(|(old, new)| old != new),
        };
        let shifts = found.into_iter().map(shift).collect();
        let value = |point: &series::Point| Value { run: runs[point.run].run.clone(), value: point.value };
        let points = points.iter().map(value).collect();
        Row { subject, points, median, noise, shifts, standing }
    });
    Some(Trend { measure, counted, series: rows.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    fn row<'a>(trend: &'a Trend, module: Option<&str>, part: Option<&str>) -> &'a Row {
        let is = |row: &&Row| {
            let subject = &row.subject;
            (subject.module.as_ref().map(|one| one.as_str()), subject.part.as_deref()) == (module, part)
        };
        trend.series.iter().find(is).unwrap()
    }

    #[test]
    fn a_step_that_became_slower_is_told_with_its_run_and_nothing_else_is() {
        // One run in twenty is as much slower as the step becomes: of so few runs that hides it now and then.
        let (mut found, mut wrong) = (0, 0);
        for seed in 0..20 {
            let mut runs = sample::runs(seed, 20, 12);
            runs[12..].iter_mut().for_each(|run| run.modules[0].digest = Some("bb".repeat(32)));
            let trend = trend(&runs, Measure::Time).unwrap();
            let fast = row(&trend, Some("web-1"), Some("10-fast"));
            wrong += usize::from(fast.standing != Standing::Steady);
            let slow = row(&trend, Some("web-1"), Some("20-slow"));
            if slow.standing != Standing::Worse {
                continue;
            }
            let since: usize = slow.shifts[0].since.as_str()[9..15].parse().unwrap();
            found += usize::from((10..=14).contains(&since) && trend.is_worse());
            assert_eq!(slow.shifts[0].module_changed, Some(since == 12));
        }
        assert!(found >= 17 && wrong == 0, "found {found} of 20, {wrong} wrong");
    }

    #[test]
    fn nothing_is_told_of_50_runs_without_a_change() {
        let worse = |seed: &u64| trend(&sample::runs(*seed, 50, 50), Measure::Time).unwrap().is_worse();
        let told: Vec<u64> = (0..20).filter(worse).collect();
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn few_runs_and_failed_ones_say_nothing() {
        assert_eq!(trend(&[], Measure::Time), None);
        let mut runs = sample::runs(1, FEWEST, 3);
        runs[0].modules[0].steps[1].outcome = crate::model::step::Outcome::Exited { status: 1 };
        let trend = trend(&runs, Measure::Memory).unwrap();
        let slow = row(&trend, Some("web-1"), Some("20-slow"));
        assert_eq!((slow.points.len(), slow.standing), (FEWEST - 1, Standing::TooFew));
        assert_eq!(slow.median, f64::from(300 << 20));
        assert!(!trend.is_worse());
    }
}
