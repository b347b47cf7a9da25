//! `disco agent`: the node's own agent, through which others have it run.

mod daemons;
mod helper;
mod run;

use disco_agent::runs::TriggerId;

use crate::cli::Global;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;

/// What `disco agent --help` ends with.
pub const EXAMPLES: &str = "\
A listener without rights takes what others ask for, and a helper with root does it: docs/agent.md.

Examples:
  disco agent start
  disco agent status";

/// What `disco agent` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Answer the listener, and start the runs that it asks for (as root)
    #[command(after_help = helper::EXAMPLES)]
    Helper(helper::Args),
    /// Start the agent
    #[command(after_help = daemons::EXAMPLES)]
    Start(daemons::Args),
    /// Stop the agent; runs that are under way go on
    #[command(after_help = daemons::EXAMPLES)]
    Stop(daemons::Args),
    /// Stop the agent and start it again
    #[command(after_help = daemons::EXAMPLES)]
    Restart(daemons::Args),
    /// Say whether the agent runs, and how its last run ended
    #[command(after_help = daemons::EXAMPLES)]
    Status(daemons::Args),
    /// Run one run that was asked for, as its helper starts it
    #[command(name = "__run", hide = true)]
    Run {
        /// Which run
        #[arg(value_parser = id)]
        id: TriggerId,
    },
}

fn id(text: &str) -> Result<TriggerId, disco_agent::runs::state::NoTriggerId> {
    TriggerId::try_from(text.to_owned())
}

/// Does it.
pub fn run(command: Command, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        Command::Helper(args) => helper::run(&args, global, terminal),
        Command::Start(args) => daemons::start(&args, global, terminal),
        Command::Stop(args) => daemons::stop(&args, terminal),
        Command::Restart(args) => {
            daemons::stop(&args, terminal)?;
            daemons::start(&args, global, terminal)
        }
        Command::Status(args) => daemons::status(&args, terminal),
        Command::Run { id } => run::run(&id, global),
    }
}
