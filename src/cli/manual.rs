//! The manual page of each command, and the old names by which some are called.

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::Disco;
use crate::cli::exit::{Failure, Kind};

/// What to do first.
pub(super) const FIRST_MINUTES: &str = "\
The first minutes:
  disco param set disco/server/uri rsync://HOST   where the master is, once
  disco dance --noop      show what would change on this machine; change nothing
  disco dance             the same, and merge it; `disco undo` takes it back";

/// The commands in the help of disco itself, of which some share a line: each has a help of its own, and all have to fit a screen.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("dance", "Run the modules, show each change, merge if all succeed"),
    ("try", "Run a command in a sandbox, show its changes, drop them"),
    ("shell", "Open a shell in a sandbox, show its changes, drop them"),
    ("fs", "Keep a sandbox mounted for shells to join"),
    ("apply, plan", "Merge a plan that a dry run has kept; show plans"),
    ("undo, confirm", "Take back a merge; keep one that would be taken back"),
    ("disable, enable", "Switch live runs off on this node, and on again"),
    ("recover, merge-log", "Finish a merge that was stopped; show how far one came"),
    ("report", "Show what each step of a run has cost, what became slower"),
    ("runs, show", "List the runs that are kept; show all of one step"),
    ("diff", "Show again the differences that a run has shown"),
    ("blame", "Show which run, module and step wrote a file and its lines"),
    ("drift", "Show what is no longer as disco has written it"),
    ("lock", "Locks that hosts share: take, show, give back, run under"),
    ("pki", "Certificates of lock servers and hosts, by your own CA"),
    ("upload, facts", "Send what of runs waits to be told; show this node's facts"),
    ("param", "Read and change the parameters in disco's own folder"),
    ("module", "Make modules, check them, and show their order"),
    ("settings", "Show every setting with its value and its origin"),
    ("doctor", "Check whether this machine has all that a sandbox needs"),
    #[cfg(feature = "server")]
    ("agent, proxy", "Run disco when asked to over HTTP; the proxies of a Foreman"),
    #[cfg(feature = "server")]
    ("dlm", "Run a lock server: hosts, users, its configuration"),
];

/// The help of disco itself fits a screen: what to do first, then the commands; each of them says what options it has.
pub(super) fn help() -> String {
    let commands: String =
        COMMANDS.iter().map(|(names, about)| format!("  {names:<15}  {about}\n")).collect();
    format!(
        "{{about}}\n{{usage-heading}} {{usage}}\n{FIRST_MINUTES}\nCommands:\n{commands}\
         Of all: --home, --node, --color, --show-secrets. More: COMMAND --help, man"
    )
}

/// The manual page of a command, by the words that call it.
pub(super) fn manual(words: &[String]) -> Result<String, Failure> {
    let mut disco = Disco::command();
    disco.build();
    let mut command = &disco;
    for word in words {
        command =
            command.find_subcommand(word).filter(|command| !command.is_hide_set()).ok_or_else(|| {
                Failure::new(Kind::Usage, format!("{} has no command {word}", command.get_name()))
            })?;
    }
    let name = std::iter::once("disco").chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone().name(name))
        .render(&mut text)
        .map_err(|error| Failure::new(Kind::Software, "cannot write the manual").because(&error))?;
    // Examples keep their lines.
    Ok(String::from_utf8_lossy(&text).replace(".SH EXTRA\n", ".SH EXAMPLES\n.nf\n"))
}

/// The old names: `disco-param dump` is `disco param dump`.
pub(super) fn unfold(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments.first().and_then(|name| Path::new(name).file_name()?.to_str().map(str::to_owned));
    if let Some(command) = name.as_deref().and_then(|name| name.strip_prefix("disco-")) {
        // `disco-sh-shell` is the first disco's name of the shell.
        let words = command.strip_prefix("sh-").unwrap_or(command).split('-');
        arguments.splice(..1, std::iter::once("disco".into()).chain(words.map(OsString::from)));
    }
    arguments
}
