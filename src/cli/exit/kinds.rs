//! The one table of what kind each error is of, and what to do about it. Exhaustive: a new error does not compile until it
//! has its place here.

use std::io;

use crate::fetch::{FetchError, Trouble};
use crate::merge::MergeError;
use crate::modules::ModuleError;
use crate::ops::dance::{DanceError, RootError};
use crate::ops::gather::GatherError;
use crate::ops::lint::LintError;
use crate::ops::modules::ModulesError;
use crate::ops::mounted::MountedError;
use crate::ops::params::SetError;
use crate::ops::report::NoRunsOf;
use crate::ops::settings::ReadSettingsError;
use crate::params::ParamsError;
use crate::plan::PlanError;
use crate::runs::RunError;
use crate::sandbox::SandboxError;
use crate::step::StepError;
use crate::sys::files::FileError;
use crate::sys::lock::LockError;

use super::{Failure, Kind, locks};

pub(super) fn file_kind(error: &FileError) -> Kind {
    io_kind(&error.source)
}

pub(super) fn io_kind(error: &io::Error) -> Kind {
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
        | ParamsError::Hidden(_)
        | ParamsError::Line { .. } => Kind::Data,
    }
}

fn module_kind(error: &ModuleError) -> Kind {
    match error {
        ModuleError::File { source, .. } => file_kind(source),
        ModuleError::Exists { .. } => Kind::CannotCreate,
        ModuleError::Missing { .. }
        | ModuleError::Requirement { .. }
        | ModuleError::OnChange { .. }
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
        FetchError::NeverFetched { .. } => Kind::Data,
        FetchError::Replaced { .. } => Kind::Busy,
        FetchError::File(error) => file_kind(error),
        FetchError::Interrupted => Kind::Interrupted,
    }
}

impl From<SetError> for Failure {
    fn from(error: SetError) -> Failure {
        match error {
            SetError::Params(error) => error.into(),
            SetError::Setting(_) => Failure::from_error(Kind::Config, &error),
        }
    }
}

impl From<ParamsError> for Failure {
    fn from(error: ParamsError) -> Failure {
        let hint = match &error {
            ParamsError::NotEmpty(name) => {
                Some(format!("disco param delete -r {name} deletes all that it holds"))
            }
            ParamsError::Hidden(_) => {
                Some("give the value itself, or leave the line out; `disco param get` prints it".to_owned())
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

/// What to do about a folder of modules that is not there; `flag` names another.
fn no_modules(error: &FileError, flag: &str) -> Option<String> {
    (error.source.kind() == io::ErrorKind::NotFound).then(|| {
        format!("name a folder of modules with {flag}; `disco dance --noop` fetches those of this node")
    })
}

impl From<ModulesError> for Failure {
    fn from(error: ModulesError) -> Failure {
        let kind = match &error {
            ModulesError::Module(error) => module_kind(error),
            ModulesError::Plan(error) => plan_kind(error),
            ModulesError::File(error) => file_kind(error),
        };
        let hint = match &error {
            ModulesError::File(error) => no_modules(error, "--folder"),
            ModulesError::Module(_) | ModulesError::Plan(_) => None,
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}

impl From<LintError> for Failure {
    fn from(error: LintError) -> Failure {
        let kind = match &error {
            LintError::File(error) => file_kind(error),
            LintError::Process(_) => Kind::Unavailable,
            LintError::Answer(_) => Kind::Software,
        };
        let hint = match &error {
            LintError::File(error) => no_modules(error, "--path"),
            LintError::Process(_) | LintError::Answer(_) => None,
        };
        Failure::from_error(kind, &error).hint(hint)
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
            DanceError::Unconfirmed { .. } => {
                (Kind::Busy, Some("`disco confirm` keeps it, `disco undo` takes it back now".to_owned()))
            }
            DanceError::NothingToConfirm(_) => {
                (Kind::Failed, Some("`disco runs` shows how each run ended".to_owned()))
            }
            DanceError::Waiter(ref source) => {
                (io_kind(source), Some("`disco undo` takes the merge back".to_owned()))
            }
            DanceError::Disabled(_) => {
                let way_out = "`disco enable` lets them run; dry runs and `disco recover` work meanwhile";
                (Kind::Busy, Some(way_out.to_owned()))
            }
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
            DanceError::Sandbox(SandboxError::NoUserNamespace(_)) => {
                let allow =
                    "run it as root, or allow user namespaces: `disco doctor` says what is in the way";
                (Kind::Permission, Some(allow.to_owned()))
            }
            DanceError::Sandbox(
                SandboxError::Open(_) | SandboxError::Cannot { .. } | SandboxError::Overlay(_),
            ) => (Kind::Permission, Some(NEEDS.to_owned())),
            DanceError::Sandbox(SandboxError::Inside(_) | SandboxError::Lost)
            | DanceError::Step(StepError::Sandbox(SandboxError::Inside(_) | SandboxError::Lost)) => {
                (Kind::Io, Some("`disco doctor` says what this machine lacks".to_owned()))
            }
            DanceError::Sandbox(_) | DanceError::Step(_) | DanceError::Scan(_) => (Kind::Io, None),
            DanceError::Merge(MergeError::Journal(ref error)) => (file_kind(error), None),
            DanceError::Merge(MergeError::Damaged { .. } | MergeError::Newer { .. }) => {
                let look = "no live run starts before it: look at the node, then move that file away";
                (Kind::Data, Some(look.to_owned()))
            }
            DanceError::Merge(MergeError::Recover { .. }) => {
                (Kind::Failed, Some("make that possible, and dance again: it goes on from there".to_owned()))
            }
            DanceError::Merge(MergeError::NoUndo(_) | MergeError::NothingToUndo) => {
                (Kind::Failed, Some("`disco undo --list` shows what can be undone".to_owned()))
            }
            DanceError::Merge(MergeError::UndoConflicts { .. }) => {
                let how = "nothing is changed; --on-conflict theirs=PATH leaves such a path as it is, mine=PATH \
                           brings it back all the same";
                (Kind::Failed, Some(how.to_owned()))
            }
            DanceError::Merge(MergeError::Conflicts(ref clashes)) => {
                let path = clashes.0.first().map(|clash| clash.path.to_string()).unwrap_or_default();
                let again = format!(
                    "nothing is merged; run it again: it starts from what is there now. Or say whose state is kept, with \
                     --on-conflict 'theirs={path}' or 'mine={path}'"
                );
                (Kind::Failed, Some(again))
            }
            DanceError::Merge(MergeError::Refused(_)) => {
                (Kind::Failed, Some("nothing is merged; put that in order, and run it again".to_owned()))
            }
            DanceError::Merge(_) => (Kind::Failed, None),
            DanceError::Mounted(error) => return error.into(),
            DanceError::Plan(error) => return error.into(),
            DanceError::Apply(error) => return error.into(),
            DanceError::Cluster(error) => return (*error).into(),
            DanceError::LockRefused(ref refusal) => (Kind::Busy, Some(locks::way_out_of_run(refusal))),
            DanceError::LockHere(_) => {
                (Kind::Busy, Some("disco/dlm/wait is how long a run waits".to_owned()))
            }
            DanceError::LockLost { ref lock, .. } => (
                Kind::Failed,
                Some(format!("`disco lock events {lock}` says who took it away; run it again")),
            ),
            DanceError::Home(_) => (Kind::Config, None),
            DanceError::Root(ref error) => (root_kind(error), None),
            DanceError::Interrupted(_) => (Kind::Interrupted, None),
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}

impl From<MountedError> for Failure {
    fn from(error: MountedError) -> Failure {
        let (kind, hint) = match &error {
            MountedError::NotMounted => (Kind::Failed, Some("`disco fs mount` mounts one")),
            MountedError::Gone => {
                (Kind::Failed, Some("`disco fs mount` mounts another, `disco fs unmount` forgets this one"))
            }
            MountedError::Unmounted | MountedError::Lost | MountedError::Unreachable => (Kind::Failed, None),
            MountedError::Busy(_) => {
                (Kind::Busy, Some("`disco try` has a sandbox of its own, and so has `disco shell --merge`"))
            }
            MountedError::Network(_) => (
                Kind::Usage,
                Some("`disco fs unmount` ends it; `disco fs mount --network` says which one to have"),
            ),
            MountedError::Restless(_) => (Kind::Busy, Some("ask again when it has less to do")),
            MountedError::Silent(_) => (Kind::Busy, None),
            MountedError::Unexpected => {
                (Kind::Software, Some("is it of another version of disco? `disco fs unmount` ends it"))
            }
            MountedError::NotOurs => (Kind::Software, None),
            MountedError::Refused(refusal) => {
                let (kind, message) = (Kind::of_code(refusal.kind), refusal.message.clone());
                return Failure { kind, message, hint: refusal.hint.clone() };
            }
            MountedError::Cannot { source, .. } => (io_kind(source), None),
            MountedError::File(error) => (file_kind(error), None),
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}

fn root_kind(error: &RootError) -> Kind {
    match error {
        RootError::NoFolder(_)
        | RootError::NoShell(_)
        | RootError::OfDisco { .. }
        | RootError::NotAFolder(_) => Kind::Config,
        RootError::Io { source, .. } => io_kind(source),
        RootError::Tree(_) => Kind::Io,
    }
}

/// What a sandbox cannot be without.
const NEEDS: &str = "a sandbox needs root, /dev/fuse and the right to mount: in a container CAP_SYS_ADMIN, CAP_NET_ADMIN, \
     CAP_SYS_PTRACE and that device; `disco doctor` says what is missing";

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

impl From<NoRunsOf> for Failure {
    fn from(error: NoRunsOf) -> Failure {
        let hint = match error {
            NoRunsOf::Run(error) => return error.into(),
            NoRunsOf::None(_) => "`disco runs` lists what is kept; --mode chooses NOOP or live runs",
            NoRunsOf::Module(_) => "`disco report --trend` lists the modules",
        };
        Failure::from_error(Kind::Failed, &error).hint(Some(hint.to_owned()))
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        Failure::from_error(file_kind(&error), &error)
    }
}
