//! `disco blame`: who wrote what is at a path. Arguments in, text out.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::exit::{Failure, Kind};
use crate::cli::runs::columns;
use crate::cli::{Format, Global, Said};
use crate::model::names::{ModuleName, RunId};
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::ops::blame::{self, Author, Blame, Deed};
use crate::ops::settings::{for_anybody, home};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
From the records that are kept of live runs; one that was undone has written
nothing. Lines that were there before, or that somebody else has written since,
are `not by disco`.

Examples:
  disco blame /etc/hosts
  disco blame /etc/motd --format json | jq -r '.writes[0].run'";

/// What `disco blame` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The path, from /
    pub path: PathBuf,
    /// The root whose path it is [default: the node's own]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Who wrote it.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    if !args.path.is_absolute() {
        return Err(Failure::new(Kind::Usage, format!("{:?} is no path from /", args.path)));
    }
    let bad = |error| Failure::new(Kind::Usage, "no path to look at").because(&error);
    let path = RootedPath::new(&args.path).map_err(bad)?;
    let home = home(&for_anybody(global.flags()))?.value;
    let blame = blame::blame(&home, args.root.as_deref(), &path)?;
    let result = match args.format {
        Format::Text => text(&blame),
        Format::Json => json(&blame),
    };
    Ok(Said { result, warnings: unread(&blame.unread) })
}

/// That these could not be looked into.
pub(in crate::cli) fn unread(runs: &[(RunId, String)]) -> Vec<String> {
    runs.iter().map(|(run, why)| format!("what run {run} wrote is not known: {why}")).collect()
}

/// Who it was, as `MODULE/STEP`.
pub(in crate::cli) fn whose(author: &Author) -> String {
    match &author.step {
        Some(step) => format!("{}/{step}", author.module),
        None => author.module.to_string(),
    }
}

/// Whose a line is that no run has written.
const NOBODY: &str = "not by disco";

/// Who wrote all of it, the newest first; then, of a text, who wrote each line.
fn text(blame: &Blame) -> String {
    let row =
        |run: &str, when: &str, whose: String, rest: String| [run.to_owned(), when.to_owned(), whose, rest];
    let mut rows = Vec::new();
    if blame.changed_since {
        let what = if blame.there.is_some() { "changed" } else { "deleted" };
        rows.push(row("-", "-", NOBODY.to_owned(), format!("{what} {}", blame.path)));
    }
    rows.extend(blame.authors.iter().map(|(deed, author)| {
        let rest = format!("{} {}", word(*deed), blame.path);
        row(author.run.as_str(), &author.started, whose(author), rest)
    }));
    let digits = blame.lines.len().to_string().len();
    rows.extend(blame.lines.iter().enumerate().map(|(at, (by, line))| {
        let line = line.as_deref().unwrap_or("(not shown: not everybody may read this file)");
        let line = format!("{:>digits$}) {line}", at + 1);
        match by.and_then(|by| blame.authors.get(by)) {
            Some((_, author)) => row(author.run.as_str(), &author.started, whose(author), line),
            None => row("-", "-", NOBODY.to_owned(), line),
        }
    }));
    columns(&rows)
}

fn word(deed: Deed) -> &'static str {
    match deed {
        Deed::Created => "created",
        Deed::Changed => "changed",
        Deed::Attributes => "attributes of",
        Deed::Deleted => "deleted",
    }
}

/// Somebody in JSON.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Who<'a> {
    run: &'a RunId,
    started: &'a str,
    module: &'a ModuleName,
    step: Option<&'a str>,
}

impl<'a> From<&'a Author> for Who<'a> {
    fn from(author: &'a Author) -> Who<'a> {
        let Author { run, started, module, step } = author;
        Who { run, started, module, step: step.as_deref() }
    }
}

fn json(blame: &Blame) -> String {
    #[derive(Serialize)]
    struct Write<'a> {
        did: &'a str,
        #[serde(flatten)]
        by: Who<'a>,
    }
    #[derive(Serialize)]
    struct Line<'a> {
        line: usize,
        by: Option<Who<'a>>,
        text: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Whole<'a> {
        schema: u32,
        path: &'a RootedPath,
        root: &'a LiveRoot,
        there: bool,
        changed_since: bool,
        writes: Vec<Write<'a>>,
        lines: Vec<Line<'a>>,
    }
    let did = |deed| if deed == Deed::Attributes { "attributes" } else { word(deed) };
    let writes = blame.authors.iter().map(|(deed, author)| Write { did: did(*deed), by: author.into() });
    let lines = blame.lines.iter().enumerate().map(|(at, (by, text))| {
        let by = by.and_then(|by| blame.authors.get(by)).map(|(_, author)| author.into());
        Line { line: at + 1, by, text: text.as_deref() }
    });
    let whole = Whole {
        schema: 1,
        path: &blame.path,
        root: &blame.root,
        there: blame.there.is_some(),
        changed_since: blame.changed_since,
        writes: writes.collect(),
        lines: lines.collect(),
    };
    format!("{}\n", serde_json::json!(whole))
}
