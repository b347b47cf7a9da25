//! Lines for stderr: when, how grave, what. For systemd's journal, which knows when, the gravity is a number before the line, too. No
//! password, token or key is ever given to it.

use std::fmt::Arguments;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::config::LogLevel;
use crate::journal;

/// Where lines go; clones write to the same place.
#[derive(Clone)]
pub struct Log {
    level: Arc<AtomicU8>,
    form: Form,
    to: Arc<Mutex<dyn Write + Send>>,
}

/// What stands before a line's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// When it was.
    Dated,
    /// How grave it is, as a number of syslog's: the journal takes it off.
    Journal,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Log").field(&self.level).finish()
    }
}

impl Log {
    /// To stderr, up to this level.
    pub fn stderr(level: LogLevel) -> Log {
        let form = if journal::is_stderr() { Form::Journal } else { Form::Dated };
        Log { form, ..Log::to(level, std::io::stderr()) }
    }

    /// To anything.
    pub fn to(level: LogLevel, to: impl Write + Send + 'static) -> Log {
        Log { level: Arc::new(AtomicU8::new(level as u8)), form: Form::Dated, to: Arc::new(Mutex::new(to)) }
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
        // What clients send must not be able to make lines of its own, or to speak to a terminal.
        let text: String = what.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let line = match self.form {
            Form::Dated => format!("{} {}: {text}\n", stamp(clock::now()), word(level)),
            Form::Journal => format!("<{}>{}: {text}\n", number(level), word(level)),
        };
        // Whoever reads stderr may be gone; the server goes on without.
        let _ = self.to.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warning",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

/// Syslog's number for it.
fn number(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 3,
        LogLevel::Warn => 4,
        LogLevel::Info => 6,
        LogLevel::Debug => 7,
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
    // Some say with several lines where in a file they are, and point at it from below.
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.contains(|c| !" |^-".contains(c))).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::TlsError;

    /// What is written.
    #[derive(Clone, Default)]
    struct Text(Arc<Mutex<Vec<u8>>>);

    impl Write for Text {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn causes_are_one_line() {
        let cause = std::io::Error::other("line 2\n  |\n2 | x\n  | ^\nno value");
        let error = std::io::Error::other(TlsError::Read { path: "/k".into(), source: cause });
        assert_eq!(causes(&error), "cannot read /k: line 2 | 2 | x | no value");
    }

    #[test]
    fn a_line_says_when_or_how_grave_for_the_journal() {
        let text = Text::default();
        let dated = Log::to(LogLevel::Debug, text.clone());
        let journal = Log { form: Form::Journal, ..dated.clone() };
        for log in [&journal, &dated] {
            log.error(format_args!("one\n<0>two"));
            log.warn(format_args!("w"));
            log.info(format_args!("i"));
            log.debug(format_args!("d"));
        }
        let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
        let (journal, dated) = text.split_at(text.find("20").unwrap());
        assert_eq!(journal, "<3>error: one?<0>two\n<4>warning: w\n<6>info: i\n<7>debug: d\n");
        assert_eq!(
            dated.lines().next().and_then(|line| line.split_once(' ')).unwrap().1,
            "error: one?<0>two"
        );
    }
}
