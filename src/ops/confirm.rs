//! `disco confirm`: a merge that would be taken back stays.

use crate::model::names::RunId;
use crate::ops::dance::{self, DanceError, DanceEvent};
use crate::settings::Settings;
use crate::sys::interrupt::Interrupt;

pub use crate::ops::dance::wait_for_confirmation;

/// Confirms the merge of that run, or of the one that waits for it; returns whose it is.
pub fn confirm(
    settings: &Settings,
    run: Option<&RunId>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<RunId, DanceError> {
    dance::confirmed(settings, run, interrupt, on_event)
}
