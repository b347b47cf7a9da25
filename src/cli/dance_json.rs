//! `disco dance --format json`: every event of a run as one line of JSON, for other programs. docs/json.md is its manual.

use serde::Serialize;

use crate::cli::Global;
use crate::cli::dance::{self, Args, Prepared};
use crate::cli::ending::{self, Ended};
use crate::cli::exit::{Exit, Failure};
use crate::cli::json_actions::{Asked, Done, Shown};
use crate::cli::json_forms::{How, OneChange, Summary, outcome_words};
use crate::cli::terminal::{Level, Terminal};
use crate::merge::Way;
use crate::model::attempt::Attempt;
use crate::model::duty::LeftOut;
use crate::model::names::{ModuleName, RunId};
use crate::model::noise::Noise;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::model::step::{Outcome, Stream};
use crate::model::told::in_full;
use crate::model::truth::Label;
use crate::monitors::Standing;
use crate::ops::dance::{DanceError, DanceEvent};
use crate::secrets::known;

/// The version of the lines' form.
const SCHEMA: u32 = 1;

/// A line: its schema, its event, and the event's fields in the order of their declaration.
#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Warning {
        message: String,
    },
    Waiting {
        holder: &'a str,
    },
    Lock {
        lock: &'a str,
        what: &'a str,
    },
    Swept {
        path: Shown<'a>,
    },
    Recovered {
        run: &'a RunId,
        #[serde(flatten)]
        how: How<'a>,
    },
    Fetching {
        from: &'a str,
    },
    Planned {
        run: &'a RunId,
        root: &'a LiveRoot,
        modules: usize,
    },
    Processing {
        module: &'a ModuleName,
        at: usize,
    },
    Line {
        module: &'a ModuleName,
        step: &'a str,
        stream: Stream,
        text: &'a str,
    },
    Asked(Asked<'a>),
    Tried {
        module: &'a ModuleName,
        step: &'a str,
        #[serde(flatten)]
        attempt: &'a Attempt,
    },
    Labelled {
        module: &'a ModuleName,
        step: &'a str,
        #[serde(flatten)]
        label: &'a Label,
    },
    StepFailed {
        module: &'a ModuleName,
        step: &'a str,
        outcome: &'a Outcome,
    },
    Skipped {
        module: &'a ModuleName,
        because: &'a ModuleName,
    },
    Changed {
        module: &'a ModuleName,
        changes: Vec<OneChange<'a>>,
        #[serde(flatten)]
        label: &'a Label,
    },
    Validating {
        module: &'a ModuleName,
    },
    Validated {
        module: &'a ModuleName,
        step: &'a str,
        outcome: &'a Outcome,
    },
    Saved {
        file: Shown<'a>,
        digest: &'a str,
        size: u64,
    },
    Merged {
        changes: usize,
    },
    Restoring {
        path: &'a RootedPath,
        way: Way,
    },
    Unconfirmed {
        until: u64,
    },
    NotMerged {
        path: &'a RootedPath,
        why: &'a str,
    },
    MergedOver {
        path: &'a RootedPath,
        what: &'a str,
    },
    NotExecuted {
        actions: usize,
        why: &'a str,
    },
    Scheduled {
        before: Vec<Done<'a>>,
        after: Vec<Done<'a>>,
        left_out: &'a [LeftOut],
    },
    Executed {
        action: Option<Asked<'a>>,
        duty: Done<'a>,
        outcome: &'a Outcome,
        output: &'a str,
    },
    Undone {
        reason: &'a str,
    },
    BroughtBack {
        command: String,
        outcome: &'a Outcome,
        output: &'a str,
    },
    Error {
        message: &'a str,
        hint: Option<&'a str>,
    },
    Summary(Summary<'a>),
}

/// Does the dance, and tells it line by line; what is an error is on standard error too.
pub(super) fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut teller = Teller {
        terminal,
        noise: Noise::default(),
        run: None,
        root: None,
        mode: None,
        done: 0,
        failed: 0,
        skipped: 0,
        invalid: 0,
        asked: 0,
        label: Label::default(),
    };
    let Prepared { settings, unknown, interrupt, options, codes, mut monitors } =
        match dance::prepare(args, global) {
            Ok(prepared) => prepared,
            Err(failure) => return Err(teller.not_done(None, failure)),
        };
    teller.mode = Some(settings.mode.value);
    teller.noise = settings.noise.value.clone();
    for origin in unknown {
        teller.put(Event::Warning { message: dance::sets_nothing(&origin) });
    }
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        if let DanceEvent::Planned { modules: 0, .. } = event {
            teller.put(Event::Warning { message: dance::no_modules(&settings.node.value) });
        }
        teller.tell(&event);
    };
    let ended = crate::ops::dance::dance(&settings, &options, &interrupt, &mut tell);
    let outcome = match &ended {
        Err(error @ DanceError::Merge(_)) => Some(RunOutcome::MergeFailed { reason: in_full(error) }),
        Err(DanceError::Unrecorded { outcome, .. }) => Some(outcome.clone()),
        Ok(_) | Err(_) => None,
    };
    let ended = Ended::from(ended);
    // The summary is the last line.
    for message in ended.tell(monitors, codes) {
        teller.put(Event::Warning { message });
    }
    match ended {
        Ended::Run(record) => {
            let exit = ending::exit_of(&record, codes);
            teller.run = Some(record.run.clone());
            teller.end(&record.outcome, Some(&record), exit.number());
            Ok(exit)
        }
        Ended::Signal(signal) => {
            let (exit, message) = (Exit::Signal(signal), DanceError::Interrupted(signal).to_string());
            teller.terminal.say_at(Level::Error, &message);
            teller.put(Event::Error { message: &message, hint: None });
            teller.end(&RunOutcome::Interrupted { signal }, None, exit.number());
            Ok(exit)
        }
        Ended::Not(failure) => Err(teller.not_done(outcome, failure)),
    }
}

/// Writes lines, and counts for the last one.
struct Teller<'a> {
    terminal: &'a mut Terminal,
    noise: Noise,
    run: Option<RunId>,
    root: Option<LiveRoot>,
    mode: Option<Mode>,
    done: usize,
    failed: usize,
    skipped: usize,
    invalid: usize,
    asked: usize,
    label: Label,
}

impl Teller<'_> {
    fn put(&mut self, event: Event<'_>) {
        match line(event) {
            Ok(line) => self.terminal.result(&line),
            // Strings, numbers and names are always JSON.
            Err(error) => self.terminal.say_at(Level::Error, &format!("cannot show an event: {error}")),
        }
    }

    fn tell(&mut self, event: &DanceEvent<'_>) {
        match event {
            DanceEvent::Planned { run, root, modules: _ } => {
                (self.run, self.root) = (Some((*run).clone()), Some((*root).clone()));
            }
            DanceEvent::Asked { .. } => self.asked += 1,
            DanceEvent::StepFailed { module, step, outcome } => {
                self.failed += 1;
                self.terminal.say_at(Level::Error, &format!("{module}: {step}: {outcome}"));
            }
            DanceEvent::Skipped { .. } => self.skipped += 1,
            DanceEvent::Changed { label, .. } => {
                self.done += 1;
                self.label = std::mem::take(&mut self.label).and(label);
            }
            DanceEvent::Validated { module, validator, outcome } if !outcome.is_done() => {
                self.invalid += 1;
                self.terminal.say_at(Level::Error, &format!("{module}: {validator}: {outcome}"));
            }
            DanceEvent::Executed { duty, outcome, .. } if !outcome.is_done() => {
                self.terminal.say_at(Level::Error, &format!("Executed : {} : {outcome}", duty.words()));
            }
            DanceEvent::Undone { reason } => {
                self.terminal.say_at(Level::Error, &format!("Undone : the merge was taken back : {reason}"));
            }
            DanceEvent::Doing(_)
            | DanceEvent::Waiting { .. }
            | DanceEvent::Lock { .. }
            | DanceEvent::Warned { .. }
            | DanceEvent::Swept { .. }
            | DanceEvent::Recovered { .. }
            | DanceEvent::Fetching { .. }
            | DanceEvent::Processing { .. }
            | DanceEvent::Line { .. }
            | DanceEvent::Tried { .. }
            | DanceEvent::Labelled { .. }
            | DanceEvent::Validating { .. }
            | DanceEvent::Validated { .. }
            | DanceEvent::Saved { .. }
            | DanceEvent::Restoring { .. }
            | DanceEvent::Merged { .. }
            | DanceEvent::Unconfirmed { .. }
            | DanceEvent::NotMerged { .. }
            | DanceEvent::MergedOver { .. }
            | DanceEvent::NotExecuted { .. }
            | DanceEvent::Scheduled { .. }
            | DanceEvent::BroughtBack { .. }
            | DanceEvent::StepEnded { .. }
            | DanceEvent::Spent { .. }
            | DanceEvent::Ended { .. }
            | DanceEvent::Settled { .. }
            | DanceEvent::Executed { .. } => {}
        }
        let noise = std::mem::take(&mut self.noise);
        if let Some(event) = told(event, &noise) {
            self.put(event);
        }
        self.noise = noise;
    }

    /// The last lines of a run that could not be done; the failure is for standard error and the exit code.
    fn not_done(&mut self, outcome: Option<RunOutcome>, failure: Failure) -> Failure {
        let message = known::shown(&failure.message);
        let hint = failure.hint.as_deref().map(known::shown);
        self.put(Event::Error { message: &message, hint: hint.as_deref() });
        let outcome = outcome.unwrap_or_else(|| match self.done + self.failed + self.skipped {
            0 => RunOutcome::NotStarted { reason: message.into_owned() },
            _ => RunOutcome::Failed,
        });
        self.end(&outcome, None, failure.kind.code().into());
        failure
    }

    fn end(&mut self, outcome: &RunOutcome, record: Option<&RunRecord>, exit: i32) {
        let (run, root, label) = (self.run.clone(), self.root.clone(), self.label.clone());
        let (outcome, reason) = outcome_words(outcome);
        let summary = Summary {
            run: run.as_ref(),
            root: root.as_ref(),
            mode: self.mode,
            outcome,
            reason,
            // The changes of a module that failed are told too.
            modules_done: self.done.saturating_sub(self.failed),
            modules_failed: self.failed,
            modules_skipped: self.skipped,
            validators_failed: self.invalid,
            changes: record.map(|record| record.changes),
            noise: record.map(|record| record.noise),
            standing: record.map(Standing::of),
            actions: self.asked,
            exit,
            label: &label,
        };
        self.put(Event::Summary(summary));
    }
}

fn line(event: Event<'_>) -> serde_json::Result<String> {
    serde_json::to_string(&Line { schema: SCHEMA, event })
}

fn told<'a>(event: &DanceEvent<'a>, noise: &'a Noise) -> Option<Event<'a>> {
    Some(match *event {
        // JSON has what happened, and nothing for somebody who only waits.
        DanceEvent::Doing(_)
        | DanceEvent::StepEnded { .. }
        | DanceEvent::Spent { .. }
        | DanceEvent::Ended { .. }
        | DanceEvent::Settled { .. } => return None,
        DanceEvent::Waiting { holder } => Event::Waiting { holder },
        DanceEvent::Lock { lock, what } => Event::Lock { lock, what },
        DanceEvent::Warned { message } => Event::Warning { message: message.to_owned() },
        DanceEvent::Swept { path } => Event::Swept { path: path.into() },
        DanceEvent::Recovered { run, how } => Event::Recovered { run, how: how.into() },
        DanceEvent::Fetching { from } => Event::Fetching { from },
        DanceEvent::Planned { run, root, modules } => Event::Planned { run, root, modules },
        DanceEvent::Processing { module, at } => Event::Processing { module, at },
        DanceEvent::Line { module, step, stream, text, more: _ } => {
            Event::Line { module, step, stream, text }
        }
        DanceEvent::Asked { action, root: _ } => Event::Asked(action.into()),
        DanceEvent::Tried { module, step, attempt } => Event::Tried { module, step, attempt },
        DanceEvent::Labelled { module, step, label } => Event::Labelled { module, step, label },
        DanceEvent::StepFailed { module, step, outcome } => Event::StepFailed { module, step, outcome },
        DanceEvent::Skipped { module, because } => Event::Skipped { module, because },
        DanceEvent::Changed { module, changes, label } => {
            Event::Changed { module, changes: OneChange::all(changes, noise), label }
        }
        DanceEvent::Validating { module } => Event::Validating { module },
        DanceEvent::Validated { module, validator, outcome } => {
            Event::Validated { module, step: validator, outcome }
        }
        DanceEvent::Saved { file, digest, size } => Event::Saved { file: file.into(), digest, size },
        DanceEvent::Merged { changes } => Event::Merged { changes },
        DanceEvent::Restoring { path, way } => Event::Restoring { path, way },
        DanceEvent::Unconfirmed { until } => Event::Unconfirmed { until },
        DanceEvent::NotMerged { path, why } => Event::NotMerged { path, why },
        DanceEvent::MergedOver { path, what } => Event::MergedOver { path, what },
        DanceEvent::NotExecuted { actions, why } => Event::NotExecuted { actions, why },
        DanceEvent::Scheduled { schedule, root: _ } => Event::Scheduled {
            before: schedule.before.iter().map(Done::from).collect(),
            after: schedule.after.iter().map(Done::from).collect(),
            left_out: &schedule.left_out,
        },
        DanceEvent::Executed { duty, action, outcome, output } => {
            Event::Executed { action: action.map(Asked::from), duty: duty.into(), outcome, output }
        }
        DanceEvent::Undone { reason } => Event::Undone { reason },
        DanceEvent::BroughtBack { effect, outcome, output } => {
            Event::BroughtBack { command: effect.command(), outcome, output }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::*;
    use crate::model::action::{Action, Effect, EffectKind};
    use crate::model::change::ChangeSet;

    #[test]
    fn fields_have_an_order_and_any_path_is_shown() {
        let module = ModuleName::new("m").unwrap();
        let failed = Outcome::Exited { status: 7 };
        let action = Action {
            seq: 0,
            module: module.clone(),
            step: "1.sh".into(),
            effect: Effect {
                kind: EffectKind::Mount,
                target: "/mnt".into(),
                program: "/sbin/x".into(),
                argv: vec!["x".into(), "a b".into()],
                cwd: Path::new(OsStr::from_bytes(b"/\xff")).into(),
                line: Some(3),
                input: Some("x\n".into()),
                processes: Vec::new(),
            },
        };
        let socket = RootedPath::new(OsStr::from_bytes(b"/run/\xfe")).unwrap();
        for (event, expected) in [
            (
                DanceEvent::Line {
                    module: &module,
                    step: "1.sh",
                    stream: Stream::Stderr,
                    text: "a\"b",
                    more: false,
                },
                r#"{"schema":1,"event":"line","module":"m","step":"1.sh","stream":"stderr","text":"a\"b"}"#,
            ),
            (
                DanceEvent::StepFailed { module: &module, step: "1.sh", outcome: &failed },
                r#"{"schema":1,"event":"step-failed","module":"m","step":"1.sh","outcome":{"outcome":"exited","status":7}}"#,
            ),
            (
                DanceEvent::Asked { action: &action, root: &LiveRoot::Own },
                r#"{"schema":1,"event":"asked","seq":0,"module":"m","step":"1.sh","program":"/sbin/x","argv":["x","a b"],"cwd":{"hex":"2fff"},"kind":"mount","target":"/mnt","line":3,"input":"x\n"}"#,
            ),
            (
                DanceEvent::NotMerged { path: &socket, why: "w" },
                r#"{"schema":1,"event":"not-merged","path":{"hex":"2f72756e2ffe"},"why":"w"}"#,
            ),
            (
                DanceEvent::Changed {
                    module: &module,
                    changes: &ChangeSet::default(),
                    label: &Label::default(),
                },
                r#"{"schema":1,"event":"changed","module":"m","changes":[],"truth":"exact","because":[]}"#,
            ),
        ] {
            assert_eq!(line(told(&event, &Noise::default()).unwrap()).unwrap(), expected);
        }
    }
}
