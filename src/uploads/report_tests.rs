//! Reports, as Foreman and Puppet's own processor of reports have them.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::run::{Mode, RunOutcome};
use crate::model::step::{ModuleOutcome, Outcome};
use crate::uploads::item::{MOST_TOUCHED, Touched};
use crate::uploads::sample::{any_run, duty, module, run};
use crate::uploads::webhook;

fn touched(number: usize) -> Touches {
    let mut touches = Touches::default();
    let one = |at| Touched { module: "web".into(), path: format!("/etc/{at}"), what: "created" };
    (0..number).for_each(|at| touches.add(|| one(at)));
    touches
}

/// Every rule of Foreman's importer (`ReportImporter`, `ConfigReportImporter`, `ConfigReportStatusCalculator`) and of its models that
/// a body can break.
fn foreman_takes(body: &Value) -> Result<(), String> {
    let report = &body["config_report"];
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
    };
    let text = |value: &Value| value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let host = text(&report["host"]).ok_or("no host")?;
    if host != host.to_lowercase() {
        return Err(format!("{host} has capitals"));
    }
    text(&report["reported_at"]).ok_or("no time")?;
    for (name, value) in report["status"].as_object().ok_or("no status")? {
        let known = ["applied", "restarted", "failed", "failed_restarts", "skipped", "pending"];
        if !known.contains(&name.as_str()) || !value.is_u64() {
            return Err(format!("status {name} is {value}"));
        }
    }
    if keys(&report["metrics"]) != ["changes", "events", "resources", "time"] {
        return Err(format!("metrics {:?}", keys(&report["metrics"])));
    }
    for group in ["changes", "events", "resources", "time"] {
        let all = report["metrics"][group].as_object().ok_or("no group")?;
        if let Some((name, value)) = all.iter().find(|(_, value)| !value.is_number()) {
            return Err(format!("metric {name} is {value}"));
        }
    }
    let logs = report["logs"].as_array().ok_or("no logs")?;
    for log in logs {
        let log = &log["log"];
        let level = log["level"].as_str().unwrap_or_default();
        if !["debug", "info", "notice", "warning", "err", "alert", "emerg", "crit"].contains(&level) {
            return Err(format!("level {level}"));
        }
        let message = text(&log["messages"]["message"]).ok_or("a blank message")?;
        let source = text(&log["sources"]["source"]).ok_or("a blank source")?;
        if message.contains('\0') || source.contains('\0') || source.chars().count() > 255 {
            return Err(format!("{source:?} {message:?}"));
        }
    }
    let last = logs.last().ok_or("no last line")?;
    if last["log"]["sources"]["source"] != "disco" {
        return Err("it could be taken for Puppet's".into());
    }
    Ok(())
}

#[test]
fn a_report_is_what_foreman_takes() {
    let failed = ModuleOutcome::Failed { step: "10.sh".into(), reason: "exit status 3".into() };
    let record = RunRecord {
        mode: Mode::Noop,
        outcome: RunOutcome::Shown,
        changes: 2,
        modules: vec![module("web", ModuleOutcome::Done, 2, 0.5), module("db", failed, 0, 0.0)],
        duties: vec![duty(Some("web"), &["service", "web", "restart"], None)],
        ..run()
    };
    let body = body(&record, &touched(1), "2026-11-22T11:47:36.542+01:00").unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    foreman_takes(&body).unwrap();
    let report = &body["config_report"];
    assert_eq!(report["host"], "web1.example.com");
    assert_eq!(report["reported_at"], "2026-11-22 10:47:36.542 UTC");
    let lines: Vec<String> = report["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| {
            let log = &log["log"];
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            [of(&log["level"]), of(&log["sources"]["source"]), of(&log["messages"]["message"])].join(" | ")
        })
        .collect();
    assert_eq!(
        lines,
        [
            "notice | /etc/0 | would be created by module web",
            "notice | web | 2 would be created, 0 would be modified, 0 would be deleted",
            "err | db | 10.sh: exit status 3",
            "notice | service web restart | would be run",
            "notice | disco | disco 0.1.0, run 20261122-104734-042-1234: shown, and nothing merged; 0 applied, 3 pending, \
             1 failed; the report is exact",
        ]
    );
}

#[test]
fn lines_are_bounded() {
    let duties = (0..700).map(|_| duty(None, &["x"], Some(Outcome::Done))).collect();
    let record = RunRecord { changes: 900, duties, ..run() };
    let body: Value = serde_json::from_str(&body(&record, &touched(900), "x").unwrap()).unwrap();
    foreman_takes(&body).unwrap();
    let logs = body["config_report"]["logs"].as_array().unwrap();
    let message = |log: &Value| log["log"]["messages"]["message"].as_str().unwrap().to_owned();
    assert_eq!(logs.len(), 500);
    assert!(message(&logs[MOST_TOUCHED]).starts_with("700 more changes: "), "{}", logs[MOST_TOUCHED]);
    assert!(message(&logs[498]).starts_with("403 more lines: "), "{}", logs[498]);
}

#[test]
fn a_webhook_gets_the_same_run() {
    let record = RunRecord { changes: 2, ..run() };
    let body: Value = serde_json::from_str(&webhook::body(&record, &touched(201), "x").unwrap()).unwrap();
    assert_eq!((&body["schema"], &body["event"], &body["failed"]), (&1.into(), &"run".into(), &false.into()));
    assert_eq!((&body["counts"]["applied"], &body["more_changes"]), (&2.into(), &1.into()));
    assert_eq!((&body["outcome"]["ended"], &body["seconds"]), (&"merged".into(), &2.5.into()));
    assert_eq!(body["changes"][0]["path"], "/etc/0");
}

proptest! {
    #[test]
    fn any_run_is_a_report_that_foreman_takes(record in any_run(), number in 0..300_usize, at: String) {
        let body = body(&record, &touched(number), &format!("{at}x")).unwrap();
        prop_assert_eq!(foreman_takes(&serde_json::from_str(&body).unwrap()), Ok(()));
        let hook: Value = serde_json::from_str(&webhook::body(&record, &touched(number), &at).unwrap()).unwrap();
        prop_assert_eq!(hook["run"].as_str(), Some(record.run.as_str()));
    }
}
