//! Where runs are asked for: the queue with its files, and who follows the run that is under way. Each question is answered from here;
//! the socket is [`super::helper`]'s.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use disco_agent::runs::queue::{Dropped, Kept, MOST_KEYS, Queue, Taken, Wanted};
use disco_agent::runs::{Answer, Refusal, RunState, State, TriggerId};

use crate::model::told::in_full;
use crate::sys::attend::{self, Attended};
use crate::sys::files::FileError;
use crate::sys::random;

use super::runner::now;
use super::settle::settle;
use super::store::Store;
use super::unwritten::Unwritten;
use super::{AgentError, Exit, process, standing};

/// The longest that whoever waits hears nothing of an end that a runner has written.
const LOOK: Duration = Duration::from_millis(500);

/// The queue, its files, and what it starts.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) home: PathBuf,
    pub(super) store: Store,
    /// Flags for each disco that it starts.
    flags: Vec<String>,
    exit: Exit,
    queue: Mutex<Queue>,
    unwritten: Arc<Unwritten>,
    changed: Condvar,
    /// Hears what cannot be told to anybody who asks.
    say: fn(&str),
}

/// Why something was not done, as an answer.
pub(super) fn refused(why: Refusal, message: impl Into<String>) -> Answer {
    Answer::Refused { why, message: message.into() }
}

fn failed(error: &dyn std::error::Error) -> Answer {
    refused(Refusal::Failed, in_full(error))
}

impl Desk {
    /// Takes up what an earlier helper has left: follows the run whose runner lives, tells of the one whose runner does not, and begins
    /// the next.
    pub(super) fn open(
        home: PathBuf,
        flags: Vec<String>,
        exit: Exit,
        say: fn(&str),
    ) -> Result<Arc<Desk>, AgentError> {
        let store = Store::open(&home)?;
        if let Err(error) = store.tidy() {
            say(&in_full(&error));
        }
        let (kept, damaged) = store.all()?;
        damaged.iter().for_each(|error| say(&in_full(error)));
        // Its state may be older than its runner: that one writes it.
        let begun = |one: &&Kept| {
            !one.run.state.is_end() && (one.run.state == State::Running || store.has_runner(&one.run.id))
        };
        let begun: Vec<TriggerId> = kept.iter().filter(begun).map(|one| one.run.id.clone()).collect();
        let (queue, over) = Queue::of(kept, begun.first().cloned());
        let (queue, unwritten) = (Mutex::new(queue), Unwritten::new(store.clone(), say));
        let desk = Desk { home, store, flags, exit, queue, unwritten, changed: Condvar::new(), say };
        for mut one in over {
            one.run.state = State::Lost;
            desk.unwritten.write(one);
        }
        let desk = Arc::new(desk);
        begun.into_iter().for_each(|id| desk.clone().follow(id, None));
        desk.begin();
        Ok(desk)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked had it in one piece: each of its changes is one call.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is under way, nothing waits, and each end is written.
    pub(super) fn is_idle(&self) -> bool {
        self.queue().is_idle() && self.unwritten.is_empty()
    }

    /// The run that is under way.
    pub(super) fn under_way(&self) -> Option<TriggerId> {
        self.queue().under_way().cloned()
    }

    /// Takes a wish for a run.
    pub(super) fn take(self: &Arc<Desk>, wanted: Wanted) -> Answer {
        let id = match random::bytes() {
            Ok(bytes) => TriggerId::of(bytes),
            Err(error) => return failed(&error),
        };
        let mut queue = self.queue();
        // Who has a run already hears of it, whatever keeps others from one now.
        let known = queue.known(&wanted, now());
        if known.is_none()
            && let Some(refusal) = self.in_the_way(&wanted, &queue)
        {
            return refusal;
        }
        let before = queue.clone();
        let taken = known.unwrap_or_else(|| queue.take(wanted, id, now()));
        let kept = match taken {
            Taken::Waits(kept) => kept,
            Taken::Known(id) => {
                drop(queue);
                return self.status(&id, Duration::ZERO, &|| false);
            }
            Taken::Differs => {
                return refused(Refusal::Differs, "something else was asked for with the same key");
            }
            Taken::Busy => return refused(Refusal::Busy, "another run is under way"),
            Taken::TooManyKeys => {
                let why =
                    format!("the run that waits has {MOST_KEYS} keys: ask without one, or when it has begun");
                return refused(Refusal::TooManyKeys, why);
            }
            Taken::Crowded => return refused(Refusal::Malformed, "too many modules: ask for all of them"),
        };
        // What is promised is on the disk.
        if let Err(error) = self.store.save(&kept) {
            *queue = before;
            return failed(&error);
        }
        drop(queue);
        self.begin();
        self.status(&kept.run.id, Duration::ZERO, &|| false)
    }

    /// What of this node is in the way of a run.
    fn in_the_way(&self, wanted: &Wanted, queue: &Queue) -> Option<Answer> {
        if !wanted.noop
            && let Some(why) = standing::disabled(&self.home)
        {
            return Some(refused(Refusal::Disabled, format!("live runs are disabled on this node: {why}")));
        }
        let is_anothers = wanted.alone && queue.is_idle() && standing::is_live(&self.home);
        is_anothers.then(|| refused(Refusal::Busy, "a run that somebody else has begun is under way"))
    }

    /// Begins the next run, where none is under way. One that cannot begin has ended by that, and the next one begins.
    fn begin(self: &Arc<Desk>) {
        loop {
            let Some(mut kept) = self.queue().begin() else { return };
            match self.start(&kept.run.id) {
                Ok(runner) => return self.clone().follow(kept.run.id, Some(runner)),
                Err(error) => {
                    (self.say)(&format!("run {} cannot begin: {}", kept.run.id, in_full(&error)));
                    kept.run.state = State::Done { exit: EXIT_NOT_BEGUN };
                    kept.run.ended = Some(now());
                    let id = kept.run.id.clone();
                    self.unwritten.write(kept);
                    self.queue().ended(&id);
                    self.changed.notify_all();
                }
            }
        }
    }

    fn start(&self, id: &TriggerId) -> Result<Attended, AgentError> {
        let lock = self.store.take_lock(id).map_err(AgentError::Lock)?;
        let log = self.store.log_to_write(id)?;
        let words = ["agent", "__run", id.as_str()].map(str::to_owned).into_iter();
        let words: Vec<String> = words.chain(self.flags.iter().cloned()).collect();
        process("start the runner of the run", attend::start_holding(lock, &words, &log))
    }

    /// Follows a run in a thread of its own, to its end.
    fn follow(self: Arc<Desk>, id: TriggerId, runner: Option<Attended>) {
        std::thread::spawn(move || {
            match settle(&self.home, self.exit, &self.store, &id, runner) {
                Ok(end) => end.into_iter().for_each(|end| self.unwritten.write(end)),
                Err(error) => {
                    (self.say)(&format!("the end of run {id} is not known: {}", in_full(&error)));
                }
            }
            match self.store.prune() {
                Ok(gone) => gone.iter().for_each(|id| self.queue().forget(id)),
                Err(error) => (self.say)(&in_full(&error)),
            }
            self.queue().ended(&id);
            self.changed.notify_all();
            self.begin();
        });
    }

    /// How a run stands now; `None` where there is no such run.
    pub(super) fn look(&self, id: &TriggerId) -> Result<Option<RunState>, AgentError> {
        if let Some(end) = self.unwritten.end(id) {
            return Ok(Some(end.run));
        }
        // In this order: one that is under way has a file that says so soon.
        let begun = self.under_way().as_ref() == Some(id);
        let state = self.store.load(id)?.map(|kept| kept.run);
        Ok(state.map(|run| match run.state {
            State::Queued if begun => RunState { state: State::Running, ..run },
            _ => run,
        }))
    }

    /// How a run stands, once it has ended or the time is up, or whoever asks has gone.
    pub(super) fn status(&self, id: &TriggerId, within: Duration, gone: &dyn Fn() -> bool) -> Answer {
        let until = Instant::now() + within;
        loop {
            let found = match self.look(id) {
                Ok(Some(found)) => found,
                Ok(None) => return refused(Refusal::Unknown, format!("there is no run {id}")),
                Err(error) => return failed(&error),
            };
            let left = until.saturating_duration_since(Instant::now());
            if found.state.is_end() || left.is_zero() || gone() {
                return Answer::Run(found);
            }
            self.pause(left.min(LOOK));
        }
    }

    /// Waits for an end, for so long at most.
    pub(super) fn pause(&self, within: Duration) {
        // Whoever panicked with it has nothing to do with the end of this pause.
        drop(self.changed.wait_timeout(self.queue(), within));
    }

    /// Ends a run, or has it end.
    pub(super) fn abort(self: &Arc<Desk>, id: &TriggerId, by: &str) -> Answer {
        let mut queue = self.queue();
        let before = queue.clone();
        let done: Result<(), FileError> = match queue.remove(id, by, now()) {
            Dropped::Waited(kept) => self.store.save(&kept).inspect_err(|_| *queue = before),
            // Its runner looks for it.
            Dropped::UnderWay => self.store.abort(id, by),
            Dropped::Neither => {
                drop(queue);
                return match self.status(id, Duration::ZERO, &|| false) {
                    Answer::Run(run) => refused(Refusal::Ended, format!("run {} has ended already", run.id)),
                    other => other,
                };
            }
        };
        drop(queue);
        self.changed.notify_all();
        match done {
            Ok(()) => self.status(id, Duration::ZERO, &|| false),
            Err(error) => failed(&error),
        }
    }

    /// The newest runs, newest first, as many as one answer has room for.
    pub(super) fn list(&self, room: usize) -> Answer {
        let mut unwritten = self.unwritten.all();
        let all = match self.store.all() {
            Ok((all, _)) => all,
            Err(error) => return failed(&error),
        };
        let (mut runs, mut size) = (Vec::new(), 0);
        let under_way = self.under_way();
        for kept in all {
            let mut run = unwritten.remove(&kept.run.id).unwrap_or(kept).run;
            size += serde_json::to_string(&run).map_or(0, |text| text.len() + 1);
            if size > room {
                break;
            }
            if run.state == State::Queued && under_way.as_ref() == Some(&run.id) {
                run.state = State::Running;
            }
            runs.push(run);
        }
        Answer::Runs { runs }
    }
}

/// The exit code of a run that could not begin: EX_OSERR of sysexits(3).
const EXIT_NOT_BEGUN: u8 = 71;
