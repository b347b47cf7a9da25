//! The command line: arguments into a call of one `ops` function, and what comes back onto a stream.

#[cfg(feature = "server")]
pub mod agent;
pub mod apply;
pub mod blame;
pub mod confirm;
pub mod dance;
mod dance_classic;
mod dance_json;
mod dance_pretty;
pub mod diff;
pub mod disable;
#[cfg(feature = "server")]
pub mod dlm;
pub mod doctor;
pub mod drift;
mod ending;
pub mod exit;
pub mod facts;
mod forms;
pub mod fs;
pub mod global;
mod json_actions;
mod json_forms;
pub mod line;
pub mod lint;
pub mod live;
pub mod lock;
mod lock_look;
mod lock_work;
mod manual;
pub mod merge_log;
pub mod module;
pub mod param;
pub mod pki;
pub mod plan;
mod pretty_changes;
mod pretty_end;
mod pretty_view;
mod pretty_words;
#[cfg(feature = "server")]
pub mod proxy;
pub mod recover;
pub mod report;
mod report_many;
pub mod report_table;
pub mod report_text;
pub mod runs;
mod schedule;
mod secrets;
pub mod session;
pub mod settings;
pub mod show;
mod spent;
pub mod terminal;
pub mod undo;
pub mod upload;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::exit::{Exit, Failure, Kind};
pub use crate::cli::forms::{Format, Said};
pub use crate::cli::global::Global;
use crate::cli::manual::{FIRST_MINUTES, help, manual, unfold};
use crate::cli::terminal::{Level, Terminal};
use crate::model::names::RunId;
use crate::sandbox::inside;
use crate::secrets::known;
use crate::sys::interrupt;

/// Brings this node to the state of its modules, and shows every change first
#[derive(Debug, Parser)]
#[command(
    name = "disco",
    version,
    max_term_width = 100,
    after_help = FIRST_MINUTES,
    help_template = help(),
    disable_help_subcommand = true
)]
struct Disco {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run this node's modules, show each change, merge if all succeed
    Dance(dance::Args),
    /// Run one command in a sandbox, show what it changed, and drop that
    #[command(
        after_help = "\
The exit status is the command's. Services and the like are not acted on; what
it asked of them is shown, and done after a merge.

Who is not root has a sandbox too, in a user namespace: all files seem to be
root's there, what only others may read stays unreadable, no owner can be given
and no device node made, and nothing can be merged. Its records are in
~/.local/state/disco (XDG_STATE_HOME), where `disco runs` and `report` look.

Examples:
  disco try -- apt-get purge nano
  disco try --commit -- sed -i s/red/green/ /etc/colours
  disco try --plan colours.plan -- sed -i s/red/green/ /etc/colours",
        override_usage = "disco try [OPTIONS] -- COMMAND..."
    )]
    Try(session::TryArgs),
    /// Open a shell in a sandbox, show what it changed, and drop that
    #[command(after_help = "\
Where a sandbox is mounted (`disco fs mount`) the shell joins that, unless it is
to merge: what is changed stays there, and `disco fs diff` shows it.

Examples:\n  disco shell\n  disco shell --merge\n  disco shell < commands")]
    Shell(session::ShellArgs),
    /// Keep a sandbox mounted for shells to join, and show its changes
    #[command(
        subcommand,
        after_help = "Examples:\n  disco fs mount\n  disco shell\n  disco fs diff\n  disco fs unmount"
    )]
    Fs(fs::Fs),
    /// Merge a plan that a dry run has kept, without running anything
    #[command(after_help = "\
A plan is what `disco dance --noop --plan FILE` has shown. It is merged as it
is, if the live root still is what it rests on, by content and by all that can
be found again on another node; directories on the way included. What is so
already is left as it is.

Examples:
  disco apply web1.plan
  disco apply web1.plan --digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  disco apply web1.plan --node web2 --any-node

Exit status: 0 done, or nothing to do; 1 the live root has changed since, or an
action failed; 65 no plan, a damaged one, or another digest; 75 another live run
is under way.")]
    Apply(apply::Args),
    /// Switch live runs off on this node, and say why
    #[command(after_help = disable::EXAMPLES)]
    Disable(disable::Args),
    /// Switch live runs on again
    #[command(after_help = disable::ENABLE_EXAMPLES)]
    Enable(disable::EnableArgs),
    /// Take back what a run has merged
    #[command(after_help = undo::EXAMPLES)]
    Undo(undo::Args),
    /// Keep a merge that would be taken back (`--confirm`)
    #[command(after_help = "\
`disco dance --confirm SECONDS` merges, and takes all of it back when the time
is up: so who has cut himself off from the node by a change has it back. Within
that time `disco confirm` keeps the merge, and `disco undo` takes it back at
once; no other live run starts.

Examples:
  disco confirm
  disco confirm 20261120-190451-042-1234")]
    Confirm(confirm::Args),
    /// Finish a merge that was stopped, as every live run does first
    #[command(after_help = "\
After a kill or a power cut: what was past the point of no return is finished,
with its actions; what was not is removed. Whoever starts the machine calls it,
as the units in dist/ do: its files before anything reads them, and all else
once services can be started.

Examples:
  disco recover
  disco recover --root /mnt/image")]
    Recover(recover::Args),
    /// Show what a merge has done, or how far one that was stopped is
    #[command(
        after_help = "Examples:\n  disco merge-log\n  disco merge-log 20261120-190451-042-1234 --format json"
    )]
    MergeLog(merge_log::Args),
    /// Show plans
    #[command(subcommand, after_help = "Example:\n  disco plan show web1.plan")]
    Plan(plan::Command),
    /// Show what each step of a run has cost, and what became slower
    #[command(after_help = "\
Examples:
  disco report --sort time
  disco report --format html > run.html
  disco report --trace run.trace.json
  disco report --trend web-1 --measure memory
  disco report --compare 20261101-..20261107- 20261108-..

Exit status: 0; 1 no such run; 2 marked as slower (--detailed-exitcodes), for
which it has to exceed the noise: docs/report.md says how.")]
    Report(report::Args),
    /// List the runs that are kept
    #[command(after_help = "\
Examples:
  disco runs --live --last 10
  disco runs --failed --format json | jq -r .run")]
    Runs(runs::Args),
    /// Show all that is recorded of a step, and what it printed
    #[command(after_help = show::EXAMPLES)]
    Show(show::Args),
    /// Show again the differences that a run has shown
    #[command(after_help = diff::EXAMPLES)]
    Diff(diff::Args),
    /// Show which run, module and step wrote a file, and each line of it
    #[command(after_help = blame::EXAMPLES)]
    Blame(blame::Args),
    /// Show what is no longer as disco has written it
    #[command(after_help = drift::EXAMPLES)]
    Drift(drift::Args),
    /// Send what waits to be told of runs to a Foreman or webhook
    Upload(upload::Args),
    /// Show what this node says of itself
    Facts(facts::Args),
    /// Locks that hosts share: take, show, give back, run under one
    #[command(
        subcommand,
        after_help = "\
The server is disco's own (disco dlm serve) or a Foreman with its plugin. Exit
status: 0; 75 refused; 69 no server; 77 not allowed; 64 usage; 65 data.
Example: disco lock run web -- apt-get -y upgrade"
    )]
    Lock(lock::Command),
    /// Certificates of lock servers and hosts, by an authority of your own
    #[command(subcommand, after_help = "Examples:\n  disco pki init\n  disco pki issue web1.example.com")]
    Pki(pki::Command),
    /// Read and change the parameters in disco's own folder
    Param(param::Args),
    /// Make modules, check them, and show their order
    Module(module::Args),
    /// Show every setting with its value and where that came from
    Settings(settings::Args),
    /// Check whether this machine has all that a sandbox needs
    #[command(after_help = "\
Each requirement is really tried, and nothing of that stays: `ok`, `degraded`
(disco does without, and the line says what does not hold then) or `missing`
(there is no sandbox without it). The exit status is 0 unless something is
missing, then 1.

Examples:
  disco doctor
  disco doctor --format json | jq -r 'select(.standing != \"ok\").todo'")]
    Doctor(doctor::Args),
    /// Run a lock server: hosts, users, its configuration
    #[cfg(feature = "server")]
    #[command(subcommand, after_help = dlm::EXAMPLES)]
    Dlm(dlm::Command),
    /// Have this node run when others ask for it
    #[cfg(feature = "server")]
    #[command(subcommand, after_help = agent::EXAMPLES)]
    Agent(agent::Command),
    /// Smart proxies: this node's own, its Foreman, and others
    #[cfg(feature = "server")]
    #[command(subcommand, after_help = proxy::EXAMPLES)]
    Proxy(proxy::Command),
    /// Print the completions of a shell
    #[command(hide = true, after_help = "Example:\n  disco completions bash > /etc/bash_completion.d/disco")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of disco or of one of its commands
    #[command(
        hide = true,
        after_help = "Examples:\n  disco man | man -l -\n  disco man dance | man -l -\n  disco man > /usr/local/share/man/man1/disco.1"
    )]
    Man {
        /// The command, such as `dance` or `param set` [default: disco itself]
        command: Vec<String>,
    },
    #[command(name = "__enter", hide = true)]
    Enter,
    #[command(name = "__confirm", hide = true)]
    WaitForConfirmation {
        /// Of which run
        run: RunId,
    },
    #[command(name = "__hold", hide = true)]
    Hold,
}

/// Runs the command that these arguments (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let disco = match Disco::try_parse_from(unfold(arguments)) {
        Ok(disco) => disco,
        Err(error) => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            return match printed {
                _ if error.use_stderr() => Kind::Usage.exit_code(),
                Err(lost) if lost.kind() != io::ErrorKind::BrokenPipe => Kind::Io.exit_code(),
                Ok(()) | Err(_) => ExitCode::SUCCESS,
            };
        }
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    let mut terminal = Terminal::new(disco.global.color, no_color || dumb);
    let done = perform(disco, &mut terminal).and_then(|exit| match terminal.lost() {
        Some(lost) if !matches!(exit, Exit::Signal(_)) => {
            Err(Failure::new(Kind::Io, "cannot write the result to standard output").because(lost))
        }
        Some(_) | None => Ok(exit),
    });
    match done {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => Kind::Failed.exit_code(),
        // An exit status is what fits 8 bits, by definition.
        Ok(Exit::Status(status)) => ExitCode::from((status & 0xff) as u8),
        Ok(Exit::Signal(signal)) => {
            // It returns only for a signal that ends nobody; then the code says it.
            let _ = interrupt::end_by(signal);
            Kind::Interrupted.exit_code()
        }
        Err(failure) => {
            let failure = failure.or_root();
            for line in failure.to_string().lines() {
                terminal.say(&known::shown(line));
            }
            failure.kind.exit_code()
        }
    }
}

fn perform(disco: Disco, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let global = &disco.global;
    if global.show_secrets {
        secrets::show(terminal)?;
    }
    let said = match disco.command {
        Command::Dance(args) => return dance::run(&args, global, terminal),
        Command::Apply(args) => return apply::run(&args, global, terminal),
        Command::Confirm(args) => return confirm::run(&args, global, terminal),
        Command::WaitForConfirmation { run } => return confirm::wait(&run, global, terminal),
        Command::Disable(args) => disable::run(&args, global)?,
        Command::Enable(args) => disable::enable(&args, global)?,
        Command::Undo(args) => return undo::run(&args, global, terminal),
        Command::Recover(args) => return recover::run(&args, global, terminal),
        Command::MergeLog(args) => return merge_log::run(&args, global, terminal),
        Command::Plan(command) => plan::run(&command, global)?,
        Command::Try(args) => return session::try_command(args, global, terminal),
        Command::Shell(args) => return session::shell(&args, global, terminal),
        Command::Fs(what) => return fs::run(what, global, terminal),
        Command::Hold => return fs::hold(),
        Command::Enter => {
            let done = inside::main().map(|()| Exit::Done);
            return done.map_err(|error| Failure::from_error(Kind::Software, &error));
        }
        Command::Doctor(args) => return doctor::run(&args, global, terminal),
        Command::Report(args) => return report::run(&args, global, terminal),
        Command::Runs(args) => runs::run(&args, global)?,
        Command::Show(args) => show::run(&args, global)?,
        Command::Diff(args) => diff::run(&args, global)?,
        Command::Blame(args) => blame::run(&args, global)?,
        Command::Drift(args) => return drift::run(&args, global, terminal),
        Command::Upload(args) => return upload::run(&args, global, terminal),
        Command::Facts(args) => facts::run(&args, global)?,
        Command::Lock(command) => return lock::run(command, global, terminal),
        Command::Pki(command) => pki::run(command)?,
        Command::Param(args) => param::run(args, global)?,
        Command::Module(args) => return module::run(args, global, terminal),
        Command::Settings(args) => settings::run(args, global)?,
        #[cfg(feature = "server")]
        Command::Dlm(command) => dlm::run(command)?,
        #[cfg(feature = "server")]
        Command::Agent(command) => return agent::run(command, global, terminal),
        #[cfg(feature = "server")]
        Command::Proxy(command) => return proxy::run(command, global, terminal),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Disco::command(), "disco", &mut text);
            String::from_utf8_lossy(&text).into_owned().into()
        }
        Command::Man { command } => manual(&command)?.into(),
    };
    for warning in &said.warnings {
        terminal.say_at(Level::Warning, warning);
    }
    terminal.results(&said.result);
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::manual::COMMANDS;

    #[test]
    fn the_command_line_is_sound() {
        Disco::command().debug_assert();
    }

    /// All commands that are shown, with the words that call them.
    fn shown() -> Vec<(Vec<String>, clap::Command)> {
        fn below(words: &[String], command: &clap::Command, all: &mut Vec<(Vec<String>, clap::Command)>) {
            for inner in
                command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
            {
                let words = [words, &[inner.get_name().to_owned()]].concat();
                below(&words, inner, all);
                all.push((words, inner.clone()));
            }
        }
        let mut disco = Disco::command();
        disco.build();
        let mut all = Vec::new();
        below(&[], &disco, &mut all);
        assert!(all.len() > 15, "{all:?}");
        all
    }

    #[test]
    fn the_help_of_disco_fits_a_screen() {
        let help = Disco::command().term_width(80).render_long_help().to_string();
        assert!(help.lines().count() <= 32, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for (words, command) in shown() {
            if matches!(words[0].as_str(), "lock" | "pki" | "disable" | "enable") {
                let help = command.term_width(80).render_help().to_string();
                assert!(help.lines().count() <= 32, "{words:?} {}\n{help}", help.lines().count());
                assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
            }
        }
        // Wrapped once more, what is wrapped already has lines of a word. Examples with a remark at their end may be longer.
        let mut torn = Vec::new();
        for (words, command) in shown() {
            let texts = [command.get_after_help(), command.get_after_long_help()];
            let lines = texts.into_iter().flatten().map(ToString::to_string).collect::<String>();
            torn.extend(
                lines
                    .lines()
                    .filter(|line| line.chars().count() > 80 && !line.starts_with("  "))
                    .map(|line| format!("{words:?} {line}")),
            );
        }
        assert!(torn.is_empty(), "{torn:#?}");
        let mut listed: Vec<&str> = COMMANDS.iter().flat_map(|(names, _)| names.split(", ")).collect();
        listed.sort_unstable();
        let all = shown();
        let mut all: Vec<&str> =
            all.iter().filter(|(words, _)| words.len() == 1).map(|(words, _)| words[0].as_str()).collect();
        all.sort_unstable();
        assert_eq!(listed, all, "each command has its place in the help, once");
    }

    #[test]
    fn every_command_has_a_manual_page_and_examples_that_it_takes() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(manual(&[]).unwrap().contains(".SH NAME\ndisco \\- "), "{}", manual(&[]).unwrap());
        assert_eq!(manual(&words("param sett")).unwrap_err().kind, Kind::Usage);
        assert_eq!(manual(&words("__enter")).unwrap_err().kind, Kind::Usage);
        assert_eq!(manual(&words("__hold")).unwrap_err().kind, Kind::Usage);
        for (words, mut command) in shown() {
            let page = manual(&words).unwrap();
            let named = words.join("-").replace('-', "\\-");
            assert!(page.contains(&format!("disco\\-{named}")), "{page}");
            assert!(page.contains(".SH EXAMPLES\n.nf\n"), "{page}");
            let help = command.render_long_help().to_string();
            let (_, examples) =
                help.split_once("Example").unwrap_or_else(|| panic!("{words:?} has none\n{help}"));
            let lines: Vec<&str> = examples.lines().filter(|line| line.contains("disco ")).collect();
            assert!(lines.iter().any(|line| line.contains(&format!("disco {}", words.join(" ")))), "{help}");
            for line in lines.iter().filter(|line| line.starts_with("  ")) {
                let typed = line.trim_start().split("  ").next().unwrap_or_default();
                let typed = typed.split(['|', '<', '>']).next().unwrap_or_default();
                let mut argv = shell_words::split(typed).unwrap();
                argv.retain(|word| {
                    !(word.contains('=') && word.starts_with(|c: char| c.is_ascii_uppercase()))
                });
                assert!(Disco::try_parse_from(&argv).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn old_names_are_commands() {
        let unfolded = |words: &[&str]| unfold(words.iter().map(OsString::from));
        assert_eq!(unfolded(&["/usr/bin/disco-param", "dump"]), ["disco", "param", "dump"]);
        assert_eq!(unfolded(&["disco-fs-diff"]), ["disco", "fs", "diff"]);
        assert_eq!(unfolded(&["disco-sh-shell"]), ["disco", "shell"]);
        assert_eq!(unfolded(&["disco", "dance"]), ["disco", "dance"]);
    }
}
