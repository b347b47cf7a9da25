//! The settings below `disco/upload/`: who is told of runs beyond this node, as whom, and what.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::settings::resolve::{Said, truth};
use crate::settings::table::{Name, Setting};
use crate::settings::{SettingsError, Sourced};

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
}

impl Upload {
    /// Those that are said.
    pub(super) fn resolve(said: &Said<'_>) -> Result<Upload, SettingsError> {
        let text = |text: &str| Ok((!text.is_empty()).then(|| text.to_owned()));
        let path = |text: &str| Ok((!text.is_empty()).then(|| PathBuf::from(text)));
        Ok(Upload {
            foreman: said.parse(Name::Upload(Key::Foreman), |text| address(text, false))?,
            facts: said.parse(Name::Upload(Key::Facts), truth)?,
            webhook: said.parse(Name::Upload(Key::Webhook), |text| address(text, true))?,
            webhook_secret: said.parse(Name::Upload(Key::WebhookSecret), text)?,
            user: said.parse(Name::Upload(Key::User), text)?,
            password_file: said.parse(Name::Upload(Key::PasswordFile), path)?,
            cert: said.parse(Name::Upload(Key::Cert), path)?,
            key: said.parse(Name::Upload(Key::Key), path)?,
            ca: said.parse(Name::Upload(Key::Ca), path)?,
        })
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

/// An address to send to: with encryption, but on this node itself, and without a login, which would be shown.
fn address(text: &str, whole: bool) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = if whole { text } else { text.trim_end_matches('/') };
    let allowed = || Err("use https://HOST[:PORT][/PATH]".to_owned());
    let Some((scheme, rest)) = text.split_once("://") else { return allowed() };
    let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(
            "leave the login out, which would be shown to everybody: set disco/upload/user".to_owned()
        );
    }
    let fits = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c);
    if authority.is_empty() || authority.starts_with(':') || !rest.chars().all(fits) {
        return allowed();
    }
    if !whole && after.contains('?') {
        return Err("leave out what follows the ?".to_owned());
    }
    let host = match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    };
    match scheme {
        "https" => Ok(Some(text.to_owned())),
        "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(Some(text.to_owned())),
        "http" => Err("use https://: http:// is for this node itself (localhost) alone".to_owned()),
        _ => allowed(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_checked_where_they_come_in() {
        for (text, whole, expected) in [
            ("", false, Some(None)),
            ("https://foreman.example.com/", false, Some(Some("https://foreman.example.com"))),
            ("https://f:8443/below/", false, Some(Some("https://f:8443/below"))),
            ("https://f/?x=1", false, None),
            ("https://h/hook/?x=1", true, Some(Some("https://h/hook/?x=1"))),
            ("http://127.0.0.1:80/x", true, Some(Some("http://127.0.0.1:80/x"))),
            ("http://[::1]:80", true, Some(Some("http://[::1]:80"))),
            ("http://localhost.evil.example", true, None),
            ("http://f", false, None),
            ("https://eve:pw@f", false, None),
            ("https://", true, None),
            ("https://:443", true, None),
            ("https://a b", true, None),
            ("f.example.com", true, None),
            ("ftp://f", true, None),
        ] {
            let found = address(text, whole);
            assert_eq!(found.ok(), expected.map(|one| one.map(str::to_owned)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_an_address_has_no_login_and_stays_one(text in "\\PC{0,40}", whole: bool) {
            if let Ok(Some(found)) = address(&format!("https://{text}"), whole) {
                prop_assert_eq!(address(&found, whole), Ok(Some(found.clone())));
                let authority = found["https://".len()..].split(['/', '?']).next().unwrap();
                prop_assert!(!authority.is_empty() && !authority.contains('@'));
            }
        }
    }
}
