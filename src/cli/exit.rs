//! The one table of errors: each has a kind, each kind an exit code; hints are beside the message.

mod kinds;
mod locks;
mod looks_back;
#[cfg(feature = "server")]
pub(in crate::cli) mod of_agent;
#[cfg(feature = "server")]
mod of_dlm;
#[cfg(feature = "server")]
mod of_listener;
#[cfg(feature = "server")]
mod of_proxy;
mod plans;
mod timers;
mod uploads;

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::model::told::in_full;
use crate::sys::host;

/// How a command ends when nothing kept it from doing its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it should.
    Done,
    /// A step, validator or action failed.
    Failed,
    /// With the exit status of the command that it ran.
    Status(i32),
    /// By the signal that asked it to stop.
    Signal(i32),
}

impl Exit {
    /// The exit status as a shell shows it: 128 and more for a signal.
    pub fn number(self) -> i32 {
        match self {
            Exit::Done => 0,
            Exit::Failed => Kind::Failed.code().into(),
            Exit::Status(status) => status,
            Exit::Signal(signal) => 128 + signal,
        }
    }
}

/// The kind of an error, which is what its exit code says. Those above 1 are of sysexits(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for could not be had: a step failed, a parameter is absent.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// A module or parameter is bad.
    Data,
    /// The master or lock server is not available.
    Unavailable,
    /// A bug.
    Software,
    /// Something could not be created.
    CannotCreate,
    /// A file or device failed.
    Io,
    /// Someone else is at it.
    Busy,
    /// It is not permitted.
    Permission,
    /// A setting is bad.
    Config,
    /// A signal ended it: Ctrl-C.
    Interrupted,
}

impl Kind {
    /// Its exit code.
    pub fn code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 64,
            Kind::Data => 65,
            Kind::Unavailable => 69,
            Kind::Software => 70,
            Kind::CannotCreate => 73,
            Kind::Io => 74,
            Kind::Busy => 75,
            Kind::Permission => 77,
            Kind::Config => 78,
            Kind::Interrupted => 130,
        }
    }

    /// The kind with that exit code; a bug where there is none.
    pub fn of_code(code: u8) -> Kind {
        let all = [
            Kind::Failed,
            Kind::Usage,
            Kind::Data,
            Kind::Unavailable,
            Kind::Software,
            Kind::CannotCreate,
            Kind::Io,
            Kind::Busy,
            Kind::Permission,
            Kind::Config,
            Kind::Interrupted,
        ];
        all.into_iter().find(|kind| kind.code() == code).unwrap_or(Kind::Software)
    }

    /// Its exit code for `main`.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// A command that failed, as the user sees it. Shown as `error: …`, and `hint: …` on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: Kind,
    /// The message with its causes.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), hint: None }
    }

    /// A failure of that kind, from an error and its causes.
    pub fn from_error(kind: Kind, error: &(dyn Error + 'static)) -> Failure {
        let full = Failure::new(kind, in_full(error));
        full.hint(is_full(error).then(|| {
            "make room there; `disco settings` shows home and client/storage, which can be elsewhere"
                .to_owned()
        }))
    }

    /// The same with that cause, and its causes.
    #[must_use]
    pub fn because(mut self, cause: &dyn Error) -> Failure {
        self.message += &format!(": {}", in_full(cause));
        self
    }

    /// The same; what is not permitted, and has no other hint, is to be done as root.
    #[must_use]
    pub fn or_root(self) -> Failure {
        let hint = match self.hint {
            None if self.kind == Kind::Permission && !host::is_root() => {
                Some("run it as root: disco's own folder and a sandbox are root's".to_owned())
            }
            hint => hint,
        };
        Failure { hint, ..self }
    }

    /// The same with that hint, if it is one.
    #[must_use]
    pub fn hint(mut self, hint: Option<String>) -> Failure {
        self.hint = hint.or(self.hint);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        self.hint.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))
    }
}

/// Whether the cause of all is that a file system, or somebody's share of it, is full.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let full = error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    });
    full || error.source().is_some_and(is_full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::gather::GatherError;
    use crate::params::ParamsError;
    use crate::sys::files::FileError;

    #[test]
    fn a_failure_is_a_message_with_its_causes_and_a_hint() {
        let io = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = ParamsError::File(FileError::at("read", "/x")(io));
        let failure = Failure::from(error);
        assert_eq!(failure.kind.code(), 77);
        assert_eq!(failure.to_string(), "error: cannot read \"/x\": permission denied\n");
        let failure = Failure::from(GatherError::NoMaster);
        assert_eq!(failure.kind.code(), 78);
        assert_eq!(
            failure.to_string(),
            "error: no master is set\nhint: name it: disco param set disco/server/uri rsync://HOST\n"
        );
    }
}
