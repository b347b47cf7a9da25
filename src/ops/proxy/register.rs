//! This node's registration with a Foreman: from `settings.yml` and `register.yml`, and what somebody says beside them.

use std::path::{Path, PathBuf};

use disco_agent::face::clock;
use disco_agent::node::enrol::{Enrolment, enrol};
use disco_agent::node::identity::Identity;
use disco_agent::node::{Config, Register};
use disco_agent::register::foreman::{Foreman, Registration};
use disco_agent::register::login::Login;
use disco_agent::register::oauth::Consumer;
use disco_agent::register::print::Registered;

use crate::model::address;
use crate::settings::Settings;
use crate::sys::files;

use super::{ProxyError, kept, own_url};

/// What is wanted of a registration.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The folder of this node's settings as a proxy.
    pub folder: PathBuf,
    /// What is said beside `register.yml`, and counts more.
    pub said: Register,
    /// The authority of the Foreman, where it is another than that of the settings.
    pub ca: Option<PathBuf>,
    /// Only where something has changed since the last time.
    pub if_changed: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What this node is there.
    pub kept: Registered,
    /// What was done; none where nothing has changed.
    pub registration: Option<Registration>,
}

/// Refreshes the registration where what this node offers, its name or its url has changed since the last one: for whoever serves its
/// face, after each start and whenever settings were read again, and once in a while, since features fail and come back. It goes to
/// the Foreman only after a change. `None` where `register.yml` names nobody to log in: nobody has asked for a registration.
pub fn tend(settings: &Settings, folder: &Path) -> Result<Option<Done>, ProxyError> {
    let said = Register::default();
    let wanted = Wanted { folder: folder.to_owned(), said, ca: None, if_changed: true };
    match register(settings, &wanted, &mut |_| None) {
        Ok(done) => Ok(Some(done)),
        Err(ProxyError::NoLogin | ProxyError::NoForeman) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Registers this node. `ask` is asked for a secret that is in no file.
pub fn register(
    settings: &Settings,
    wanted: &Wanted,
    ask: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Done, ProxyError> {
    let mut config = Config::read(&wanted.folder)?;
    lay(&mut config.register, &wanted.said);
    let address = config.foreman().ok_or(ProxyError::NoForeman)?;
    // As for uploads: the login, or what it signs, goes nowhere in clear.
    let address = address::address(address, false)
        .map_err(|why| ProxyError::Unfit { address: without_login(address), why })?
        .ok_or(ProxyError::NoForeman)?;
    let login = login(&config.register, ask)?;
    let to_foreman = Identity::to_foreman(&config);
    let to_foreman = Identity { ca: wanted.ca.clone().or(to_foreman.ca), ..to_foreman };
    let foreman = Foreman::new(&address, to_foreman.http()?, login, clock::system());
    let foreman = foreman.map_err(ProxyError::Address)?;
    let own = Identity::to_proxies(&config).http()?;
    let url = own_url(&config, settings);
    let name = config.register.name.as_deref().unwrap_or(settings.node.value.as_str());
    let before = if wanted.if_changed { kept::registered(settings)? } else { None };
    let enrolment = Enrolment { name, url: &url, own: &own, foreman: &foreman };
    match (enrol(&enrolment, before.as_ref())?, before) {
        (Some((kept, registration)), _) => {
            kept::keep_registered(settings, &kept)?;
            Ok(Done { kept, registration: Some(registration) })
        }
        (None, Some(kept)) => Ok(Done { kept, registration: None }),
        // Without anything kept there is always something to do.
        (None, None) => Err(ProxyError::NoForeman),
    }
}

/// An address as it may be shown.
fn without_login(address: &str) -> String {
    let (start, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    match rest.split_once('@') {
        Some((_, rest)) => format!("{start}://…@{rest}"),
        None => address.to_owned(),
    }
}

/// Lays what is said over what the file has. A login that is said is the only one.
fn lay(file: &mut Register, said: &Register) {
    let Register { foreman_url, name, url, .. } = said.clone();
    file.foreman_url = foreman_url.or(file.foreman_url.take());
    file.name = name.or(file.name.take());
    file.url = url.or(file.url.take());
    if said.user.is_some() || said.oauth_key.is_some() {
        let (foreman_url, name, url) = (file.foreman_url.take(), file.name.take(), file.url.take());
        *file = Register { foreman_url, name, url, ..said.clone() };
    }
}

fn login(register: &Register, ask: &mut dyn FnMut(&str) -> Option<String>) -> Result<Login, ProxyError> {
    match (&register.user, &register.oauth_key) {
        (Some(user), None) => {
            let question = format!("Password of {user}: ");
            let password = secret(register.password_file.as_deref(), &question, "password", ask)?;
            Ok(Login::Basic { user: user.clone(), password })
        }
        (None, Some(key)) => {
            let question = format!("Secret of the consumer {key}: ");
            let file = register.oauth_secret_file.as_deref();
            let secret = secret(file, &question, "secret of the consumer", ask)?;
            let consumer = Consumer { key: key.clone(), secret };
            Ok(Login::OAuth { consumer, user: register.oauth_user.clone() })
        }
        (None, None) => Err(ProxyError::NoLogin),
        (Some(_), Some(_)) => Err(ProxyError::TwoLogins),
    }
}

/// A secret from a file that nobody else can read, or from whoever is there.
fn secret(
    file: Option<&Path>,
    question: &str,
    what: &'static str,
    ask: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<String, ProxyError> {
    let Some(file) = file else { return ask(question).ok_or(ProxyError::NoSecret { what }) };
    if files::look(file)?.is_none() {
        return Err(ProxyError::Absent(file.to_owned()));
    }
    if files::mode(file)? & 0o077 != 0 {
        return Err(ProxyError::Open(file.to_owned()));
    }
    let text = files::read_to_string(file)?;
    let secret = text.lines().next().unwrap_or_default().trim_end().to_owned();
    if secret.is_empty() { Err(ProxyError::NoSecret { what }) } else { Ok(secret) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_said_is_the_only_one() {
        let mut file = Register {
            name: Some("n".into()),
            foreman_url: Some("f".into()),
            oauth_key: Some("k".into()),
            oauth_secret_file: Some("/s".into()),
            ..Register::default()
        };
        let said = Register { user: Some("u".into()), foreman_url: Some("g".into()), ..Register::default() };
        lay(&mut file, &said);
        let expected = Register { name: Some("n".into()), ..said };
        assert_eq!(file, expected);
        lay(&mut file, &Register { url: Some("here".into()), ..Register::default() });
        assert_eq!(file, Register { url: Some("here".into()), ..expected });
    }

    #[test]
    fn secrets_are_in_files_that_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let put = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let get = |file: Option<&Path>, answer: Option<&str>| {
            secret(file, "?", "password", &mut |_| answer.map(str::to_owned))
                .map_err(|error| error.to_string())
        };
        put("geheim \r\nrest\n", 0o600);
        assert_eq!(get(Some(&file), None).as_deref(), Ok("geheim"));
        put("geheim\n", 0o640);
        assert!(get(Some(&file), None).unwrap_err().starts_with("others can read "));
        put("\n", 0o600);
        assert_eq!(get(Some(&file), Some("typed")).unwrap_err(), "there is no password");
        let nowhere = folder.path().join("nowhere");
        assert!(get(Some(&nowhere), Some("typed")).unwrap_err().contains("nowhere is not there"));
        assert_eq!(get(None, Some("typed")).as_deref(), Ok("typed"));
        assert_eq!(get(None, None).unwrap_err(), "there is no password");
    }
}
