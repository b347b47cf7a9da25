//! `disco merge-log`: what the journal of a merge says, as text or line by line as JSON.

use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::{Format, Global};
use crate::merge::journal::{Line, Note};
use crate::merge::replay::{Phase, Recorded};
use crate::merge::{MergeError, Way, entry::Entry};
use crate::model::duty::DutyOrigin;
use crate::model::names::RunId;
use crate::ops::dance::DanceError;
use crate::ops::merge_log;
use crate::ops::settings::settings;
use crate::secrets::known;
use crate::sys::files::FileError;

/// What `disco merge-log` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run [default: the merge that is not finished, else the last one]
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// The log, as it is read: it may have very many changes.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (settings, _) = settings(&global.flags())?;
    let recorded = merge_log::read(&settings, args.run.as_ref())?;
    let mut printed = Printed { terminal, waiting: String::new() };
    match args.format {
        Format::Text => text(&recorded, &mut printed)?,
        Format::Json => json_lines(recorded, &mut printed)?,
    }
    printed.all();
    Ok(Exit::Done)
}

/// Lines on their way, some of them at a time.
struct Printed<'a> {
    terminal: &'a mut Terminal,
    waiting: String,
}

impl Printed<'_> {
    fn line(&mut self, line: &str) {
        const MANY: usize = 64 * 1024;
        self.waiting.push_str(&known::shown(line));
        self.waiting.push('\n');
        if self.waiting.len() >= MANY {
            self.all();
        }
    }

    fn all(&mut self) {
        self.terminal.results(&self.waiting);
        self.waiting.clear();
    }
}

fn json_lines(recorded: Recorded, printed: &mut Printed<'_>) -> Result<(), Failure> {
    let Recorded { head, notes, entries, phase, .. } = recorded;
    let changes = entries.len();
    let mut put = |line: &Line| printed.line(&serde_json::json!(line).to_string());
    put(&Line::Begin(head));
    notes.into_iter().map(Line::Note).for_each(|note| put(&note));
    for change in entries.whole() {
        let (entry, held) = change.map_err(unread)?;
        put(&Line::Change(entry));
        for held in held.behind() {
            put(&Line::Held(held.map_err(unread)?));
        }
    }
    let end = match phase {
        Phase::Staging => None,
        Phase::Applying => Some(Line::Commit { changes }),
        Phase::Applied => Some(Line::Applied),
        Phase::Undoing(why) | Phase::Back(why) => Some(Line::Undoing { why }),
        Phase::Done(bytes) => Some(Line::Done { bytes }),
    };
    end.iter().for_each(put);
    Ok(())
}

fn text(recorded: &Recorded, printed: &mut Printed<'_>) -> Result<(), Failure> {
    let head = &recorded.head;
    printed.line(&format!("run {}, into {}, begun {}", head.run, head.root, head.began));
    head.undoes.iter().for_each(|run| printed.line(&format!("undoes run {run}")));
    head.stores.0.iter().for_each(|store| printed.line(&format!("keeps what it replaces in {}", store.path)));
    for entry in recorded.entries.iter() {
        printed.line(&change(&entry.map_err(unread)?));
    }
    recorded.notes.iter().flat_map(note).for_each(|line| printed.line(&line));
    let end = match &recorded.phase {
        Phase::Staging => "not merged: it stopped, or is, before the point of no return".to_owned(),
        Phase::Applying => "past the point of no return: `disco recover` finishes it".to_owned(),
        Phase::Applied => "merged; what comes after it is not done yet".to_owned(),
        Phase::Undoing(why) | Phase::Back(why) => format!("being taken back: {why}"),
        Phase::Done(_) => "done".to_owned(),
    };
    printed.line(&end);
    Ok(())
}

fn unread(error: FileError) -> Failure {
    DanceError::from(MergeError::Journal(error)).into()
}

fn change(entry: &Entry) -> String {
    let way = match entry.way() {
        Way::Placed => "place",
        Way::Replaced => "replace",
        Way::Deleted => "delete",
        Way::Attributes => "attributes",
        Way::Appended => "append",
    };
    format!("  {way:<10} {}", entry.path())
}

fn note(note: &Note) -> Vec<String> {
    match note {
        Note::Schedule(schedule) => {
            let all = schedule.before.iter().map(|duty| ("before", duty));
            let all = all.chain(schedule.after.iter().map(|duty| ("after", duty)));
            let line = |(when, duty): (&str, &crate::model::duty::Duty)| {
                let who = match &duty.origin {
                    DutyOrigin::Actions { .. } => "asked for by steps".to_owned(),
                    DutyOrigin::UnitFiles => "unit files have changed".to_owned(),
                    DutyOrigin::OnChange { module } => format!("on-change of {module}"),
                    DutyOrigin::After { module, script } => format!("after/{script} of {module}"),
                    DutyOrigin::Check { module, script } => format!("check/{script} of {module}"),
                };
                format!("  {when:<10} {}: {} ({who})", duty.number, duty.words())
            };
            all.map(line).collect()
        }
        Note::Stood(stood) => {
            let services = stood.services.iter().map(|(service, runs)| {
                let runs = match runs {
                    Some(true) => "ran",
                    Some(false) => "did not run",
                    None => "did not say whether it ran",
                };
                format!("  before     {service} {runs}")
            });
            let settings = stood.settings.iter();
            let settings =
                settings.map(|(name, value)| format!("  before     {name} = {}", value.trim_end()));
            services.chain(settings).collect()
        }
        Note::Began { number } => vec![format!("  began      {number}")],
        Note::Ended { number, outcome } => vec![format!("  ended      {number}: {outcome}")],
        Note::Confirm { until } => vec![format!("  to be confirmed until second {until} of 1970")],
        Note::Confirmed => vec!["  confirmed".to_owned()],
    }
}
