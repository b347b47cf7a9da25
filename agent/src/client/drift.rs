//! How what a proxy says differs from what its settings ask for. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::client::reply::{Protocol, RUNNING, Reply};
use crate::settings::{Enabled, Settings};

/// What the settings ask of one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Over plain HTTP.
    pub http: bool,
    /// Over HTTPS.
    pub https: bool,
    /// All that is set, by key.
    pub settings: BTreeMap<String, Value>,
}

impl Wanted {
    /// What a settings file asks for.
    pub fn of(file: &Settings) -> Result<Wanted, serde_json::Error> {
        let enabled = Enabled::of(file.value("enabled"));
        let all = file.all.iter().filter(|setting| setting.key != "enabled");
        let settings = all.map(|one| Ok((one.key.clone(), serde_json::to_value(&one.value)?)));
        Ok(Wanted {
            http: enabled.http(),
            https: enabled.https(),
            settings: settings.collect::<Result<_, _>>()?,
        })
    }

    fn anywhere(&self) -> bool {
        self.http || self.https
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "drift", rename_all = "kebab-case")]
pub enum Drift {
    /// It should run, and its proxy does not know it.
    Missing {
        /// The feature.
        feature: String,
    },
    /// It should run, and does not.
    NotRunning {
        /// The feature.
        feature: String,
        /// Its state.
        state: String,
        /// Why, where the proxy's log says that.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// It runs, and is off or not set.
    NotWanted {
        /// The feature.
        feature: String,
    },
    /// It is offered elsewhere.
    Elsewhere {
        /// The feature.
        feature: String,
        /// `http` or `https`.
        over: &'static str,
        /// Whether it should be offered there.
        wanted: bool,
    },
    /// A setting that it shows is another.
    Setting {
        /// The feature.
        feature: String,
        /// The key.
        key: String,
        /// As it is set.
        wanted: Value,
        /// As it is shown.
        shown: Value,
    },
}

/// All differences, in the order of names.
pub fn drift(wanted: &BTreeMap<String, Wanted>, reply: &Reply) -> Vec<Drift> {
    let mut all = vec![];
    for (name, wanted) in wanted.iter().filter(|(_, wanted)| wanted.anywhere()) {
        let feature = || name.clone();
        let Some(said) = reply.features.get(name) else {
            all.push(Drift::Missing { feature: feature() });
            continue;
        };
        if said.state != RUNNING {
            let state = said.state.clone();
            all.push(Drift::NotRunning { feature: feature(), state, why: None });
        }
        if reply.protocol == Protocol::V1 {
            continue;
        }
        let sides = [("http", wanted.http, said.http_enabled), ("https", wanted.https, said.https_enabled)];
        for (over, wanted, shown) in sides {
            // What has failed is offered nowhere; that is told already.
            if said.state == RUNNING && shown.is_some_and(|shown| shown != wanted) {
                all.push(Drift::Elsewhere { feature: feature(), over, wanted });
            }
        }
        for (key, shown) in &said.settings {
            let set = wanted.settings.get(key);
            if let Some(set) = set.filter(|set| *set != shown) {
                let (wanted, shown) = (set.clone(), shown.clone());
                all.push(Drift::Setting { feature: feature(), key: key.clone(), wanted, shown });
            }
        }
    }
    for (name, said) in &reply.features {
        if said.state == RUNNING && !wanted.get(name).is_some_and(Wanted::anywhere) {
            all.push(Drift::NotWanted { feature: name.clone() });
        }
    }
    all
}
