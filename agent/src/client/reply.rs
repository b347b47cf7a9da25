//! What a proxy has said of itself: `/v2/features`, or the names of `/features`. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Which of the two it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// `/features`: names of what is running, and nothing else.
    V1,
    /// `/v2/features`.
    V2,
}

/// What was said of one feature. Fields that are missing say nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Whether it is offered over plain HTTP; `None` where that was not said.
    #[serde(default)]
    pub http_enabled: Option<bool>,
    /// Whether it is offered over HTTPS.
    #[serde(default)]
    pub https_enabled: Option<bool>,
    /// The settings that it shows.
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// Its state, a word.
    #[serde(default)]
    pub state: String,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// What a proxy has said of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// In which form.
    pub protocol: Protocol,
    /// Of each feature, by name.
    pub features: BTreeMap<String, Said>,
}

/// A reply that is none.
#[derive(Debug, Error)]
#[error("this is no list of features")]
pub struct NoReply(#[source] serde_json::Error);

/// The word of a feature that works.
pub const RUNNING: &str = "running";

/// Reads the body of `/v2/features`.
pub fn v2(body: &str) -> Result<Reply, NoReply> {
    let features = serde_json::from_str(body).map_err(NoReply)?;
    Ok(Reply { protocol: Protocol::V2, features })
}

/// Reads the body of `/logs`: why which features have failed.
pub fn failures(body: &str) -> Result<BTreeMap<String, String>, NoReply> {
    #[derive(Deserialize)]
    struct Info {
        failed_modules: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Logs {
        info: Info,
    }
    serde_json::from_str(body).map(|Logs { info }| info.failed_modules).map_err(NoReply)
}

/// Reads the body of `/features`: all that it names is running.
pub fn v1(body: &str) -> Result<Reply, NoReply> {
    let names: Vec<String> = serde_json::from_str(body).map_err(NoReply)?;
    let said = || Said { state: RUNNING.to_owned(), ..Said::default() };
    let features = names.into_iter().map(|name| (name, said())).collect();
    Ok(Reply { protocol: Protocol::V1, features })
}
