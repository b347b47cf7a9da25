//! `disco plan show`: what a plan is, and what it does. Whoever can read the file can see it.

use std::borrow::Cow;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ops::dance::DanceError;
use crate::ops::secrets;
use crate::plans::{self, Plan};
use crate::secrets::{Hider, known};
use crate::settings::Settings;
use crate::sys::tree::Root;

/// Reads a plan, all of it verified, as its user may see it. What is a secret this node says, as far as it has settings.
pub fn plan_show(settings: Option<&Settings>, file: &Path) -> Result<Plan, DanceError> {
    let mut plan = plans::read(file, None, &|| false)?;
    if let Some(settings) = settings {
        let root = Root::open(Path::new("/"), "")?;
        secrets::learn(settings, Some(&root));
    }
    secrets::learn_plan(&plan);
    let hider = known::to_show();
    plan.changes = hider.changes(&plan.changes).into_owned();
    plan.head.secrets.clear();
    plan.head = hidden(&hider, plan.head);
    plan.scripts = hidden(&hider, plan.scripts);
    Ok(plan)
}

/// It was read from JSON, and can be again.
fn hidden<T: Serialize + DeserializeOwned + Clone>(hider: &Hider, data: T) -> T {
    hider.data(&data).map_or_else(|_| data.clone(), Cow::into_owned)
}
