//! `disco runs`: one line a run. Arguments in, text out.

use serde::Serialize;

use crate::cli::exit::Failure;
use crate::cli::{Format, Global, Said};
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::ops::report::{self, Listed};
use crate::ops::settings::{for_anybody, home};

/// What `disco runs` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The list.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let runs = report::all(&home(&for_anybody(global.flags()))?.value)?;
    let text = match args.format {
        Format::Text => table(&runs),
        Format::Json => json_lines(&runs),
    };
    let none = runs.is_empty().then(|| "there is no run yet: `disco dance --noop` makes one".to_owned());
    Ok(Said { result: text, warnings: none.into_iter().collect() })
}

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// One run in a line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: u32,
    run: &'a RunId,
    started: &'a str,
    mode: Mode,
    root: &'a LiveRoot,
    outcome: String,
    changes: usize,
    seconds: Option<f64>,
}

/// What is left of a run whose record cannot be read.
#[derive(Debug, Serialize)]
struct Unreadable<'a> {
    schema: u32,
    run: &'a RunId,
    unreadable: &'a str,
}

fn line(record: &RunRecord) -> Line<'_> {
    Line {
        schema: SCHEMA,
        run: &record.run,
        started: &record.started,
        mode: record.mode,
        root: &record.root,
        outcome: outcome(&record.outcome),
        changes: record.changes,
        seconds: seconds(record),
    }
}

/// A table with a head; the oldest run first.
fn table(runs: &[Listed]) -> String {
    let head = ["RUN", "STARTED", "MODE", "CHANGES", "SECONDS", "OUTCOME"].map(str::to_owned);
    let rows = runs.iter().map(|run| match run {
        Listed::Record(record) => {
            let line = line(record);
            let mode = match line.mode {
                Mode::Noop => "noop",
                Mode::Live => "live",
            };
            let seconds = line.seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"));
            let (run, started) = (line.run.to_string(), line.started.to_owned());
            let outcome = match line.root {
                LiveRoot::Own => line.outcome,
                root @ LiveRoot::Other(_) => format!("{}, on {root}", line.outcome),
            };
            [run, started, mode.to_owned(), line.changes.to_string(), seconds, outcome]
        }
        Listed::Unreadable { run, reason } => {
            let [started, mode, changes, seconds] = [(); 4].map(|()| "-".to_owned());
            [run.to_string(), started, mode, changes, seconds, reason.clone()]
        }
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let shown = rows.iter().map(|row| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    });
    shown.collect()
}

fn json_lines(runs: &[Listed]) -> String {
    let lines = runs.iter().map(|run| match run {
        Listed::Record(record) => serde_json::json!(line(record)),
        Listed::Unreadable { run, reason } => {
            serde_json::json!(Unreadable { schema: SCHEMA, run, unreadable: reason })
        }
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// How a run ended, on one line.
pub fn outcome(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Unfinished => "unfinished".to_owned(),
        RunOutcome::NotStarted { reason } => format!("not started: {reason}"),
        RunOutcome::Shown => "shown".to_owned(),
        RunOutcome::Merged => "merged".to_owned(),
        RunOutcome::Failed => "failed".to_owned(),
        RunOutcome::ActionFailed => "action failed".to_owned(),
        RunOutcome::Unconfirmed { .. } => "merged, to be confirmed".to_owned(),
        RunOutcome::Undone { reason } => format!("undone: {reason}"),
        RunOutcome::MergeFailed { reason } => format!("merge failed: {reason}"),
        RunOutcome::Interrupted { signal } => format!("interrupted by signal {signal}"),
    }
    .replace(char::is_control, " ")
}

/// How long the run took; `None` where it has no end, or a time that is none.
pub(in crate::cli) fn seconds(record: &RunRecord) -> Option<f64> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let (started, ended) = (time(&record.started)?, time(record.ended.as_deref()?)?);
    Some(ended.duration_since(started).as_secs_f64())
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
