//! `disco agent __run`: the runner of one run, started by the helper.

use disco_agent::runs::TriggerId;

use crate::cli::Global;
use crate::cli::exit::{Exit, Failure};
use crate::ops::agent::{self, Runner};
use crate::ops::settings;

use super::helper::flags;

/// Runs it to its end. How that was is in its state; what went wrong with that goes to its log.
pub fn run(id: &TriggerId, global: &Global) -> Result<Exit, Failure> {
    let home = settings::home(&global.flags())?.value;
    let runner = Runner { flags: flags(&home, global), home, id: id.clone() };
    agent::run(&runner)?;
    Ok(Exit::Done)
}
