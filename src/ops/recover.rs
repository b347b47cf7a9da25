//! `disco recover`: finishes a merge that was stopped, or takes back one that had only been prepared. For a shell, and for
//! the start of the machine.

use crate::ops::dance::{self, DanceError, DanceEvent};

pub use crate::ops::dance::Extent;
use crate::settings::Settings;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;

/// Does so, and returns how many merges there were that had been stopped. Another live run finishes them itself: it is
/// waited for where `wait` says so.
pub fn recover(
    settings: &Settings,
    extent: Extent,
    wait: bool,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DanceEvent<'_>),
) -> Result<usize, DanceError> {
    if files::look(&settings.home.value)?.is_none() {
        return Ok(0);
    }
    let mut found = 0;
    let mut count = |event: DanceEvent<'_>| {
        found += usize::from(matches!(event, DanceEvent::Recovered { .. }));
        on_event(event);
    };
    dance::recovered(settings, extent, wait, interrupt, &mut count)?;
    Ok(found)
}
