//! One message a run for the log of the node's system: words for people, and fields for programs.

use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::model::truth::Truth;

use super::standing::Standing;
use super::state::{self, State};

/// What all such messages can be found by in the journal: `journalctl MESSAGE_ID=…`.
const MESSAGE_ID: &str = "d15c0ea2f6b54c0b9a7d3a1f5e0c7b46";

/// How urgent a message is, as syslog(3) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Something failed.
    Error = 3,
    /// Something is to be looked at.
    Warning = 4,
    /// Something has changed, or would.
    Notice = 5,
    /// All is as it was.
    Info = 6,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How urgent it is.
    pub priority: Priority,
    /// Its words, in one line.
    pub text: String,
    /// Its fields: names of the journal, in capitals.
    pub fields: Vec<(&'static str, String)>,
}

impl From<&State> for Message {
    fn from(state: &State) -> Message {
        let mut fields = vec![
            ("DISCO_RUN", state.run.to_string()),
            ("DISCO_COMMAND", state.command.clone()),
            ("DISCO_NODE", state.node.to_string()),
            ("DISCO_ROOT", root(&state.root)),
            ("DISCO_MODE", mode(state.mode).to_owned()),
            ("DISCO_OUTCOME", state.standing.word().to_owned()),
            ("DISCO_EXIT", state.exit.to_string()),
            ("DISCO_CHANGES", state.changes.to_string()),
            ("DISCO_NOISE", state.noise.to_string()),
            ("DISCO_ACTIONS", state.actions.planned.to_string()),
            ("DISCO_ACTIONS_FAILED", state.actions.failed.to_string()),
            ("DISCO_MODULES_FAILED", state.modules.failed.to_string()),
            ("DISCO_SECONDS", state.seconds.to_string()),
            ("DISCO_TRUTH", truth(state.truth).to_owned()),
        ];
        fields.extend(state.undoes.as_ref().map(|run| ("DISCO_UNDOES", run.to_string())));
        Message { priority: priority(state), text: words(state), fields }
    }
}

/// The message of a run that left no record, since it could not begin.
pub fn not_run(command: &str, why: &str, exit: i32) -> Message {
    let text = format!("disco {command} did not run: {}", why.lines().next().unwrap_or_default());
    let fields = vec![
        ("DISCO_COMMAND", command.to_owned()),
        ("DISCO_OUTCOME", "not-run".to_owned()),
        ("DISCO_EXIT", exit.to_string()),
    ];
    Message { priority: Priority::Error, text, fields }
}

fn priority(state: &State) -> Priority {
    match state.standing {
        Standing::NothingPending | Standing::Unchanged => Priority::Info,
        Standing::ChangesPending | Standing::Changed => Priority::Notice,
        Standing::Unconfirmed | Standing::Interrupted => Priority::Warning,
        Standing::Failed
        | Standing::ActionFailed
        | Standing::Undone
        | Standing::MergeFailed
        | Standing::NotStarted
        | Standing::Unfinished => Priority::Error,
    }
}

fn words(state: &State) -> String {
    let (changes, actions) = (count(state.changes, "change"), count(state.actions.planned, "action"));
    let failed = match state::failed(state).as_slice() {
        [] => String::new(),
        names => format!(" ({})", names.join(", ")),
    };
    let how = match state.standing {
        Standing::NothingPending => "NOOP, nothing pending".to_owned(),
        Standing::ChangesPending => format!("NOOP, {changes} and {actions} pending"),
        Standing::Unchanged => "nothing to change".to_owned(),
        Standing::Changed => format!("merged {changes}, {} done", count(state.actions.done, "action")),
        Standing::Unconfirmed => format!("merged {changes}, to be confirmed"),
        Standing::Failed if state.validators.failed > 0 => {
            format!("{} failed, nothing merged", count(state.validators.failed, "validator"))
        }
        Standing::Failed => {
            format!("{} failed{failed}, nothing merged", count(state.modules.failed, "module"))
        }
        Standing::ActionFailed => {
            format!("merged {changes}, but {} failed", count(state.actions.failed, "action"))
        }
        Standing::Undone => "merged, and taken back".to_owned(),
        Standing::MergeFailed => "not merged".to_owned(),
        Standing::NotStarted => "could not start, nothing merged".to_owned(),
        Standing::Interrupted => "interrupted by a signal, nothing merged".to_owned(),
        Standing::Unfinished => "not finished".to_owned(),
    };
    let of = state.undoes.as_ref().map_or_else(String::new, |run| format!(", undoing run {run}"));
    let on = if state.root.is_own() { String::new() } else { format!(", on {}", root(&state.root)) };
    format!("Run {} ({}{of}{on}): {how}", state.run, state.command)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Noop => "noop",
        Mode::Live => "live",
    }
}

fn truth(truth: Truth) -> &'static str {
    match truth {
        Truth::Exact => "exact",
        Truth::Approximate => "approximate",
        Truth::Unknown => "unknown",
    }
}

fn root(root: &LiveRoot) -> String {
    root.path().display().to_string()
}

/// The message as the journal's own protocol has it: a field a line, and one with a newline by its length.
pub fn datagram(message: &Message, pid: u32) -> Vec<u8> {
    let priority = (message.priority as u8).to_string();
    let pid = pid.to_string();
    let own = [
        ("MESSAGE", message.text.as_str()),
        ("MESSAGE_ID", MESSAGE_ID),
        ("PRIORITY", priority.as_str()),
        ("SYSLOG_FACILITY", "3"),
        ("SYSLOG_IDENTIFIER", "disco"),
        ("SYSLOG_PID", pid.as_str()),
    ];
    let fields = message.fields.iter().map(|(name, value)| (*name, value.as_str()));
    let mut bytes = Vec::new();
    for (name, value) in own.into_iter().chain(fields) {
        bytes.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            bytes.push(b'\n');
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            bytes.push(b'=');
        }
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

/// The message as programs send it to syslog on their own node; `time` is in the form of RFC 3164. The fields follow the words, in
/// brackets: not every reader of /dev/log knows the structured data of RFC 5424.
pub fn line(message: &Message, pid: u32, time: &str) -> String {
    // The facility of daemons.
    let priority = 3 << 3 | message.priority as u8;
    let fields: Vec<String> = message
        .fields
        .iter()
        .map(|(name, value)| {
            let name = name.trim_start_matches("DISCO_").to_ascii_lowercase();
            let bare = !value.is_empty() && !value.contains([' ', '"', '\\', ']']);
            let value = value.replace(char::is_control, "?");
            if bare { format!("{name}={value}") } else { format!("{name}={value:?}") }
        })
        .collect();
    let text = message.text.replace(char::is_control, "?");
    format!("<{priority}>{time} disco[{pid}]: {text} [{}]", fields.join(" "))
}
