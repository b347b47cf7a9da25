//! Lines for stderr: when, how grave, what. No password, token or key is ever given to it.

use std::fmt::Arguments;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::config::LogLevel;

/// Where lines go; clones write to the same place.
#[derive(Clone)]
pub struct Log {
    level: Arc<AtomicU8>,
    to: Arc<Mutex<dyn Write + Send>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Log").field(&self.level).finish()
    }
}

impl Log {
    /// To stderr, up to this level.
    pub fn stderr(level: LogLevel) -> Log {
        Log::to(level, std::io::stderr())
    }

    /// To anything.
    pub fn to(level: LogLevel, to: impl Write + Send + 'static) -> Log {
        Log { level: Arc::new(AtomicU8::new(level as u8)), to: Arc::new(Mutex::new(to)) }
    }

    /// From now on up to that level, for all clones.
    pub fn set(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Whether lines of this level are written.
    pub fn has(&self, level: LogLevel) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    /// A line that says what keeps the server from its work.
    pub fn error(&self, what: Arguments<'_>) {
        self.line(LogLevel::Error, what);
    }

    /// A line that says who was turned away, and why.
    pub fn warn(&self, what: Arguments<'_>) {
        self.line(LogLevel::Warn, what);
    }

    /// A line for a request.
    pub fn info(&self, what: Arguments<'_>) {
        self.line(LogLevel::Info, what);
    }

    /// A line for a connection.
    pub fn debug(&self, what: Arguments<'_>) {
        self.line(LogLevel::Debug, what);
    }

    fn line(&self, level: LogLevel, what: Arguments<'_>) {
        if !self.has(level) {
            return;
        }
        let word = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warning",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        // What clients send must not be able to make lines of its own, or to speak to a terminal.
        let text: String = what.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let line = format!("{} {word}: {text}\n", stamp(clock::now()));
        // Whoever reads stderr may be gone; the server goes on without.
        let _ = self.to.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

/// A time as RFC 3339 to the second.
fn stamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::from("?"), |time| time.to_string())
}

/// An error and all its causes, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
