//! Tests of the list of runs.

use super::*;
use crate::cli::report_text::tests::record;
use crate::model::run::RunRecord;
use crate::runs::Runs;

/// One of each: a dry run, a live one that could not merge, one on another root, and one that cannot be read.
fn listed() -> Vec<Listed> {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    let named = |run: &str| RunRecord { run: run.parse().unwrap(), ..record() };
    let mut failed = named("20120101-2");
    failed.outcome = RunOutcome::MergeFailed { reason: "disk\nfull".into() };
    (failed.mode, failed.ended) = (Mode::Live, None);
    let image = RunRecord { root: LiveRoot::new("/srv/image".as_ref()).unwrap(), ..named("20120101-3") };
    for record in [named("20120101-1"), failed, image, named("20120102-9")] {
        runs.save(&record).unwrap();
    }
    std::fs::write(runs.folder(&"20120102-9".parse().unwrap()).join("record.json"), "{").unwrap();
    runs.entries().unwrap()
}

#[test]
fn a_run_is_a_line() {
    let expected = "\
RUN         STARTED               MODE  CHANGES  SECONDS  OUTCOME
20120101-1  2012-01-01T00:00:00Z  noop  0        7.50     shown
20120101-2  2012-01-01T00:00:00Z  live  0        -        merge failed: disk full
20120101-3  2012-01-01T00:00:00Z  noop  0        7.50     shown, on /srv/image
20120102-9  -                     -     -        -        the record of run 20120102-9 is damaged
";
    assert_eq!(table(&listed()), expected);
    let json = json_lines(&listed());
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["seconds"], 7.5);
    assert_eq!(lines[0]["mode"], "noop");
    assert_eq!((&lines[0]["root"], &lines[2]["root"]), (&"/".into(), &"/srv/image".into()));
    assert_eq!(lines[3]["unreadable"], "the record of run 20120102-9 is damaged");
}

#[test]
fn what_was_asked_for_is_shown() {
    let all = Args { live: false, noop: false, failed: false, last: None, format: Format::Text };
    for (args, expected) in [
        (Args { live: true, ..all }, "29"),
        (Args { noop: true, ..all }, "139"),
        (Args { failed: true, ..all }, "29"),
        (Args { noop: true, last: Some(2), ..all }, "39"),
        (Args { last: Some(9), ..all }, "1239"),
        (Args { last: Some(0), ..all }, ""),
    ] {
        let shown = chosen(&args, listed());
        let shown: String = shown.iter().map(|listed| &listed.run().as_str()[9..]).collect();
        assert_eq!(shown, expected, "{args:?}");
    }
}
