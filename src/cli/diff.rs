//! `disco diff`: the differences that a run has shown. Arguments in, text out.

use std::path::PathBuf;

use serde::Serialize;

use crate::changes::text;
use crate::cli::dance::Diff;
use crate::cli::exit::{Failure, Kind};
use crate::cli::{Format, Global, Said};
use crate::model::change::{ChangeSet, Recorded};
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::ops::diff;
use crate::ops::history::Which;
use crate::ops::settings::{for_anybody, home};

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Examples:
  disco diff
  disco diff /etc/nginx --diff unified
  disco diff 20261120-190451-042-1234 /etc/hosts --format json";

/// What `disco diff` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, as `disco runs` lists it; then a path, at and below which it is shown [default: the last run, all of it]
    #[arg(value_name = "RUN|/PATH", num_args = 0..=2)]
    pub what: Vec<PathBuf>,
    /// How differences of content are shown
    #[arg(long, value_enum, default_value = "normal", value_name = "FORM")]
    pub diff: Diff,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The differences.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let (which, only) = understood(&args.what)?;
    let home = home(&for_anybody(global.flags()))?.value;
    let (run, found) = diff::diff(&home, &which, only.as_ref())?;
    let nothing = match &only {
        Some(only) => format!("run {run} has changed nothing at {only}"),
        None => format!("run {run} has changed nothing"),
    };
    let text = match args.format {
        Format::Text => by_module(&found, args.diff),
        Format::Json => found.iter().map(|recorded| json(&run, recorded)).collect(),
    };
    let cut = found.iter().filter(|recorded| recorded.cut).map(|recorded| {
        let path = &recorded.change.path;
        format!("{path}: its texts are not in the record, which would have become too large")
    });
    Ok(Said { result: text, warnings: found.is_empty().then_some(nothing).into_iter().chain(cut).collect() })
}

/// A run, a path, or both in this order.
fn understood(what: &[PathBuf]) -> Result<(Which, Option<RootedPath>), Failure> {
    let path = |path: &PathBuf| {
        RootedPath::new(path).map_err(|error| Failure::new(Kind::Usage, "no path to look at").because(&error))
    };
    let which = |run: &PathBuf| {
        let named = run.to_str().map(str::parse::<Which>);
        match named {
            Some(Ok(which)) => Ok(which),
            _ => Err(Failure::new(Kind::Usage, format!("{run:?} is neither a run nor a path from /"))),
        }
    };
    Ok(match what {
        [] => (Which::Last, None),
        [one] if one.is_absolute() => (Which::Last, Some(path(one)?)),
        [one] => (which(one)?, None),
        [one, other, ..] => (which(one)?, Some(path(other)?)),
    })
}

/// As the run has told it.
fn by_module(found: &[Recorded], style: Diff) -> String {
    let modules = found.chunk_by(|one, other| one.module == other.module).map(|of_module| {
        let changes = ChangeSet(of_module.iter().map(|recorded| recorded.change.clone()).collect());
        let name = of_module.first().map_or(String::new(), |recorded| recorded.module.to_string());
        format!("info: Processing {name}\n{}", text::change_set(&changes, style.into()))
    });
    modules.collect()
}

/// One difference as one line.
fn json(run: &RunId, recorded: &Recorded) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: u32,
        run: &'a RunId,
        #[serde(flatten)]
        recorded: &'a Recorded,
    }
    format!("{}\n", serde_json::json!(Line { schema: 1, run, recorded }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_and_a_path_are_told_apart() {
        let run = |name: &str| Which::Run(name.parse().unwrap());
        let path = |path: &str| Some(RootedPath::new(path).unwrap());
        for (words, expected) in [
            (&[][..], Some((Which::Last, None))),
            (&["last"], Some((Which::Last, None))),
            (&["/etc/x"], Some((Which::Last, path("/etc/x")))),
            (&["2026-1"], Some((run("2026-1"), None))),
            (&["2026-1", "etc/x"], Some((run("2026-1"), path("/etc/x")))),
            (&["etc/x"], None),
            (&["/etc", "/usr"], None),
            (&["/../x"], None),
        ] {
            let what: Vec<PathBuf> = words.iter().map(PathBuf::from).collect();
            assert_eq!(understood(&what).ok(), expected, "{words:?}");
        }
    }
}
