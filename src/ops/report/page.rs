//! One run in the forms for other programs and for a browser, and whether it goes on.

use std::collections::VecDeque;
use std::path::Path;

use crate::changes::diff::DiffStyle;
use crate::changes::text;
use crate::model::change::{Change, ContentChange, Recorded};
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::step::StepRecord;
use crate::model::text::Text;
use crate::ops::report::many;
use crate::reports::html::{self, Output, Page, Shown, Standing};
use crate::reports::series::Span;
use crate::reports::{csv, trace};
use crate::runs::{RunError, Runs};
use crate::sys::files::{self, FileError, Ownership};
use crate::sys::line_log::{self, PrintedLine};
use crate::sys::lock::Lock;

/// The most lines of one file's difference on a page, and the longest of them in bytes.
const DIFF: (usize, usize) = (400, 2000);
/// The most of all differences of a page, in bytes.
const DIFFS: usize = 16 << 20;
/// How many first and last lines of what a step printed are on a page, and the longest of them in bytes.
const OUTPUT: (usize, usize, usize) = (100, 300, 2000);
/// The most of all that steps printed, in bytes.
const OUTPUTS: usize = 8 << 20;

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It has ended, and its record says how.
    Ended,
    /// It goes on.
    UnderWay,
    /// It ended without a word: killed, or the machine went down.
    Stopped,
    /// Who asks may not know.
    Unknown,
}

/// Whether a run goes on, given the folder of scratchpads.
pub fn life(storage: &Path, record: &RunRecord) -> Life {
    if record.outcome != RunOutcome::Unfinished {
        return Life::Ended;
    }
    match Lock::is_held(&storage.join(record.run.as_str()).join("lock")) {
        Some(true) => Life::UnderWay,
        Some(false) => Life::Stopped,
        None => Life::Unknown,
    }
}

/// The run as CSV.
pub fn csv(record: &RunRecord) -> String {
    csv::table(record)
}

/// Writes the trace of a run into a file, or returns it where that is `-`.
pub fn trace(record: &RunRecord, to: &Path) -> Result<Option<String>, FileError> {
    let text = format!("{}\n", trace::trace(record));
    if to.as_os_str() == "-" {
        return Ok(Some(text));
    }
    files::write_whole(to, text.as_bytes(), Ownership::KeptOr(0o600)).map(|()| None)
}

/// The run as a page for a browser, given how it ended in words.
pub fn html(home: &Path, record: &RunRecord, outcome: &str) -> Result<String, RunError> {
    let runs = Runs::new(home);
    let mut room = DIFFS;
    let changes: Vec<Shown> =
        runs.changes(&record.run)?.map(|one| Ok(shown(one?, &mut room))).collect::<Result<_, RunError>>()?;
    let folder = runs.folder(&record.run);
    let of_modules = record.modules.iter().flat_map(|module| &module.steps);
    let mut room = OUTPUTS;
    let mut outputs = Vec::new();
    for step in of_modules.chain(record.validators.iter().map(|one| &one.record)) {
        outputs.extend(printed(&folder, step, &mut room)?);
    }
    let span = Span { from: None, to: Some(record.run.clone()) };
    let history = many::up_to(&runs, &span, None, Some(record))?;
    let standing = match &record.outcome {
        RunOutcome::Shown | RunOutcome::Merged => Standing::Good,
        RunOutcome::Unfinished | RunOutcome::Unconfirmed { .. } => Standing::Open,
        RunOutcome::NotStarted { .. }
        | RunOutcome::Failed
        | RunOutcome::ActionFailed
        | RunOutcome::Undone { .. }
        | RunOutcome::MergeFailed { .. }
        | RunOutcome::Interrupted { .. } => Standing::Bad,
    };
    let (changes, outputs) = (&changes[..], &outputs[..]);
    Ok(html::page(&Page { record, outcome, standing, history: &history, changes, outputs }))
}

/// A difference with as much of its text as there is room for.
fn shown(recorded: Recorded, room: &mut usize) -> Shown {
    let whole = match &recorded.change.content {
        ContentChange::Text { .. } => text::content(&recorded.change, DiffStyle::Unified),
        ContentChange::Withheld { .. } => String::new(),
        // Their sizes are said beside the path.
        ContentChange::Same | ContentChange::Binary { .. } | ContentChange::Large { .. } => String::new(),
    };
    // The names are beside it too.
    let mut lines = whole.lines().skip(2);
    let mut diff = String::new();
    let mut kept = 0;
    for line in lines.by_ref() {
        let line = cut(line, DIFF.1);
        if kept == DIFF.0 || line.len() > *room {
            kept = usize::MAX;
            break;
        }
        kept += 1;
        *room -= line.len();
        diff.push_str(&line);
        diff.push('\n');
    }
    let left = if kept == usize::MAX { 1 + lines.count() } else { 0 };
    Shown { recorded: without_text(recorded), diff, cut: left }
}

/// The sides themselves are no longer needed, and may be large.
fn without_text(recorded: Recorded) -> Recorded {
    let content = match recorded.change.content {
        ContentChange::Text { .. } => ContentChange::Text { before: Text::default(), after: Text::default() },
        other @ (ContentChange::Same
        | ContentChange::Binary { .. }
        | ContentChange::Large { .. }
        | ContentChange::Withheld { .. }) => other,
    };
    Recorded { change: Change { content, ..recorded.change }, ..recorded }
}

/// What a step printed; `None` where that is nothing.
fn printed(folder: &Path, step: &StepRecord, room: &mut usize) -> Result<Option<Output>, RunError> {
    let Some(file) = &step.output else { return Ok(None) };
    let path = folder.join(file);
    if files::look(&path)?.is_none() {
        return Ok(None);
    }
    let (mut first, mut left_out, mut last) = (Vec::new(), 0, VecDeque::new());
    for line in line_log::read(&path)? {
        let line = match line? {
            PrintedLine::Line(mut line) => {
                line.text = cut(&line.text, OUTPUT.2);
                PrintedLine::Line(line)
            }
            more @ PrintedLine::Cut(_) => more,
        };
        if first.len() < OUTPUT.0 {
            first.push(line);
            continue;
        }
        last.push_back(line);
        if last.len() > OUTPUT.1 {
            last.pop_front();
            left_out += 1;
        }
    }
    // Where there is no more room the end counts, as that is where failures are told.
    let length = |line: &PrintedLine| match line {
        PrintedLine::Line(line) => line.text.len() + 16,
        PrintedLine::Cut(_) => 16,
    };
    let size = |lines: &mut dyn Iterator<Item = &PrintedLine>| lines.map(length).sum::<usize>();
    if size(&mut first.iter().chain(&last)) > *room {
        left_out += first.len() as u64;
        first.clear();
        while size(&mut last.iter()) > *room && last.len() > 1 {
            last.pop_front();
            left_out += 1;
        }
    }
    *room = room.saturating_sub(size(&mut first.iter().chain(&last)));
    Ok(Some(Output { file: file.clone(), first, left_out, last: last.into() }))
}

/// A line of at most so many bytes.
fn cut(line: &str, longest: usize) -> String {
    if line.len() <= longest {
        return line.to_owned();
    }
    let end = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= longest).last().unwrap_or(0);
    format!("{}…", &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::step::{OutputLine, Stream};

    fn form_1() -> (tempfile::TempDir, Runs) {
        let home = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/v1/runs");
        std::os::unix::fs::symlink(from, home.path().join("runs")).unwrap();
        let runs = Runs::new(home.path());
        (home, runs)
    }

    #[test]
    fn a_record_of_form_1_has_a_page_a_table_and_a_trace() {
        let (home, runs) = form_1();
        let record = runs.latest().unwrap();
        let page = html(home.path(), &record, "failed").unwrap();
        for there in ["20-fails", "exit status 3", "/etc/web.port", "no times of begin", "What failed"] {
            assert!(page.contains(there), "{there}\n{page}");
        }
        assert!(csv(&record).contains(",estimated,exit status 3,3,"), "{}", csv(&record));
        let text = trace(&record, Path::new("-")).unwrap().unwrap();
        assert!(text.contains("estimated"), "{text}");
        let file = home.path().join("run.trace.json");
        assert_eq!(trace(&record, &file).unwrap(), None);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }

    #[test]
    fn a_run_goes_on_while_somebody_has_its_scratchpad() {
        let (home, runs) = form_1();
        let mut record = runs.latest().unwrap();
        let storage = home.path().join("scratch");
        assert_eq!(life(&storage, &record), Life::Ended);
        record.outcome = RunOutcome::Unfinished;
        assert_eq!(life(&storage, &record), Life::Stopped);
        let scratch = crate::sys::scratch::ScratchFolder::create(&storage, record.run.as_str()).unwrap();
        assert_eq!(life(&storage, &record), Life::UnderWay);
        scratch.remove().unwrap();
        assert_eq!(life(&storage, &record), Life::Stopped);
    }

    #[test]
    fn long_differences_and_outputs_are_cut_and_counted() {
        let (_home, runs) = form_1();
        let record = runs.latest().unwrap();
        let mut recorded = runs.changes(&record.run).unwrap().next().unwrap().unwrap();
        let after: String = (0..1000).map(|line| format!("{line}\n")).collect();
        recorded.change.content =
            ContentChange::Text { before: Text::default(), after: Text::from(after.as_str()) };
        let one = shown(recorded.clone(), &mut { DIFFS });
        // The head of the hunk is a line too.
        assert_eq!((one.diff.lines().count(), one.cut), (DIFF.0, 1001 - DIFF.0));
        let none = shown(recorded, &mut 3);
        assert_eq!((none.diff.as_str(), none.cut), ("", 1001));
        assert_eq!(cut("aääb", 2), "a…");
        let folder = tempfile::tempdir().unwrap();
        let mut log = line_log::LineLog::new(folder.path(), "x.log.gz".into());
        (0..1000).for_each(|line| log.line(Stream::Stdout, &line.to_string()).unwrap());
        log.finish().unwrap();
        let mut step = record.modules[0].steps[0].clone();
        step.output = Some("x.log.gz".into());
        let text = |line: Option<&PrintedLine>| match line {
            Some(PrintedLine::Line(OutputLine { text, .. })) => text.clone(),
            other => panic!("{other:?}"),
        };
        let output = printed(folder.path(), &step, &mut { OUTPUTS }).unwrap().unwrap();
        assert_eq!((output.first.len(), output.left_out, output.last.len()), (100, 600, 300));
        assert_eq!([text(output.first.last()), text(output.last.first())], ["99", "700"]);
        let little = printed(folder.path(), &step, &mut 100).unwrap().unwrap();
        assert_eq!((little.first.len(), text(little.last.last()).as_str()), (0, "999"));
        assert_eq!(little.left_out as usize + little.last.len(), 1000);
        step.output = Some("gone.log.gz".into());
        assert!(printed(folder.path(), &step, &mut { OUTPUTS }).unwrap().is_none());
    }
}
