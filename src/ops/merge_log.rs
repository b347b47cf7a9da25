//! `disco merge-log`: what the journal of a merge says, whether that is under way, was stopped, or is done.

use std::path::Path;

use crate::merge::replay::{self, Recorded};
use crate::merge::{self, undo};
use crate::model::names::RunId;
use crate::ops::dance::DanceError;
use crate::ops::secrets;
use crate::settings::Settings;
use crate::sys::files;
use crate::sys::tree::Root;

/// The journal of a run's merge; of the one that is not finished, else of the last one, where no run is named.
pub fn read(settings: &Settings, run: Option<&RunId>) -> Result<Recorded, DanceError> {
    secrets::learn(settings, Some(&Root::open(Path::new("/"), "")?));
    let home = &settings.home.value;
    let folder = merge::journals(home);
    let unfinished = match run {
        Some(run) => {
            let path = folder.join(run.as_str());
            if files::look(&path)?.is_some() { replay::read(&path)? } else { None }
        }
        None => replay::all(&folder)?.pop(),
    };
    match unfinished {
        Some(recorded) => Ok(recorded),
        None => Ok(undo::load(home, run)?),
    }
}
