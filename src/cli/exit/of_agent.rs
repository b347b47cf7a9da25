//! The kinds of what keeps the agent from its part: the same table as in [`super::kinds`].

use crate::ops::agent::AgentError;
use crate::ops::agent::check::CheckError;
use crate::ops::agent::daemons::DaemonError;
use crate::ops::agent::units::UnitError;
use crate::sys::lock::LockError;
use crate::sys::pid_file::PidFileError;
use crate::sys::trusted::TrustError;

use super::kinds::{file_kind, io_kind};
use super::{Failure, Kind};

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Failure {
        let (kind, hint) = match &error {
            AgentError::Taken(_) => (Kind::Busy, Some("`disco agent status` says which")),
            AgentError::Lock(LockError::Io { source, .. }) => (io_kind(source), None),
            AgentError::Lock(LockError::Busy { .. } | LockError::Interrupted { .. }) => (Kind::Busy, None),
            AgentError::File(error) => (file_kind(error), None),
            AgentError::Damaged { .. } => (Kind::Data, None),
            AgentError::Listen { source, .. }
            | AgentError::Account { source, .. }
            | AgentError::Process { source, .. } => (io_kind(source), None),
            AgentError::NotOurs => (Kind::Software, None),
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Failure {
        let make = format!("`{}` makes it, as disco's packages do; --user names another", make_user(USER));
        let (kind, hint) = match &error {
            DaemonError::NoUser(_) => (Kind::Config, Some(make.as_str())),
            DaemonError::Root(_) => (Kind::Usage, Some("--user disco-agent is the user of disco's packages")),
            DaemonError::Account { source, .. } | DaemonError::Process { source, .. } => {
                (io_kind(source), None)
            }
            DaemonError::Unreadable { .. } => (
                Kind::Permission,
                Some("it is not root's own, or a folder above it lets only root in: chmod, chgrp"),
            ),
            DaemonError::Down { .. } => (Kind::Unavailable, None),
            DaemonError::Stays { .. } | DaemonError::Starting { .. } => (Kind::Busy, None),
            DaemonError::File(error)
            | DaemonError::Trust(TrustError::File(error))
            | DaemonError::PidFile(
                PidFileError::File(error) | PidFileError::Trust(TrustError::File(error)),
            ) => (file_kind(error), None),
            DaemonError::Trust(TrustError::Open { .. })
            | DaemonError::PidFile(PidFileError::Trust(TrustError::Open { .. })) => {
                let hint = "others could have put there what root would go by: name what is root's own (--run, --log, --config), or chown \
                            and chmod go-w that one";
                (Kind::Permission, Some(hint))
            }
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}

/// The agent's user, where none is named.
pub(in crate::cli) const USER: &str = "disco-agent";

/// How the listener's user is made.
pub(in crate::cli) fn make_user(name: &str) -> String {
    format!(
        "useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {name}"
    )
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        match error {
            CheckError::Daemon(error) => error.into(),
            CheckError::Process(_) => Failure::from_error(Kind::Unavailable, &error),
            CheckError::Down { status, .. } => {
                let kind = status.and_then(|status| u8::try_from(status).ok()).map(Kind::of_code);
                Failure::from_error(kind.unwrap_or(Kind::Unavailable), &error)
            }
        }
    }
}

impl From<UnitError> for Failure {
    fn from(error: UnitError) -> Failure {
        let kind = match &error {
            UnitError::Process(_) => Kind::Unavailable,
            UnitError::Refused { .. } => Kind::Failed,
        };
        Failure::from_error(kind, &error).hint(Some("`journalctl -u 'disco-agent*'` says more".to_owned()))
    }
}
