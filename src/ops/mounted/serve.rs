//! What the holder does for those who come: each has a thread. One shell at a time has the sandbox; the differences are
//! read beside it.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGTERM};

use crate::model::action::Action;
use crate::model::change::ChangeSet;
use crate::model::run::RunRecord;
use crate::model::step::ModuleRecord;
use crate::ops::dance::differences::Differences;
use crate::ops::dance::ground::Ground;
use crate::ops::dance::{self, DanceError};
use crate::ops::secrets::Opened;
use crate::ops::session::{self, Session};
use crate::sandbox::{Layers, Sandbox};
use crate::secrets::known;
use crate::settings::Settings;
use crate::step::{self, StepEvent};
use crate::sys::channel::Channel;
use crate::sys::door::Peer;
use crate::sys::interrupt::{Interrupt, Stopper};
use crate::sys::scratch::ScratchFolder;
use crate::sys::{clock, folders, look, spool};

use super::holder::Describe;
use super::{Ask, Attended, Guest, MountedError, Reply, SoFar, Status, cannot};

/// How often the differences are looked for while a shell changes them under the look.
const TRIES: usize = 20;

/// The sandbox and all that is known of it.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    settings: &'a Settings,
    ground: &'a Ground,
    scratch: &'a ScratchFolder,
    view: &'a Path,
    record: RunRecord,
    layers: Layers,
    place: Mutex<Place>,
    book: Mutex<Book>,
    over: (Interrupt, Stopper),
    describe: Describe,
}

/// What a shell has for itself while it is there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) sandbox: Sandbox,
    /// From shell to shell.
    pub(super) differences: Differences,
}

/// What was done in the sandbox, and who is there.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) actions: Vec<Action>,
    pub(super) shells: Vec<(ModuleRecord, ChangeSet)>,
    pub(super) unmounting: Vec<Channel>,
    joined: Option<(Guest, Arc<Stopper>)>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        ground: &'a Ground,
        scratch: &'a ScratchFolder,
        view: &'a Path,
        record: &RunRecord,
        sandbox: Sandbox,
        describe: Describe,
    ) -> Result<Keeper<'a>, DanceError> {
        let layers = sandbox.layers().clone();
        let differences = Differences::new(&layers, ground, scratch.path())?;
        let place = Mutex::new(Place { sandbox, differences });
        let (record, book) = (record.clone(), Mutex::default());
        let over = cannot("watch for its end", Interrupt::by_hand())?;
        Ok(Keeper { settings, ground, scratch, view, record, layers, place, book, over, describe })
    }

    /// Ends whatever shell is there; none comes after this.
    pub(super) fn send_away(&self) {
        self.over.1.stop(SIGTERM);
        if let Some((_, stopper)) = &locked(&self.book).joined {
            stopper.stop(SIGTERM);
        }
    }

    /// What is left when nobody is there any more.
    pub(super) fn end(self) -> (Place, Book) {
        let whole = "a thread that panics ends the holder";
        (self.place.into_inner().expect(whole), self.book.into_inner().expect(whole))
    }

    /// Does what one connection asks for.
    pub(super) fn serve(&self, peer: Peer) {
        let _end = EndOnPanic(&self.over.1);
        let reply = match peer.channel.receive::<Ask>() {
            Ok(Some((Ask::Unmount, _))) => {
                // It is answered when all is gone.
                locked(&self.book).unmounting.push(peer.channel);
                return self.over.1.stop(SIGTERM);
            }
            Ok(Some((Ask::Join { own_terminal, network }, _))) => {
                let here = self.settings.network.value;
                match network.is_none_or(|network| network == here) {
                    true => return self.join(&peer, own_terminal),
                    false => Err(MountedError::Network(here).into()),
                }
            }
            Ok(Some((Ask::Status, _))) => self.status().map(|status| (Reply::Status(Box::new(status)), None)),
            Ok(Some((Ask::Differences { secrets }, _))) => {
                let so_far = self.so_far().map(|so_far| if secrets { so_far } else { hidden(so_far) });
                so_far.and_then(|so_far| Ok((Reply::Differences, Some(page(&so_far)?))))
            }
            Ok(Some((Ask::Attend { .. } | Ask::Leave, _))) | Err(_) => Err(MountedError::Unexpected.into()),
            Ok(None) => return,
        };
        let (reply, page) = reply.unwrap_or_else(|error| (self.refused(error), None));
        send(&peer.channel, &reply, page.as_ref());
    }

    fn refused(&self, error: DanceError) -> Reply {
        Reply::Refused((self.describe)(error))
    }

    fn status(&self) -> Result<Status, DanceError> {
        let changes = self.so_far()?.changes.0.len();
        let book = locked(&self.book);
        Ok(Status {
            version: self.record.version.clone(),
            run: self.record.run.clone(),
            pid: std::process::id(),
            since: self.record.started.clone(),
            network: self.settings.network.value,
            changes,
            actions: book.actions.len(),
            scratchpad: folders::disk_usage(&self.scratch.path().join("layer")),
            shells: book.shells.len() + usize::from(book.joined.is_some()),
            joined: book.joined.as_ref().map(|(guest, _)| guest.clone()),
        })
    }

    /// What differs now. A shell that is at work removes what was just listed: then it is looked for again.
    fn so_far(&self) -> Result<SoFar, DanceError> {
        let mut differences = Differences::new(&self.layers, self.ground, self.scratch.path())?;
        let mut tries = 1;
        let changes = loop {
            let joined = locked(&self.book).joined.is_some();
            match differences.so_far(&self.layers) {
                Err(_) if joined && tries < TRIES => clock::pause(),
                Err(error) if joined => return Err(MountedError::Restless(Box::new(error)).into()),
                other => break other?,
            }
            tries += 1;
        };
        Opened::watch(&self.layers).look();
        known::learn(|secrets| secrets.add_withheld(&changes));
        Ok(SoFar { changes, actions: locked(&self.book).actions.clone() })
    }

    /// Lets a shell in, if nobody has one there, and stays with it to its end.
    fn join(&self, peer: &Peer, own_terminal: bool) {
        let (interrupt, stopper) = match Interrupt::by_hand() {
            Ok((interrupt, stopper)) => (interrupt, Arc::new(stopper)),
            Err(source) => {
                let error = MountedError::Cannot { action: "watch for its end", source };
                return send(&peer.channel, &self.refused(error.into()), None);
            }
        };
        {
            let mut book = locked(&self.book);
            if let Some((guest, _)) = &book.joined {
                return send(&peer.channel, &Reply::Busy(guest.clone()), None);
            }
            if self.over.0.signal().is_some() {
                return send(&peer.channel, &self.refused(MountedError::Unmounted.into()), None);
            }
            book.joined = Some((Guest { pid: peer.pid, since: clock::now() }, stopper.clone()));
        }
        let mut place = locked(&self.place);
        let attended = self.attend(&peer.channel, &mut place, own_terminal, &interrupt, &stopper);
        // Whoever hears that it has ended may come again at once.
        drop(place);
        locked(&self.book).joined = None;
        let reply = attended.and_then(|attended| Ok((Reply::Ended, Some(page(&attended)?))));
        let (reply, page) = reply.unwrap_or_else(|error| match self.over.0.signal() {
            Some(_) => (self.refused(MountedError::Unmounted.into()), None),
            None => (self.refused(error), None),
        });
        send(&peer.channel, &reply, page.as_ref());
    }

    fn attend(
        &self,
        channel: &Channel,
        place: &mut Place,
        own_terminal: bool,
        interrupt: &Interrupt,
        stopper: &Stopper,
    ) -> Result<Attended, DanceError> {
        let terminal = if own_terminal { Some(place.sandbox.open_terminal()?) } else { None };
        let sides: Vec<BorrowedFd<'_>> =
            terminal.iter().flat_map(|(outer, inner)| [outer.as_fd(), inner.as_fd()]).collect();
        let talk = "talk to the shell's disco";
        cannot(talk, channel.send(&Reply::Joined, &sides))?;
        // With its last copy here the terminal goes, so that it does not outlive whoever has it.
        drop(terminal);
        if !something_comes(channel, interrupt) {
            return Err(MountedError::Unmounted.into());
        }
        let Some((Ask::Attend { command, own_terminal }, fds)) = cannot(talk, channel.receive())? else {
            return Err(MountedError::Unexpected.into());
        };
        let Ok([stdin, stdout, stderr]) = <[OwnedFd; 3]>::try_from(fds) else {
            return Err(MountedError::Unexpected.into());
        };
        let values = cannot("prepare a task", spool::in_memory())?;
        let context = dance::step_context(self.settings, self.ground, self.view, &values, interrupt);
        let (name, _) = session::described(&Session::Shell, &self.ground.root);
        let mut tell = |event: StepEvent<'_>| {
            if let StepEvent::Asked(action) = event {
                let mut book = locked(&self.book);
                // A shell counts its own actions, the sandbox those of all shells.
                let seq = u32::try_from(book.actions.len()).unwrap_or(u32::MAX);
                book.actions.push(Action { seq, ..action.clone() });
                drop(book);
                send(channel, &Reply::Asked(action.clone()), None);
            }
        };
        let (ended, end) = cannot("watch for its end", Interrupt::by_hand())?;
        let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let sandbox = &mut place.sandbox;
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                if something_comes(channel, &ended) {
                    // Whoever has the shell leaves, or has died.
                    stopper.stop(SIGHUP);
                }
            });
            let done = step::attend(sandbox, &context, &name, command, streams, own_terminal, &mut tell);
            end.stop(SIGTERM);
            done
        });
        // Also of a shell that was sent away: what it changed stays.
        let changes = place.differences.since_last(&self.layers)?;
        Opened::watch(&self.layers).look();
        known::learn(|secrets| secrets.add_withheld(&changes));
        let steps: Vec<_> = done.as_ref().ok().cloned().into_iter().collect();
        let record = ModuleRecord::done(name, steps, (&changes).into());
        locked(&self.book).shells.push((record, changes.clone()));
        // Whoever has the shell writes it down.
        let hidden = known::hider();
        let step = done?;
        let step = hidden.data(&step).map_or_else(|_| step.clone(), Cow::into_owned);
        Ok(Attended { step, changes: hidden.changes(&changes).into_owned() })
    }
}

/// Waits until the other end says something or goes (`true`), or `end` comes first.
fn something_comes(channel: &Channel, end: &Interrupt) -> bool {
    loop {
        let mut fds = [PollFd::new(channel, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            // Somebody whose end cannot be noticed must not stay.
            Err(_) => return true,
            Ok(_) => return fds[1].revents().is_empty(),
        }
    }
}

/// What differs, without secrets. What cannot be looked through is left as it is: it cannot be sent either.
fn hidden(so_far: SoFar) -> SoFar {
    let hider = known::hider();
    let actions = hider.data(&so_far.actions).map_or_else(|_| so_far.actions.clone(), Cow::into_owned);
    SoFar { changes: hider.changes(&so_far.changes).into_owned(), actions }
}

/// A thread that panics ends the holder: nobody shall be told half of something.
struct EndOnPanic<'a>(&'a Stopper);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(SIGTERM);
        }
    }
}

impl AsFd for Keeper<'_> {
    /// Readable once somebody has asked for the end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.over.0.as_fd()
    }
}

/// What is behind a lock. A thread that panics while it has one ends the holder: see [`EndOnPanic`].
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn page(content: &impl serde::Serialize) -> Result<OwnedFd, MountedError> {
    let bytes = serde_json::to_vec(content).map_err(Into::into);
    cannot("write down what differs", bytes.and_then(|bytes| look::page(&bytes)))
}

/// Whoever has gone meanwhile, or does not listen, needs no answer.
fn send(channel: &Channel, reply: &Reply, page: Option<&OwnedFd>) {
    let fds: Vec<BorrowedFd<'_>> = page.iter().map(|page| page.as_fd()).collect();
    let _ = channel.send(reply, &fds);
}
