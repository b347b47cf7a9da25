//! The certificates of this node: those that are set, or else those that are there, in order: disco's own, Puppet's, Katello's.

use std::path::{Path, PathBuf};

use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::sys::files::{self, FileError};
use crate::sys::http::{Certificates, Own, PemError};

/// Where disco's own are.
pub const OWN: &str = "/etc/disco/pki";
/// Where Puppet keeps its own, the newest place first.
const PUPPET: [&str; 3] = ["/etc/puppetlabs/puppet/ssl", "/var/lib/puppet/ssl", "/etc/puppet/ssl"];
/// Where systems keep the authorities that everybody believes.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in a file cannot be used.
    #[error("cannot use {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: PemError,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("{there} is set and {missing} is not: they belong together")]
    Half {
        /// The setting that is there.
        there: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Nobody says whom to believe.
    #[error(
        "there is no authority that the server could be believed by: none is set, and this system has none"
    )]
    NoAuthority,
}

/// What is set of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The authorities.
    pub ca: Option<PathBuf>,
    /// Whether a user logs in: then no certificate is looked for.
    pub login: bool,
}

/// Files that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Whose they are, in a word.
    pub whose: &'static str,
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities that may be there, the first one counts.
    pub cas: Vec<PathBuf>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The last common name of its subject, in lower case, as the server reads it; empty where it has none.
    pub name: String,
    /// From when it is valid, in seconds since 1970.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// Who we are to a server, and whom we believe.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Our certificate, if there is one.
    pub own: Option<(Files, Certificate, Own)>,
    /// The file with the authorities.
    pub ca: PathBuf,
    /// The authorities.
    pub roots: Certificates,
}

impl Identity {
    /// Our certificate in words.
    pub fn shown(&self) -> String {
        match &self.own {
            Some((files, _, _)) => files.cert.display().to_string(),
            None => "no certificate".to_owned(),
        }
    }

    /// The name in our certificate.
    pub fn name(&self) -> Option<&str> {
        self.own.as_ref().map(|(_, certificate, _)| certificate.name.as_str())
    }
}

/// Where certificates may be, in the order in which they are looked for. `names` are those of this node, in lower case.
pub fn candidates(names: &[String]) -> Vec<Files> {
    let own = Path::new(OWN);
    let mut all = vec![Files {
        whose: "disco",
        cert: own.join("host.pem"),
        key: own.join("host.key"),
        cas: vec![own.join("ca.pem")],
    }];
    for folder in PUPPET.map(Path::new) {
        all.extend(names.iter().map(|name| Files {
            whose: "Puppet",
            cert: folder.join("certs").join(format!("{name}.pem")),
            key: folder.join("private_keys").join(format!("{name}.pem")),
            cas: vec![folder.join("certs/ca.pem")],
        }));
    }
    let (consumer, rhsm) = (Path::new("/etc/pki/consumer"), Path::new("/etc/rhsm/ca"));
    all.push(Files {
        whose: "Katello",
        cert: consumer.join("cert.pem"),
        key: consumer.join("key.pem"),
        cas: ["katello-server-ca.pem", "katello-default-ca.pem"].map(|name| rhsm.join(name)).to_vec(),
    });
    all
}

/// Reads what is set, or else what is there.
pub fn find(said: &Said, names: &[String]) -> Result<Identity, IdentityError> {
    let there = |path: &PathBuf| -> Result<bool, FileError> { Ok(files::look_through(path)?.is_some()) };
    let all = candidates(names);
    let own = match (&said.cert, &said.key) {
        (Some(cert), Some(key)) => {
            let (cert, key) = (cert.clone(), key.clone());
            Some(Files { whose: "set", cert, key, cas: Vec::new() })
        }
        (Some(_), None) => return Err(IdentityError::Half { there: "dlm/cert", missing: "dlm/key" }),
        (None, Some(_)) => return Err(IdentityError::Half { there: "dlm/key", missing: "dlm/cert" }),
        (None, None) if said.login => None,
        (None, None) => {
            let mut found = None;
            for files in &all {
                if there(&files.cert)? && there(&files.key)? {
                    found = Some(files.clone());
                    break;
                }
            }
            found
        }
    };
    let ca = match &said.ca {
        Some(ca) => ca.clone(),
        None => {
            // The authority beside our certificate, or else the first that there is.
            let beside = own.iter().flat_map(|own| own.cas.clone());
            let named = all.into_iter().flat_map(|files| files.cas);
            let mut known = beside.chain(named).chain(SYSTEM.map(PathBuf::from));
            loop {
                let ca = known.next().ok_or(IdentityError::NoAuthority)?;
                if there(&ca)? {
                    break ca;
                }
            }
        }
    };
    let roots = certificates(&ca)?;
    let own = own.map(load).transpose()?;
    Ok(Identity { own, ca, roots })
}

/// The authorities for a server that is anybody's: those that are set, and the system's.
pub fn believed(ca: Option<&Path>) -> Result<Certificates, IdentityError> {
    let mut system = None;
    for path in SYSTEM.map(PathBuf::from) {
        if files::look_through(&path)?.is_some() {
            system = Some(path);
            break;
        }
    }
    let mut text = String::new();
    for path in ca.into_iter().chain(system.as_deref()) {
        // A file that is set and cannot be used is named, whatever the other one holds.
        certificates(path)?;
        text += &files::read_to_string(path)?;
        text.push('\n');
    }
    let path = ca.or(system.as_deref()).ok_or(IdentityError::NoAuthority)?;
    Certificates::of_pem(&text).map_err(|source| IdentityError::Pem { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Certificates, IdentityError> {
    let at = |source| IdentityError::Pem { path: path.to_owned(), source };
    Certificates::of_pem(&files::read_to_string(path)?).map_err(at)
}

fn load(files: Files) -> Result<(Files, Certificate, Own), IdentityError> {
    let chain = certificates(&files.cert)?;
    let certificate = read(chain.first());
    let key = files::read_to_string(&files.key)?;
    let own =
        Own::of_pem(&chain, &key).map_err(|source| IdentityError::Pem { path: files.key.clone(), source })?;
    Ok((files, certificate, own))
}

/// What a certificate says; nothing where it makes no sense.
pub fn read(der: &[u8]) -> Certificate {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Certificate { name: String::new(), from: i64::MIN, until: i64::MAX };
    };
    let mut names = certificate.subject().iter_common_name();
    // As the server reads it: what has several names is nobody's.
    let one = names.next().filter(|_| names.next().is_none());
    let name = one.and_then(|name| name.as_str().ok()).unwrap_or_default().to_lowercase();
    let validity = certificate.validity();
    Certificate { name, from: validity.not_before.timestamp(), until: validity.not_after.timestamp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn disco_comes_before_puppet_and_puppet_before_katello() {
        let places: Vec<String> = candidates(&["web1.example.com".to_owned()])
            .iter()
            .map(|files| format!("{} {}", files.whose, files.key.display()))
            .collect();
        assert_eq!(
            places,
            [
                "disco /etc/disco/pki/host.key",
                "Puppet /etc/puppetlabs/puppet/ssl/private_keys/web1.example.com.pem",
                "Puppet /var/lib/puppet/ssl/private_keys/web1.example.com.pem",
                "Puppet /etc/puppet/ssl/private_keys/web1.example.com.pem",
                "Katello /etc/pki/consumer/key.pem",
            ]
        );
    }

    #[test]
    fn what_is_set_is_used_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let ((cert, key), (_, other)) = (pair("Web1.Example.com"), pair("web2"));
        for (name, text) in [("cert", &cert), ("key", &key), ("other", &other), ("ca", &cert)] {
            std::fs::write(at(name), text).unwrap();
        }
        let said = |cert: &str, key: &str| Said {
            cert: Some(at(cert)).filter(|_| !cert.is_empty()),
            key: Some(at(key)).filter(|_| !key.is_empty()),
            ca: Some(at("ca")),
            login: false,
        };
        let found = find(&said("cert", "key"), &[]).unwrap();
        assert_eq!(found.name(), Some("web1.example.com"));
        for (cert, key, message) in [
            ("cert", "", "dlm/cert is set and dlm/key is not"),
            ("", "key", "dlm/key is set and dlm/cert is not"),
            ("cert", "other", "other"),
            ("cert", "cert", "cert"),
            ("key", "key", "key"),
            ("none", "key", "none"),
        ] {
            let error = find(&said(cert, key), &[]).unwrap_err().to_string();
            assert!(error.contains(message), "{cert} {key}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_nothing(bytes in proptest::collection::vec(0_u8.., 0..200), text in "\\PC{0,100}") {
            let _ = read(&bytes);
            let _ = Certificates::of_pem(&text);
        }
    }
}
