//! An authority on disk: `ca.pem`, `ca.key`, `crl.pem`, `index.json`, and the certificates and keys in `issued/`. What a command
//! has signed is in the list before it is a file, so that no serial number is lost.

use std::path::{Path, PathBuf};

use crate::pki::PkiError;
use crate::pki::index::{Entry, Index, Kind, SCHEMA};
use crate::pki::names::{AltName, CertificateName};
use crate::pki::sign::{self, Signed};
use crate::sys::clock;
use crate::sys::files::{self, Ownership};
use crate::sys::lock::{Lock, LockError};

const DAY: i64 = 24 * 3600;
/// How long an authority is valid: ten years.
const AUTHORITY: i64 = 3650 * DAY;
/// How long a list of revoked certificates counts.
const CRL: i64 = 30 * DAY;
/// It is written anew by any command when less than this is left of that.
const CRL_LEFT: i64 = 7 * DAY;

/// An authority, locked for us alone.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    signed: Signed,
    index: Index,
    _lock: Lock,
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

fn now() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX / 2)
}

/// A day in words.
pub fn day(seconds: i64) -> String {
    clock::told((seconds, 0)).split('T').next().unwrap_or_default().to_owned()
}

fn lock(folder: &Path) -> Result<Lock, PkiError> {
    let holder = format!("pid {}, since {}", std::process::id(), clock::now());
    Lock::take(&folder.join("lock"), &holder, None, &mut |_| {}).map_err(|error| match error {
        LockError::Busy { .. } | LockError::Interrupted { .. } => PkiError::Busy(error),
        LockError::Io { path, source } => PkiError::File(files::FileError { action: "lock", path, source }),
    })
}

impl Authority {
    /// Makes one, of that name; the folder is made too.
    pub fn init(folder: &Path, name: &str) -> Result<Authority, PkiError> {
        if let Some(parent) = folder.parent() {
            files::create_dirs(parent, 0o755)?;
        }
        files::create_dirs(folder, 0o700)?;
        files::create_dirs(&folder.join("issued"), 0o700)?;
        let lock = lock(folder)?;
        for name in ["ca.key", "ca.pem", "index.json"] {
            let path = folder.join(name);
            if files::look(&path)?.is_some() {
                return Err(PkiError::Exists(path));
            }
        }
        let signed = sign::authority(name, (now(), now() + AUTHORITY))?;
        let index = Index { schema: SCHEMA, crl: 0, crl_until: 0, issued: Vec::new() };
        let mut authority = Authority { folder: folder.to_owned(), signed, index, _lock: lock };
        authority.write("ca.key", &authority.signed.key, 0o600)?;
        authority.write("ca.pem", &authority.signed.certificate, 0o644)?;
        authority.write_crl()?;
        Ok(authority)
    }

    /// Opens one; the list of revoked certificates is written anew where it has come near its end.
    pub fn open(folder: &Path) -> Result<Authority, PkiError> {
        let path = folder.join("index.json");
        if files::look(&path)?.is_none() {
            return Err(PkiError::None(folder.to_owned()));
        }
        let lock = lock(folder)?;
        let text = files::read_to_string(&path)?;
        let form: serde_json::Value =
            serde_json::from_str(&text).map_err(|source| PkiError::Index { path: path.clone(), source })?;
        let found = form["schema"].as_u64().and_then(|found| u32::try_from(found).ok()).unwrap_or_default();
        if found > SCHEMA {
            return Err(PkiError::Newer { path, found });
        }
        let index = serde_json::from_value(form).map_err(|source| PkiError::Index { path, source })?;
        let signed = Signed {
            certificate: files::read_to_string(&folder.join("ca.pem"))?,
            key: files::read_to_string(&folder.join("ca.key"))?,
        };
        let mut authority = Authority { folder: folder.to_owned(), signed, index, _lock: lock };
        if authority.index.crl_until - now() < CRL_LEFT {
            authority.write_crl()?;
        }
        Ok(authority)
    }

    /// A new certificate with a new key.
    pub fn issue(
        &mut self,
        name: &CertificateName,
        kind: Kind,
        also: &[AltName],
        days: u32,
    ) -> Result<Files, PkiError> {
        if let Some(entry) = self.index.of(name, now()) {
            return Err(PkiError::Issued { name: name.clone(), until: day(entry.until) });
        }
        let files = self.files(name);
        for path in [&files.key, &files.certificate] {
            // One that has ended goes aside.
            self.set_aside(path)?;
        }
        let key = sign::key()?;
        self.sign(name, kind, also, days, &key, &files, true)?;
        Ok(files)
    }

    /// A new certificate for the key that is there, as the last one was. That one still counts until it ends.
    pub fn renew(&mut self, name: &CertificateName, days: u32) -> Result<Files, PkiError> {
        let last =
            self.index.issued.iter().rev().find(|entry| entry.name == *name && entry.revoked.is_none());
        let last = last.cloned().ok_or_else(|| PkiError::NotIssued(name.clone()))?;
        let files = self.files(name);
        let key = files::read_to_string(&files.key)?;
        self.sign(name, last.kind, &last.also, days, &key, &files, false)?;
        Ok(files)
    }

    /// Revokes all certificates of a name that are not yet; its files go aside. Returns how many they were.
    pub fn revoke(&mut self, name: &CertificateName) -> Result<usize, PkiError> {
        let at = now();
        let mut revoked = 0;
        for entry in
            self.index.issued.iter_mut().filter(|entry| entry.name == *name && entry.revoked.is_none())
        {
            entry.revoked = Some(at);
            revoked += 1;
        }
        if revoked == 0 {
            return Err(PkiError::NotIssued(name.clone()));
        }
        self.write_crl()?;
        let files = self.files(name);
        for path in [&files.key, &files.certificate] {
            self.set_aside(path)?;
        }
        Ok(revoked)
    }

    /// Writes the list of revoked certificates anew; until when it counts.
    pub fn write_crl(&mut self) -> Result<i64, PkiError> {
        let (from, until) = (now(), now() + CRL);
        self.index.crl += 1;
        let text = sign::revoked(&self.signed, self.index.issued.iter(), self.index.crl, (from, until))?;
        self.index.crl_until = until;
        self.save()?;
        self.write("crl.pem", &text, 0o644)?;
        Ok(until)
    }

    /// All that it has signed, the oldest first.
    pub fn issued(&self) -> &[Entry] {
        &self.index.issued
    }

    /// Until when its list of revoked certificates counts.
    pub fn crl_until(&self) -> i64 {
        self.index.crl_until
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn files(&self, name: &CertificateName) -> Files {
        let issued = self.folder.join("issued");
        Files { certificate: issued.join(format!("{name}.pem")), key: issued.join(format!("{name}.key")) }
    }

    #[allow(clippy::too_many_arguments, reason = "all of a certificate")]
    fn sign(
        &mut self,
        name: &CertificateName,
        kind: Kind,
        also: &[AltName],
        days: u32,
        key: &str,
        files: &Files,
        new_key: bool,
    ) -> Result<(), PkiError> {
        let end = sign::end(&self.signed.certificate);
        let from = now();
        if end <= from {
            let (folder, until) = (self.folder.display().to_string(), day(end));
            return Err(PkiError::Ended { folder, until });
        }
        // None outlives the authority: nobody would believe it.
        let until = (from + i64::from(days) * DAY).min(end);
        let (name, also) = (name.clone(), also.to_vec());
        let entry = Entry { serial: sign::serial()?, name, kind, also, from, until, revoked: None };
        let certificate = sign::certificate(&self.signed, key, &entry)?;
        self.index.issued.push(entry);
        self.save()?;
        if new_key {
            files::write_whole(&files.key, key.as_bytes(), Ownership::New(0o600))?;
        }
        files::write_whole(&files.certificate, certificate.as_bytes(), Ownership::New(0o644))?;
        Ok(())
    }

    /// Gives a file of a certificate that has ended or was revoked another name, which no file has yet.
    fn set_aside(&self, path: &Path) -> Result<(), PkiError> {
        if files::look(path)?.is_none() {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = path.with_file_name(format!("{name}.old-{}", sign::serial()?));
        Ok(files::rename(path, &aside)?)
    }

    fn save(&self) -> Result<(), PkiError> {
        // Plain data with text for keys always has a form in JSON.
        let text = serde_json::to_string_pretty(&self.index).unwrap_or_default() + "\n";
        self.write("index.json", &text, 0o600)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), PkiError> {
        Ok(files::write_whole(&self.folder.join(name), text.as_bytes(), Ownership::New(mode))?)
    }
}
