//! Tests of the list of runs.

use super::*;
use crate::cli::report_text::tests::record;

fn listed() -> Vec<Listed> {
    let mut failed = record();
    failed.outcome = RunOutcome::MergeFailed { reason: "disk\nfull".into() };
    (failed.mode, failed.ended) = (Mode::Live, None);
    let unreadable = Listed::Unreadable { run: "20120102-9".parse().unwrap(), reason: "damaged".into() };
    let image = RunRecord { root: LiveRoot::new("/srv/image".as_ref()).unwrap(), ..record() };
    [record(), failed, image].map(Box::new).map(Listed::Record).into_iter().chain([unreadable]).collect()
}

#[test]
fn a_run_is_a_line() {
    let expected = "\
RUN         STARTED               MODE  CHANGES  SECONDS  OUTCOME
20120101-1  2012-01-01T00:00:00Z  noop  0        7.50     shown
20120101-1  2012-01-01T00:00:00Z  live  0        -        merge failed: disk full
20120101-1  2012-01-01T00:00:00Z  noop  0        7.50     shown, on /srv/image
20120102-9  -                     -     -        -        damaged
";
    assert_eq!(table(&listed()), expected);
    let json = json_lines(&listed());
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["seconds"], 7.5);
    assert_eq!(lines[0]["mode"], "noop");
    assert_eq!((&lines[0]["root"], &lines[2]["root"]), (&"/".into(), &"/srv/image".into()));
    assert_eq!(lines[3]["unreadable"], "damaged");
}
