//! `disco merge-log`: what the journal of a merge says, as text or line by line as JSON.

use crate::cli::exit::Failure;
use crate::cli::{Format, Global, Said};
use crate::merge::journal::{Line, Note};
use crate::merge::replay::{Phase, Recorded};
use crate::merge::{Way, entry::Entry};
use crate::model::duty::DutyOrigin;
use crate::model::names::RunId;
use crate::ops::merge_log;
use crate::ops::settings::settings;
use crate::secrets::known;

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

/// The log.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let (settings, _) = settings(&global.flags())?;
    let recorded = merge_log::read(&settings, args.run.as_ref())?;
    Ok(match args.format {
        Format::Text => known::shown(&text(&recorded)).into_owned(),
        Format::Json => known::shown(&json_lines(recorded)).into_owned(),
    }
    .into())
}

fn json_lines(recorded: Recorded) -> String {
    let Recorded { head, notes, entries, phase, .. } = recorded;
    let changes = entries.len();
    let begin = std::iter::once(Line::Begin(head));
    let lines = begin.chain(notes.into_iter().map(Line::Note)).chain(entries.into_iter().map(Line::Change));
    let end = match phase {
        Phase::Staging => None,
        Phase::Applying => Some(Line::Commit { changes }),
        Phase::Applied => Some(Line::Applied),
        Phase::Undoing(why) | Phase::Back(why) => Some(Line::Undoing { why }),
        Phase::Done(bytes) => Some(Line::Done { bytes }),
    };
    lines.chain(end).map(|line| format!("{}\n", serde_json::json!(line))).collect()
}

fn text(recorded: &Recorded) -> String {
    let head = &recorded.head;
    let mut lines = vec![format!("run {}, into {}, begun {}", head.run, head.root, head.began)];
    lines.extend(head.undoes.as_ref().map(|run| format!("undoes run {run}")));
    lines.extend(head.stores.0.iter().map(|store| format!("keeps what it replaces in {}", store.path)));
    lines.extend(recorded.entries.iter().map(change));
    lines.extend(recorded.notes.iter().flat_map(note));
    lines.push(match &recorded.phase {
        Phase::Staging => "not merged: it stopped, or is, before the point of no return".to_owned(),
        Phase::Applying => "past the point of no return: `disco recover` finishes it".to_owned(),
        Phase::Applied => "merged; what comes after it is not done yet".to_owned(),
        Phase::Undoing(why) | Phase::Back(why) => format!("being taken back: {why}"),
        Phase::Done(_) => "done".to_owned(),
    });
    lines.iter().map(|line| format!("{line}\n")).collect()
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
