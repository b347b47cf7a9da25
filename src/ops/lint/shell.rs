//! What bash and shellcheck say of scripts that they read and do not run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::Deserialize;

use crate::model::finding::{Check, Finding, Severity};
use crate::ops::lint::{LintError, error};
use crate::sys::execute;
use crate::sys::process::{Environment, Process, ProcessError};

/// How many files one shellcheck reads: a command line has an end.
const AT_A_TIME: usize = 100;
/// How much of an answer is kept.
const ANSWER: usize = 16 * 1024 * 1024;

/// Nobody stops a check: Ctrl-C ends the program.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// Lets bash read each script, and returns those that it can read.
pub(super) fn bash(scripts: &[PathBuf], findings: &mut Vec<Finding>) -> Result<Vec<PathBuf>, LintError> {
    let mut sound = Vec::new();
    for script in scripts {
        let ended = reader(["--".into(), plain(script)]).run(&GO_ON)?;
        if ended.outcome.is_done() {
            sound.push(script.clone());
            continue;
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let mut found = complaints(script, &said);
        if found.is_empty() {
            let words = if said.trim().is_empty() { ended.outcome.to_string() } else { said.into_owned() };
            found.push(error(script.as_path(), Check::Bash, words));
        }
        findings.append(&mut found);
    }
    Ok(sound)
}

/// A bash that reads what these arguments name and runs nothing.
fn reader(what: [OsString; 2]) -> Process {
    // Only these variables: BASH_ENV would run something.
    let variables = execute::ENVIRONMENT.map(|(name, value)| (name.into(), value.into()));
    let mut process = Process::new("/bin/bash");
    process.args = vec!["-n".into()];
    process.args.extend(what);
    process.environment = Environment::Only(variables.into());
    process
}

/// Lets bash read a command, and returns what it complains of first.
pub(super) fn command(command: &str) -> Result<Option<String>, LintError> {
    let ended = reader(["-c".into(), command.into()]).run(&GO_ON)?;
    if ended.outcome.is_done() {
        return Ok(None);
    }
    // `/bin/bash: -c: line 1: MESSAGE`, with `bash: -c: ` or `bash: ` before the line by its version.
    let said = String::from_utf8_lossy(&ended.stderr);
    let first = said.lines().next().unwrap_or_default();
    let message =
        first.split_once(": line ").and_then(|(_, rest)| rest.split_once(": ")).map(|(_, said)| said);
    Ok(Some(message.map_or_else(|| ended.outcome.to_string(), str::to_owned)))
}

/// The path so that no program takes it for an option.
fn plain(script: &Path) -> OsString {
    Path::new(".").join(script).into()
}

/// What bash complained of: lines `FILE: line N: MESSAGE`; the line of the script that it shows after one is left out.
fn complaints(script: &Path, said: &str) -> Vec<Finding> {
    let head = format!("{}: line ", plain(script).to_string_lossy());
    said.lines()
        .filter_map(|line| line.strip_prefix(&head)?.split_once(": "))
        .filter(|(_, message)| !message.starts_with('`'))
        .map(|(line, message)| Finding { line: line.parse().ok(), ..error(script, Check::Bash, message) })
        .collect()
}

#[derive(Deserialize)]
struct Answer {
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
struct Comment {
    file: PathBuf,
    line: usize,
    code: u32,
    message: String,
}

/// Lets shellcheck read the scripts; `false` where it is not installed.
pub(super) fn shellcheck(scripts: &[PathBuf], findings: &mut Vec<Finding>) -> Result<bool, LintError> {
    for some in scripts.chunks(AT_A_TIME) {
        let mut process = Process::new("shellcheck");
        process.keep = ANSWER;
        process.args =
            ["--format=json1", "--shell=bash", "--severity=warning", "--"].map(OsString::from).into();
        process.args.extend(some.iter().map(|script| plain(script)));
        let ended = match process.run(&GO_ON) {
            Err(ProcessError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            ended => ended?,
        };
        findings.append(&mut comments(some, &String::from_utf8_lossy(&ended.stdout))?);
    }
    Ok(true)
}

fn comments(scripts: &[PathBuf], answer: &str) -> Result<Vec<Finding>, LintError> {
    let answer: Answer = serde_json::from_str(answer).map_err(LintError::Answer)?;
    let found = answer.comments.into_iter().map(|comment| {
        let file = scripts.iter().find(|script| plain(script) == comment.file.as_os_str());
        let message = format!("SC{}: {}", comment.code, comment.message);
        Finding {
            line: Some(comment.line),
            severity: Severity::Warning,
            ..error(file.cloned().unwrap_or(comment.file), Check::Shellcheck, message)
        }
    });
    Ok(found.collect())
}
