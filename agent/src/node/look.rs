//! A proxy looked at: what stays known of it, and what has drifted from the settings.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::client::ask::{self, AskError};
use crate::client::drift::{Drift, Wanted, drift};
use crate::client::http::Http;
use crate::client::keep::{Features, Mark, after};
use crate::face::feature::NotAName;
use crate::node::config::Config;
use crate::node::would::specs;
use crate::settings::{Settings, SettingsError, load};

/// A look that could not be had.
#[derive(Debug, Error)]
pub enum LookError {
    /// The proxy did not say.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The settings cannot be used.
    #[error("the settings of the features cannot be used")]
    Settings(#[from] SettingsError),
    /// A setting is nothing that a proxy could say.
    #[error("a setting is no JSON")]
    Json(#[from] serde_json::Error),
    /// A feature has no good name.
    #[error(transparent)]
    Name(#[from] NotAName),
}

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What is known of it now.
    pub features: Features,
    /// How it differs from the settings, where it was compared with any.
    pub drift: Vec<Drift>,
}

impl Seen {
    /// Whether all is as it should be.
    pub fn is_fine(&self) -> bool {
        self.drift.is_empty() && self.features.values().all(|kept| kept.mark == Mark::Running)
    }
}

/// Looks at the proxy at that url, of which that was known, and compares it with settings where there are some.
pub fn look(
    http: &Http,
    url: &str,
    before: &Features,
    wanted: Option<&BTreeMap<String, Wanted>>,
) -> Result<Seen, LookError> {
    let reply = ask::features(http, url)?;
    let mut drift = wanted.map_or_else(Vec::new, |wanted| drift(wanted, &reply));
    if drift.iter().any(|one| matches!(one, Drift::NotRunning { .. })) {
        let mut failures = ask::failures(http, url);
        for one in &mut drift {
            if let Drift::NotRunning { feature, why, .. } = one {
                *why = failures.remove(feature);
            }
        }
    }
    Ok(Seen { features: after(before, &reply), drift })
}

/// What the settings of this folder ask for, by the name of the feature.
pub fn wanted(config: &Config) -> Result<BTreeMap<String, Wanted>, LookError> {
    let mut all = BTreeMap::new();
    for (name, file) in load::all(&config.features)? {
        // Files of providers have no such key.
        if file.get("enabled").is_some() {
            all.insert(name, Wanted::of(&file)?);
        }
    }
    for spec in specs()? {
        let name = spec.name.to_string();
        // On where nothing is said.
        if !all.contains_key(&name) && spec.enabled.is_truthy() {
            let mut wanted = Wanted::of(&Settings::none(name.clone()))?;
            (wanted.http, wanted.https) = (true, true);
            all.insert(name, wanted);
        }
    }
    Ok(all)
}
