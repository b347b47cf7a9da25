//! Renews a lock while something is done under it: a thread that asks again, well before the grant ends or is called stale, and
//! knows when it is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use disco_dlm::model::{Policy, Token};
use disco_dlm::native::say::GrantSaid;

use crate::lock::{Acquired, Server};
use crate::model::told::in_full;

/// How soon a renewal that failed is tried again, at the latest.
const AGAIN: Duration = Duration::from_secs(5);

/// A lock that is renewed until this is dropped.
#[derive(Debug)]
pub struct Renewer {
    stop: Option<Sender<()>>,
    lost: Arc<Mutex<Option<String>>>,
    flag: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How often it is renewed under this policy: three times in the time that it gives.
pub fn interval(policy: &Policy) -> Option<Duration> {
    let spans = [policy.expires_after, policy.stale_after];
    let shortest = spans.into_iter().flatten().map(|span| span.0).min()?;
    Some(Duration::from_millis((shortest.saturating_mul(1000) / 3).max(300)))
}

impl Renewer {
    /// Renews what was granted, if its policy wants that.
    pub fn start(server: Arc<Server>, name: &str, grant: &GrantSaid) -> Renewer {
        let lost = Arc::new(Mutex::new(None));
        let flag = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = mpsc::channel();
        let Some(first) = interval(&grant.lock.policy) else {
            return Renewer { stop: None, lost, flag, thread: None };
        };
        let (name, token, policy) = (name.to_owned(), grant.token, grant.lock.policy.clone());
        let tell = (lost.clone(), flag.clone());
        let thread = std::thread::spawn(move || {
            let (mut policy, mut pause, mut last) = (policy, first, Instant::now());
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                match renewed(&server, &name, token, &policy, last) {
                    Renewed::Yes(now) => {
                        (policy, last) = (now, Instant::now());
                        pause = interval(&policy).unwrap_or(first);
                    }
                    Renewed::Unknown => pause = pause.min(AGAIN),
                    Renewed::Lost(why) => {
                        tell.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
                        tell.1.store(true, Ordering::SeqCst);
                        return;
                    }
                }
            }
        });
        Renewer { stop: Some(stop), lost, flag, thread: Some(thread) }
    }

    /// Whether it is lost.
    pub fn is_lost(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// How it was lost, if it was.
    pub fn lost(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Renewer {
    /// Waits for a renewal that is under way: at most as long as the server may take to answer.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did, nothing would depend on it any more.
            let _ = thread.join();
        }
    }
}

enum Renewed {
    Yes(Policy),
    Unknown,
    Lost(String),
}

fn renewed(server: &Server, name: &str, token: Token, policy: &Policy, last: Instant) -> Renewed {
    match server.acquire(name, "", 0, None) {
        Ok(Acquired::Granted(grant)) if grant.token == token => Renewed::Yes(grant.lock.policy),
        Ok(Acquired::Granted(_)) => {
            Renewed::Lost("it had ended, and was granted anew: somebody else may have held it".to_owned())
        }
        Ok(Acquired::Refused(refusal)) => {
            let holders: Vec<&str> = refusal.lock.holders.iter().map(|holder| holder.host.as_str()).collect();
            let by = if holders.is_empty() { "nobody".to_owned() } else { holders.join(", ") };
            Renewed::Lost(format!("it was taken away, and is held by {by}: {}", refusal.reason))
        }
        Err(error) => match policy.expires_after {
            Some(span) if last.elapsed().as_secs() >= span.0 => {
                Renewed::Lost(format!("it could not be renewed in time: {}", in_full(&error)))
            }
            Some(_) | None => Renewed::Unknown,
        },
    }
}
