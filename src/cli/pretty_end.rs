//! The end of the calm view: what the run did, what went wrong, and what to do next. Pure.

use crate::cli::ending::{count, counted};
use crate::cli::line::{Ink, Line, Signs};
use crate::cli::pretty_view::View;
use crate::cli::pretty_words::{printed, seconds};
use crate::cli::report_text::one_line;
use crate::cli::terminal::To;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, RunRecord, interrupted_by};

/// The last lines of a run that took that long and ends the program with `exit`. `late` says that a signal asked it to stop
/// when the merge had begun already.
pub fn end(view: &View<'_>, record: &RunRecord, took: f64, exit: i32, late: bool) -> (To, Vec<Line>) {
    let signs = view.frame().signs;
    let mut lines = vec![Line::default()];
    let to = match &record.outcome {
        RunOutcome::Shown | RunOutcome::Merged | RunOutcome::Unconfirmed { .. } => {
            lines.extend(went_well(view, record, signs));
            To::Out
        }
        RunOutcome::ActionFailed => {
            lines.extend(action_failed(record, signs));
            To::Err
        }
        RunOutcome::Undone { reason } => {
            let text = format!(" The merge was undone: {reason}. This node's files are as before.");
            lines.push(Line::new(Ink::Bad, signs.failed).and(Ink::Plain, text));
            To::Err
        }
        RunOutcome::MergeFailed { reason } => {
            let text = format!(" Not merged: {reason}.");
            lines.push(Line::new(Ink::Bad, signs.failed).and(Ink::Plain, text));
            To::Err
        }
        RunOutcome::Failed
        | RunOutcome::Unfinished
        | RunOutcome::NotStarted { .. }
        | RunOutcome::Interrupted { .. } => {
            lines.extend(failed(view, record, signs));
            To::Err
        }
    };
    if !record.label.is_exact() {
        lines.push(Line::new(Ink::Care, format!("  This report is {}.", record.label)));
    }
    if late {
        let text = "  The signal to stop came after the merge had begun, so it was completed.";
        lines.push(Line::new(Ink::Care, text));
    }
    let meaning = match (&record.outcome, exit) {
        (_, 0) => String::new(),
        (RunOutcome::Shown, _) => format!("; exit status {exit}: there is something to change"),
        (RunOutcome::Merged, _) => format!("; exit status {exit}: something was changed"),
        (RunOutcome::ActionFailed, _) => format!("; exit status {exit}: an action failed"),
        (RunOutcome::Undone { .. }, _) => format!("; exit status {exit}: the merge was undone"),
        (RunOutcome::Failed, _) if view.failed.is_empty() && !view.invalid.is_empty() => {
            format!("; exit status {exit}: a validator failed")
        }
        (RunOutcome::MergeFailed { .. }, _) => format!("; exit status {exit}: the merge failed"),
        (_, _) => format!("; exit status {exit}: a step failed"),
    };
    let text = format!("  Took {}{meaning}. What each step cost: disco report", seconds(took));
    lines.push(Line::new(Ink::Dim, text));
    (to, lines)
}

/// The last line of a run that a signal ended before its merge.
pub fn interrupted(view: &View<'_>, signal: i32, took: f64) -> Line {
    let place = view.place().map_or_else(String::new, |place| format!(" {place},"));
    let text = format!(
        " Interrupted {}{place} after {}: nothing was merged, this node is as before.",
        interrupted_by(signal),
        seconds(took)
    );
    Line::new(Ink::Bad, view.frame().signs.failed).and(Ink::Plain, text)
}

fn went_well(view: &View<'_>, record: &RunRecord, signs: &Signs) -> Vec<Line> {
    let modules = count(record.modules.len(), "module");
    let where_ = match record.modules.len() {
        1 => String::new(),
        all => format!(" in {} of {all} modules", view.changed),
    };
    let actions = if record.root.is_own() { record.duties.len() } else { record.actions.len() };
    let changes = record.changes;
    let said = |bold: &str, rest: String| {
        Line::new(Ink::Good, signs.done).and(Ink::Bold, format!(" {bold}")).and(Ink::Plain, rest)
    };
    let mut lines = Vec::new();
    match (record.mode, changes, actions) {
        (Mode::Noop, 0, 0) => lines.push(said("NOOP: nothing pending", format!(" in {modules}."))),
        (Mode::Live, 0, 0) => lines.push(said("Nothing to change", format!(" in {modules}."))),
        (Mode::Noop, ..) => {
            let bold = format!("NOOP: {}", counted(record));
            let pending = match &record.root {
                LiveRoot::Own => format!("{} pending", count(actions, "action")),
                LiveRoot::Other(_) => format!("{} that would not be run", count(actions, "action")),
            };
            let rest = format!("{where_}, {pending}; nothing was changed.");
            lines.push(said(&bold, rest));
            lines.extend(passed(record));
            lines.push(Line::new(Ink::Plain, "  Run again without --noop to apply."));
        }
        (Mode::Live, ..) => {
            let bold = format!("Merged {}", counted(record));
            let not = if record.root.is_own() { "" } else { "not " };
            lines.push(said(&bold, format!("{where_}; {} {not}run.", count(actions, "action"))));
            lines.extend(passed(record));
        }
    }
    if view.left_out > 0 {
        let left_out = count(view.left_out, "path");
        lines.push(Line::new(Ink::Care, format!("  {left_out} left out of the merge, named above.")));
    }
    lines
}

/// How many validators had nothing against it, where there were any.
fn passed(record: &RunRecord) -> Option<Line> {
    let count = count(record.validators.len(), "validator");
    (!record.validators.is_empty()).then(|| Line::new(Ink::Plain, format!("  {count} passed.")))
}

fn action_failed(record: &RunRecord, signs: &Signs) -> Vec<Line> {
    let bold = format!(" Merged {}, but an action failed.", count(record.changes, "change"));
    let mut lines = vec![Line::new(Ink::Bad, signs.failed).and(Ink::Bold, bold)];
    for record in &record.duties {
        let how = match &record.outcome {
            Some(outcome) if outcome.is_done() => continue,
            Some(outcome) => outcome.to_string(),
            None => "not run".to_owned(),
        };
        lines.push(Line::new(Ink::Plain, format!("  {}: {how}", one_line(&record.duty.words()))));
    }
    lines
}

fn failed(view: &View<'_>, record: &RunRecord, signs: &Signs) -> Vec<Line> {
    let all = match view.invalid.len() {
        0 => (view.failed.len(), count(record.modules.len(), "module")),
        invalid => (invalid, count(record.validators.len(), "validator")),
    };
    let mut what = format!(" {} of {} failed", all.0, all.1);
    if view.skipped > 0 {
        what += &format!(", {} not run because of that", view.skipped);
    }
    let head = Line::new(Ink::Bad, signs.failed).and(Ink::Bold, what);
    let mut lines = vec![head.and(Ink::Plain, "; nothing was merged, this node is as before.")];
    for failed in view.failed.iter().chain(&view.invalid) {
        let line = Line::new(Ink::Bold, format!("  {}", failed.module));
        lines.push(line.and(Ink::Plain, format!(": {}: {}", failed.step, failed.how)));
        match failed.last.is_empty() {
            true => lines.push(Line::new(Ink::Dim, "    it printed nothing")),
            false => lines.extend(failed.last.iter().map(|(stream, text)| {
                let line = printed(*stream, text, signs);
                Line::new(Ink::Plain, "  ").append(line)
            })),
        }
    }
    lines
}
