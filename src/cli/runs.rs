//! `disco runs`: one line a run. Arguments in, text out.

use serde::Serialize;

use crate::cli::disable::notice;
use crate::cli::exit::Failure;
use crate::cli::{Format, Global, Said};
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, interrupted_by};
use crate::ops::settings::{for_anybody, home};
use crate::ops::{disable, history};
use crate::runs::{Entry, Listed};

/// What `disco runs` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those that may merge
    #[arg(long, conflicts_with = "noop")]
    pub live: bool,
    /// Only dry runs
    #[arg(long)]
    pub noop: bool,
    /// Only those in which something failed
    #[arg(long)]
    pub failed: bool,
    /// Only the last so many of them
    #[arg(long, value_name = "NUMBER")]
    pub last: Option<usize>,
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The list.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let home = home(&for_anybody(global.flags()))?.value;
    let all = history::list(&home)?;
    let none = all.is_empty().then(|| "there is no run yet: `disco dance --noop` makes one".to_owned());
    let runs = chosen(args, all);
    let text = match args.format {
        Format::Text => table(&runs),
        Format::Json => json_lines(&runs),
    };
    let disabled = disable::look(&home)?.map(|disabled| notice(&disabled));
    Ok(Said { result: text, warnings: none.into_iter().chain(disabled).collect() })
}

/// Those that were asked for. What cannot be read is one of them: nobody knows what it was.
fn chosen(args: &Args, mut runs: Vec<Listed>) -> Vec<Listed> {
    runs.retain(|listed| match listed {
        Listed::Entry(entry) => {
            let mode = match entry.mode {
                Mode::Live => !args.noop,
                Mode::Noop => !args.live,
            };
            mode && (!args.failed || has_failed(&entry.outcome))
        }
        Listed::Unreadable { .. } => true,
    });
    let first = args.last.map_or(0, |last| runs.len().saturating_sub(last));
    runs.split_off(first)
}

/// Whether something failed; that somebody has taken it back is no failure, nor that it is still under way.
fn has_failed(outcome: &RunOutcome) -> bool {
    match outcome {
        RunOutcome::NotStarted { .. }
        | RunOutcome::Failed
        | RunOutcome::ActionFailed
        | RunOutcome::MergeFailed { .. }
        | RunOutcome::Interrupted { .. } => true,
        RunOutcome::Undone { reason } => !reason.starts_with("by run "),
        RunOutcome::Unfinished | RunOutcome::Shown | RunOutcome::Merged | RunOutcome::Unconfirmed { .. } => {
            false
        }
    }
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
    undoes: Option<&'a RunId>,
    bytes: u64,
}

/// What is left of a run whose record cannot be read.
#[derive(Debug, Serialize)]
struct Unreadable<'a> {
    schema: u32,
    run: &'a RunId,
    unreadable: String,
}

fn line(entry: &Entry) -> Line<'_> {
    Line {
        schema: SCHEMA,
        run: &entry.run,
        started: &entry.started,
        mode: entry.mode,
        root: &entry.root,
        outcome: outcome(&entry.outcome),
        changes: entry.changes,
        seconds: between(&entry.started, entry.ended.as_deref()),
        undoes: entry.undoes.as_ref(),
        bytes: entry.bytes,
    }
}

/// A table with a head; the oldest run first.
fn table(runs: &[Listed]) -> String {
    let head = ["RUN", "STARTED", "MODE", "CHANGES", "SECONDS", "OUTCOME"].map(str::to_owned);
    let rows = runs.iter().map(|listed| match listed {
        Listed::Entry(entry) => {
            let line = line(entry);
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
        Listed::Unreadable { run, error } => {
            let [started, mode, changes, seconds] = [(); 4].map(|()| "-".to_owned());
            [run.to_string(), started, mode, changes, seconds, error.to_string()]
        }
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Rows of cells as lines, each column as wide as its widest cell.
pub(in crate::cli) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let shown = rows.iter().map(|row| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    });
    shown.collect()
}

fn json_lines(runs: &[Listed]) -> String {
    let lines = runs.iter().map(|listed| match listed {
        Listed::Entry(entry) => serde_json::json!(line(entry)),
        Listed::Unreadable { run, error } => {
            serde_json::json!(Unreadable { schema: SCHEMA, run, unreadable: error.to_string() })
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
        RunOutcome::Interrupted { signal } => format!("interrupted {}", interrupted_by(*signal)),
    }
    .replace(char::is_control, " ")
}

fn between(started: &str, ended: Option<&str>) -> Option<f64> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let (started, ended) = (time(started)?, time(ended?)?);
    Some(ended.duration_since(started).as_secs_f64())
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
