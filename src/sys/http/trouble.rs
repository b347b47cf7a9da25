//! Why a server gave no answer, in kinds that something can be done about.

use std::io;

use rustls::{AlertDescription, CertificateError};
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Trouble {
    /// Nobody knows the host's name.
    #[error("the name of the host is not known")]
    UnknownHost,
    /// The host cannot be reached, or nothing listens there.
    #[error("it cannot be reached")]
    Unreachable(#[source] io::Error),
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// The connection ended before the answer.
    #[error("the connection was lost")]
    Lost(#[source] io::Error),
    /// The server's certificate is of an authority that is not known here.
    #[error("its certificate is of an authority that is not known here")]
    UnknownCa,
    /// The server's certificate is for another name.
    #[error("its certificate is for another name than this one")]
    WrongName,
    /// The server's certificate is not valid any more.
    #[error("its certificate has expired, by the clock of this node")]
    Expired,
    /// The server's certificate is not valid yet.
    #[error("its certificate is not valid yet, by the clock of this node")]
    NotYetValid,
    /// The server's certificate is bad in another way.
    #[error("its certificate cannot be believed")]
    BadCertificate(#[source] rustls::Error),
    /// The server does not believe our certificate.
    #[error("it refuses our certificate: {0}")]
    Refused(&'static str),
    /// TLS could not begin in another way.
    #[error("there is no secure connection")]
    Tls(#[source] rustls::Error),
    /// What came back is no HTTP, or too much of it.
    #[error("its answer makes no sense")]
    Answer(#[source] Box<ureq::Error>),
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Trouble {
    /// Whether asking again can help.
    pub fn passes(&self) -> bool {
        matches!(self, Trouble::UnknownHost | Trouble::Unreachable(_) | Trouble::Timeout | Trouble::Lost(_))
    }
}

impl From<ureq::Error> for Trouble {
    fn from(error: ureq::Error) -> Trouble {
        match error {
            ureq::Error::Rustls(error) => of_tls(error),
            ureq::Error::HostNotFound => Trouble::UnknownHost,
            ureq::Error::Timeout(_) => Trouble::Timeout,
            ureq::Error::ConnectionFailed => {
                Trouble::Unreachable(io::Error::from(io::ErrorKind::NotConnected))
            }
            ureq::Error::Io(error) => of_io(error),
            other => Trouble::Answer(Box::new(other)),
        }
    }
}

fn of_io(error: io::Error) -> Trouble {
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return of_tls(inner.clone());
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Trouble::Unreachable(error),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Timeout,
        // The resolver's errors have no kind of their own.
        _ if error.to_string().contains("lookup address") => Trouble::UnknownHost,
        _ => Trouble::Lost(error),
    }
}

fn of_tls(error: rustls::Error) -> Trouble {
    use CertificateError as Bad;
    match &error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            // Of another authority of the same name.
            Bad::UnknownIssuer | Bad::BadSignature => Trouble::UnknownCa,
            Bad::Expired | Bad::ExpiredContext { .. } => Trouble::Expired,
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => Trouble::NotYetValid,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Trouble::WrongName,
            _ => Trouble::BadCertificate(error),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => Trouble::Refused("it has expired"),
            AlertDescription::CertificateRevoked => Trouble::Refused("it was revoked"),
            AlertDescription::UnknownCA => {
                Trouble::Refused("it is of an authority that the server does not know")
            }
            AlertDescription::CertificateRequired => Trouble::Refused("it wants one, and got none"),
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied => Trouble::Refused("it says no more"),
            _ => Trouble::Tls(error),
        },
        _ => Trouble::Tls(error),
    }
}
