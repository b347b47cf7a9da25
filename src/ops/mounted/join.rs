//! A shell in the mounted sandbox. A run with a record of its own, as any session; what it changed stays where it was made.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};

use crate::model::change::Writers;
use crate::model::root::LiveRoot;
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::step::ModuleRecord;
use crate::ops::dance::{self, DanceError, DanceEvent};
use crate::ops::session::{self, Session};
use crate::settings::{Network, Settings};
use crate::sys::channel::Channel;
use crate::sys::interrupt::Interrupt;
use crate::sys::pty;

use super::client::{answer, read};
use super::{Ask, Attended, Mounted, MountedError, Reply, cannot};

/// Opens a shell in the mounted sandbox, and returns its record once it has ended. Where somebody else has one there, or its
/// network is another than `network`, that is an error, and there is no record.
pub fn join(
    mounted: &Mounted,
    settings: &Settings,
    network: Option<Network>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunRecord, DanceError> {
    let own_terminal = pty::is_terminal();
    mounted.ask(&Ask::Join { own_terminal, network })?;
    let (Reply::Joined, sides) = answer(&mounted.channel)? else {
        return Err(MountedError::Unexpected.into());
    };
    dance::recorded(settings, dance::Start::NOOP, interrupt, on_event, |run, _, ground, _| {
        let (name, command) = session::described(&Session::Shell, &ground.root);
        let began = run.seconds();
        let done = {
            let mut sides = sides.into_iter();
            let terminal = sides.next().zip(sides.next());
            if own_terminal && terminal.is_none() {
                return Err(MountedError::Unexpected.into());
            }
            let wires = session::Wires::new(terminal.filter(|_| own_terminal))?;
            let attend = Ask::Attend { command, own_terminal };
            cannot("ask for a shell", mounted.channel.send(&attend, &wires.inner()))?;
            follow(&mounted.channel, &ground.root, interrupt, run.on_event)?
        };
        let Attended { mut step, changes } = read(done)?;
        step.began = Some(began);
        dance::truth::tell(run.on_event, &name, &step);
        run.record.changes = changes.0.len();
        run.record.plan.push(name.clone());
        run.add(ModuleRecord::done(name, vec![step], (&changes).into()), &changes, &Writers::default())?;
        run.record.outcome = RunOutcome::Shown;
        Ok(())
    })
}

/// Tells what the shell asks for, until it has ended. A signal ends it.
fn follow(
    channel: &Channel,
    root: &LiveRoot,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<Vec<OwnedFd>, DanceError> {
    let mut leaving = false;
    loop {
        let mut fds = vec![PollFd::new(channel, PollFlags::IN)];
        if !leaving {
            fds.push(PollFd::new(interrupt, PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => cannot("watch the shell", Err(errno.into()))?,
        }
        if !fds[0].revents().is_empty() {
            match answer(channel)? {
                (Reply::Asked(action), _) => on_event(DanceEvent::Asked { action: &action, root }),
                (Reply::Ended, page) => return Ok(page),
                _ => return Err(MountedError::Unexpected.into()),
            }
        } else if !leaving && interrupt.signal().is_some() {
            cannot("end the shell", channel.send(&Ask::Leave, &[]))?;
            leaving = true;
        }
    }
}
