//! `disco param`: the parameters in disco's own folder.

use std::io::{self, Read as _};
use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use crate::cli::exit::{Failure, Kind};
use crate::cli::{Format, Global, Said};
use crate::model::names::ParameterName;
use crate::ops::params;
use crate::ops::settings::{home, settings};
use crate::params::edit::Depth;
use crate::params::origin::{self, Origin, Traced};

/// Read and change the parameters in disco's own folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Names are paths of letters, digits, '_', '.' and '-', such as disco/server/uri.

Examples:
  disco param set disco/server/uri rsync://master.example.com
  disco param get disco/server/uri
  disco param dump
  disco param delete -r users/present")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a value; {} for a folder
    #[command(after_help = "Example:\n  disco param get disco/server/uri")]
    Get {
        /// The parameter
        name: ParameterName,
    },
    /// Set a value, make a folder with {}, or set many with -
    #[command(after_help = "\
Without VALUE the value is read from standard input. With - for NAME, lines
NAME=VALUE are read from there (the lines of `disco param dump` too, for values
of one line); when one of them is bad, none is set.
A new value is readable by its owner alone. One of disco's own settings that no
run could read is refused.

Examples:
  disco param set disco/server/uri rsync://master.example.com
  disco param set users/present {}
  disco param set motd < motd.txt
  disco param dump users | ssh other disco param set -")]
    Set {
        /// The parameter, or - for lines NAME=VALUE on standard input
        #[arg(allow_hyphen_values = true)]
        name: String,
        /// Its value, or {} for a folder [default: standard input]
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// List the names in a folder
    #[command(after_help = "Example:\n  disco param keys users/present")]
    Keys {
        /// The folder [default: the top]
        name: Option<ParameterName>,
    },
    /// Print lines NAME = VALUE, sorted
    #[command(after_help = "\
A value of several lines is shown on one, its newlines as \\n; `disco param get`
prints it as it is. A secret is shown as [secret], unless root at a terminal
asks for it with --show-secrets.

With --origin it shows what this node's steps see as of the last fetch: the
node's parameters with the defaults of its modules under them, and this node's
own settings below disco/; each line ends with where the value comes from:
# node, # default of MODULE, or # local.

Examples:
  disco param dump disco
  disco param dump --origin
  disco param dump --origin --format json sshd")]
    Dump {
        /// Where to start [default: the whole tree]
        name: Option<ParameterName>,
        /// Show the parameters of this node, and where each comes from
        #[arg(long)]
        origin: bool,
        /// With --origin: how to print them
        #[arg(long, value_enum, value_name = "FORMAT", requires = "origin")]
        format: Option<Format>,
    },
    /// Delete a value or an empty folder
    #[command(after_help = "Example:\n  disco param delete -r users/present")]
    Delete {
        /// Delete a folder with all that it holds
        #[arg(short, long)]
        recursive: bool,
        /// The parameter
        name: ParameterName,
    },
}

/// Does what the arguments ask for.
pub fn run(args: Args, global: &Global) -> Result<Said, Failure> {
    let home = home(&global.flags())?.value;
    let result = match args.command {
        Command::Get { name } => params::get(&home, &name)? + "\n",
        Command::Set { name, value } => {
            set(&home, &name, value)?;
            String::new()
        }
        Command::Keys { name } => {
            params::keys(&home, name.as_ref())?.into_iter().map(|key| key + "\n").collect()
        }
        Command::Dump { name, origin: false, .. } => params::dump(&home, name.as_ref())?,
        Command::Dump { name, origin: true, format } => {
            return origins(&home, name.as_ref(), format.unwrap_or_default(), global);
        }
        Command::Delete { recursive, name } => {
            params::delete(&home, &name, if recursive { Depth::Whole } else { Depth::Alone })?;
            String::new()
        }
    };
    Ok(result.into())
}

fn origins(
    home: &Path,
    name: Option<&ParameterName>,
    format: Format,
    global: &Global,
) -> Result<Said, Failure> {
    let node = settings(&global.flags())?.0.node.value;
    let (traced, fetched) = params::origins(home, &node, name)?;
    let result = match format {
        Format::Text => origin::dump(&traced),
        Format::Json => json(&traced),
    };
    let never = format!("nothing of {node} has been fetched yet; `disco dance --noop` does");
    Ok(Said { result, warnings: if fetched { Vec::new() } else { vec![never] } })
}

/// One object: `schema`, and `parameters`, each with its `name`, `value` (null for a folder), `origin`, and for a default
/// its `module`.
fn json(traced: &[Traced]) -> String {
    let parameters: Vec<_> = traced
        .iter()
        .map(|Traced { name, value, origin }| match origin {
            Origin::Node => json!({"name": name, "value": value, "origin": "node"}),
            Origin::Local => json!({"name": name, "value": value, "origin": "local"}),
            Origin::Default(module) => {
                json!({"name": name, "value": value, "origin": "default", "module": module})
            }
        })
        .collect();
    json!({"schema": 1, "parameters": parameters}).to_string() + "\n"
}

fn set(home: &Path, name: &str, value: Option<String>) -> Result<(), Failure> {
    if name == "-" {
        if value.is_some() {
            return Err(Failure::new(
                Kind::Usage,
                "`set -` reads names and values from standard input, and takes no value",
            ));
        }
        params::set_all(home, &standard_input()?)?;
        return Ok(());
    }
    let name = ParameterName::new(name).map_err(|error| Failure::from_error(Kind::Usage, &error))?;
    let value = match value {
        Some(value) => value,
        None => {
            let text = standard_input()?;
            text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
        }
    };
    Ok(params::set(home, &name, &value)?)
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    match io::stdin().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let kind = if error.kind() == io::ErrorKind::InvalidData { Kind::Data } else { Kind::Io };
            Err(Failure::new(kind, "cannot read standard input").because(&error))
        }
    }
}
