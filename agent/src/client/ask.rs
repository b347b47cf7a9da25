//! Asks a proxy what it offers: the newer way, and the older one only where there is no newer. Blocking.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::client::http::{Http, Question, Unreachable};
use crate::client::reply::{self, NoReply, Reply};

/// A proxy that has not said what it offers.
#[derive(Debug, Error)]
pub enum AskError {
    /// There was no answer.
    #[error("unable to communicate with the proxy")]
    Unreachable(#[source] Unreachable),
    /// The answer was no.
    #[error("unable to communicate with the proxy: {url} answered {status}: {said}")]
    Refused {
        /// What was asked.
        url: String,
        /// With which status.
        status: u16,
        /// The start of what it said.
        said: String,
    },
    /// The answer was something else.
    #[error("unable to communicate with the proxy: {url}")]
    Strange {
        /// What was asked.
        url: String,
        /// How.
        #[source]
        source: NoReply,
    },
}

/// The url of a proxy as it is kept: one slash at its end is taken off.
pub fn plain_url(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

/// What the proxy at that url offers.
pub fn features(http: &Http, url: &str) -> Result<Reply, AskError> {
    let base = plain_url(url);
    match get(http, format!("{base}/v2/features"), reply::v2) {
        // This alone says that there is no newer way; whatever else went wrong would go wrong in the older one too, or hide.
        Err(AskError::Refused { status: 404, .. }) => get(http, format!("{base}/features"), reply::v1),
        answer => answer,
    }
}

/// Why features have failed, as the proxy's log says it, by their names; nothing where it does not say that, or not to this client.
pub fn failures(http: &Http, url: &str) -> BTreeMap<String, String> {
    get(http, format!("{}/logs", plain_url(url)), reply::failures).unwrap_or_default()
}

fn get<T>(http: &Http, url: String, read: fn(&str) -> Result<T, NoReply>) -> Result<T, AskError> {
    let question = Question { method: "GET", url: &url, headers: &[], body: None };
    let answer = http.ask(&question).map_err(AskError::Unreachable)?;
    if answer.status != 200 {
        let said: String = answer.body.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(AskError::Refused { url, status: answer.status, said });
    }
    read(&answer.body).map_err(|source| AskError::Strange { url, source })
}
