//! What a command in a hermetic node did, and assertions about it that show all of it when they fail.

use std::os::unix::process::ExitStatusExt;

/// The end of a command.
#[must_use = "say what is expected of it, such as `.succeeds()`"]
pub struct Output {
    argv: Vec<String>,
    /// Its exit status; `None` after a signal.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    pub(super) fn new(argv: Vec<String>, done: std::process::Output) -> Output {
        Output {
            argv,
            status: done.status.code(),
            signal: done.status.signal(),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    /// Its exit status, or 128 and the signal, as a shell would show it.
    pub fn signal_or_status(&self) -> i32 {
        self.status.unwrap_or_else(|| 128 + self.signal.unwrap_or_default())
    }

    /// It exited with 0.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        self.exits(0)
    }

    /// It exited with that status.
    #[track_caller]
    pub fn exits(&self, status: i32) -> &Self {
        assert_eq!(self.status, Some(status), "exit status (left: what it was)\n{self}");
        self
    }

    /// Its standard output is exactly that.
    #[track_caller]
    pub fn stdout_is(&self, text: &str) -> &Self {
        assert!(self.stdout == text, "standard output should be\n{text}\n{self}");
        self
    }

    /// Its standard output holds that.
    #[track_caller]
    pub fn stdout_has(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "standard output lacks {text:?}\n{self}");
        self
    }

    /// Its standard output does not hold that.
    #[track_caller]
    pub fn stdout_lacks(&self, text: &str) -> &Self {
        assert!(!self.stdout.contains(text), "standard output holds {text:?}\n{self}");
        self
    }

    /// Its standard error is exactly that.
    #[track_caller]
    pub fn stderr_is(&self, text: &str) -> &Self {
        assert!(self.stderr == text, "standard error should be\n{text}\n{self}");
        self
    }

    /// Its standard error holds that.
    #[track_caller]
    pub fn stderr_has(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "standard error lacks {text:?}\n{self}");
        self
    }

    /// Its standard error does not hold that.
    #[track_caller]
    pub fn stderr_lacks(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text), "standard error holds {text:?}\n{self}");
        self
    }

    /// The paths of its `info: File: file: PATH : Created|Modified|Deleted` lines, as `PATH Created`.
    pub fn changes(&self) -> Vec<String> {
        self.stdout
            .lines()
            .filter_map(|line| line.strip_prefix("info: File: file: "))
            .filter_map(|line| line.split_once(" : "))
            .map(|(path, rest)| format!("{path} {}", rest.split(" : ").next().unwrap_or_default()))
            .collect()
    }

    /// It reports no difference at all.
    #[track_caller]
    pub fn reports_no_difference(&self) -> &Self {
        assert!(self.changes().is_empty(), "it reports differences\n{self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}", self.argv.join(" "))?;
        writeln!(f, "status: {:?}, signal: {:?}", self.status, self.signal)?;
        write!(f, "--- stdout\n{}--- stderr\n{}---", self.stdout, self.stderr)
    }
}
