//! The command line: arguments into a call of one `ops` function, and what comes back onto a stream.

pub mod exit;
pub mod module;
pub mod param;
pub mod settings;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::exit::{Failure, Kind};
use crate::settings::Flags;
use crate::settings::table::Name;

/// Brings this node to the state that its modules describe, and shows every difference first.
#[derive(Debug, Parser)]
#[command(name = "disco", version, max_term_width = 100)]
struct Disco {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command knows.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// disco's own folder [default: /var/disco]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// This node's name [default: the host name]
    #[arg(long, global = true, value_name = "NAME")]
    pub node: Option<String>,
}

impl Global {
    /// The settings that these flags name.
    pub fn flags(&self) -> Flags {
        let home = self.home.as_ref().map(|home| (Name::Home, home.to_string_lossy().into_owned()));
        let node = self.node.as_ref().map(|node| (Name::Node, node.clone()));
        home.into_iter().chain(node).collect()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read and change the parameters in disco's own folder
    Param(param::Args),
    /// Make modules, and show their order
    Module(module::Args),
    /// Show every setting with its value and where that came from
    Settings(settings::Args),
}

/// The form of a list for other programs, or for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object.
    Json,
}

/// What a command has to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Its result, for standard output.
    pub result: String,
    /// What else there is to know, one line each, for standard error.
    pub warnings: Vec<String>,
}

impl From<String> for Said {
    fn from(result: String) -> Said {
        Said { result, warnings: Vec::new() }
    }
}

/// Runs the command that these arguments (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let disco = match Disco::try_parse_from(arguments) {
        Ok(disco) => disco,
        Err(error) => {
            // Nothing can be said when this fails; the exit code is the same.
            let _ = error.print();
            return if error.use_stderr() { Kind::Usage.exit_code() } else { ExitCode::SUCCESS };
        }
    };
    let done = match disco.command {
        Command::Param(args) => param::run(args, &disco.global),
        Command::Module(args) => module::run(args, &disco.global),
        Command::Settings(args) => settings::run(args, &disco.global),
    };
    match done.and_then(say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing can be said when this fails; the exit code still says what kind it was.
            let _ = write!(io::stderr(), "{failure}");
            failure.kind.exit_code()
        }
    }
}

fn say(said: Said) -> Result<(), Failure> {
    for warning in &said.warnings {
        // A warning that cannot be written must not stop the result.
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(said.result.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::new(Kind::Io, "cannot write the result").because(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Disco::command().debug_assert();
    }
}
