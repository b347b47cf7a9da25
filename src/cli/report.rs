//! `disco report`: what the steps of a run cost, and how that compares with other runs. Arguments in, text out.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::line::Signs;
use crate::cli::report_table::{self, Sort};
use crate::cli::terminal::{Level, Terminal, To};
use crate::cli::{Global, report_many, report_text, runs};
use crate::model::names::{ModuleName, RunId};
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::ops::report::{self, Life, Of};
use crate::ops::settings::{for_anybody, home, settings};
use crate::reports::series::{Measure, Span};
use crate::sys::{host, pty};

/// What `disco report` takes.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// The run, as `disco runs` lists it [default: the last]
    pub run: Option<RunId>,
    /// table, classic, json, csv or html
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub format: Option<Form>,
    /// Order of the table: order, time or memory
    #[arg(long, value_enum, value_name = "ORDER", hide_possible_values = true)]
    pub sort: Option<Sort>,
    /// Write a Chrome trace (`-`: to standard output)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "sort"])]
    pub trace: Option<PathBuf>,
    /// Two runs or spans: RUN, FROM..TO, FROM.., ..TO
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["run", "sort", "trace", "trend"])]
    pub compare: Option<Vec<Span>>,
    /// What became slower in the last 50 runs
    #[arg(long, num_args = 0..=1, value_name = "MODULE", conflicts_with_all = ["run", "sort", "trace"])]
    #[allow(clippy::option_option, reason = "clap tells a flag without a value so")]
    pub trend: Option<Option<ModuleName>>,
    /// What of these: time, cpu or memory
    #[arg(long, value_enum, value_name = "WHAT", hide_possible_values = true)]
    pub measure: Option<What>,
    /// Which runs of these: noop or live
    #[arg(long, value_enum, value_name = "MODE", hide_possible_values = true)]
    pub mode: Option<OfMode>,
    /// Exit with 2 where one of these marks something
    #[arg(long)]
    pub detailed_exitcodes: bool,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A line a step, as wide as the terminal
    Table,
    /// Lines `report: …`, as they always were
    #[value(alias = "text")]
    Classic,
    /// One JSON object: the whole record
    Json,
    /// A line a step, for spreadsheets
    Csv,
    /// One page for a browser
    Html,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Wall time
    Time,
    /// User and system time
    Cpu,
    /// The most memory
    Memory,
}

/// Which runs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OfMode {
    /// Those that stopped before the merge
    Noop,
    /// Those that merged
    Live,
}

/// What the arguments ask for.
#[derive(Debug)]
enum Task<'a> {
    One(Form, Sort),
    Trace(&'a Path),
    Trend(Option<&'a ModuleName>),
    Compare(&'a Span, &'a Span),
}

/// The report.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let width = pty::columns();
    let task = task(args, width.is_some())?;
    let flags = for_anybody(global.flags());
    let home = home(&flags)?.value;
    let signs = if host::shows_utf8() { &Signs::UTF8 } else { &Signs::ASCII };
    let look = report_table::Look { width, signs };
    let of = Of {
        measure: match args.measure {
            None | Some(What::Time) => Measure::Time,
            Some(What::Cpu) => Measure::Cpu,
            Some(What::Memory) => Measure::Memory,
        },
        mode: args.mode.map(|mode| match mode {
            OfMode::Noop => Mode::Noop,
            OfMode::Live => Mode::Live,
        }),
    };
    let json = args.format == Some(Form::Json);
    let worse = match task {
        Task::Trend(module) => {
            let trend = report::trend(&home, module, of)?;
            match json {
                true => terminal.results(&report_many::json(&trend)?),
                false => terminal.lines(To::Out, &report_many::trend(&trend, module.is_some(), &look)),
            }
            trend.is_worse()
        }
        Task::Compare(a, b) => {
            let comparison = report::compare(&home, a, b, of)?;
            match json {
                true => terminal.results(&report_many::json(&comparison)?),
                false => terminal.lines(To::Out, &report_many::comparison(&comparison, &look)),
            }
            comparison.is_worse()
        }
        Task::One(..) | Task::Trace(_) => {
            let record = report::one(&home, args.run.as_ref())?;
            // A bad setting keeps nobody from a report; the scratchpads are mostly below the home.
            let storage =
                settings(&flags).map_or_else(|_| home.join("scratch"), |(all, _)| all.storage.value);
            let outcome = outcome(&record, report::life(&storage, &record));
            one(&task, &home, &record, &outcome, &look, terminal)?;
            false
        }
    };
    Ok(if worse && args.detailed_exitcodes { Exit::Status(2) } else { Exit::Done })
}

/// One run.
fn one(
    task: &Task<'_>,
    home: &Path,
    record: &RunRecord,
    outcome: &str,
    look: &report_table::Look<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let bad = !matches!(record.outcome, RunOutcome::Shown | RunOutcome::Merged);
    // The heads of the table and of the page say it.
    let tell = |terminal: &mut Terminal| {
        if bad {
            terminal.say_at(Level::Warning, &format!("run {}: {outcome}", record.run));
        }
    };
    match task {
        Task::One(Form::Table, sort) => {
            terminal.lines(To::Out, &report_table::table(record, outcome, *sort, look));
        }
        Task::One(Form::Html, _) => terminal.results(&report::html(home, record, outcome)?),
        Task::One(Form::Classic, _) => {
            tell(terminal);
            terminal.results(&report_text::report(record));
        }
        Task::One(Form::Json, _) => {
            tell(terminal);
            terminal.results(&report::json(home, record)?);
        }
        Task::One(Form::Csv, _) => {
            tell(terminal);
            terminal.results(&report::csv(record));
        }
        Task::Trace(file) => {
            tell(terminal);
            let text = report::trace(record, file)?;
            terminal.results(&text.unwrap_or_default());
        }
        Task::Trend(_) | Task::Compare(..) => {}
    }
    Ok(())
}

/// How a run ended, or that it has not.
fn outcome(record: &RunRecord, life: Life) -> String {
    let done = record.modules.len();
    let so_far = format!("{done} of {} modules have had their turn", record.plan.len().max(done));
    match life {
        Life::Ended => runs::outcome(&record.outcome),
        Life::UnderWay => format!("under way, {so_far}"),
        Life::Stopped => format!("stopped without a word (killed, or the machine went down), {so_far}"),
        Life::Unknown => format!("unfinished, {so_far}"),
    }
}

/// What is asked for; where no form is, what suits the reader, and the table for who sorts its rows.
fn task(args: &Args, terminal: bool) -> Result<Task<'_>, Failure> {
    let usage = |words: &str| Err(Failure::new(Kind::Usage, words));
    let many = args.trend.is_some() || args.compare.is_some();
    if many && !matches!(args.format, None | Some(Form::Table | Form::Json)) {
        return usage("--trend and --compare have the formats table and json");
    }
    if !many && (args.measure.is_some() || args.mode.is_some() || args.detailed_exitcodes) {
        return usage("--measure, --mode and --detailed-exitcodes are for --trend and --compare");
    }
    if let Some(file) = &args.trace {
        return Ok(Task::Trace(file));
    }
    if let Some(module) = &args.trend {
        return Ok(Task::Trend(module.as_ref()));
    }
    if let Some([a, b]) = args.compare.as_deref() {
        return Ok(Task::Compare(a, b));
    }
    let sort = args.sort.unwrap_or_default();
    match (args.format, args.sort, terminal) {
        (Some(Form::Classic | Form::Json | Form::Csv | Form::Html), Some(_), _) => {
            usage("--sort is for the table alone")
        }
        (Some(form), _, _) => Ok(Task::One(form, sort)),
        (None, Some(_), _) | (None, None, true) => Ok(Task::One(Form::Table, sort)),
        (None, None, false) => Ok(Task::One(Form::Classic, sort)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_the_table_and_a_pipe_the_text_that_scripts_read() {
        for (format, sort, terminal, expected) in [
            (None, None, true, Some(Form::Table)),
            (None, None, false, Some(Form::Classic)),
            (None, Some(Sort::Time), false, Some(Form::Table)),
            (Some(Form::Classic), None, true, Some(Form::Classic)),
            (Some(Form::Table), None, false, Some(Form::Table)),
            (Some(Form::Csv), None, true, Some(Form::Csv)),
            (Some(Form::Json), Some(Sort::Time), false, None),
        ] {
            let args = Args { format, sort, ..Args::default() };
            let form = match task(&args, terminal) {
                Ok(Task::One(form, _)) => Some(form),
                Ok(Task::Trace(_) | Task::Trend(_) | Task::Compare(..)) | Err(_) => None,
            };
            assert_eq!(form, expected, "{args:?} {terminal}");
        }
    }

    #[test]
    fn what_makes_no_sense_together_is_said() {
        let trend = Args { trend: Some(None), format: Some(Form::Html), ..Args::default() };
        assert_eq!(task(&trend, true).unwrap_err().kind, Kind::Usage);
        let measure = Args { measure: Some(What::Cpu), ..Args::default() };
        assert_eq!(task(&measure, true).unwrap_err().kind, Kind::Usage);
        let trend = Args { trend: Some(None), measure: Some(What::Cpu), ..Args::default() };
        assert!(matches!(task(&trend, true), Ok(Task::Trend(None))));
    }

    #[test]
    fn a_run_without_an_end_says_whether_it_goes_on() {
        let mut record = report_text::tests::record();
        assert_eq!(outcome(&record, Life::Ended), "shown");
        record.outcome = RunOutcome::Unfinished;
        record.plan = vec!["a".parse().unwrap(), "b".parse().unwrap(), "c".parse().unwrap()];
        assert_eq!(outcome(&record, Life::UnderWay), "under way, 2 of 3 modules have had their turn");
        assert!(outcome(&record, Life::Stopped).starts_with("stopped without a word"));
    }
}
