//! A proxy's folder of settings: `settings.yml`, `settings.d`, and disco's own `register.yml` beside them.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::settings::global::Global;
use crate::settings::{Settings, SettingsError, Value, load};

/// A folder that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is no `settings.yml` in it.
    #[error("there are no settings of a proxy: {} is not there", .0.display())]
    Absent(PathBuf),
    /// A file cannot be used.
    #[error("the settings of the proxy cannot be used")]
    Settings(#[from] SettingsError),
}

/// What a folder sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `settings.yml`.
    pub global: Global,
    /// Where the features' files are.
    pub features: PathBuf,
    /// `register.yml`.
    pub register: Register,
}

/// As whom a node registers: `register.yml`. Secrets are in files of their own. What it does not say is for whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    /// The Foreman.
    pub foreman_url: Option<String>,
    /// What the proxy is called there.
    pub name: Option<String>,
    /// Where the Foreman finds it.
    pub url: Option<String>,
    /// Who logs in.
    pub user: Option<String>,
    /// The file with the password, or a personal access token.
    pub password_file: Option<PathBuf>,
    /// Foreman's setting `oauth_consumer_key`.
    pub oauth_key: Option<String>,
    /// The file with Foreman's setting `oauth_consumer_secret`.
    pub oauth_secret_file: Option<PathBuf>,
    /// As which of Foreman's users a consumer acts.
    pub oauth_user: Option<String>,
}

impl Register {
    /// What the file sets.
    pub fn of(file: &Settings) -> Result<Register, SettingsError> {
        let mut register = Register::default();
        for setting in &file.all {
            let text = match &setting.value {
                Value::Text(text) if !text.is_empty() => text.clone(),
                Value::Null => continue,
                other => return Err(file.wrong(setting, format!("must be a text, and is {}", other.kind()))),
            };
            match setting.key.as_str() {
                "foreman_url" => register.foreman_url = Some(text),
                "name" => register.name = Some(text),
                "url" => register.url = Some(text),
                "user" => register.user = Some(text),
                "password_file" => register.password_file = Some(text.into()),
                "oauth_consumer_key" => register.oauth_key = Some(text),
                "oauth_consumer_secret_file" => register.oauth_secret_file = Some(text.into()),
                "oauth_user" => register.oauth_user = Some(text),
                "password" | "oauth_consumer_secret" => {
                    let why =
                        format!("does not belong here: name a file for it, as `:{}_file:`", setting.key);
                    return Err(file.wrong(setting, why));
                }
                _ => return Err(file.wrong(setting, "is nothing that a registration has")),
            }
        }
        Ok(register)
    }
}

impl Config {
    /// What this folder sets.
    pub fn read(folder: &Path) -> Result<Config, ConfigError> {
        let path = folder.join("settings.yml");
        let global = load::load(&path)?.ok_or(ConfigError::Absent(path))?;
        let global = Global::of(&global)?;
        let features = global.settings_directory.clone().unwrap_or_else(|| folder.join("settings.d"));
        let register = load::load(&folder.join("register.yml"))?;
        let register = register.as_ref().map_or(Ok(Register::default()), Register::of)?;
        Ok(Config { global, features, register })
    }

    /// Where others find this proxy: what `register.yml` says, or else by the node's name.
    pub fn url(&self, node: &str) -> String {
        match (&self.register.url, &self.global.ssl, self.global.http_port) {
            (Some(url), ..) => url.clone(),
            (None, None, Some(port)) => format!("http://{node}:{port}"),
            (None, Some(_), _) | (None, None, None) => format!("https://{node}:{}", self.global.https_port),
        }
    }

    /// The Foreman, where one is set.
    pub fn foreman(&self) -> Option<&str> {
        self.register.foreman_url.as_deref().or(self.global.foreman_url.as_deref())
    }
}
