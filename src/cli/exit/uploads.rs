//! The kinds of what goes wrong with uploads: the same table as in [`super::kinds`].

use crate::ops::facts::FactsError;
use crate::ops::upload::UploadError;
use crate::sys::lock::LockError;
use crate::uploads::SpoolError;

use super::kinds::{file_kind, io_kind};
use super::{Failure, Kind};

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Failure {
        let (kind, hint) = match &error {
            UploadError::NotSet => (
                Kind::Config,
                Some(
                    "name who is told: disco param set disco/upload/foreman https://HOST, or disco/upload/webhook",
                ),
            ),
            UploadError::Busy => (Kind::Busy, Some("it sends all that waits: look again in a while")),
            UploadError::Spool(SpoolError::File(error)) => (file_kind(error), None),
            UploadError::Spool(SpoolError::Lock(LockError::Io { source, .. })) => (io_kind(source), None),
            UploadError::Spool(SpoolError::Lock(LockError::Busy { .. } | LockError::Interrupted { .. })) => {
                (Kind::Busy, None)
            }
            UploadError::Spool(SpoolError::Write(_)) => (Kind::Software, None),
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}

impl From<FactsError> for Failure {
    fn from(error: FactsError) -> Failure {
        match error {
            FactsError::Tree(error) => error.into(),
            FactsError::File(error) => error.into(),
        }
    }
}
