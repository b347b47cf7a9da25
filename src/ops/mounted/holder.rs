//! The holder: the process behind a mounted sandbox. A run like any other, NOOP, with a scratch folder and a record, that
//! ends when somebody unmounts it or a signal asks for that.

use std::cell::RefCell;

use rustix::event::{PollFd, PollFlags, poll};

use crate::model::change::Writers;
use crate::model::run::{ActionRecord, RunRecord};
use crate::model::truth::Label;
use crate::ops::dance::ground::Ground;
use crate::ops::dance::{self, DanceError, DanceEvent, Run, finish};
use crate::ops::session;
use crate::settings::Settings;
use crate::sys::channel::Channel;
use crate::sys::door::Door;
use crate::sys::interrupt::Interrupt;
use crate::sys::lock::{Lock, LockError};
use crate::sys::scratch::ScratchFolder;
use crate::sys::{clock, daemon, files};

use super::serve::{Keeper, Place};
use super::{Dropped, MountedError, Refusal, Reply, SOCKET, Start, cannot, folder};

/// How errors are told to whoever came.
pub type Describe = fn(DanceError) -> Refusal;

/// The body of `disco __hold`: opens the sandbox, tells whoever started this that it is ready, and holds it. What goes wrong
/// is told to whoever asked for it, for there is nobody else.
pub fn hold(describe: Describe) -> Result<(), MountedError> {
    let starter = cannot("leave the process that started this", daemon::settle())?;
    let Ok(Some((start, _))) = starter.receive::<Start>() else {
        return Err(MountedError::NotOurs);
    };
    let mut last = Last { starter: Some(starter), unmounting: Vec::new() };
    let reply = match held(start.settings, describe, &mut last) {
        Ok(Ok(record)) => Reply::Unmounted(Dropped {
            run: record.run,
            changes: record.changes,
            actions: record.actions.len(),
        }),
        Ok(Err(Taken)) => Reply::Taken,
        Err(error) => Reply::Refused(describe(error)),
    };
    for channel in last.starter.iter().chain(&last.unmounting) {
        // Whoever has gone meanwhile does not want to hear it.
        let _ = channel.send(&reply, &[]);
    }
    Ok(())
}

/// Another holder is there already.
struct Taken;

/// Those who hear how it ends: until it is ready whoever started it, then all who have asked for the end.
struct Last {
    starter: Option<Channel>,
    unmounting: Vec<Channel>,
}

fn held(
    settings: Settings,
    describe: Describe,
    last: &mut Last,
) -> Result<Result<RunRecord, Taken>, DanceError> {
    let interrupt = cannot("watch for signals", Interrupt::watch())?;
    let settings = &dance::prepare_home(&settings)?;
    let folder = folder(&settings.home.value);
    files::create_dirs(&folder, 0o700)?;
    let holder = format!("pid {}, since {}", std::process::id(), clock::now());
    let _lock = match Lock::take(&folder.join("lock"), &holder, None, &mut |_| {}) {
        Err(LockError::Busy { .. }) => return Ok(Err(Taken)),
        other => other.map_err(DanceError::Prepare)?,
    };
    // Whoever comes from here on waits at the door until the sandbox is ready, or has failed.
    let door = cannot("open its socket", Door::open(&folder, SOCKET))?;
    let swept = RefCell::new(Vec::new());
    let mut note = |event: DanceEvent<'_>| {
        if let DanceEvent::Swept { path } = event {
            swept.borrow_mut().push(path.to_owned());
        }
    };
    let work = |run: &mut Run<'_>, settings: &Settings, ground: &Ground, scratch: &ScratchFolder| {
        let view = session::lay_view(settings, scratch)?;
        let sandbox = dance::open_sandbox(run, settings, ground, scratch, &view)?;
        let keeper = Keeper::new(settings, ground, scratch, &view, &run.record, sandbox, describe)?;
        if let Some(starter) = last.starter.take() {
            let ready = Reply::Ready { run: run.record.run.clone(), swept: swept.take() };
            cannot("tell that the sandbox is ready", starter.send(&ready, &[]))?;
        }
        watch(&keeper, &door, &interrupt)?;
        // From here on there is none, for whoever comes.
        drop(door);
        let (place, book) = keeper.end();
        last.unmounting = book.unmounting;
        let asked = book.actions.into_iter().map(|action| ActionRecord { action, outcome: None });
        run.record.actions = asked.collect();
        run.record.label = Label::of_all(book.shells.iter().map(|(shell, _)| &shell.label));
        for (shell, changes) in book.shells {
            run.keep(&shell.module, &changes, &Writers::default())?;
            run.record.modules.push(shell);
        }
        let Place { sandbox, mut differences } = place;
        let wanted = finish::Wanted { modules: &[], fetched: &view };
        finish::finish(run, settings, &interrupt, &sandbox.seal()?, &mut differences, wanted)
    };
    dance::recorded(settings, dance::Start::NOOP, &interrupt, &mut note, work).map(Ok)
}

/// Answers whoever comes until somebody unmounts it, a signal asks to stop, or nobody can come any more. All who are inside
/// have left then.
fn watch(keeper: &Keeper<'_>, door: &Door, interrupt: &Interrupt) -> Result<(), DanceError> {
    std::thread::scope(|scope| {
        let watched = loop {
            let removed = door.removed();
            let mut fds = [
                PollFd::new(door, PollFlags::IN),
                PollFd::new(keeper, PollFlags::IN),
                PollFd::new(interrupt, PollFlags::IN),
                PollFd::new(&removed, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => break cannot("watch its socket", Err(errno.into())),
            }
            if !fds[1].revents().is_empty() || !fds[2].revents().is_empty() {
                break Ok(());
            }
            if !fds[3].revents().is_empty() && !door.is_there() {
                break Err(MountedError::Unreachable);
            }
            if let Some(peer) = door.accept() {
                scope.spawn(|| keeper.serve(peer));
            }
        };
        keeper.send_away();
        Ok(watched?)
    })
}
