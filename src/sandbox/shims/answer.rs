//! Answers the shims: hears what they ask, has the host asked where that is needed, and tells and remembers what it means for
//! the task. Nothing here waits: a host that is slow, or a step that is silent, holds up nobody else. When to turn to it is
//! the loop's to say ([`crate::sandbox::watch`]).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event as Ready, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};

use crate::actions::{Deed, Pretended};
use crate::model::action::Effect;
use crate::model::truth::{Label, Truth};
use crate::sandbox::report::processes_of;
use crate::sandbox::shims::decide::{Asked, Done, Given, Node, Reply, Step, Then, first, unheard};
use crate::sandbox::shims::heard::{Programs, heard, system_program};
use crate::sandbox::shims::{Answer, FromShim};
use crate::sandbox::{Event, Sandbox};
use crate::sys::channel::Channel;
use crate::sys::look::{self, Seen};
use crate::sys::peer;

/// How long the host may take to answer a look.
const LOOK_LIMIT: Duration = Duration::from_secs(20);
/// How many looks at the host run at once.
const MOST_LOOKS: usize = 8;
/// How many shims are talked with at once; others wait to be heard.
const MOST_SHIMS: usize = 200;

/// What is ready: the listening socket, the end of a look, or the shim of that number (from 2 on).
const LISTENER: u64 = 0;
const LOOKED: u64 = 1;

/// Where the shims of a sandbox are answered. Readable where there is something to do.
#[derive(Debug)]
pub(in crate::sandbox) struct Desk {
    ready: OwnedFd,
    listener: OwnedFd,
    looked: Arc<OwnedFd>,
    work: Mutex<Work>,
}

/// What is under way, and what is remembered of the run.
#[derive(Debug)]
struct Work {
    state: Pretended,
    programs: Programs,
    talks: BTreeMap<u64, Talk>,
    next: u64,
    results: (Sender<Looked>, Receiver<Looked>),
    looks: usize,
    queue: VecDeque<(u64, PathBuf, Vec<String>)>,
}

/// A conversation with a shim.
struct Talk {
    channel: Channel,
    pid: Option<i32>,
    /// Whether it may have effects, which root makes: the real ones would refuse them to others.
    may_act: bool,
    asked: Option<Arc<Asked>>,
    /// Where the real program is, once it is known what was asked.
    real: PathBuf,
    waits: Waits,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").field("pid", &self.pid).field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// What a conversation waits for.
enum Waits {
    Question,
    Host(Then<Seen>),
    Inside(Then<i32>),
    Nothing,
}

type Looked = (u64, Result<Seen, String>);

impl Desk {
    /// Listens there, where that much was pretended before.
    pub(in crate::sandbox) fn new(listener: OwnedFd, state: Pretended) -> io::Result<Desk> {
        let ready = epoll::create(CreateFlags::CLOEXEC)?;
        let looked = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&ready, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        epoll::add(&ready, &looked, EventData::new_u64(LOOKED), EventFlags::IN)?;
        let work = Work {
            state,
            programs: Programs::default(),
            talks: BTreeMap::new(),
            next: 2,
            results: channel(),
            looks: 0,
            queue: VecDeque::new(),
        };
        Ok(Desk { ready, listener, looked, work: Mutex::new(work) })
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        // Whoever panicked with it has ended this run.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what was pretended so far in this run.
    pub(in crate::sandbox) fn with_state<T>(&self, work: impl FnOnce(&mut Pretended) -> T) -> T {
        work(&mut self.work().state)
    }
}

impl AsFd for Desk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }
}

/// The shims of one task: what they have asked for so far.
pub(in crate::sandbox) struct Shims {
    stop: Arc<AtomicBool>,
    label: Label,
}

/// Where a task's effects are told.
type Tell<'a> = dyn FnMut(Event<'_>) + 'a;

impl Shims {
    /// Nothing was asked yet.
    pub(in crate::sandbox) fn new() -> Shims {
        Shims { stop: Arc::default(), label: Label::default() }
    }

    /// How true what is known of the task is, for all that was asked.
    pub(in crate::sandbox) fn take_label(&mut self) -> Label {
        std::mem::take(&mut self.label)
    }

    /// Goes on with every conversation that can go on. A shim that cannot be answered gets no answer, says so itself, and
    /// fails its caller.
    pub(in crate::sandbox) fn answer(&mut self, sandbox: &Sandbox, on_event: &mut Tell<'_>) {
        let desk = &sandbox.shims;
        let mut work = desk.work();
        let mut events = Vec::with_capacity(64);
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Nothing is ready where that cannot be asked.
        let _ = epoll::wait(&desk.ready, rustix::buffer::spare_capacity(&mut events), Some(&now));
        for Ready { data, .. } in events {
            match data.u64() {
                LISTENER => desk.accept(&mut work),
                LOOKED => {
                    // It only says that there is something in the channel.
                    let _ = rustix::io::read(&*desk.looked, &mut [0; 8]);
                    while let Ok((id, seen)) = work.results.1.try_recv() {
                        work.looks -= 1;
                        if let Some(then) = work.take_host(id) {
                            let step = match seen {
                                Ok(seen) => then(seen, &work.node(sandbox)),
                                Err(error) => work.failed(id, &error),
                            };
                            self.go_on(sandbox, &mut work, id, step, on_event);
                        }
                    }
                    self.look_on(desk, &mut work);
                }
                id => self.hear(sandbox, &mut work, id, on_event),
            }
        }
        desk.listen(&work);
    }

    /// Ends the looks, and notes what was asked by those that did not live to hear the answer: in this task, and not in the
    /// next.
    pub(in crate::sandbox) fn note_rest(&mut self, sandbox: &Sandbox, on_event: &mut Tell<'_>) {
        self.stop.store(true, Ordering::Relaxed);
        let desk = &sandbox.shims;
        let mut work = desk.work();
        work.queue.clear();
        while work.looks > 0 && work.results.1.recv().is_ok() {
            work.looks -= 1;
        }
        loop {
            desk.accept(&mut work);
            let Some((_, talk)) = work.talks.pop_first() else { break };
            let asked = match (talk.asked, talk.waits) {
                (None, _) if is_readable(&talk.channel) => {
                    heard(&talk.channel, talk.pid, talk.may_act, sandbox, &mut work.programs)
                }
                (asked, Waits::Host(_) | Waits::Inside(_)) => asked.map(|asked| (asked, talk.real)),
                _ => None,
            };
            if let Some((asked, _)) = asked
                && let Some(effect) = unheard(&asked)
            {
                self.note(sandbox, &mut work, &asked, Some(effect), true, on_event);
            }
        }
    }

    /// Goes on with one conversation.
    fn hear(&mut self, sandbox: &Sandbox, work: &mut Work, id: u64, on_event: &mut Tell<'_>) {
        let Some(mut talk) = work.talks.remove(&id) else { return };
        let step = match std::mem::replace(&mut talk.waits, Waits::Nothing) {
            Waits::Question => heard(&talk.channel, talk.pid, talk.may_act, sandbox, &mut work.programs).map(
                |(asked, real)| {
                    (talk.asked, talk.real) = (Some(asked.clone()), real);
                    first(&asked, &work.node(sandbox))
                },
            ),
            Waits::Inside(then) => match talk.channel.receive::<FromShim>() {
                Ok(Some((FromShim::Tried { status }, _))) => Some(then(status, &work.node(sandbox))),
                Ok(_) | Err(_) => None,
            },
            // It has nothing to say now: it is gone, and the host's answer is for nobody.
            Waits::Host(_) | Waits::Nothing => None,
        };
        match step {
            Some(step) => {
                work.talks.insert(id, talk);
                self.go_on(sandbox, work, id, step, on_event);
            }
            None => {
                // What somebody has asked for who is gone was asked.
                if let Some(asked) = talk.asked.take()
                    && let Some(effect) = unheard(&asked)
                {
                    self.note(sandbox, work, &asked, Some(effect), true, on_event);
                }
                // A descriptor that is closed is forgotten anyway.
                let _ = epoll::delete(&sandbox.shims.ready, &talk.channel);
            }
        }
    }

    /// Does the next step of a conversation.
    fn go_on(&mut self, sandbox: &Sandbox, work: &mut Work, id: u64, step: Step, on_event: &mut Tell<'_>) {
        let Some(talk) = work.talks.get_mut(&id) else { return };
        let real = || look::open_program(sandbox.layers.lower(), &talk.real);
        match step {
            Step::Host(program, arguments, then) => {
                talk.waits = Waits::Host(then);
                work.queue.push_back((id, program, arguments));
                self.look_on(&sandbox.shims, work);
            }
            Step::Inside(arguments, silent, then) => {
                let sent = real()
                    .and_then(|real| talk.channel.send(&Answer::Try { arguments, silent }, &[real.as_fd()]));
                match sent {
                    Ok(()) => talk.waits = Waits::Inside(then),
                    Err(_) => work.end(&sandbox.shims, id),
                }
            }
            Step::Reply(Reply { effect, lowers, given }) => {
                let offline = matches!(given, Given::Offline);
                // The real one would reach for the manager all the same.
                let without = (offline && effect.is_some()).then(|| "--now".to_owned());
                let fds = match given {
                    Given::Says(Seen { stdout, stderr, status }) => [stdout, stderr]
                        .iter()
                        .map(|text| look::page(text))
                        .collect::<io::Result<Vec<_>>>()
                        .map(|fds| (Answer::Say { status }, fds)),
                    Given::Real | Given::Offline => {
                        real().map(|real| (Answer::RunReal { offline, without }, vec![real]))
                    }
                };
                if let Some(asked) = work.talks.get_mut(&id).and_then(|talk| talk.asked.take()) {
                    self.note(sandbox, work, &asked, effect, lowers, on_event);
                }
                if let (Some(talk), Ok((answer, fds))) = (work.talks.get(&id), fds) {
                    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                    // A shim that has gone meanwhile needs no answer.
                    let _ = talk.channel.send(&answer, &fds);
                }
                work.end(&sandbox.shims, id);
            }
        }
    }

    /// Tells and remembers what an answer means for the task and the run.
    fn note(
        &mut self,
        sandbox: &Sandbox,
        work: &mut Work,
        asked: &Asked,
        effect: Option<Done>,
        lowers: bool,
        on_event: &mut Tell<'_>,
    ) {
        if lowers {
            self.label.lower(Truth::Approximate, &asked.name);
        }
        if let Some(Done { kind, target, argv, deeds }) = effect {
            for deed in &deeds {
                work.state.apply(deed);
                if let Deed::Ended(pid) = deed {
                    sandbox.reporter.note_ended(*pid);
                }
            }
            let processes = processes_of(kind, &argv);
            on_event(Event::Asked(&Effect {
                kind,
                target,
                program: asked.program.clone(),
                argv,
                cwd: asked.directory.clone(),
                // Of somebody who is gone it cannot be told.
                line: asked.pid.and_then(|pid| sandbox.reporter.line_of(pid, &asked.argv)),
                input: asked.input.clone(),
                processes,
            }));
        }
    }

    /// Starts looks that wait, within the limit.
    fn look_on(&self, desk: &Desk, work: &mut Work) {
        while work.looks < MOST_LOOKS {
            let Some((id, program, arguments)) = work.queue.pop_front() else { return };
            let (results, looked, stop) = (work.results.0.clone(), desk.looked.clone(), self.stop.clone());
            work.looks += 1;
            std::thread::spawn(move || {
                let seen = look::run(&program, &arguments, LOOK_LIMIT, &stop);
                let seen = seen.map_err(|error| format!("{}: {error}\n", program.display()));
                // Both fail only where nobody waits any more.
                let _ = results.send((id, seen));
                let _ = rustix::io::write(&*looked, &1_u64.to_ne_bytes());
            });
        }
    }
}

impl Desk {
    /// Takes whoever has come, up to the limit.
    fn accept(&self, work: &mut Work) {
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        while work.talks.len() < MOST_SHIMS {
            let Ok(socket) = rustix::net::accept_with(&self.listener, flags) else { return };
            let id = work.next;
            work.next += 1;
            if epoll::add(&self.ready, &socket, EventData::new_u64(id), EventFlags::IN).is_err() {
                return;
            }
            let (pid, user) = peer::of(&socket).unzip();
            let may_act = user == Some(0);
            let channel = Channel::from(socket);
            let (asked, real, waits) = (None, PathBuf::new(), Waits::Question);
            let talk = Talk { channel, pid, may_act, asked, real, waits };
            work.talks.insert(id, talk);
        }
    }

    /// Is told of newcomers only where there is a place for them.
    fn listen(&self, work: &Work) {
        let flags = if work.talks.len() < MOST_SHIMS { EventFlags::IN } else { EventFlags::empty() };
        // It fails only for a descriptor that is not there.
        let _ = epoll::modify(&self.ready, &self.listener, EventData::new_u64(LISTENER), flags);
    }
}

impl Work {
    fn node<'a>(&'a self, sandbox: &'a Sandbox) -> Node<'a> {
        Node { state: &self.state, looks: sandbox.live.looks, program: &system_program }
    }

    fn take_host(&mut self, id: u64) -> Option<Then<Seen>> {
        let talk = self.talks.get_mut(&id)?;
        match std::mem::replace(&mut talk.waits, Waits::Nothing) {
            Waits::Host(then) => Some(then),
            other => {
                talk.waits = other;
                None
            }
        }
    }

    /// The answer where the host could not be asked.
    fn failed(&self, _id: u64, error: &str) -> Step {
        let seen = Seen { stdout: Vec::new(), stderr: error.as_bytes().to_vec(), status: 1 };
        Step::Reply(Reply { effect: None, lowers: true, given: Given::Says(seen) })
    }

    fn end(&mut self, desk: &Desk, id: u64) {
        if let Some(talk) = self.talks.remove(&id) {
            // A descriptor that is closed is forgotten anyway.
            let _ = epoll::delete(&desk.ready, &talk.channel);
        }
    }
}

fn is_readable(channel: &Channel) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(channel, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}
