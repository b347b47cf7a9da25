//! The kinds of what goes wrong when one looks back over runs: the same table as in [`super::kinds`].

use rustix::io::Errno;

use crate::ops::blame::BlameError;
use crate::ops::show::ShowError;
use crate::sys::tree::TreeError;

use super::kinds::file_kind;
use super::{Failure, Kind};

fn tree_kind(error: &TreeError) -> Kind {
    match error.errno() {
        Some(Errno::ACCESS | Errno::PERM) => Kind::Permission,
        Some(_) | None => Kind::Io,
    }
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Failure {
        Failure::from_error(tree_kind(&error), &error)
    }
}

impl From<BlameError> for Failure {
    fn from(error: BlameError) -> Failure {
        let hint = "`disco runs --live` lists the runs whose records are kept";
        match error {
            BlameError::Record(error) => error.into(),
            BlameError::Root(ref bad) => Failure::from_error(file_kind(bad), &error),
            BlameError::Read(ref read) => Failure::from_error(tree_kind(read), &error),
            BlameError::Unknown(_) => Failure::from_error(Kind::Failed, &error).hint(Some(hint.to_owned())),
        }
    }
}

impl From<ShowError> for Failure {
    fn from(error: ShowError) -> Failure {
        match error {
            ShowError::Record(error) => error.into(),
            ShowError::Output(ref read) => Failure::from_error(file_kind(read), &error),
            ShowError::NoStep { ref run, .. } => {
                let hint = format!("`disco show {run}` lists its steps");
                Failure::from_error(Kind::Failed, &error).hint(Some(hint))
            }
        }
    }
}
