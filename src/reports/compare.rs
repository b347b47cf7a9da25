//! What is slower or faster in some runs than in others. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::run::RunRecord;
use crate::reports::series::{self, Counted, Measure, Point, Subject};
use crate::reports::statistics::{self, Tests};

/// Two groups of runs, side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What was measured.
    pub measure: Measure,
    /// The first group.
    pub a: Counted,
    /// The second.
    pub b: Counted,
    /// One for the run, each module and each piece of work.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Whether something is slower, or needs more, in the second group.
    pub fn is_worse(&self) -> bool {
        self.rows.iter().any(|row| row.verdict == Verdict::Worse)
    }
}

/// One thing in both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What.
    #[serde(flatten)]
    pub subject: Subject,
    /// The median of the first group, where it has it.
    pub a: Option<f64>,
    /// That of the second.
    pub b: Option<f64>,
    /// The noise around both.
    pub noise: Option<f64>,
    /// How often chance alone would set them so far apart, among all rows.
    pub p: Option<f64>,
    /// What that comes to.
    pub verdict: Verdict,
}

/// How the second group stands to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No difference is worth telling.
    Same,
    /// Slower, or more.
    Worse,
    /// Faster, or less.
    Better,
    /// There are too few runs to say.
    TooFew,
    /// Only the first group has it.
    OnlyA,
    /// Only the second has it.
    OnlyB,
}

/// The comparison of two groups of runs, each with the oldest first; `None` where one is empty.
pub fn compare(a: &[RunRecord], b: &[RunRecord], measure: Measure) -> Option<Comparison> {
    let counted = (Counted::of(a)?, Counted::of(b)?);
    let [first, second] = [a, b].map(|runs| series::series(runs, measure));
    let subjects: BTreeSet<&Subject> = first.keys().chain(second.keys()).collect();
    let enough = |points: Option<&Vec<Point>>| points.is_some_and(|all| all.len() >= statistics::SHORTEST);
    let family = subjects.iter().filter(|one| enough(first.get(one)) && enough(second.get(one))).count();
    let (rules, mut tests) = (measure.rules(), Tests::default());
    let rows = subjects.into_iter().map(|subject| {
        let values = [&first, &second].map(|all| -> Vec<f64> {
            all.get(subject).into_iter().flatten().map(|point| point.value).collect()
        });
        let difference = tests.difference(&values[0], &values[1], &rules, family);
        let verdict = match &difference {
            None if values[0].is_empty() => Verdict::OnlyB,
            None => Verdict::OnlyA,
            Some(found) if found.p.is_none() || !tests.can_tell(&values[0], &values[1], &rules, family) => {
                Verdict::TooFew
            }
            Some(found) if !found.told => Verdict::Same,
            Some(found) if found.after > found.before => Verdict::Worse,
            Some(_) => Verdict::Better,
        };
        Row {
            subject: subject.clone(),
            a: statistics::median(&values[0]),
            b: statistics::median(&values[1]),
            noise: difference.map(|found| found.noise),
            p: difference.and_then(|found| found.p),
            verdict,
        }
    });
    Some(Comparison { measure, a: counted.0, b: counted.1, rows: rows.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    fn verdicts(a: &[RunRecord], b: &[RunRecord]) -> Vec<(String, Verdict)> {
        let rows = compare(a, b, Measure::Time).unwrap().rows;
        rows.into_iter().map(|row| (row.subject.part.unwrap_or_default(), row.verdict)).collect()
    }

    #[test]
    fn what_is_slower_in_the_second_group_is_marked() {
        let (a, b) = (sample::runs(1, 10, 10), sample::runs(2, 10, 0));
        let found = verdicts(&a, &b);
        let of = |part: &str| found.iter().find(|(name, _)| name == part).unwrap().1;
        assert_eq!(
            (of("20-slow"), of("10-fast"), of("(plan)")),
            (Verdict::Worse, Verdict::Same, Verdict::Same)
        );
        let found = verdicts(&b, &a);
        assert!(found.contains(&("20-slow".into(), Verdict::Better)), "{found:?}");
        assert!(compare(&a, &b, Measure::Time).unwrap().is_worse());
        assert!(!compare(&b, &a, Measure::Time).unwrap().is_worse());
    }

    #[test]
    fn single_runs_and_what_only_one_has_are_told_as_such() {
        let (a, mut b) = (sample::runs(1, 1, 1), sample::runs(2, 1, 0));
        b[0].modules[0].steps.remove(0);
        let found = verdicts(&a, &b);
        assert!(found.contains(&("10-fast".into(), Verdict::OnlyA)), "{found:?}");
        assert!(found.contains(&("20-slow".into(), Verdict::TooFew)), "{found:?}");
        let found = verdicts(&b, &a);
        assert!(found.contains(&("10-fast".into(), Verdict::OnlyB)), "{found:?}");
        assert_eq!(compare(&a, &[], Measure::Time), None);
    }
}
