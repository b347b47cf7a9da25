//! The kinds of what goes wrong with plans: the same table as in [`super::kinds`].

use crate::ops::apply::ApplyError;
use crate::plans::PlanFileError;

use super::kinds::{file_kind, io_kind};
use super::{Failure, Kind};

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Failure {
        const MAKE: &str = "`disco dance --noop --plan FILE` makes one";
        let (kind, hint) = match &error {
            PlanFileError::File(error) => (file_kind(error), None),
            PlanFileError::Io { source, .. } => (io_kind(source), None),
            PlanFileError::Tree(_) | PlanFileError::Path(_) | PlanFileError::Lost(_) => (Kind::Io, None),
            PlanFileError::Taken(_) => {
                (Kind::CannotCreate, Some("name another file: only a plan is replaced by a plan"))
            }
            PlanFileError::Foreign(_) => (Kind::Data, Some(MAKE)),
            PlanFileError::Newer { .. } => {
                (Kind::Data, Some("use a disco at least as new as the one that made it"))
            }
            PlanFileError::Truncated { .. } | PlanFileError::Damaged { .. } => {
                (Kind::Data, Some("nothing is merged; copy it again, or make it anew"))
            }
            PlanFileError::Interrupted => (Kind::Interrupted, None),
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Failure {
        let (kind, hint) = match &error {
            ApplyError::OtherNode { .. } => (
                Kind::Data,
                "for a node that is identical: --any-node; what the plan rests on is compared all the same",
            ),
            ApplyError::OtherDigest { .. } => (Kind::Data, "`disco plan show` says what this one does"),
            ApplyError::Moved(_) => (
                Kind::Failed,
                "make a new plan: disco dance --noop --plan FILE; or say whose state counts: --on-conflict",
            ),
        };
        Failure::from_error(kind, &error).hint(Some(hint.to_owned()))
    }
}
