//! Where the master is, and what its parts are called there. Pure.

use thiserror::Error;

use crate::fetch::What;

/// The master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An rsync daemon: `rsync://[USER@]HOST[:PORT]`, without a slash at the end.
    Url(String),
    /// An rsync daemon, over ssh where the command line says so: `[USER@]HOST`.
    Host(String),
    /// A folder of this host, with `parameters/` and `modules/`, without a slash at the end.
    Folder(String),
}

/// A `disco/server/uri` that names no master.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{uri:?} names no master: use rsync://HOST[:PORT], [USER@]HOST or the absolute path of a folder")]
pub struct SourceError {
    uri: String,
}

impl Source {
    /// The master that a `disco/server/uri` names.
    pub fn parse(uri: &str) -> Result<Source, SourceError> {
        let bad = || SourceError { uri: uri.to_owned() };
        if let Some(rest) = uri.strip_prefix("rsync://") {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let (authority, port) = match rest.rsplit_once(':') {
                Some((host, port)) if !port.contains(']') => (host, Some(port)),
                Some(_) | None => (rest, None),
            };
            let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
            return if good_port && is_host(authority) {
                Ok(Source::Url(format!("rsync://{rest}")))
            } else {
                Err(bad())
            };
        }
        if uri.starts_with('/') {
            let folder = uri.trim_end_matches('/');
            return if uri.contains(['\n', '\0']) {
                Err(bad())
            } else {
                Ok(Source::Folder(folder.to_owned()))
            };
        }
        if is_host(uri) { Ok(Source::Host(uri.to_owned())) } else { Err(bad()) }
    }

    /// What rsync calls that part of the master, with a slash at the end: its content.
    pub fn of(&self, what: &What) -> String {
        match (self, what) {
            (Source::Url(url), What::Parameters(node)) => format!("{url}/parameters/{node}/"),
            (Source::Url(url), What::Module(module)) => format!("{url}/{module}/"),
            (Source::Host(host), What::Parameters(node)) => format!("{host}::parameters/{node}/"),
            (Source::Host(host), What::Module(module)) => format!("{host}::{module}/"),
            (Source::Folder(folder), What::Parameters(node)) => format!("{folder}/parameters/{node}/"),
            (Source::Folder(folder), What::Module(module)) => format!("{folder}/modules/{module}/"),
        }
    }
}

/// Whether it reads as `[USER@]HOST`; the host may be an IPv6 address in brackets. Nothing that rsync takes for a flag.
fn is_host(text: &str) -> bool {
    let plain = |text: &str, extra: &str| {
        !text.is_empty()
            && !text.starts_with(['-', '.'])
            && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let host = match text.split_once('@') {
        Some((user, host)) if plain(user, "._-") => host,
        Some(_) => return false,
        None => text,
    };
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => {
            !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit() || ":.%".contains(c))
        }
        None => plain(host, "._-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::{ModuleName, NodeName};

    #[test]
    fn each_form_names_its_parts() {
        let node = What::Parameters(NodeName::new("localhost.localdomain").unwrap());
        let module = What::Module(ModuleName::new("testmodule-1.0").unwrap());
        for (uri, parameters, files) in [
            ("rsync://h", "rsync://h/parameters/localhost.localdomain/", "rsync://h/testmodule-1.0/"),
            (
                "rsync://h:8730/",
                "rsync://h:8730/parameters/localhost.localdomain/",
                "rsync://h:8730/testmodule-1.0/",
            ),
            (
                "rsync://[::1]:8730",
                "rsync://[::1]:8730/parameters/localhost.localdomain/",
                "rsync://[::1]:8730/testmodule-1.0/",
            ),
            (
                "disco@aklabs.net",
                "disco@aklabs.net::parameters/localhost.localdomain/",
                "disco@aklabs.net::testmodule-1.0/",
            ),
            ("10.0.0.1", "10.0.0.1::parameters/localhost.localdomain/", "10.0.0.1::testmodule-1.0/"),
            (
                "/srv/disco/",
                "/srv/disco/parameters/localhost.localdomain/",
                "/srv/disco/modules/testmodule-1.0/",
            ),
        ] {
            let source = Source::parse(uri).unwrap();
            assert_eq!(
                (source.of(&node).as_str(), source.of(&module).as_str()),
                (parameters, files),
                "{uri}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for uri in [
            "",
            "rsync://",
            "rsync://h:0",
            "rsync://h:x",
            "rsync://h/path",
            "http://h",
            "h::m",
            "h:/path",
            "-rsh",
            "a b",
            "user@",
            "@h",
            "-x@h",
            "./folder",
            "rsync://-x",
            "[zz]",
        ] {
            assert!(Source::parse(uri).is_err(), "{uri}");
        }
    }
}
