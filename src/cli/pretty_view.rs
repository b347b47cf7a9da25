//! The calm view of a dance: each event into lines and into what the status line says. Pure: the time is given, and
//! somebody else prints. A line stands under its module; a module that says nothing and changes nothing is one line.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::cli::ending::{count, recovered, with_noise};
use crate::cli::line::{Ink, Line, Signs};
use crate::cli::pretty_changes::{self, Detail};
use crate::cli::pretty_words::{last_of, printed, seconds};
use crate::cli::report_text::one_line;
use crate::cli::schedule;
use crate::cli::spent;
use crate::cli::terminal::To;
use crate::model::change::ChangeSet;
use crate::model::names::{ModuleName, NodeName};
use crate::model::noise::{Folded, Noise};
use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::model::step::{Outcome, Stream};
use crate::model::truth::Label;
use crate::ops::dance::{DanceEvent, Doing};
use crate::ops::undo::way_words;

/// How many of its last lines are kept of a step, to be shown again if it fails.
const LAST_LINES: usize = 8;

/// What of a run is the same from its start to its end.
#[derive(Debug)]
pub struct Frame<'a> {
    /// NOOP or live.
    pub mode: Mode,
    /// The node.
    pub node: &'a NodeName,
    /// How much of the differences is shown.
    pub detail: Detail,
    /// What of the changes is counted instead of shown; nothing where all is to be listed.
    pub noise: Option<&'a Noise>,
    /// Whether steps and disco's own work are told with what they cost.
    pub verbose: bool,
    /// The signs of the lines.
    pub signs: &'a Signs,
}

/// What the status line says from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Something else goes on.
    New(String),
    /// The same, of which there is more to say.
    More(String),
}

/// A step that failed, and with it its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// The module.
    pub module: ModuleName,
    /// The step.
    pub step: String,
    /// How, in words.
    pub how: String,
    /// The last lines that it printed.
    pub last: Vec<(Stream, String)>,
}

/// The module that has its turn.
#[derive(Debug, Default)]
struct Turn {
    module: String,
    at: usize,
    since: f64,
    /// Something of it is on the screen already.
    headed: bool,
    actions: usize,
    failed: Option<String>,
    last: VecDeque<(Stream, String)>,
    step: Option<String>,
    /// The step, and its place in the module.
    doing: String,
    /// It is not its steps but its validators that have their turn.
    validates: bool,
}

/// What is known so far.
#[derive(Debug)]
pub struct View<'a> {
    frame: Frame<'a>,
    modules: usize,
    turn: Turn,
    status: Option<Status>,
    lines: Vec<(To, Line)>,
    /// The modules that have changed something.
    pub changed: usize,
    /// The modules that were not run.
    pub skipped: usize,
    /// The steps that failed, one a module.
    pub failed: Vec<FailedStep>,
    /// The validators that failed.
    pub invalid: Vec<FailedStep>,
    /// What the merge left out.
    pub left_out: usize,
}

impl<'a> View<'a> {
    /// Of a run that has not started.
    pub fn new(frame: Frame<'a>) -> View<'a> {
        let (modules, turn) = (0, Turn::default());
        let (changed, skipped, failed, invalid, left_out) = (0, 0, Vec::new(), Vec::new(), 0);
        let (status, lines) = (None, Vec::new());
        View { frame, modules, turn, status, lines, changed, skipped, failed, invalid, left_out }
    }

    /// The frame.
    pub fn frame(&self) -> &Frame<'a> {
        &self.frame
    }

    /// What the status line says from now on, where the last event has changed that.
    pub fn status(&mut self) -> Option<Status> {
        self.status.take()
    }

    /// Where the run is, in words, while a module has its turn.
    pub fn place(&self) -> Option<String> {
        let Turn { module, step, .. } = &self.turn;
        (!module.is_empty()).then(|| match step {
            Some(step) => format!("in {module}, {step}"),
            None => format!("in {module}"),
        })
    }

    /// The lines that tell the event; `now` is how many seconds the run has taken.
    pub fn tell(&mut self, event: &DanceEvent<'_>, now: f64) -> Vec<(To, Line)> {
        let signs = *self.frame.signs;
        match event {
            DanceEvent::Doing(doing) => self.doing(doing),
            DanceEvent::Waiting { holder } => {
                self.now("waiting for the other run".to_owned());
                self.put(To::Err, Line::new(Ink::Dim, format!("{} waiting for {holder}", signs.running)));
            }
            DanceEvent::Lock { lock, what } => {
                self.put(To::Err, Line::new(Ink::Dim, format!("{} lock {lock} {what}", signs.running)));
            }
            DanceEvent::Warned { message } => {
                self.put(To::Err, Line::new(Ink::Care, format!("! {message}")));
            }
            DanceEvent::Swept { path } => {
                let text = format!("! removed what a killed run had left: {}", path.display());
                self.put(To::Err, Line::new(Ink::Care, text));
            }
            DanceEvent::Recovered { run, how } => {
                for line in recovered(run, how) {
                    self.put(To::Err, Line::new(Ink::Care, format!("! {line}")));
                }
            }
            DanceEvent::Fetching { from } => self.now(format!("fetching from {from}")),
            DanceEvent::Planned { run, modules, root } => {
                self.modules = *modules;
                let (node, modules) = (self.frame.node, count(*modules, "module"));
                let mode = match self.frame.mode {
                    Mode::Noop => "NOOP: nothing will be changed",
                    Mode::Live => "live",
                };
                let on = if root.is_own() { String::new() } else { format!(" on {root}") };
                self.put(To::Out, Line::new(Ink::Dim, format!("Run {run} of {node}{on}, {modules}, {mode}")));
            }
            DanceEvent::Processing { module, at } => {
                self.turn = Turn { module: module.to_string(), at: *at, since: now, ..Turn::default() };
                self.now(self.where_it_is(None));
            }
            DanceEvent::Line { stream, text, .. } => self.line(*stream, text),
            DanceEvent::Asked { action, root } => {
                self.turn.actions += 1;
                let words = match (self.frame.mode, root) {
                    (_, LiveRoot::Other(_)) => " not run on another root: ",
                    (Mode::Noop, LiveRoot::Own) => " would run: ",
                    (Mode::Live, LiveRoot::Own) => " after the merge: ",
                };
                self.head(To::Out);
                let line = Line::new(Ink::Care, format!("  {}{words}", signs.action));
                self.put(To::Out, line.and(Ink::Plain, one_line(&action.command())));
            }
            DanceEvent::Tried { attempt, .. } => {
                self.head(To::Out);
                let line = Line::new(Ink::Care, "  ! stopped: ");
                self.put(To::Out, line.and(Ink::Plain, one_line(&attempt.to_string())));
            }
            // The module's own label says it; and what the run has ended with, its end.
            DanceEvent::Labelled { .. } | DanceEvent::Ended { .. } | DanceEvent::Settled { .. } => {}
            DanceEvent::StepEnded { record, .. } => {
                if self.frame.verbose {
                    let (step, words) = (one_line(record.step.label()), spent::of_step(record));
                    self.head(To::Err);
                    let line = format!("  {} {step}: {}", signs.dot, one_line(&words));
                    self.put(To::Err, Line::new(Ink::Dim, line));
                }
            }
            DanceEvent::Spent { part, cost } => {
                if self.frame.verbose {
                    let line = format!("{} {part}: {}", signs.dot, spent::of_part(cost));
                    self.put(To::Err, Line::new(Ink::Dim, line));
                }
            }
            DanceEvent::StepFailed { module, step, outcome } => {
                let (step, how) = (one_line(step), one_line(&outcome.to_string()));
                self.turn.failed = Some(format!("{step}: {how}"));
                let last = std::mem::take(&mut self.turn.last).into();
                self.failed.push(FailedStep { module: (*module).clone(), step, how, last });
            }
            DanceEvent::Skipped { module, because } => {
                self.skipped += 1;
                let line = Line::new(Ink::Care, signs.skipped).and(Ink::Bold, format!(" {module}"));
                self.put(To::Out, line.and(Ink::Plain, format!("  not run: it needs {because}")));
            }
            DanceEvent::Changed { changes, label, .. } => self.module_ends(changes, label, now),
            DanceEvent::Validating { module } => {
                self.turn = Turn { module: module.to_string(), validates: true, ..Turn::default() };
            }
            DanceEvent::Validated { module, validator, outcome } => {
                if !outcome.is_done() {
                    let (step, how) = (one_line(validator), one_line(&outcome.to_string()));
                    let line = Line::new(Ink::Bad, signs.failed).and(Ink::Bold, format!(" {module}"));
                    self.put(To::Out, line.and(Ink::Plain, format!("  {step}: {how}")));
                    let last = std::mem::take(&mut self.turn.last).into();
                    self.invalid.push(FailedStep { module: (*module).clone(), step, how, last });
                }
            }
            DanceEvent::Saved { file, digest, size: _ } => {
                let line =
                    Line::new(Ink::Good, signs.done).and(Ink::Plain, format!(" plan {}", file.display()));
                self.put(To::Out, line.and(Ink::Dim, format!("  sha256 {digest}")));
            }
            DanceEvent::Merged { changes } => {
                if *changes > 0 {
                    let line = Line::new(Ink::Good, signs.done);
                    self.put(To::Out, line.and(Ink::Plain, format!(" merged {}", count(*changes, "change"))));
                }
            }
            DanceEvent::Restoring { path, way } => {
                self.put(To::Out, Line::new(Ink::Plain, format!("{path}: {}", way_words(*way))));
            }
            DanceEvent::Unconfirmed { until } => {
                let text = format!("! {}", crate::cli::ending::to_be_confirmed(*until));
                self.put(To::Err, Line::new(Ink::Care, text));
            }
            DanceEvent::NotMerged { path, why } => {
                self.left_out += 1;
                self.put(To::Err, Line::new(Ink::Care, format!("! not merged: {path}: {why}")));
            }
            DanceEvent::MergedOver { path, what } => {
                self.put(To::Err, Line::new(Ink::Care, format!("! replaced: {path}: {what}")));
            }
            DanceEvent::NotExecuted { actions, why } => {
                let text = format!("! {} not executed: {why}", count(*actions, "action"));
                self.put(To::Err, Line::new(Ink::Care, text));
            }
            DanceEvent::Scheduled { schedule, root } => {
                let lines = schedule::pretty(schedule, root, self.frame.mode, &signs);
                lines.into_iter().for_each(|line| self.put(To::Out, line));
            }
            DanceEvent::Executed { duty, outcome, output, action: _ } => {
                self.executed("ran", &duty.words(), outcome, output);
            }
            DanceEvent::Undone { reason } => {
                let line = Line::new(Ink::Bad, signs.failed);
                self.put(To::Err, line.and(Ink::Plain, format!(" the merge is taken back: {reason}")));
            }
            DanceEvent::BroughtBack { effect, outcome, output } => {
                self.executed("brought back", &effect.command(), outcome, output);
            }
        }
        std::mem::take(&mut self.lines)
    }

    fn executed(&mut self, how: &str, command: &str, outcome: &Outcome, output: &str) {
        let signs = *self.frame.signs;
        for line in output.lines() {
            self.put(To::Out, printed(Stream::Stdout, line, &signs));
        }
        let command = one_line(command);
        let line = match outcome.is_done() {
            true => Line::new(Ink::Good, signs.done).and(Ink::Plain, format!(" {how}: {command}")),
            false => {
                let outcome = one_line(&outcome.to_string());
                Line::new(Ink::Bad, signs.failed).and(Ink::Plain, format!(" {command}: {outcome}"))
            }
        };
        self.put(To::Out, line);
    }

    fn put(&mut self, to: To, line: Line) {
        self.lines.push((to, line));
    }

    fn doing(&mut self, doing: &Doing<'_>) {
        let what = match doing {
            Doing::FetchingModules { done, of } => format!("fetching modules: {done} of {of}"),
            Doing::Step { step, at, of } => {
                let step = one_line(step);
                self.turn.last.clear();
                self.turn.doing = if *of == 1 { step.clone() } else { format!("{step} ({at}/{of})") };
                self.turn.step = Some(step);
                if self.frame.verbose {
                    self.head(To::Err);
                    let line = format!("  {} {} starts", self.frame.signs.dot, self.turn.doing);
                    self.put(To::Err, Line::new(Ink::Dim, line));
                }
                self.where_it_is(Some(&self.turn.doing))
            }
            Doing::Comparing if self.turn.module.is_empty() || self.turn.validates => {
                "comparing everything".to_owned()
            }
            Doing::Comparing => self.where_it_is(Some("comparing")),
            Doing::Merging { changes } => format!("merging {}", count(*changes, "change")),
            Doing::Executing { duty } => format!("running: {}", one_line(&duty.words())),
        };
        self.now(what);
    }

    fn now(&mut self, what: String) {
        self.status = Some(Status::New(what));
    }

    /// The module, its place among all, and what of it goes on.
    fn where_it_is(&self, what: Option<&str>) -> String {
        let Turn { module, at, validates, .. } = &self.turn;
        let what = what.map_or_else(String::new, |what| format!(" {} {what}", self.frame.signs.dot));
        match validates {
            true => format!("validating {module}{what}"),
            false => format!("{at}/{} {module}{what}", self.modules),
        }
    }

    fn line(&mut self, stream: Stream, text: &str) {
        if self.turn.last.len() == LAST_LINES {
            self.turn.last.pop_front();
        }
        self.turn.last.push_back((stream, text.to_owned()));
        let to = match stream {
            Stream::Stdout => To::Out,
            Stream::Stderr => To::Err,
        };
        self.head(to);
        let line = printed(stream, text, self.frame.signs);
        self.put(to, line);
        let text = last_of(text);
        if !text.is_empty() {
            let doing = format!("{} {} {text}", self.turn.doing, self.frame.signs.dot);
            self.status = Some(Status::More(self.where_it_is(Some(&doing))));
        }
    }

    /// The module's name above the first of its lines.
    fn head(&mut self, to: To) {
        if !std::mem::replace(&mut self.turn.headed, true) {
            let head = Line::new(Ink::Dim, format!("{} {}", self.frame.signs.running, self.turn.module));
            self.put(to, head);
        }
    }

    fn module_ends(&mut self, changes: &ChangeSet, label: &Label, now: f64) {
        let signs = self.frame.signs;
        let (shown, folded) = match self.frame.noise {
            Some(noise) => noise.fold(changes),
            None => (Cow::Borrowed(changes), Folded::default()),
        };
        let found = match (changes.0.len(), self.turn.actions) {
            (0, 0) => "no changes".to_owned(),
            (changes, 0) => with_noise(changes, folded.count),
            (0, actions) => count(actions, "action"),
            (changes, actions) => {
                format!("{}, {}", with_noise(changes, folded.count), count(actions, "action"))
            }
        };
        self.changed += usize::from(!changes.0.is_empty());
        let (sign, ink, words) = match self.turn.failed.take() {
            None => (signs.done, Ink::Good, found),
            Some(why) => (signs.failed, Ink::Bad, format!("failed, {why}; {found} until then")),
        };
        let line = Line::new(ink, sign).and(Ink::Bold, format!(" {}", self.turn.module));
        let line = line.and(Ink::Plain, format!("  {words}"));
        let line = if label.is_exact() { line } else { line.and(Ink::Care, format!("  {label}")) };
        let took = Line::and(line, Ink::Dim, format!("  {}", seconds(now - self.turn.since)));
        self.put(To::Out, took);
        for line in pretty_changes::changes(&shown, self.frame.detail, signs) {
            self.put(To::Out, line);
        }
        if let Some(words) = folded.words() {
            self.put(To::Out, Line::new(Ink::Dim, format!("  {} {words}", signs.more)));
        }
        self.turn = Turn::default();
    }
}

#[cfg(test)]
#[path = "pretty_view_tests.rs"]
mod tests;
