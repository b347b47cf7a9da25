//! The log: what is said goes into the ring for `/logs`, and to whoever else listens.

use std::sync::{Mutex, PoisonError};

use crate::face::clock::Clock;
use crate::face::ring::{Level, Record, Ring};

/// Who else listens, such as a writer to stderr.
pub type Sink = Box<dyn Fn(&Record) + Send + Sync>;

/// The log of the face.
pub struct Log {
    ring: Mutex<Ring>,
    least: Level,
    clock: Clock,
    sink: Sink,
}

impl Log {
    /// A log that keeps what is at least so bad.
    pub fn new(ring: Ring, least: Level, clock: Clock, sink: Sink) -> Log {
        Log { ring: Mutex::new(ring), least, clock, sink }
    }

    /// Says something of no request.
    pub fn say(&self, level: Level, message: impl Into<String>) {
        self.write(level, message.into(), None, None);
    }

    /// Says something of a request.
    pub fn of_request(&self, level: Level, message: impl Into<String>, request: &str) {
        self.write(level, message.into(), None, Some(request.to_owned()));
    }

    /// Says why a request was refused, as a smart proxy does: the reason is its own trace.
    pub fn refused(&self, message: &str, request: &str) {
        self.write(Level::Error, message.to_owned(), Some(message.to_owned()), Some(request.to_owned()));
    }

    /// Lets `read` look at the records.
    pub fn read<T>(&self, read: impl FnOnce(&Ring) -> T) -> T {
        read(&self.ring.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, level: Level, message: String, backtrace: Option<String>, request_id: Option<String>) {
        if level < self.least {
            return;
        }
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let record = Record { timestamp: (self.clock)(), level, message, backtrace, request_id };
        (self.sink)(&record);
        ring.push(record);
    }
}
