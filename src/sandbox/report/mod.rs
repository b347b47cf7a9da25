//! The reporter: hears of the system calls that the filter stops or asks about, answers them, and keeps what is to be told.
//! Two threads: one slow answer does not hold up all.
//!
//! It is not a wall (see `judge`): what it lets through is harmless, and where nobody can be asked the filter refuses by itself.

mod calls;
mod judge;
mod mounts;
mod opens;
mod processes;
mod sockets;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::actions::Deed;
use crate::model::action::{Effect, EffectKind, ProcessId};
use crate::model::attempt::{Answer, Attempt};
use crate::sandbox::report::judge::{Judge, Tell};
use crate::sandbox::script_line::Scripts;
use crate::sys::inspect;
use crate::sys::notify::{Listener, Notice, Said, wait_for};
use crate::sys::tree::Root;

/// How many different attempts are told of one task; what comes after them is counted together.
const MOST: usize = 512;
/// How long an answer may take before somebody else hears of the next call.
const PATIENCE: Duration = Duration::from_millis(10);

/// What the reporter knows of its sandbox.
#[derive(Debug)]
pub(super) struct Ground {
    /// The root that the sandbox shows.
    pub(super) lower: Root,
    /// What was changed of it, in this sandbox and in one that it lies upon.
    pub(super) uppers: Vec<Root>,
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
    /// That of the task under way.
    current: Mutex<Option<Arc<Listener>>>,
    /// Readable when that is another.
    changed: OwnedFd,
    /// Held by whoever waits for the next call: without a call that is there, to take one waits on some kernels for ever.
    turn: Mutex<()>,
    /// Whether the first thread is at an answer, and when it has been for too long.
    busy: AtomicBool,
    late: OwnedFd,
    told: Mutex<Told>,
    bell: OwnedFd,
    stop: OwnedFd,
}

/// What a wait for the next call has brought.
enum Next {
    Call(Arc<Listener>, Notice),
    Nothing,
    Stop,
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
        let Ground { lower, uppers, scripts, shares_network, pretends_knobs, pids_above } = ground;
        let quiet = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let shared = Arc::new(Shared {
            judge: Judge {
                lower,
                uppers,
                shares_network,
                pretends_knobs,
                pids_above,
                ended: Mutex::default(),
            },
            scripts,
            current: Mutex::default(),
            changed: eventfd(0, quiet)?,
            turn: Mutex::default(),
            busy: AtomicBool::new(false),
            late: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
            told: Mutex::default(),
            bell: eventfd(0, quiet)?,
            stop: eventfd(0, quiet)?,
        });
        let mut reporter = Reporter { shared, threads: Vec::new() };
        for work in [Shared::answer_all, Shared::stand_in] {
            let shared = reporter.shared.clone();
            let thread = std::thread::Builder::new().name("reporter".to_owned());
            reporter.threads.push(thread.spawn(move || shared.lose(work(&shared)))?);
        }
        Ok(reporter)
    }

    /// Hears of what `listener` says from now on, that of the task that begins.
    pub(super) fn listen(&self, listener: OwnedFd) {
        *locked(&self.shared.current) = Some(Arc::new(Listener::new(listener)));
        ring(&self.shared.changed);
    }

    /// Remembers that a process of the host was told to end: whoever asks finds it gone.
    pub(super) fn note_ended(&self, pid: i32) {
        self.shared.judge.note_ended(pid);
    }

    /// Forgets the listener of the task that has ended.
    pub(super) fn end(&self) {
        *locked(&self.shared.current) = None;
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
    /// The body of the first thread: takes every call, and answers it.
    fn answer_all(&self) -> io::Result<()> {
        loop {
            match self.next(None)? {
                Next::Call(listener, notice) => {
                    self.busy.store(true, Ordering::Release);
                    wake_after(&self.late, PATIENCE)?;
                    let answered = self.answer(&listener, &notice);
                    wake_after(&self.late, Duration::ZERO)?;
                    self.busy.store(false, Ordering::Release);
                    answered?;
                }
                Next::Nothing => {}
                Next::Stop => return Ok(()),
            }
        }
    }

    /// The body of the second: does the same, but only while the first is at an answer that takes its time.
    fn stand_in(&self) -> io::Result<()> {
        loop {
            if wait_for(&[self.stop.as_fd(), self.late.as_fd()], None)?[0] == Said::Something {
                return Ok(());
            }
            forget(&self.late);
            while self.busy.load(Ordering::Acquire) {
                match self.next(Some(PATIENCE))? {
                    Next::Call(listener, notice) => self.answer(&listener, &notice)?,
                    Next::Nothing => {}
                    Next::Stop => return Ok(()),
                }
            }
        }
    }

    /// Waits for the next call, but not longer than that.
    fn next(&self, most: Option<Duration>) -> io::Result<Next> {
        let _turn = locked(&self.turn);
        let listener = locked(&self.current).clone();
        let mut sources = vec![self.stop.as_fd(), self.changed.as_fd()];
        sources.extend(listener.as_deref().map(AsFd::as_fd));
        let said = wait_for(&sources, most)?;
        if said[0] == Said::Something {
            return Ok(Next::Stop);
        }
        if said[1] == Said::Something {
            forget(&self.changed);
        }
        match (listener, said.get(2)) {
            (Some(listener), Some(Said::Something)) => {
                Ok(listener.receive()?.map_or(Next::Nothing, |notice| Next::Call(listener, notice)))
            }
            (Some(listener), Some(Said::Goodbye)) => {
                let mut current = locked(&self.current);
                // It may be that of the next task already.
                if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &listener)) {
                    *current = None;
                }
                Ok(Next::Nothing)
            }
            _ => Ok(Next::Nothing),
        }
    }

    /// How a thread ended, for whoever asks next.
    fn lose(&self, ended: io::Result<()>) {
        if let Err(error) = ended {
            locked(&self.told).lost = Some(error);
            ring(&self.bell);
        }
    }

    fn answer(&self, listener: &Listener, notice: &Notice) -> io::Result<()> {
        let judged = self.judge.judge(notice);
        if let Some(tell) = judged.tell {
            // What was read may be another process's, were this one gone.
            if listener.is_valid(notice) {
                self.tell(notice, tell);
            }
        }
        listener.answer(notice, judged.reply)
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

/// Makes a timer readable after that time; never, where that is zero.
fn wake_after(timer: &OwnedFd, time: Duration) -> io::Result<()> {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let value = Timespec { tv_nsec: time.subsec_nanos().into(), tv_sec: time.as_secs() as i64 };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: value })?;
    Ok(())
}

/// Takes what makes it readable; nothing, where it is not.
fn forget(bell: &OwnedFd) {
    let _ = rustix::io::read(bell, &mut [0; 8]);
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
