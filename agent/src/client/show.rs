//! Proxies and their differences, as text for people and as JSON for programs. Pure.

use serde_json::{Value, json};

use crate::client::drift::Drift;
use crate::client::keep::{Features, Mark};

/// The features of a proxy: a line each, with its mark, where it is offered, and what it can do.
pub fn features(url: &str, features: &Features) -> String {
    let width = features.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", visible(url));
    for (name, kept) in features {
        let said = &kept.said;
        let over = match (said.http_enabled, said.https_enabled) {
            (Some(true), Some(true)) => "http+https",
            (Some(true), _) => "http",
            (_, Some(true)) => "https",
            (None, None) => "?",
            _ => "-",
        };
        let line = format!(
            "  {:width$}  {:<13}  {over:<10}  {}",
            visible(name),
            mark(&kept.mark),
            said.capabilities.join(",")
        );
        text += &format!("{}\n", visible(line.trim_end()));
    }
    text
}

/// The same as one JSON object.
pub fn features_json(url: &str, features: &Features) -> Value {
    json!({ "schema": 1, "url": url, "features": features })
}

/// The differences, a line each; nothing where there is none.
pub fn drift(all: &[Drift]) -> String {
    all.iter().map(|one| format!("{}\n", visible(&line(one)))).collect()
}

/// The same as one JSON object.
pub fn drift_json(url: &str, all: &[Drift]) -> Value {
    json!({ "schema": 1, "url": url, "drift": all })
}

fn line(drift: &Drift) -> String {
    match drift {
        Drift::Missing { feature } => format!("{feature}: should run, and the proxy does not have it"),
        Drift::NotRunning { feature, state, why } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{feature}: should run, and is {state}{why}")
        }
        Drift::NotWanted { feature } => format!("{feature}: runs, and is not enabled in the settings"),
        Drift::Elsewhere { feature, over, wanted: true } => {
            format!("{feature}: should be offered over {over}, and is not")
        }
        Drift::Elsewhere { feature, over, wanted: false } => {
            format!("{feature}: is offered over {over}, and should not be")
        }
        Drift::Setting { feature, key, wanted, shown } => {
            format!("{feature}: :{key}: is set to {wanted}, and the proxy says {shown}")
        }
    }
}

fn mark(mark: &Mark) -> &str {
    match mark {
        Mark::Running => "running",
        Mark::NotRunning { state } => state,
        Mark::NotNamed => "not named",
    }
}

/// What another machine has said must not steer a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
