//! What stays known of a proxy when it is asked again. A feature that has failed is marked and kept, with what it said last; one that
//! was never known and does not work is not taken up. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::reply::{Protocol, RUNNING, Reply, Said};

/// How a feature is, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "kebab-case")]
pub enum Mark {
    /// It works.
    Running,
    /// It does not, and its proxy says so.
    NotRunning {
        /// In the proxy's word.
        state: String,
    },
    /// Its proxy names it no more, in a form that names nothing but what works: why is not known.
    NotNamed,
}

/// What is known of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// How it is.
    #[serde(flatten)]
    pub mark: Mark,
    /// What it said when it worked last.
    pub said: Said,
}

/// What is known of a proxy, by the name of the feature.
pub type Features = BTreeMap<String, Kept>;

/// What is known after this reply, from what was known before.
pub fn after(before: &Features, reply: &Reply) -> Features {
    let mut after = Features::new();
    for (name, said) in &reply.features {
        if said.state == RUNNING {
            after.insert(name.clone(), Kept { mark: Mark::Running, said: said.clone() });
        } else if said.state != "disabled"
            && let Some(old) = before.get(name)
        {
            let mark = Mark::NotRunning { state: said.state.clone() };
            after.insert(name.clone(), Kept { mark, said: old.said.clone() });
        }
        // Disabled: somebody has said that it is not wanted. Not known before and not running: nothing to keep.
    }
    if reply.protocol == Protocol::V1 {
        for (name, old) in before.iter().filter(|(name, _)| !reply.features.contains_key(*name)) {
            after.insert(name.clone(), Kept { mark: Mark::NotNamed, said: old.said.clone() });
        }
    }
    after
}
