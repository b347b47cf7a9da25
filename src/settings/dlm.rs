//! The settings of the lock server, below `disco/dlm/`: whom to ask, as whom, and what live runs have to do with it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::resolve::{Said, number, truth};
use crate::settings::table::Name;
use crate::settings::{SettingsError, Sourced};

/// The longest that a run waits for the lock: thirty days.
const LONGEST_WAIT: usize = 30 * 24 * 3600;

/// What becomes of the cluster's lock after a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// This node keeps it, so that no other one does the same.
    Keep,
    /// It is released.
    Release,
    /// It is released, and the server counts a failure.
    Failed,
}

impl OnFailure {
    /// As one would type it.
    pub fn word(self) -> &'static str {
        match self {
            OnFailure::Keep => "keep",
            OnFailure::Release => "release",
            OnFailure::Failed => "failed",
        }
    }

    /// What that word says.
    pub fn of_word(word: &str) -> Result<OnFailure, String> {
        let all = [OnFailure::Keep, OnFailure::Release, OnFailure::Failed];
        all.into_iter()
            .find(|what| what.word() == word)
            .ok_or_else(|| "use keep, release or failed".to_owned())
    }
}

/// The lock server, and what runs have to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dlm {
    /// The server; none where nobody named one.
    pub url: Sourced<Option<String>>,
    /// The lock of live runs; none where nobody named one.
    pub lock: Sourced<Option<String>>,
    /// Whether live runs take it.
    pub take: Sourced<bool>,
    /// How long they wait for it.
    pub wait: Sourced<Duration>,
    /// What becomes of it after a failure.
    pub on_failure: Sourced<OnFailure>,
    /// Whether a live run needs the server.
    pub required: Sourced<bool>,
    /// The node's certificate; none where it is to be looked for.
    pub cert: Sourced<Option<PathBuf>>,
    /// Its key.
    pub key: Sourced<Option<PathBuf>>,
    /// Whom to believe; none where that is to be looked for.
    pub ca: Sourced<Option<PathBuf>>,
    /// Who logs in; none where the certificate says who asks.
    pub user: Sourced<Option<String>>,
}

impl Dlm {
    /// Those that are said.
    pub(super) fn resolve(said: &Said<'_>) -> Result<Dlm, SettingsError> {
        let text = |text: &str| Ok((!text.is_empty()).then(|| text.to_owned()));
        let path = |text: &str| Ok((!text.is_empty()).then(|| PathBuf::from(text)));
        Ok(Dlm {
            url: said.parse(Name::DlmUrl, text)?,
            lock: said.parse(Name::DlmLock, text)?,
            take: said.parse(Name::DlmTake, truth)?,
            wait: said.parse(Name::DlmWait, |text| match text {
                "0" => Ok(Duration::ZERO),
                text => number(text, LONGEST_WAIT).map(|seconds| Duration::from_secs(seconds as u64)),
            })?,
            on_failure: said.parse(Name::DlmOnFailure, OnFailure::of_word)?,
            required: said.parse(Name::DlmRequired, truth)?,
            cert: said.parse(Name::DlmCert, path)?,
            key: said.parse(Name::DlmKey, path)?,
            ca: said.parse(Name::DlmCa, path)?,
            user: said.parse(Name::DlmUser, text)?,
        })
    }

    /// The value of one of them and where it came from; empty for the name of another setting.
    pub(super) fn row(&self, name: Name) -> (String, String) {
        fn shown<T>(sourced: &Sourced<T>, show: impl Fn(&T) -> String) -> (String, String) {
            (show(&sourced.value), sourced.origin.to_string())
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let path =
            |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        match name {
            Name::DlmUrl => shown(&self.url, text),
            Name::DlmLock => shown(&self.lock, text),
            Name::DlmTake => shown(&self.take, bool::to_string),
            Name::DlmWait => shown(&self.wait, |wait| wait.as_secs().to_string()),
            Name::DlmOnFailure => shown(&self.on_failure, |what| what.word().to_owned()),
            Name::DlmRequired => shown(&self.required, bool::to_string),
            Name::DlmCert => shown(&self.cert, path),
            Name::DlmKey => shown(&self.key, path),
            Name::DlmCa => shown(&self.ca, path),
            Name::DlmUser => shown(&self.user, text),
            _ => (String::new(), String::new()),
        }
    }
}
