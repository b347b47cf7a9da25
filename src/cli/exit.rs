//! The one table of errors: each has a kind, each kind an exit code; hints are beside the message.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::fetch::{FetchError, Trouble};
use crate::merge::MergeError;
use crate::model::told::in_full;
use crate::modules::ModuleError;
use crate::ops::dance::DanceError;
use crate::ops::gather::GatherError;
use crate::ops::lint::LintError;
use crate::ops::modules::ModulesError;
use crate::ops::settings::ReadSettingsError;
use crate::params::ParamsError;
use crate::plan::PlanError;
use crate::runs::RunError;
use crate::sandbox::SandboxError;
use crate::sys::files::FileError;
use crate::sys::host;
use crate::sys::lock::LockError;

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

fn file_kind(error: &FileError) -> Kind {
    io_kind(&error.source)
}

fn io_kind(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Kind::Permission,
        io::ErrorKind::AlreadyExists => Kind::CannotCreate,
        _ => Kind::Io,
    }
}

fn params_kind(error: &ParamsError) -> Kind {
    match error {
        ParamsError::File(error) => file_kind(error),
        ParamsError::Absent(_) => Kind::Failed,
        ParamsError::BadName { .. }
        | ParamsError::NotText { .. }
        | ParamsError::LeadsOut { .. }
        | ParamsError::Dangling { .. }
        | ParamsError::NotFolder { .. }
        | ParamsError::TooLarge { .. }
        | ParamsError::Loop { .. }
        | ParamsError::Special { .. }
        | ParamsError::IsFolder(_)
        | ParamsError::IsValue(_)
        | ParamsError::NotEmpty(_)
        | ParamsError::Line { .. } => Kind::Data,
    }
}

fn module_kind(error: &ModuleError) -> Kind {
    match error {
        ModuleError::File { source, .. } => file_kind(source),
        ModuleError::Exists { .. } => Kind::CannotCreate,
        ModuleError::Missing { .. }
        | ModuleError::Requirement { .. }
        | ModuleError::NotText { .. }
        | ModuleError::LeadsOut { .. }
        | ModuleError::WrongType { .. }
        | ModuleError::SameTarget { .. } => Kind::Data,
    }
}

fn plan_kind(error: &PlanError) -> Kind {
    match error {
        PlanError::Missing { .. } | PlanError::Cycle { .. } => Kind::Data,
    }
}

fn fetch_kind(error: &FetchError) -> Kind {
    match error {
        FetchError::Rsync { trouble, .. } => match trouble {
            Trouble::Absent => Kind::Data,
            Trouble::Usage => Kind::Config,
            Trouble::Local => Kind::Io,
            Trouble::Refused
            | Trouble::UnknownHost
            | Trouble::Unreachable
            | Trouble::HostKey
            | Trouble::Denied
            | Trouble::NoDaemon
            | Trouble::Shell
            | Trouble::Partial
            | Trouble::TimedOut
            | Trouble::NoProgram
            | Trouble::Other => Kind::Unavailable,
        },
        FetchError::Several(errors) => errors.first().map_or(Kind::Unavailable, fetch_kind),
        FetchError::Process { .. } => Kind::Unavailable,
        FetchError::File(error) => file_kind(error),
        FetchError::Interrupted => Kind::Interrupted,
    }
}

impl From<ParamsError> for Failure {
    fn from(error: ParamsError) -> Failure {
        let hint = match &error {
            ParamsError::NotEmpty(name) => {
                Some(format!("disco param delete -r {name} deletes all that it holds"))
            }
            ParamsError::Absent(_) => Some("disco param dump shows what there is".to_owned()),
            ParamsError::File(_)
            | ParamsError::BadName { .. }
            | ParamsError::NotText { .. }
            | ParamsError::LeadsOut { .. }
            | ParamsError::Dangling { .. }
            | ParamsError::NotFolder { .. }
            | ParamsError::TooLarge { .. }
            | ParamsError::Loop { .. }
            | ParamsError::Special { .. }
            | ParamsError::IsFolder(_)
            | ParamsError::IsValue(_)
            | ParamsError::Line { .. } => None,
        };
        Failure::from_error(params_kind(&error), &error).hint(hint)
    }
}

impl From<ModulesError> for Failure {
    fn from(error: ModulesError) -> Failure {
        let kind = match &error {
            ModulesError::Module(error) => module_kind(error),
            ModulesError::Plan(error) => plan_kind(error),
            ModulesError::File(error) => file_kind(error),
        };
        Failure::from_error(kind, &error)
    }
}

impl From<LintError> for Failure {
    fn from(error: LintError) -> Failure {
        let kind = match &error {
            LintError::File(error) => file_kind(error),
            LintError::Process(_) => Kind::Unavailable,
            LintError::Answer(_) => Kind::Software,
        };
        Failure::from_error(kind, &error)
    }
}

impl From<ReadSettingsError> for Failure {
    fn from(error: ReadSettingsError) -> Failure {
        let kind = match &error {
            ReadSettingsError::Settings(_) => Kind::Config,
            ReadSettingsError::Params(error) => params_kind(error),
            ReadSettingsError::Host(error) => file_kind(error),
        };
        Failure::from_error(kind, &error)
    }
}

impl From<GatherError> for Failure {
    fn from(error: GatherError) -> Failure {
        let kind = match &error {
            GatherError::NoMaster | GatherError::Source(_) => Kind::Config,
            GatherError::Fetch(error) => fetch_kind(error),
            GatherError::NoFolder(_) => Kind::Unavailable,
            GatherError::Selected(_) | GatherError::SelectedIn => Kind::Data,
            GatherError::NotOurs { .. } => Kind::Usage,
            GatherError::Module(error) => module_kind(error),
            GatherError::Plan(error) => plan_kind(error),
            GatherError::Params(error) => params_kind(error),
            GatherError::File(error) => file_kind(error),
        };
        Failure::from_error(kind, &error).hint(error.hint())
    }
}

impl From<DanceError> for Failure {
    fn from(error: DanceError) -> Failure {
        let (kind, hint) = match error {
            DanceError::Gather(error) => return error.into(),
            DanceError::Busy(_) => (Kind::Busy, Some("`disco dance --wait` waits for it".to_owned())),
            DanceError::Prepare(LockError::Io { ref source, .. }) => (io_kind(source), None),
            DanceError::Prepare(LockError::Busy { .. } | LockError::Interrupted { .. }) => (Kind::Io, None),
            DanceError::File(ref error) => (file_kind(error), None),
            DanceError::Record(ref error) | DanceError::Unrecorded { source: ref error, .. } => {
                (run_kind(error), None)
            }
            DanceError::Inside => (
                Kind::Permission,
                Some("run it on the node itself, not in a step, `try` or `shell`".to_owned()),
            ),
            DanceError::Sandbox(
                SandboxError::Open(_) | SandboxError::Cannot { .. } | SandboxError::Overlay(_),
            ) => (Kind::Permission, Some(NEEDS.to_owned())),
            DanceError::Sandbox(_) | DanceError::Step(_) | DanceError::Scan(_) => (Kind::Io, None),
            DanceError::Merge(MergeError::Conflict { .. }) => {
                let again = "nothing is merged; dance again: it starts from what is there now";
                (Kind::Failed, Some(again.to_owned()))
            }
            DanceError::Merge(_) => (Kind::Failed, None),
            DanceError::Home(_) => (Kind::Config, None),
            DanceError::Interrupted(_) => (Kind::Interrupted, None),
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}

/// What a sandbox cannot be without.
const NEEDS: &str =
    "a sandbox needs root, /dev/fuse and the right to mount: in a container CAP_SYS_ADMIN and that device";

fn run_kind(error: &RunError) -> Kind {
    match error {
        RunError::File(error) => file_kind(error),
        RunError::Damaged { .. } | RunError::Newer { .. } => Kind::Data,
        RunError::NoSuchRun(_) | RunError::NoRuns(_) => Kind::Failed,
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        let hint = match &error {
            RunError::NoSuchRun(_) => Some("`disco runs` lists them".to_owned()),
            RunError::NoRuns(_) => Some("`disco dance --noop` makes one".to_owned()),
            RunError::File(_) | RunError::Damaged { .. } | RunError::Newer { .. } => None,
        };
        Failure::from_error(run_kind(&error), &error).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
