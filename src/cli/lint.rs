//! `disco module lint`: what is wrong with modules, a line each. Arguments in, text or JSON out.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::model::finding::{Check, Finding, Severity};
use crate::model::names::ModuleName;
use crate::ops::lint::{self, Linted, Shellcheck};
use crate::ops::settings::home;

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// What `disco module lint` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An error is what would fail a dance; what shellcheck says is a warning. Nothing
of a module is run.

Examples:
  disco module lint                          the modules that were fetched last
  disco module lint --path modules           a folder of modules, before it is on a master
  disco module lint --path modules web-1.0
  disco module lint --format json

Exit status: 0 no error; 65 errors.")]
pub struct Args {
    /// The modules to check [default: all in the folder]
    names: Vec<ModuleName>,
    /// The folder of modules [default: those fetched last, in disco's own folder]
    #[arg(long, value_name = "DIR", alias = "folder")]
    path: Option<PathBuf>,
    /// Do without shellcheck, even where it is installed
    #[arg(long)]
    no_shellcheck: bool,
    /// How to print it: lines FILE:LINE: error: …, or one JSON object a line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Checks, and prints what it found.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let folder = match &args.path {
        Some(folder) => folder.clone(),
        None => home(&global.flags())?.value.join("modules"),
    };
    let shellcheck = if args.no_shellcheck { Shellcheck::Never } else { Shellcheck::IfThere };
    let linted = lint::lint(&folder, &args.names, shellcheck)?;
    for finding in &linted.findings {
        terminal.result(&match args.format {
            Format::Text => text(finding),
            Format::Json => json(finding)?,
        });
    }
    terminal.say_at(Level::Info, &summary(&linted));
    Ok(match linted.count(Severity::Error) {
        0 => Exit::Done,
        _ => Exit::Status(Kind::Data.code().into()),
    })
}

fn summary(linted: &Linted) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    format!(
        "{}: {}, {}{}",
        count(linted.modules, "module"),
        count(linted.count(Severity::Error), "error"),
        count(linted.count(Severity::Warning), "warning"),
        if linted.lacks_shellcheck { "; shellcheck is not installed" } else { "" }
    )
}

/// `FILE:LINE: error: MESSAGE`, as compilers have it; without the line where there is none.
fn text(finding: &Finding) -> String {
    let line = finding.line.map(|line| format!("{line}:")).unwrap_or_default();
    format!("{}:{line} {}: {}", shown(&finding.file), finding.severity.as_str(), finding.message)
}

/// A path on one line: control characters and bytes that are not UTF-8 escaped.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// A finding as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    severity: Severity,
    check: Check,
    file: String,
    line: Option<usize>,
    message: &'a str,
}

fn json(finding: &Finding) -> Result<String, Failure> {
    let line = Line {
        schema: SCHEMA,
        severity: finding.severity,
        check: finding.check,
        file: finding.file.to_str().map_or_else(|| shown(&finding.file), str::to_owned),
        line: finding.line,
        message: &finding.message,
    };
    serde_json::to_string(&line).map_err(|error| Failure::from_error(Kind::Software, &error))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let mut finding = Finding {
            file: Path::new("m/scripts").join(OsStr::from_bytes(b"a\n\xff")),
            line: Some(3),
            severity: Severity::Error,
            check: Check::Bash,
            message: "no".into(),
        };
        assert_eq!(text(&finding), "m/scripts/a\\n\\xff:3: error: no");
        finding.line = None;
        finding.severity = Severity::Warning;
        assert_eq!(text(&finding), "m/scripts/a\\n\\xff: warning: no");
        finding.file = "m".into();
        assert_eq!(
            json(&finding).unwrap(),
            r#"{"schema":1,"severity":"warning","check":"bash","file":"m","line":null,"message":"no"}"#
        );
    }
}
