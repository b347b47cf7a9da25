//! A run as Foreman's `POST /api/config_reports` takes it. docs/uploads.md has it field by field. Pure.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::run::RunRecord;
use crate::uploads::counts::{self, Counts, Metrics};
use crate::uploads::item::Touches;
use crate::uploads::logs;

/// The path of it there.
pub const PATH: &str = "/api/config_reports";

#[derive(Debug, Serialize)]
struct Body {
    config_report: Report,
}

#[derive(Debug, Serialize)]
struct Report {
    host: String,
    reported_at: String,
    status: Counts,
    metrics: Metrics,
    logs: Vec<Value>,
}

/// The report of a run that was told at that time (RFC 3339). What is sent again has the same time: Foreman keeps one report of a
/// host and a time, and says so of a second one.
pub fn body(record: &RunRecord, touches: &Touches, at: &str) -> Result<String, serde_json::Error> {
    let line = |log: &logs::Log| {
        let (level, source, message) = (log.level, &log.source, &log.message);
        json!({"log": {"level": level, "sources": {"source": source}, "messages": {"message": message}}})
    };
    serde_json::to_string(&Body {
        config_report: Report {
            // Foreman's names have no capitals.
            host: record.node.as_str().to_lowercase(),
            reported_at: utc(at),
            status: counts::counts(record),
            metrics: counts::metrics(record),
            logs: logs::logs(record, touches).iter().map(line).collect(),
        },
    })
}

/// The time as Puppet's reports have it, in UTC and with its milliseconds: two runs of a second are two reports.
fn utc(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
