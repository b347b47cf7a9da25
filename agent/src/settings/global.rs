//! `settings.yml`: what holds for all features.

use std::path::PathBuf;

use crate::settings::error::SettingsError;
use crate::settings::value::Value;
use crate::settings::yaml::{Setting, Settings};

/// The files of TLS. HTTPS is served only where all three are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The CA that clients' certificates come from.
    pub ca: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// What holds for all features. What a file does not set is as in a smart proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Global {
    /// Where the features' files are; `None` is `settings.d` beside `settings.yml`.
    pub settings_directory: Option<PathBuf>,
    /// The files of TLS; `None` where one of the three is not set.
    pub ssl: Option<SslFiles>,
    /// The port of plain HTTP; off by default.
    pub http_port: Option<u16>,
    /// The port of HTTPS.
    pub https_port: u16,
    /// The addresses; `*` is all.
    pub bind_host: Vec<String>,
    /// Who may ask for more than names; `None` is anybody with a good certificate, an empty list is nobody.
    pub trusted_hosts: Option<Vec<String>>,
    /// Whether the name of a client of plain HTTP must lead back to its address.
    pub forward_verify: bool,
    /// The Foreman, with a slash at its end.
    pub foreman_url: Option<String>,
    /// What a Foreman's certificate is checked with; `None` is as for this proxy's clients.
    pub foreman_ssl_ca: Option<PathBuf>,
    /// The certificate that a Foreman is shown.
    pub foreman_ssl_cert: Option<PathBuf>,
    /// Its key.
    pub foreman_ssl_key: Option<PathBuf>,
    /// `STDOUT`, `SYSLOG`, `JOURNAL` or a file.
    pub log_file: String,
    /// How much is logged: `DEBUG`, `INFO`, `WARN`, `ERROR`, `FATAL`.
    pub log_level: String,
    /// How many records `/logs` has.
    pub log_buffer: usize,
    /// How many errors that have left these it has besides.
    pub log_buffer_errors: usize,
    /// Versions of TLS that are not spoken; 1.0 and 1.1 never are.
    pub tls_disabled_versions: Vec<String>,
    /// What is worth a warning.
    pub warnings: Vec<String>,
}

/// Keys of a smart proxy that say nothing to disco, and are no mistake.
const OTHERS: [&str; 9] = [
    "daemon",
    "daemon_pid",
    "virsh_network",
    "ssl_disabled_ciphers",
    "dns_resolv_timeouts",
    "file_rolling_keep",
    "file_rolling_size",
    "file_rolling_age",
    "file_logging_pattern",
];
/// All that is read here.
const KNOWN: [&str; 19] = [
    "settings_directory",
    "ssl_certificate",
    "ssl_ca_file",
    "ssl_private_key",
    "http_port",
    "https_port",
    "bind_host",
    "trusted_hosts",
    "forward_verify",
    "foreman_url",
    "foreman_ssl_ca",
    "foreman_ssl_cert",
    "foreman_ssl_key",
    "log_file",
    "log_level",
    "log_buffer",
    "log_buffer_errors",
    "tls_disabled_versions",
    "system_logging_pattern",
];

impl Global {
    /// What the file sets.
    pub fn of(file: &Settings) -> Result<Global, SettingsError> {
        let read = Read { file };
        let (ssl, mut warnings) = read.ssl()?;
        let trusted_hosts = read.optional("trusted_hosts", texts)?;
        for host in trusted_hosts.iter().flatten().filter(|host| **host != host.to_lowercase()) {
            warnings.push(format!(
                "{}: `:trusted_hosts:` has {host}, which matches nobody: names are compared in lower case",
                file.file
            ));
        }
        let global = Global {
            settings_directory: read.path("settings_directory")?,
            ssl,
            http_port: read.optional("http_port", port)?,
            https_port: read.optional("https_port", port)?.unwrap_or(8443),
            bind_host: read.optional("bind_host", texts)?.unwrap_or_else(|| vec![String::from("*")]),
            trusted_hosts,
            forward_verify: read.optional("forward_verify", truth)?.unwrap_or(true),
            foreman_url: read.optional("foreman_url", text)?.map(slashed),
            foreman_ssl_ca: read.path("foreman_ssl_ca")?,
            foreman_ssl_cert: read.path("foreman_ssl_cert")?,
            foreman_ssl_key: read.path("foreman_ssl_key")?,
            log_file: read
                .optional("log_file", text)?
                .unwrap_or_else(|| String::from("/var/log/foreman-proxy/proxy.log")),
            log_level: read.optional("log_level", level)?.unwrap_or_else(|| String::from("INFO")),
            log_buffer: read.optional("log_buffer", size)?.unwrap_or(2000),
            log_buffer_errors: read.optional("log_buffer_errors", size)?.unwrap_or(1000),
            tls_disabled_versions: read.optional("tls_disabled_versions", versions)?.unwrap_or_default(),
            warnings: vec![],
        };
        for setting in &file.all {
            let known = KNOWN.contains(&&*setting.key) || OTHERS.contains(&&*setting.key);
            if !known {
                let Setting { key, line, .. } = setting;
                warnings.push(format!("{}:{line}: `:{key}:` is no setting, and is ignored", file.file));
            }
        }
        if global.bind_host.is_empty() {
            return Err(read.whole("`:bind_host:` has no address"));
        }
        if global.http_port.is_none() && global.ssl.is_none() {
            return Err(read.whole("both http and https are disabled, unable to start"));
        }
        Ok(Global { warnings, ..global })
    }
}

struct Read<'a> {
    file: &'a Settings,
}

impl Read<'_> {
    /// The value as `form` takes it; `None` where there is none.
    fn optional<T>(
        &self,
        key: &str,
        form: impl Fn(&Value) -> Result<T, &'static str>,
    ) -> Result<Option<T>, SettingsError> {
        let Some(setting) = self.file.get(key) else { return Ok(None) };
        if setting.value == Value::Null {
            return Ok(None);
        }
        let wrong =
            |wanted| self.file.wrong(setting, format!("must be {wanted}, and is {}", setting.value.kind()));
        form(&setting.value).map(Some).map_err(wrong)
    }

    fn path(&self, key: &str) -> Result<Option<PathBuf>, SettingsError> {
        Ok(self.optional(key, text)?.map(PathBuf::from))
    }

    fn whole(&self, why: &str) -> SettingsError {
        SettingsError::Whole { file: self.file.file.clone(), why: why.to_owned() }
    }

    fn ssl(&self) -> Result<(Option<SslFiles>, Vec<String>), SettingsError> {
        let all = [
            ("ssl_certificate", self.path("ssl_certificate")?),
            ("ssl_ca_file", self.path("ssl_ca_file")?),
            ("ssl_private_key", self.path("ssl_private_key")?),
        ];
        let missing: Vec<&str> = all.iter().filter(|(_, path)| path.is_none()).map(|(key, _)| *key).collect();
        let [(_, certificate), (_, ca), (_, key)] = all;
        if let (Some(certificate), Some(ca), Some(key)) = (certificate, ca, key) {
            return Ok((Some(SslFiles { certificate, ca, key }), vec![]));
        }
        let missing: Vec<String> = missing.iter().map(|key| format!("`:{key}:`")).collect();
        let warning = format!(
            "{}: missing SSL setup, https is disabled: {} not set",
            self.file.file,
            missing.join(", ")
        );
        Ok((None, vec![warning]))
    }
}

fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::Text(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err("a text"),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    value.texts().ok_or("a text or a list of texts")
}

fn port(value: &Value) -> Result<u16, &'static str> {
    let wanted = "a port from 1 to 65535";
    match value {
        Value::Int(port) => u16::try_from(*port).ok().filter(|port| *port > 0).ok_or(wanted),
        // Quoted, it is as good for a smart proxy.
        Value::Text(text) => text.parse().ok().filter(|port| *port > 0).ok_or(wanted),
        _ => Err(wanted),
    }
}

fn size(value: &Value) -> Result<usize, &'static str> {
    let wanted = "a number from 2 to 1000000";
    match value {
        Value::Int(size) if (2..=1_000_000).contains(size) => usize::try_from(*size).map_err(|_| wanted),
        _ => Err(wanted),
    }
}

fn truth(value: &Value) -> Result<bool, &'static str> {
    match value {
        Value::Bool(value) => Ok(*value),
        _ => Err("true or false"),
    }
}

fn level(value: &Value) -> Result<String, &'static str> {
    let wanted = "DEBUG, INFO, WARN, ERROR or FATAL";
    let level = text(value).map_err(|_| wanted)?.to_uppercase();
    if ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"].contains(&&*level) { Ok(level) } else { Err(wanted) }
}

/// Versions are written as numbers too: `[1.1]`.
fn versions(value: &Value) -> Result<Vec<String>, &'static str> {
    let one = |value: &Value| match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Int(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => Err("versions such as 1.2"),
    };
    match value {
        Value::List(list) => list.iter().map(one).collect(),
        other => one(other).map(|one| vec![one]),
    }
}

fn slashed(url: String) -> String {
    if url.ends_with('/') { url } else { url + "/" }
}
