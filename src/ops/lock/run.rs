//! `disco lock run`: a command under a lock.

use crate::lock::held::Why;
use crate::ops::lock::LockOpError;
use crate::ops::lock::hold::{Back, Hold};
use crate::settings::OnFailure;
use crate::sys::child::{self, Ended};
use crate::sys::clock;

/// How it is to go.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command.
    pub command: Vec<String>,
    /// What becomes of the lock after a failure.
    pub on_failure: OnFailure,
    /// Whether the command is ended when the lock is lost.
    pub kill_on_loss: bool,
    /// Whether the machine is to be started anew under the lock, which is released after that.
    pub over_reboot: bool,
}

/// What became of the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// It was given back, or should have been.
    Back(Back),
    /// It is kept after a failure.
    Kept,
    /// It is kept until the machine has been started anew.
    OverReboot,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The command.
    pub ended: Ended,
    /// The lock.
    pub left: Left,
    /// How the lock was lost meanwhile, if it was.
    pub lost: Option<String>,
}

/// Runs the command under the lock that we hold, and gives the lock back or keeps it. `on_loss` is told once if it is lost.
pub fn run(mut hold: Hold, options: &Options, on_loss: &mut dyn FnMut(&str)) -> Result<Ran, LockOpError> {
    if options.over_reboot {
        // Before it begins: the end of the machine's run may be the end of this process.
        hold.note(Why::Reboot { boot: clock::boot() })?;
    }
    let environment = hold.environment();
    let mut told = false;
    let mut stop = || {
        let lost = hold.is_lost();
        if lost && !told {
            told = true;
            on_loss(&hold.lost().unwrap_or_default());
        }
        lost && options.kill_on_loss
    };
    let ended = match child::run(&options.command, &environment, &mut stop) {
        Ok(ended) => ended,
        Err(source) => {
            // Nothing was done under it.
            hold.release(None)?;
            return Err(LockOpError::Command { command: options.command.join(" "), source });
        }
    };
    let lost = hold.lost();
    let left = match (ended.status, options.on_failure) {
        (0, _) if options.over_reboot => Left::OverReboot,
        // The machine goes down, as it should.
        (_, _) if options.over_reboot && ended.asked => Left::OverReboot,
        (0, _) | (_, OnFailure::Release) => Left::Back(hold.release(None)?),
        (status, OnFailure::Failed) => {
            let what = format!("{}: exit status {status}", options.command.join(" "));
            Left::Back(hold.release(Some(&what))?)
        }
        (_, OnFailure::Keep) => {
            hold.keep(Why::Failed)?;
            Left::Kept
        }
    };
    Ok(Ran { ended, left, lost })
}
