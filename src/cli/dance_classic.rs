//! A run in the classic form, line by line as it goes on: the text that scripts read.

use crate::changes::diff::DiffStyle;
use crate::changes::text;
use crate::cli::dance::{Args, Diff, Prepared, no_modules, prepare, sets_nothing};
use crate::cli::ending::{Ended, count, recovered, summary, to_be_confirmed};
use crate::cli::exit::{Exit, Failure};
use crate::cli::line::Signs;
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Global, schedule, spent};
use crate::model::change::ChangeSet;
use crate::model::noise::Noise;
use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::model::step::Stream;
use crate::ops::dance::{self, DanceEvent, Doing};
use crate::ops::undo::way_words;
use crate::sys::clock;
use crate::sys::host;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loud {
    /// Errors.
    Quiet,
    /// What a run does.
    Normal,
    /// Also what it costs.
    Verbose,
}

impl Loud {
    /// As the flags say.
    pub(super) fn of(quiet: bool, verbose: bool) -> Loud {
        match (quiet, verbose) {
            (true, _) => Loud::Quiet,
            (false, true) => Loud::Verbose,
            (false, false) => Loud::Normal,
        }
    }
}

/// How a run is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    /// NOOP or live.
    pub mode: Mode,
    /// How differences of content are shown.
    pub style: DiffStyle,
    /// What of the changes is counted instead of shown; nothing where all is to be listed.
    pub noise: Option<&'a Noise>,
    /// How much is told.
    pub loud: Loud,
}

impl Manner<'_> {
    /// As it always was, without any differences.
    pub(super) fn plain(mode: Mode) -> Manner<'static> {
        Manner { mode, style: DiffStyle::None, noise: None, loud: Loud::Normal }
    }
}

/// Does the dance and tells it.
pub(super) fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Prepared { settings, unknown, interrupt, options, codes, mut monitors } = prepare(args, global)?;
    for origin in unknown {
        terminal.say_at(Level::Warning, &sets_nothing(&origin));
    }
    let manner = Manner {
        mode: settings.mode.value,
        style: args.diff.unwrap_or(Diff::Normal).into(),
        noise: (!args.all).then_some(&settings.noise.value),
        loud: Loud::of(args.quiet, args.verbose),
    };
    let node = &settings.node.value;
    if args.quiet {
        let signs = if host::shows_utf8() { &Signs::UTF8 } else { &Signs::ASCII };
        terminal.live(signs.spinner, interrupt.shared_flag());
    }
    let mut progress = Progress::default();
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        if let DanceEvent::Planned { modules: 0, .. } = event {
            terminal.say_at(Level::Warning, &no_modules(node));
        }
        show(&event, &manner, terminal);
        progress.tell(&event, terminal);
    };
    let ended = Ended::from(dance::dance(&settings, &options, &interrupt, &mut tell));
    terminal.calm();
    let warnings = ended.tell(monitors, codes);
    ended.say(summary, &warnings, terminal);
    ended.exit(codes)
}

/// What the line at the bottom of a terminal says in a quiet run.
#[derive(Debug, Default)]
struct Progress {
    modules: usize,
    module: String,
}

impl Progress {
    fn tell(&mut self, event: &DanceEvent<'_>, terminal: &mut Terminal) {
        match event {
            DanceEvent::Fetching { from } => terminal.now(&format!("fetching from {from}")),
            DanceEvent::Planned { modules, .. } => self.modules = *modules,
            DanceEvent::Processing { module, at } => {
                self.module = format!("{at}/{} {module}", self.modules);
                terminal.now(&self.module);
            }
            DanceEvent::Validating { module } => self.module = format!("validating {module}"),
            DanceEvent::Doing(Doing::Step { step, at, of }) => {
                terminal.now(&format!("{} - {step} ({at}/{of})", self.module));
            }
            DanceEvent::Doing(Doing::Merging { changes }) => {
                terminal.now(&format!("merging {}", count(*changes, "change")));
            }
            DanceEvent::Doing(Doing::Executing { duty }) => {
                terminal.now(&format!("running: {}", duty.words()));
            }
            _ => {}
        }
    }
}

/// The text of differences: those that are noise are one line, the last.
pub(super) fn differences(changes: &ChangeSet, style: DiffStyle, noise: Option<&Noise>) -> String {
    let Some(noise) = noise else { return text::change_set(changes, style) };
    let (shown, folded) = noise.fold(changes);
    let rest = folded.words().map_or_else(String::new, |words| format!("info: Noise : {words}\n"));
    text::change_set(&shown, style) + &rest
}

/// Whether it is told in a quiet run too.
fn is_trouble(event: &DanceEvent<'_>) -> bool {
    match event {
        DanceEvent::StepFailed { .. } | DanceEvent::Skipped { .. } | DanceEvent::Undone { .. } => true,
        DanceEvent::Validated { outcome, .. }
        | DanceEvent::Executed { outcome, .. }
        | DanceEvent::BroughtBack { outcome, .. } => !outcome.is_done(),
        _ => false,
    }
}

/// What is told besides in a verbose run: when a step starts, what it cost, how true its report is; and disco's own work.
fn verbose(event: &DanceEvent<'_>, terminal: &mut Terminal) {
    match event {
        DanceEvent::Doing(Doing::Step { step, at, of }) => {
            terminal.say_at(Level::Info, &format!("Step {at} of {of} : {step} : {}", clock::now()));
        }
        DanceEvent::StepEnded { module, record } => {
            let (step, words) = (record.step.label(), spent::of_step(record));
            terminal.say_at(Level::Info, &format!("{module}: {step}: {words}"));
        }
        DanceEvent::Spent { part, cost } => {
            terminal.say_at(Level::Info, &format!("Phase : {part} : {}", spent::of_part(cost)));
        }
        _ => {}
    }
}

/// Tells one event in the classic form.
pub(super) fn show(event: &DanceEvent<'_>, manner: &Manner<'_>, terminal: &mut Terminal) {
    let Manner { mode, style, noise, .. } = *manner;
    if manner.loud == Loud::Verbose {
        verbose(event, terminal);
    }
    if manner.loud == Loud::Quiet && !is_trouble(event) {
        return;
    }
    match event {
        DanceEvent::Doing(_)
        | DanceEvent::StepEnded { .. }
        | DanceEvent::Spent { .. }
        | DanceEvent::Ended { .. }
        | DanceEvent::Settled { .. } => {}
        DanceEvent::Waiting { holder } => terminal.say_at(Level::Info, &format!("Waiting for {holder}")),
        DanceEvent::Lock { lock, what } => terminal.say_at(Level::Info, &format!("Lock : {lock} : {what}")),
        DanceEvent::Warned { message } => terminal.say_at(Level::Warning, message),
        DanceEvent::Swept { path } => {
            terminal
                .say_at(Level::Warning, &format!("Removed what a killed run had left: {}", path.display()));
        }
        DanceEvent::Recovered { run, how } => {
            for line in recovered(run, how) {
                terminal.say_at(Level::Warning, &line);
            }
        }
        DanceEvent::Fetching { from } => terminal.progress(&format!("Fetching from {from}")),
        DanceEvent::Planned { run, modules, root: _ } => {
            terminal.progress(&format!("Run {run}: {}", count(*modules, "module")))
        }
        DanceEvent::Processing { module, at: _ } => {
            terminal.result_at(Level::Info, &format!("Processing {module}"))
        }
        DanceEvent::Line { stream: Stream::Stdout, text, .. } => terminal.result(text),
        DanceEvent::Line { stream: Stream::Stderr, text, .. } => terminal.say(text),
        DanceEvent::Asked { action, root } => match (mode, root) {
            (Mode::Noop, LiveRoot::Own) => {
                terminal.result_at(Level::Warning, &format!("Would execute : {}", action.command()))
            }
            (Mode::Noop, LiveRoot::Other(_)) => {
                terminal.result_at(Level::Warning, &format!("Not executed : {}", action.command()))
            }
            (Mode::Live, LiveRoot::Other(_)) => {
                terminal.say_at(Level::Info, &format!("Not executed : {}", action.command()))
            }
            (Mode::Live, LiveRoot::Own) => {
                terminal.say_at(Level::Info, &format!("Deferred : {}", action.command()))
            }
        },
        DanceEvent::Tried { attempt, .. } => {
            terminal.result_at(Level::Warning, &format!("Stopped : {attempt}"))
        }
        DanceEvent::Labelled { module, step, label } => {
            terminal.say_at(Level::Info, &format!("{module}: {step}: {label}"));
        }
        DanceEvent::StepFailed { module, step, outcome } => {
            terminal.say_at(Level::Error, &format!("{module}: {step}: {outcome}"));
        }
        DanceEvent::Skipped { module, because } => {
            terminal.say_at(Level::Error, &format!("{module}: not run, because {because} did not succeed"));
        }
        DanceEvent::Changed { changes, .. } => {
            terminal.results(&differences(changes, style, noise));
        }
        DanceEvent::Validating { module } => {
            terminal.result_at(Level::Info, &format!("Validating {module}"));
        }
        DanceEvent::Validated { module, validator, outcome } => {
            if !outcome.is_done() {
                terminal.say_at(Level::Error, &format!("{module}: {validator}: {outcome}"));
            }
        }
        DanceEvent::Saved { file, digest, size: _ } => {
            terminal.say_at(Level::Info, &format!("Plan : {} : sha256 {digest}", file.display()))
        }
        DanceEvent::Restoring { path, way } => {
            terminal.result_at(Level::Info, &format!("Undo : {path} : {}", way_words(*way)))
        }
        DanceEvent::Merged { changes } => {
            terminal.say_at(Level::Info, &format!("Merged {}", count(*changes, "change")))
        }
        DanceEvent::Unconfirmed { until } => {
            terminal.say_at(Level::Warning, &to_be_confirmed(*until));
        }
        DanceEvent::NotMerged { path, why } => {
            terminal.say_at(Level::Warning, &format!("Not merged : {path} : {why}"))
        }
        DanceEvent::MergedOver { path, what } => {
            terminal.say_at(Level::Warning, &format!("Replaced : {path} : {what}"))
        }
        DanceEvent::NotExecuted { actions, why } => {
            terminal.say_at(Level::Warning, &format!("{} not executed: {why}", count(*actions, "action")))
        }
        DanceEvent::Scheduled { schedule, root } => schedule::classic(schedule, root, mode, terminal),
        DanceEvent::Executed { duty, outcome, output, action: _ } => {
            schedule::executed("Executed", &duty.words(), outcome, output, terminal);
        }
        DanceEvent::Undone { reason } => {
            terminal.say_at(Level::Error, &format!("Undone : the merge was taken back : {reason}"));
        }
        DanceEvent::BroughtBack { effect, outcome, output } => {
            schedule::executed("Brought back", &effect.command(), outcome, output, terminal);
        }
    }
}
