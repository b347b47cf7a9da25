//! The kinds of what goes wrong with runs by timer, and with switching live runs off: the same table as in [`super::kinds`].

use crate::ops::disable::DisableError;
use crate::ops::schedule::ScheduleError;

use super::Failure;
use super::kinds::file_kind;

impl From<DisableError> for Failure {
    fn from(error: DisableError) -> Failure {
        match error {
            DisableError::Home(error) => (*error).into(),
            DisableError::File(ref file) => Failure::from_error(file_kind(file), &error),
        }
    }
}

impl From<ScheduleError> for Failure {
    fn from(error: ScheduleError) -> Failure {
        match error {
            ScheduleError::Home(error) => (*error).into(),
            ScheduleError::File(ref file) => Failure::from_error(file_kind(file), &error),
        }
    }
}
