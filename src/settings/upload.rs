//! The settings below `disco/upload/`: who is told of runs beyond this node, as whom, and what.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::address::address;
use crate::settings::Sourced;
use crate::settings::resolve::{Said, truth};
use crate::settings::table::{Name, Setting};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The Foreman.
    Foreman,
    /// Whether it gets facts too.
    Facts,
    /// The webhook.
    Webhook,
    /// What its messages are signed with.
    WebhookSecret,
    /// Who logs in to the Foreman.
    User,
    /// The file with that password.
    PasswordFile,
    /// This node's certificate.
    Cert,
    /// Its key.
    Key,
    /// Whom to believe.
    Ca,
}

/// Who is told of runs, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The Foreman, without a slash at the end; none where nobody named one.
    pub foreman: Sourced<Option<String>>,
    /// Whether it gets facts too.
    pub facts: Sourced<bool>,
    /// The webhook; none where nobody named one.
    pub webhook: Sourced<Option<String>>,
    /// What its messages are signed with; never shown.
    pub webhook_secret: Sourced<Option<String>>,
    /// Who logs in to the Foreman; none where the certificate says who comes.
    pub user: Sourced<Option<String>>,
    /// The file with that password.
    pub password_file: Sourced<Option<PathBuf>>,
    /// The node's certificate; none where it is to be looked for.
    pub cert: Sourced<Option<PathBuf>>,
    /// Its key.
    pub key: Sourced<Option<PathBuf>>,
    /// Whom to believe; none where that is to be looked for.
    pub ca: Sourced<Option<PathBuf>>,
    /// What cannot be used, and why: its names, without values, which may be secret.
    #[serde(default)]
    pub wrong: Vec<String>,
}

/// What is said, as far as it can be read.
struct Read<'a> {
    said: &'a Said<'a>,
    wrong: Vec<(Key, String)>,
}

impl Read<'_> {
    fn one<T: Default>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, String>) -> Sourced<T> {
        self.said.parse(Name::Upload(key), parse).unwrap_or_else(|error| {
            self.wrong.push((key, error.without_value()));
            Sourced { value: T::default(), origin: error.origin }
        })
    }
}

impl Upload {
    /// Those that are said. One that cannot be read ends no run: whom it is about is told nothing, and [`Upload::wrong`] says so.
    pub(super) fn resolve(said: &Said<'_>) -> Upload {
        let text = |text: &str| Ok((!text.is_empty()).then(|| text.to_owned()));
        let path = |text: &str| Ok((!text.is_empty()).then(|| PathBuf::from(text)));
        let mut read = Read { said, wrong: Vec::new() };
        let mut upload = Upload {
            foreman: read.one(Key::Foreman, |text| address(text, false)),
            facts: read.one(Key::Facts, truth),
            webhook: read.one(Key::Webhook, |text| address(text, true)),
            webhook_secret: read.one(Key::WebhookSecret, text),
            user: read.one(Key::User, text),
            password_file: read.one(Key::PasswordFile, path),
            cert: read.one(Key::Cert, path),
            key: read.one(Key::Key, path),
            ca: read.one(Key::Ca, path),
            wrong: Vec::new(),
        };
        for (key, why) in read.wrong {
            // Without what somebody has asked for, a message would go out unsigned, or to whom nobody believes.
            let (foreman, webhook) = match key {
                Key::Facts => (false, false),
                Key::Webhook | Key::WebhookSecret => (false, true),
                Key::Foreman | Key::User | Key::PasswordFile | Key::Cert | Key::Key => (true, false),
                Key::Ca => (true, true),
            };
            upload.foreman.value = upload.foreman.value.filter(|_| !foreman);
            upload.webhook.value = upload.webhook.value.filter(|_| !webhook);
            upload.wrong.push(why);
        }
        upload
    }

    /// The value of one of them and where it came from.
    pub(super) fn row(&self, key: Key) -> (String, String) {
        fn shown<T>(sourced: &Sourced<T>, show: impl Fn(&T) -> String) -> (String, String) {
            (show(&sourced.value), sourced.origin.to_string())
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let path =
            |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        match key {
            Key::Foreman => shown(&self.foreman, text),
            Key::Facts => shown(&self.facts, bool::to_string),
            Key::Webhook => shown(&self.webhook, text),
            Key::WebhookSecret => {
                shown(&self.webhook_secret, |secret| secret.as_ref().map_or("", |_| "(hidden)").to_owned())
            }
            Key::User => shown(&self.user, text),
            Key::PasswordFile => shown(&self.password_file, path),
            Key::Cert => shown(&self.cert, path),
            Key::Key => shown(&self.key, path),
            Key::Ca => shown(&self.ca, path),
        }
    }
}

const fn row(key: Key, path: &'static str, default: &'static str, about: &'static str) -> Setting {
    let name = Name::Upload(key);
    Setting { name, label: path, flag: None, parameter: Some(path), variable: None, default, about }
}

/// Their rows of the table, in the order in which they are shown.
pub(super) const ROWS: [Setting; 9] = [
    row(Key::Foreman, "upload/foreman", "", "the Foreman that is told of runs: https://HOST[:PORT]"),
    row(Key::Facts, "upload/facts", "true", "send it the node's facts with each run"),
    row(Key::Webhook, "upload/webhook", "", "the address that each run is posted to as JSON"),
    row(Key::WebhookSecret, "upload/webhook_secret", "", "what those messages are signed with (HMAC-SHA256)"),
    row(Key::User, "upload/user", "", "log in to the Foreman as this user"),
    row(Key::PasswordFile, "upload/password_file", "", "the file with that password; by default ~/.netrc"),
    row(
        Key::Cert,
        "upload/cert",
        "",
        "this node's certificate (PEM); by default disco's, Puppet's or Katello's",
    ),
    row(Key::Key, "upload/key", "", "its key"),
    row(
        Key::Ca,
        "upload/ca",
        "",
        "the authorities of those servers (PEM); by default those beside the certificate, or the system's",
    ),
];
