//! The lines of trends and comparisons, in their widths and signs.

use super::*;
use crate::model::names::RunId;
use crate::reports::trend::{Shift, Value};

fn runs() -> Vec<RunId> {
    (10..20).map(|day| RunId::new(format!("202601{day}-030000-000-1")).unwrap()).collect()
}

fn counted() -> Counted {
    Counted { mode: Mode::Live, runs: runs() }
}

fn subject(module: Option<&str>, part: Option<&str>) -> Subject {
    Subject { module: module.map(|name| name.parse().unwrap()), part: part.map(str::to_owned) }
}

fn row(subject: Subject, slower: bool) -> Row {
    let value = |at: usize| if slower && at >= 5 { 3.0 } else { 2.0 };
    let points = runs().into_iter().enumerate().map(|(at, run)| Value { run, value: value(at) });
    let shift =
        Shift { since: runs()[5].clone(), before: 2.0, after: 3.0, p: 0.0021, module_changed: Some(true) };
    Row {
        subject,
        points: points.collect(),
        median: value(9),
        noise: 0.05,
        shifts: if slower { vec![shift] } else { Vec::new() },
        standing: if slower { Standing::Worse } else { Standing::Steady },
    }
}

fn sample() -> Trend {
    let series = vec![
        row(subject(None, None), false),
        row(subject(None, Some("(plan)")), false),
        row(subject(Some("web-1"), None), true),
        row(subject(Some("web-1"), Some("10-quick\n")), false),
        row(subject(Some("web-1"), Some("20-slow")), true),
    ];
    Trend { measure: Measure::Time, counted: counted(), series }
}

fn text(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.render(false, str::to_owned)).collect()
}

#[test]
fn a_trend_shows_modules_and_what_changed() {
    let look = Look { width: None, signs: &Signs::UTF8 };
    let lines = text(&trend(&sample(), false, &look));
    let expected = "\
Wall time of 10 live runs, 20260110-030000-000-1..20260119-030000-000-1

MODULE  STEP     RUNS  MEDIAN  NOISE  LAST  HISTORY
(run)              10    2.00  ±0.05  2.00  ██████████
web-1              10    3.00  ±0.05  3.00  ▆▆▆▆▆█████  SLOWER +50% since 20260115-030000-000-1, with other files · p 0.0021
web-1   20-slow    10    3.00  ±0.05  3.00  ▆▆▆▆▆█████  SLOWER +50% since 20260115-030000-000-1, with other files · p 0.0021
";
    assert!(lines.join("\n").starts_with(expected), "{}", lines.join("\n"));
    let all = text(&trend(&sample(), true, &look));
    assert!(all.iter().any(|line| line.contains("10-quick\\n")), "{all:#?}");
}

#[test]
fn no_line_is_longer_than_the_terminal_and_ascii_is_ascii() {
    for width in [40, 60, 80, 100, 200] {
        for signs in [&Signs::UTF8, &Signs::ASCII] {
            let look = Look { width: Some(width), signs };
            for line in text(&trend(&sample(), true, &look)).iter().skip(1) {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
                assert!(*signs == Signs::UTF8 || line.replace('…', "").is_ascii(), "{line}");
            }
        }
    }
    let narrow = text(&trend(&sample(), false, &Look { width: Some(80), signs: &Signs::UTF8 })).join("\n");
    assert!(narrow.contains("\n    SLOWER +50%"), "{narrow}");
}

#[test]
fn a_comparison_says_what_it_cannot_tell() {
    let one = |part: &str, b: Option<f64>, verdict| compare::Row {
        subject: subject(Some("web-1"), Some(part)),
        a: Some(2.0),
        b,
        noise: b.map(|_| 0.1),
        p: b.map(|_| 0.00002),
        verdict,
    };
    let rows = vec![
        one("10-slow", Some(3.0), Verdict::Worse),
        one("20-few", Some(2.2), Verdict::TooFew),
        one("30-gone", None, Verdict::OnlyA),
    ];
    let comparison = Comparison { measure: Measure::Time, a: counted(), b: counted(), rows };
    let lines = text(&super::comparison(&comparison, &Look { width: None, signs: &Signs::UTF8 })).join("\n");
    let expected = "\
MODULE  STEP        A     B  NOISE  CHANGE
web-1   10-slow  2.00  3.00  ±0.10    +50%  SLOWER · p <0.0001
web-1   20-few   2.00  2.20  ±0.10    +10%
web-1   30-gone  2.00     -                 only in A

Where it says nothing of the noise there are too few runs";
    assert!(lines.contains(expected), "{lines}");
}

#[test]
fn json_has_the_number_of_its_form() {
    let line = json(&sample()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&value["schema"], &value["measure"], &value["mode"]),
        (&1.into(), &"time".into(), &"live".into())
    );
    let slow = &value["series"][4];
    assert_eq!((&slow["module"], &slow["part"]), (&"web-1".into(), &"20-slow".into()));
    assert_eq!((&slow["standing"], &slow["shifts"][0]["module_changed"]), (&"worse".into(), &true.into()));
    assert_eq!(slow["points"][9]["value"], 3.0);
}
