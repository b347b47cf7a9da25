//! How a run begins, and whether it may.

use crate::model::run::Mode;
use crate::ops::disable;
use crate::settings::Settings;

use super::DanceError;
use super::ground::Ground;

/// How a run begins.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Start {
    /// Whether it may merge.
    pub mode: Mode,
    /// Wait for another live run instead of refusing.
    pub wait: bool,
    /// Begin also where live runs are switched off.
    pub even_if_disabled: bool,
}

impl Start {
    /// As a dry run.
    pub const NOOP: Start = Start { mode: Mode::Noop, wait: false, even_if_disabled: false };

    /// Refuses a live run where they are switched off. That is said of this node: an image that is mounted is another one.
    pub(super) fn may_begin(self, settings: &Settings, ground: &Ground) -> Result<(), DanceError> {
        if self.mode == Mode::Noop || self.even_if_disabled || !ground.root.is_own() {
            return Ok(());
        }
        let disabled = disable::look(&settings.home.value)?;
        disabled.map_or(Ok(()), |disabled| Err(DanceError::Disabled(Box::new(disabled))))
    }
}
