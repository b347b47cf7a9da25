//! The one thread that writes. It takes what waits in its queue, as much as there is, into one transaction, and answers when
//! that is on the disk: so one sync of the disk serves many requests. Another process that writes is waited for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::clock::Clock;
use super::hosts::Seen;
use super::rows::State;
use super::trouble::{Done, Trouble};
use super::work::Work;

/// The most requests of one transaction.
const MOST: usize = 256;
/// How often check-ins are written.
const CHECK_INS: Duration = Duration::from_secs(2);
/// How often other processes' changes are looked for, while somebody listens.
const LOOK: Duration = Duration::from_millis(200);

/// Something to do within a transaction.
pub trait Job: Send {
    /// Whether anybody still waits for it.
    fn is_wanted(&self) -> bool;
    /// Does it. What it says is for [`Job::answer`]; an error is given back as well.
    fn perform(&mut self, work: &mut Work<'_>) -> Done<()>;
    /// Tells who asked, after the transaction ended so.
    fn answer(self: Box<Self>, committed: Done<()>);
}

/// A job that calls a function, and sends what that gives.
pub struct Call<T, F> {
    function: F,
    found: Option<T>,
    reply: oneshot::Sender<Done<T>>,
}

impl<T, F> Call<T, F> {
    /// A job that calls this, and sends there.
    pub fn new(function: F, reply: oneshot::Sender<Done<T>>) -> Call<T, F> {
        Call { function, found: None, reply }
    }
}

impl<T: Send, F: FnMut(&mut Work<'_>) -> Done<T> + Send> Job for Call<T, F> {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn perform(&mut self, work: &mut Work<'_>) -> Done<()> {
        self.found = Some((self.function)(work)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Done<()>) {
        let Call { found, reply, .. } = *self;
        // Who has gone does not hear it; the change is made all the same, as with any answer that is lost on its way.
        let _ = reply.send(committed.and_then(|()| found.ok_or(Trouble::Closed)));
    }
}

/// What the thread is sent.
pub enum Message {
    /// A job.
    Job(Box<dyn Job>),
    /// Somebody began to listen for changes.
    Listened,
}

/// The thread's own.
pub struct Writer {
    /// Its path, for what is logged.
    pub path: PathBuf,
    /// The connection.
    pub connection: Connection,
    /// The clock.
    pub clock: Arc<Clock>,
    /// Check-ins to write.
    pub seen: Arc<Seen>,
    /// Who listens for changes.
    pub changes: watch::Sender<u64>,
}

impl Writer {
    /// Works until nobody can send any more.
    pub fn run(mut self, queue: &Receiver<Message>) {
        let (mut flushed, mut looked) = (Instant::now(), Instant::now());
        let mut version = self.version();
        let mut known = State::read(&self.connection).map(|state| state.changes).unwrap_or_default();
        loop {
            let listened = self.changes.receiver_count() > 0;
            match queue.recv_timeout(if listened { LOOK } else { CHECK_INS }) {
                Ok(Message::Job(job)) => self.batch(job, queue, &mut known),
                Ok(Message::Listened) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if flushed.elapsed() >= CHECK_INS && !self.seen.is_empty() {
                self.flush();
                flushed = Instant::now();
            }
            if listened && looked.elapsed() >= LOOK {
                looked = Instant::now();
                let now = self.version();
                if now != version {
                    version = now;
                    self.look(&mut known);
                }
            }
        }
        self.flush();
    }

    /// What changes when another connection has written.
    fn version(&self) -> Option<i64> {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).ok()
    }

    /// Tells those who listen, if another process has changed a lock or a log.
    fn look(&self, known: &mut u64) {
        // An error is met again by the next request, which tells it.
        let now = State::read(&self.connection).map(|state| state.changes).unwrap_or(*known);
        if now != *known {
            *known = now;
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn batch(&mut self, first: Box<dyn Job>, queue: &Receiver<Message>, known: &mut u64) {
        let more = std::iter::from_fn(|| queue.try_recv().ok()).filter_map(|message| match message {
            Message::Job(job) => Some(job),
            Message::Listened => None,
        });
        let jobs = std::iter::once(first).chain(more.take(MOST - 1)).filter(|job| job.is_wanted());
        let mut done: Vec<(Box<dyn Job>, Done<()>)> = jobs.map(|job| (job, Ok(()))).collect();
        let committed = transaction(&self.connection, &self.clock, |work| {
            done.iter_mut().try_for_each(|(job, done)| {
                *done = alone(work, job.as_mut());
                match done {
                    Err(trouble) if !trouble.is_of_one_row() => Err(trouble.clone()),
                    Ok(()) | Err(_) => Ok(()),
                }
            })
        });
        let (changed, committed) = match committed {
            Ok(state) => (state.changes != *known, Ok(state)),
            Err(trouble) => (true, Err(trouble)),
        };
        // Before the answers: who hears one and then listens must not be told of what he knows.
        if let Ok(state) = &committed {
            *known = state.changes;
        }
        for (job, done) in done {
            let ended = committed.as_ref().map(|_| ()).map_err(Trouble::clone);
            job.answer(ended.and(done));
        }
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn flush(&self) {
        let those = self.seen.some();
        if those.is_empty() {
            return;
        }
        match transaction(&self.connection, &self.clock, |work| work.check_in(&those)) {
            Ok(_) => self.seen.written(&those),
            // They stay, and are written the next time; nobody's lock depends on them.
            Err(trouble) => {
                let trouble = &trouble as &dyn std::error::Error;
                eprintln!("disco dlm: check-ins are not written to {}: {trouble}", self.path.display());
            }
        }
    }
}

/// Runs this in one transaction, and gives the counters as they are when it is on the disk. Where it fails nothing of it is kept,
/// or nothing is known: the sync of the disk may have failed after the data had come there.
fn transaction(
    connection: &Connection,
    clock: &Clock,
    within: impl FnOnce(&mut Work<'_>) -> Done<()>,
) -> Done<State> {
    if !connection.is_autocommit() {
        // What an earlier error has left open.
        connection.execute_batch("ROLLBACK")?;
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = State::read(connection).and_then(|state| {
        let mut work = Work { connection, state, now: clock.now(state.at) };
        within(&mut work)?;
        if work.state != state {
            work.state.write(connection)?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(work.state)
    });
    if done.is_err() && !connection.is_autocommit() {
        // If that fails too, the next one tries again.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

/// Does one job so that none of it stays if it fails.
fn alone(work: &mut Work<'_>, job: &mut dyn Job) -> Done<()> {
    let state = work.state;
    work.connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let done = job.perform(work);
    if done.is_err() {
        work.state = state;
        work.connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    work.connection.prepare_cached("RELEASE job")?.execute([])?;
    done
}
