//! `disco report`: what the steps of a run cost. Arguments in, text out.

use std::path::Path;

use clap::{Args, ValueEnum};

use crate::cli::report_text;
use crate::model::names::RunId;
use crate::ops::report;
use crate::runs::RunError;

/// How a record is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Show what each step of a run has cost
///
/// Example: disco report
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run, as `disco runs` lists it; the last one where none is given
    pub run: Option<RunId>,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The text to print.
pub fn run(args: &ReportArgs, home: &Path) -> Result<String, RunError> {
    let record = report::one(home, args.run.as_ref())?;
    match args.format {
        Format::Text => Ok(report_text::report(&record)),
        Format::Json => report::json(&record),
    }
}
