//! What is kept of proxies between two looks: plain JSON in disco's home.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use disco_agent::client::keep::Features;
use disco_agent::register::print::Registered;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ops::dance::prepare_home;
use crate::settings::Settings;
use crate::sys::files::{self, FileError, Ownership};

use super::ProxyError;

/// The version of the files' form.
const SCHEMA: u32 = 1;

/// Proxies by url.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Form {
    schema: u32,
    proxies: BTreeMap<String, Features>,
}

/// All proxies that are known.
pub(super) fn proxies(settings: &Settings) -> Result<BTreeMap<String, Features>, FileError> {
    let form: Option<Form> = read(&settings.home.value.join("proxies.json"))?;
    Ok(form.unwrap_or_default().proxies)
}

/// Keeps them.
pub(super) fn keep_proxies(
    settings: &Settings,
    proxies: &BTreeMap<String, Features>,
) -> Result<(), ProxyError> {
    write(settings, "proxies.json", &Form { schema: SCHEMA, proxies: proxies.clone() })
}

/// The last registration of this node.
pub(super) fn registered(settings: &Settings) -> Result<Option<Registered>, FileError> {
    read(&settings.home.value.join("registered.json"))
}

/// Keeps it.
pub(super) fn keep_registered(settings: &Settings, registered: &Registered) -> Result<(), ProxyError> {
    write(settings, "registered.json", registered)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let Some(text) = files::read_if_there(path)? else { return Ok(None) };
    let form = serde_json::from_str(&text);
    form.map(Some).map_err(|error| FileError::at("understand", path)(io::Error::other(error)))
}

fn write(settings: &Settings, name: &str, form: &impl Serialize) -> Result<(), ProxyError> {
    let home = prepare_home(settings).map_err(|error| ProxyError::Home(Box::new(error)))?.home.value;
    let path = home.join(name);
    let json = serde_json::to_vec_pretty(form);
    let json = json.map_err(|error| FileError::at("write", &path)(io::Error::other(error)))?;
    Ok(files::write_whole(&path, &json, Ownership::New(0o600))?)
}
