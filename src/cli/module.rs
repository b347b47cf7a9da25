//! `disco module`: make modules, check them, and show their order.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::{Global, lint};
use crate::model::names::ModuleName;
use crate::ops::modules;
use crate::ops::settings::home;
use crate::plan::graph;

/// Make modules, check them, and show their order.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  disco module new motd-1.0
  disco module lint --path modules
  disco module graph --folder modules --format dot | dot -Tsvg > modules.svg")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the folder of a new module, with an example of each part
    #[command(after_help = "Example:\n  disco module new motd-1.0 --folder modules")]
    New {
        /// The module
        name: ModuleName,
        /// The folder of modules to make it in
        #[arg(long, value_name = "DIR", default_value = ".", alias = "path")]
        folder: PathBuf,
    },
    /// Check names, requirements, templates and scripts, and run nothing
    Lint(lint::Args),
    /// Show in which order modules run, and what each comes after
    #[command(after_help = "Example:\n  disco module graph --folder modules web-1.0")]
    Graph {
        /// The modules to start from [default: all in the folder]
        names: Vec<ModuleName>,
        /// The folder of modules [default: those fetched last, in disco's own folder]
        #[arg(long, value_name = "DIR", alias = "path")]
        folder: Option<PathBuf>,
        /// The form of the graph
        #[arg(long, value_enum, default_value_t)]
        format: GraphFormat,
    },
}

/// The form of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum GraphFormat {
    /// One line a module, in order
    #[default]
    Text,
    /// Graphviz
    Dot,
    /// One JSON object
    Json,
}

/// Does what the arguments ask for.
pub fn run(args: Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let result = match args.command {
        Command::Lint(args) => return lint::run(&args, global, terminal),
        Command::New { name, folder } => {
            let made = modules::create(&folder, &name)?;
            let check = format!("disco module lint --path {} {name}", folder.display());
            terminal.progress(&format!("Edit what is in it, and check it: {check}"));
            format!("{}\n", made.display())
        }
        Command::Graph { names, folder, format } => {
            let folder = match folder {
                Some(folder) => folder,
                None => home(&global.flags())?.value.join("modules"),
            };
            let plan = modules::graph(&folder, &names)?;
            match format {
                GraphFormat::Text => graph::text(&plan),
                GraphFormat::Dot => graph::dot(&plan),
                GraphFormat::Json => graph::json(&plan),
            }
        }
    };
    terminal.results(&result);
    Ok(Exit::Done)
}
