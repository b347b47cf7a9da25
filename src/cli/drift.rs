//! `disco drift`: what is not as disco has left it. Arguments in, text out.

use std::path::PathBuf;

use serde::Serialize;

use crate::changes::diff::DiffStyle;
use crate::changes::text;
use crate::cli::blame::{Who, unread, whose};
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::model::change::Change;
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::ops::drift::{self, Drifted};
use crate::ops::settings::{for_anybody, home};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Each place that a live run has written, and whose record is kept, is compared
with what is there now: type, content, owner, mode, attributes, or that it is
gone. No script runs, and nothing changes.

Examples:
  disco drift
  disco drift /etc --detailed-exitcodes
  disco drift --format json | jq -r .path";

/// What `disco drift` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what is at and below this path
    pub path: Option<PathBuf>,
    /// The root that is looked at [default: the node's own]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Exit with 2 where something has drifted
    #[arg(long)]
    pub detailed_exitcodes: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// What has drifted.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let bad = |error| Failure::new(Kind::Usage, "no path to look at").because(&error);
    let only = args.path.as_ref().map(RootedPath::new).transpose().map_err(bad)?;
    let home = home(&for_anybody(global.flags()))?.value;
    let drift = drift::drift(&home, args.root.as_deref(), only.as_ref())?;
    for warning in unread(&drift.unread) {
        terminal.say_at(Level::Warning, &warning);
    }
    let lines: String = match args.format {
        Format::Text => drift.places.iter().map(line).collect(),
        Format::Json => drift.places.iter().map(|place| json(place, &drift.root)).collect(),
    };
    terminal.results(&lines);
    Ok(match drift.places.is_empty() || !args.detailed_exitcodes {
        true => Exit::Done,
        false => Exit::Status(2),
    })
}

/// The classic line, from what was left to what is there, and who has left it.
fn line(place: &Drifted) -> String {
    let line = text::change(&place.change, DiffStyle::None);
    format!("{} : left by {} {}\n", line.trim_end(), place.by.run, whose(&place.by))
}

fn json(place: &Drifted, root: &LiveRoot) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: u32,
        root: &'a LiveRoot,
        #[serde(flatten)]
        change: &'a Change,
        by: Who<'a>,
    }
    let line = Line { schema: 1, root, change: &place.change, by: (&place.by).into() };
    format!("{}\n", serde_json::json!(line))
}
