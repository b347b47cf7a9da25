//! `disco report`: what the steps of a run cost. Arguments in, text out.

use clap::ValueEnum;

use crate::cli::exit::{Failure, Kind};
use crate::cli::report_table::{self, Sort};
use crate::cli::{Global, Said, report_text, runs};
use crate::model::names::RunId;
use crate::model::run::RunOutcome;
use crate::ops::report;
use crate::ops::settings::{for_anybody, home};
use crate::sys::pty;

/// What `disco report` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, as `disco runs` lists it; the last one where none is given
    pub run: Option<RunId>,
    /// How to print it [default: table on a terminal, classic elsewhere]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Form>,
    /// The order of the table's rows
    #[arg(long, value_enum, value_name = "ORDER")]
    pub sort: Option<Sort>,
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
}

/// The report of one run.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let width = pty::columns();
    let form = form(args, width.is_some())?;
    let home = home(&for_anybody(global.flags()))?.value;
    let record = report::one(&home, args.run.as_ref())?;
    let text = match form {
        Form::Table => report_table::table(&record, args.sort.unwrap_or_default(), width),
        Form::Classic => report_text::report(&record),
        Form::Json => report::json(&home, &record)?,
    };
    let bad = match (form, &record.outcome) {
        // The head of the table says it.
        (Form::Table, _) | (_, RunOutcome::Shown | RunOutcome::Merged) => None,
        _ => Some(format!("run {}: {}", record.run, runs::outcome(&record.outcome))),
    };
    Ok(Said { result: text, warnings: bad.into_iter().collect() })
}

/// The form that was asked for; where none was, what suits the reader, and the table for who sorts its rows.
fn form(args: &Args, terminal: bool) -> Result<Form, Failure> {
    match (args.format, args.sort, terminal) {
        (Some(Form::Classic | Form::Json), Some(_), _) => {
            Err(Failure::new(Kind::Usage, "--sort is for the table alone"))
        }
        (Some(form), _, _) => Ok(form),
        (None, Some(_), _) | (None, None, true) => Ok(Form::Table),
        (None, None, false) => Ok(Form::Classic),
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
            (Some(Form::Json), Some(Sort::Time), false, None),
        ] {
            let args = Args { run: None, format, sort };
            assert_eq!(form(&args, terminal).ok(), expected, "{args:?} {terminal}");
        }
    }
}
