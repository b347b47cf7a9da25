//! Asks the subsystems how they stand and what they can do, in the background, over and over. Each is asked on a thread of its own and
//! has a deadline; one that has not answered the last time is not asked again, so that it can never hold more than one thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::face::board::{Board, Found};
use crate::face::feature::Standing;

/// How often, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time from an answer to the next question.
    pub every: Duration,
    /// The longest that an answer may take.
    pub deadline: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { every: Duration::from_secs(30), deadline: Duration::from_secs(5) }
    }
}

/// Asks for as long as what comes back is kept; in a tokio runtime.
pub fn watch(board: &Arc<Board>, pace: Pace) -> JoinSet<()> {
    let mut watching = JoinSet::new();
    for number in 0..board.len() {
        watching.spawn(watch_one(Arc::clone(board), number, pace));
    }
    watching
}

async fn watch_one(board: Arc<Board>, number: usize, pace: Pace) {
    let standing = Desk::new();
    let mut desks: Vec<Desk<Result<Vec<String>, String>>> = vec![];
    let mut reads = board.reads();
    loop {
        reads.mark_unchanged();
        if let Some(wanted) = board.wanted(number) {
            desks.resize_with(wanted.asks.len(), Desk::new);
            let feature = Arc::clone(&wanted.feature);
            let stands = standing.ask(move || feature.standing(), pace.deadline).await;
            let stands = stands.unwrap_or_else(Standing::Failed);
            let mut capabilities = vec![];
            if stands == Standing::Running {
                let mut answers = JoinSet::new();
                for (at, ask) in wanted.asks.iter().enumerate() {
                    let (desk, ask) = (desks[at].clone(), Arc::clone(ask));
                    answers.spawn(async move { (at, desk.ask(move || ask.ask(), pace.deadline).await) });
                }
                capabilities.resize_with(wanted.asks.len(), || None);
                while let Some(answer) = answers.join_next().await {
                    if let Ok((at, answer)) = answer {
                        capabilities[at] = Some(answer.and_then(|answer| answer));
                    }
                }
            }
            board.take(number, &wanted, Found { standing: stands, capabilities });
        }
        // What was switched on just now is not told as `loaded` for longer than it must; and an answer to what was asked before was
        // not taken. The board is there as long as this is.
        let _ = tokio::time::timeout(pace.every, reads.changed()).await;
    }
}

/// Where one is asked: at most one question is open there, and an answer that came too late waits for the next who asks.
struct Desk<T>(Arc<Mutex<Open<T>>>);

enum Open<T> {
    Nothing,
    Asked,
    Late(T),
}

impl<T> Clone for Desk<T> {
    fn clone(&self) -> Desk<T> {
        Desk(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Desk<T> {
    fn new() -> Desk<T> {
        Desk(Arc::new(Mutex::new(Open::Nothing)))
    }

    /// The answer, or why there is none.
    async fn ask(&self, ask: impl FnOnce() -> T + Send + 'static, deadline: Duration) -> Result<T, String> {
        let late = || format!("no answer within {} s", deadline.as_secs_f32());
        // Not in the `match`: its lock would be held to the end of that.
        let before = std::mem::replace(&mut *self.open(), Open::Asked);
        match before {
            Open::Nothing => {}
            Open::Asked => return Err(late()),
            Open::Late(answer) => {
                *self.open() = Open::Nothing;
                return Ok(answer);
            }
        }
        let (tell, told) = oneshot::channel();
        let leave = Leave { desk: self.clone(), late: None };
        let thread = std::thread::Builder::new().name(String::from("ask")).spawn(move || {
            let mut leave = leave;
            // It comes back where nobody waits for it any more.
            leave.late = tell.send(ask()).err();
        });
        if let Err(error) = thread {
            *self.open() = Open::Nothing;
            return Err(error.to_string());
        }
        match tokio::time::timeout(deadline, told).await {
            Ok(answer) => answer.map_err(|_| String::from("it has panicked")),
            Err(_) => Err(late()),
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever was asked and has gone, by a panic too, can be asked again, or has left what it had to say.
struct Leave<T: Send + 'static> {
    desk: Desk<T>,
    late: Option<T>,
}

impl<T: Send + 'static> Drop for Leave<T> {
    fn drop(&mut self) {
        *self.desk.open() = self.late.take().map_or(Open::Nothing, Open::Late);
    }
}
