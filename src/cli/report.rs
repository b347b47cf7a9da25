//! `disco report`: what the steps of a run cost. Arguments in, text out.

use crate::cli::exit::Failure;
use crate::cli::{Format, Global, Said, report_text, runs};
use crate::model::names::RunId;
use crate::model::run::RunOutcome;
use crate::ops::report;
use crate::ops::settings::home;

/// What `disco report` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, as `disco runs` lists it; the last one where none is given
    pub run: Option<RunId>,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The report of one run.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let home = home(&global.flags())?.value;
    let record = report::one(&home, args.run.as_ref())?;
    let text = match args.format {
        Format::Text => report_text::report(&record),
        Format::Json => report::json(&record)?,
    };
    let bad = match record.outcome {
        RunOutcome::Shown | RunOutcome::Merged => None,
        _ => Some(format!("run {}: {}", record.run, runs::outcome(&record.outcome))),
    };
    Ok(Said { result: text, warnings: bad.into_iter().collect() })
}
