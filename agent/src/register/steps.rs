//! What there is to do about a registration, from what the Foreman knows; and what it should know afterwards. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::client::ask::plain_url;
use crate::client::known::{folded, foreman_name};

/// A smart proxy as a Foreman knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its url.
    pub url: String,
    /// Its features.
    #[serde(default)]
    pub features: Vec<KnownFeature>,
}

/// A feature as a Foreman knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownFeature {
    /// Foreman's name of it.
    pub name: String,
}

/// What is done first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is not known: make it.
    Create,
    /// It is known with another url: change that.
    Update(u64),
    /// It is known with this url: have the Foreman look again.
    Refresh(u64),
}

/// What to do, from what the search for its name has found.
pub fn first(found: &[Known], name: &str, url: &str) -> Step {
    match found.iter().find(|known| known.name == name) {
        None => Step::Create,
        Some(known) if plain_url(&known.url) == plain_url(url) => Step::Refresh(known.id),
        Some(known) => Step::Update(known.id),
    }
}

/// How what the Foreman knows differs from what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Runs, and the Foreman could know it, and does not.
    pub missing: Vec<String>,
    /// Runs, and is nothing that a Foreman knows as it comes.
    pub foreign: Vec<String>,
    /// Does not run, and the Foreman thinks that it does.
    pub extra: Vec<String>,
}

/// Compares what runs with what the Foreman knows, by Foreman's way of comparing names.
pub fn compare(running: &[String], known: &[KnownFeature]) -> Compared {
    let known_names: BTreeSet<String> = known.iter().map(|feature| folded(&feature.name)).collect();
    let running_names: BTreeSet<String> = running.iter().map(|name| folded(name)).collect();
    let absent = running.iter().filter(|name| !known_names.contains(&folded(name)));
    let (missing, foreign) = absent.cloned().partition(|name| foreman_name(name).is_some());
    let extra = known.iter().filter(|feature| !running_names.contains(&folded(&feature.name)));
    Compared { missing, foreign, extra: extra.map(|feature| feature.name.clone()).collect() }
}
