//! How long a merge can be undone: what the settings say, applied after each live run.

use crate::merge;
use crate::merge::undo::{self, Most};
use crate::model::root::LiveRoot;
use crate::settings::Settings;
use crate::sys::files;

use super::{DanceError, recover};

/// Forgets merges that need not be kept any longer. The caller has the lock of live runs on this root.
pub(super) fn prune(settings: &Settings, root: &LiveRoot) -> Result<(), DanceError> {
    if !root.is_own() {
        return Ok(());
    }
    let home = &settings.home.value;
    // What is open may need what is kept.
    if !merge::replay::all(&merge::journals(home))?.is_empty() {
        return Ok(());
    }
    let most = Most {
        runs: settings.undo_runs.value,
        seconds: u64::from(settings.undo_days.value) * 24 * 3600,
        bytes: settings.undo_size.value.bytes_of(files::disk_size(home)?),
    };
    undo::prune(&recover::open(root)?, home, most)?;
    Ok(())
}
