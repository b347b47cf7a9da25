//! `disco doctor`: one line a requirement. Arguments in, text out.

use serde::Serialize;

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::model::requirement::{Requirement, Standing};
use crate::ops::doctor::doctor;
use crate::ops::settings::{for_anybody, settings};

/// What `disco doctor` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// One requirement in a line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    requirement: &'a Requirement,
}

/// Looks, and says. It fails where something is missing.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (settings, _) = settings(&for_anybody(global.flags()))?;
    let all = doctor(&settings);
    for requirement in &all {
        let line = match args.format {
            Format::Text => text(requirement),
            Format::Json => serde_json::to_string(&Line { schema: SCHEMA, requirement })
                .map_err(|error| Failure::from_error(Kind::Software, &error))?,
        };
        terminal.result(&line);
    }
    let count = |standing| all.iter().filter(|requirement| requirement.standing == standing).count();
    let (missing, degraded) = (count(Standing::Missing), count(Standing::Degraded));
    Ok(match (missing, degraded) {
        (0, 0) => Exit::Done,
        (0, _) => {
            terminal.say_at(Level::Info, &format!("a sandbox can be opened; degraded: {degraded}"));
            Exit::Done
        }
        _ => {
            terminal.say_at(
                Level::Error,
                &format!("no sandbox can be opened; missing: {missing}, degraded: {degraded}"),
            );
            Exit::Failed
        }
    })
}

/// Its standing, its name and what was found; where it is not there also what for, what holds without, and what to do.
fn text(requirement: &Requirement) -> String {
    let Requirement { name, standing, found, needed_for, without, todo } = requirement;
    let line = format!("{:<8}  {name:<21} {found}", standing.as_str());
    match standing {
        Standing::Ok => line,
        Standing::Degraded | Standing::Missing => {
            format!("{line}; for {needed_for}; without it: {without}; to do: {todo}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_one_line() {
        let mut requirement = Requirement {
            name: "fuse-device",
            standing: Standing::Ok,
            found: "/dev/fuse opens".into(),
            needed_for: "the view",
            without: "nothing",
            todo: "modprobe fuse",
        };
        assert_eq!(text(&requirement), "ok        fuse-device           /dev/fuse opens");
        requirement.standing = Standing::Missing;
        assert_eq!(
            text(&requirement),
            "missing   fuse-device           /dev/fuse opens; for the view; without it: nothing; to do: modprobe fuse"
        );
        let line = serde_json::to_string(&Line { schema: SCHEMA, requirement: &requirement }).unwrap();
        assert_eq!(
            line,
            r#"{"schema":1,"name":"fuse-device","standing":"missing","found":"/dev/fuse opens","needed_for":"the view","without":"nothing","todo":"modprobe fuse"}"#
        );
    }
}
