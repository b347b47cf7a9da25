//! The reporter: hears of the system calls that the filter stops or asks about, answers them, and keeps what is to be told.
//! Two threads, so that one slow answer does not hold up all.
//!
//! It is not a wall (see `judge`): what it lets through is harmless, and where nobody can be asked the filter refuses by itself.

mod calls;
mod judge;
mod mounts;
mod opens;
mod processes;
mod sockets;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use crate::actions::Deed;
use crate::model::action::{Effect, EffectKind, ProcessId};
use crate::model::attempt::{Answer, Attempt};
use crate::sandbox::report::judge::{Judge, Tell};
use crate::sandbox::script_line::Scripts;
use crate::sys::inspect;
use crate::sys::notify::{Heard, Listener, Listeners, Notice};
use crate::sys::tree::Root;

/// How many different attempts are told of one task; what comes after them is counted together.
const MOST: usize = 512;
/// How many threads answer.
const THREADS: usize = 2;
/// The number by which the threads are told to stop.
const STOP: u64 = 0;

/// What the reporter knows of its sandbox.
#[derive(Debug)]
pub(super) struct Ground {
    /// The root that the sandbox shows.
    pub(super) lower: Root,
    /// What was changed of it.
    pub(super) upper: Root,
    /// The text of scripts.
    pub(super) scripts: Scripts,
    /// Whether steps have the host's network.
    pub(super) shares_network: bool,
    /// Whether writes to the kernel's files are pretended by somebody else.
    pub(super) pretends_knobs: bool,
    /// The number above which the sandbox's processes are, where one could be chosen.
    pub(super) pids_above: Option<u32>,
}

/// An effect, and the call that it was asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// What was asked for.
    pub(super) effect: Effect,
    /// By which call.
    pub(super) call: &'static str,
    /// What the rest of the run is to find done.
    pub(super) deed: Deed,
}

/// The attempts of a task, equal ones counted.
#[derive(Debug, Default)]
struct Attempts {
    all: Vec<Attempt>,
    places: HashMap<(&'static str, String, Answer), usize>,
}

impl Attempts {
    /// Counts one that is known; `None` where it is new, and has to be added.
    fn count(&mut self, call: &'static str, target: &str, answer: Answer) -> Option<()> {
        let place = *self.places.get(&(call, target.to_owned(), answer))?;
        self.all[place].count += 1;
        Some(())
    }

    fn add(
        &mut self,
        call: &'static str,
        target: String,
        answer: Answer,
        by: impl FnOnce() -> (String, Option<u32>),
    ) {
        if self.count(call, &target, answer).is_some() {
            return;
        }
        let target = if self.all.len() >= MOST { "others".to_owned() } else { target };
        if self.count(call, &target, answer).is_some() {
            return;
        }
        let (program, line) = by();
        self.places.insert((call, target.clone(), answer), self.all.len());
        self.all.push(Attempt { call: call.to_owned(), target, answer, program, line, count: 1 });
    }
}

/// What was heard and not yet taken.
#[derive(Debug, Default)]
struct Told {
    asked: Vec<Asked>,
    attempts: Attempts,
    lost: Option<io::Error>,
}

#[derive(Debug)]
struct Shared {
    judge: Judge,
    scripts: Scripts,
    listeners: Listeners,
    sources: Mutex<(u64, BTreeMap<u64, Arc<Listener>>)>,
    told: Mutex<Told>,
    bell: OwnedFd,
    stop: OwnedFd,
}

/// Hears and answers until it is dropped.
#[derive(Debug)]
pub(super) struct Reporter {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Reporter {
    /// The line of the script that a process belongs to, where that can be told; `words` are those of its command.
    pub(super) fn line_of(&self, pid: i32, words: &[String]) -> Option<u32> {
        self.shared.scripts.line_of(pid, words)
    }

    /// Starts one that hears of nothing yet.
    pub(super) fn start(ground: Ground) -> io::Result<Reporter> {
        let Ground { lower, upper, scripts, shares_network, pretends_knobs, pids_above } = ground;
        let quiet = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let shared = Arc::new(Shared {
            judge: Judge {
                lower,
                upper,
                shares_network,
                pretends_knobs,
                pids_above,
                ended: Mutex::default(),
            },
            scripts,
            listeners: Listeners::new()?,
            sources: Mutex::new((STOP, BTreeMap::new())),
            told: Mutex::default(),
            bell: eventfd(0, quiet)?,
            stop: eventfd(0, quiet)?,
        });
        shared.listeners.add(&shared.stop, STOP)?;
        let mut reporter = Reporter { shared, threads: Vec::new() };
        for _ in 0..THREADS {
            let shared = reporter.shared.clone();
            let thread = std::thread::Builder::new().name("reporter".to_owned());
            reporter.threads.push(thread.spawn(move || shared.hear())?);
        }
        Ok(reporter)
    }

    /// Hears of what `listener` says too, to its end.
    pub(super) fn listen(&self, listener: OwnedFd) -> io::Result<()> {
        let listener = Arc::new(Listener::new(listener));
        let mut sources = locked(&self.shared.sources);
        sources.0 += 1;
        let number = sources.0;
        sources.1.insert(number, listener.clone());
        drop(sources);
        self.shared.listeners.add(&*listener, number)
    }

    /// Remembers that a process of the host was told to end: whoever asks finds it gone.
    pub(super) fn note_ended(&self, pid: i32) {
        self.shared.judge.note_ended(pid);
    }

    /// Forgets the listeners of tasks that have ended.
    pub(super) fn end(&self) {
        locked(&self.shared.sources).1.clear();
    }

    /// The effects that were asked for since the last call, in their order.
    pub(super) fn asked(&self) -> io::Result<Vec<Asked>> {
        let mut rung = [0; 8];
        match rustix::io::read(&self.shared.bell, &mut rung) {
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut told = locked(&self.shared.told);
        told.lost.take().map_or(Ok(()), Err)?;
        Ok(std::mem::take(&mut told.asked))
    }

    /// The attempts since the last call, in the order of the first time.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        std::mem::take(&mut locked(&self.shared.told).attempts).all
    }
}

impl AsFd for Reporter {
    /// Readable when [`Reporter::asked`] has something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        ring(&self.shared.stop);
        for thread in self.threads.drain(..) {
            // One that has panicked has told so itself.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The body of a thread.
    fn hear(&self) {
        let heard = loop {
            match self.listeners.next() {
                Ok(Heard::Notice(STOP) | Heard::End(STOP)) => break self.listeners.again(&self.stop, STOP),
                Ok(Heard::Notice(number)) => match self.take(number) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                Ok(Heard::End(number)) => drop(locked(&self.sources).1.remove(&number)),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = heard {
            locked(&self.told).lost = Some(error);
            ring(&self.bell);
        }
    }

    /// Takes one notice of a listener, and answers it.
    fn take(&self, number: u64) -> io::Result<()> {
        let source = locked(&self.sources).1.get(&number).cloned();
        let Some(source) = source else { return Ok(()) };
        let notice = source.receive();
        self.listeners.again(&*source, number)?;
        let Some(notice) = notice? else { return Ok(()) };
        let judged = self.judge.judge(&notice);
        if let Some(tell) = judged.tell {
            // What was read may be another process's, were this one gone.
            if source.is_valid(&notice) {
                self.tell(&notice, tell);
            }
        }
        source.answer(&notice, judged.reply)
    }

    fn tell(&self, notice: &Notice, tell: Tell) {
        let call = calls::name(notice.number, notice.foreign);
        match tell {
            Tell::Attempt { target, answer } => {
                if locked(&self.told).attempts.count(call, &target, answer).is_some() {
                    return;
                }
                let program = inspect::name(notice.pid);
                let line = self.scripts.line_of(notice.pid, &[target.clone(), program.clone()]);
                locked(&self.told).attempts.add(call, target, answer, || (program, line));
            }
            Tell::Effect { kind, target, argv, deed } => {
                let program = argv.first().cloned().unwrap_or_default().into();
                let line = self.scripts.line_of(notice.pid, &argv);
                let cwd = inspect::folder(notice.pid).unwrap_or_else(|_| PathBuf::from("/"));
                if let Deed::Ended(pid) = deed {
                    self.judge.note_ended(pid);
                }
                let processes = processes_of(kind, &argv);
                let effect = Effect { kind, target, program, argv, cwd, line, input: None, processes };
                locked(&self.told).asked.push(Asked { effect, call, deed });
                ring(&self.bell);
            }
        }
    }
}

/// The processes that a command about some is about, as they are now.
pub(super) fn processes_of(kind: EffectKind, argv: &[String]) -> Vec<ProcessId> {
    match kind {
        EffectKind::Process => inspect::processes_in(argv.get(1..).unwrap_or_default()),
        _ => Vec::new(),
    }
}

/// The data are whole at every moment, also where a thread has panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes it readable. It can only fail where it is that already.
fn ring(bell: &OwnedFd) {
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_and_bounded() {
        let mut attempts = Attempts::default();
        let by = || ("curl".to_owned(), Some(3));
        for target in 0..MOST + 10 {
            for _ in 0..2 {
                attempts.add("connect", target.to_string(), Answer::Refused, by);
            }
        }
        assert_eq!(attempts.all.len(), MOST + 1);
        assert_eq!((attempts.all[0].count, attempts.all[0].line), (2, Some(3)));
        assert_eq!((attempts.all[MOST].target.as_str(), attempts.all[MOST].count), ("others", 20));
    }
}
