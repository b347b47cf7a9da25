//! A private authority for the certificates of a lock server and its hosts: one folder, one key, and a list of all that it has
//! signed. It is as safe as that folder: 0700, keys 0600, and no key is ever overwritten.
//!
//! - [`names`]: what a certificate can be for.
//! - [`sign`]: makes keys and certificates; knows no files.
//! - [`index`]: the list.
//! - [`folder`]: the authority on disk.

pub mod folder;
pub mod index;
pub mod names;
pub mod sign;

use thiserror::Error;

use crate::sys::files::FileError;
use crate::sys::lock::LockError;

pub use folder::{Authority, Files};
pub use index::{Entry, Kind};
pub use names::{AltName, CertificateName};

/// What an authority could not do.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Somebody else is at it.
    #[error("somebody else works on that authority")]
    Busy(#[source] LockError),
    /// There is one already, or a part of one.
    #[error("there is {} already", .0.display())]
    Exists(std::path::PathBuf),
    /// There is none.
    #[error("there is no authority in {}", .0.display())]
    None(std::path::PathBuf),
    /// The name has a certificate.
    #[error("{name} has a certificate already, valid until {until}")]
    Issued {
        /// The name.
        name: CertificateName,
        /// Until when.
        until: String,
    },
    /// The name has none.
    #[error("{0} has no certificate of this authority that is not revoked")]
    NotIssued(CertificateName),
    /// The authority itself has come to its end.
    #[error("the authority in {folder} was valid until {until}")]
    Ended {
        /// Where it is.
        folder: String,
        /// Until when it was.
        until: String,
    },
    /// The list makes no sense.
    #[error("{} makes no sense", path.display())]
    Index {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A newer disco made the list.
    #[error("{} has form {found}, and this disco reads up to {}", path.display(), index::SCHEMA)]
    Newer {
        /// The file.
        path: std::path::PathBuf,
        /// Its form.
        found: u32,
    },
    /// A key or certificate could not be made, or makes no sense.
    #[error("cannot {what}")]
    Sign {
        /// What was to be done.
        what: &'static str,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// There are no random numbers.
    #[error("this system gives no random numbers")]
    Random,
}
