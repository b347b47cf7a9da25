//! The kinds of what goes wrong with a lock server and with certificates: the same table as in [`super::kinds`].

use crate::lock::{IdentityError, ServerError};
use crate::ops::lock::LockOpError;
use crate::pki::PkiError;
use crate::sys::http::Trouble;

use super::kinds::file_kind;
use super::{Failure, Kind};

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Failure {
        let (kind, hint) = match &error {
            ServerError::NoServer => (
                Kind::Config,
                Some("name it: --url https://HOST, or disco param set disco/dlm/url https://HOST".to_owned()),
            ),
            ServerError::Place(_) => (Kind::Config, None),
            ServerError::Identity(identity) => (identity_kind(identity), identity_hint(identity)),
            ServerError::Trouble { source, roots, shown, .. } => trouble(source, roots, shown),
            ServerError::Unknown { name: Some(name), hint, .. } => {
                let add = format!("on the server: disco dlm host add {name}");
                (Kind::Permission, Some(if hint.is_empty() { add } else { format!("{hint}; {add}") }))
            }
            ServerError::Unknown { shown, .. } => {
                let how = "name a certificate (--cert, --key) or a user (--user); `disco lock whoami` says what was shown";
                (Kind::Permission, Some(format!("it was shown {shown}: {how}")))
            }
            ServerError::Forbidden { hint, .. } => (Kind::Permission, said(hint).or_else(|| Some(
                "a host acquires and releases, by its certificate; the rest is for users: --user NAME".to_owned(),
            ))),
            ServerError::Missing { lock, .. } => {
                let make = format!("the first acquire makes it, or `disco lock create {lock}` does; `disco lock ls` lists them");
                (Kind::Data, Some(make))
            }
            ServerError::Taken { lock, .. } => (Kind::Data, Some(format!("disco lock show {lock}"))),
            ServerError::Bad { hint, .. } => (Kind::Data, said(hint)),
            ServerError::Unavailable { .. } => {
                (Kind::Unavailable, Some("ask again: an acquire or a release can be repeated".to_owned()))
            }
            ServerError::Unexpected { .. } => (
                Kind::Unavailable,
                Some("is it the address of the lock server itself, without a path? (disco/dlm/url)".to_owned()),
            ),
            ServerError::Foreman { .. } => (Kind::Usage, Some("disco's own server (disco dlm serve) can".to_owned())),
            ServerError::Interrupted(_) => (Kind::Interrupted, None),
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}

fn said(hint: &str) -> Option<String> {
    Some(hint.to_owned()).filter(|hint| !hint.is_empty())
}

/// What kind an error of the server's is of, for those who carry one in theirs.
pub(super) fn of_server(error: ServerError) -> Failure {
    error.into()
}

fn trouble(trouble: &Trouble, roots: &str, shown: &str) -> (Kind, Option<String>) {
    let hint = match trouble {
        Trouble::UnknownHost | Trouble::Unreachable(_) | Trouble::Timeout | Trouble::Lost(_) => {
            "is it running, and does the address lead there? (disco/dlm/url)".to_owned()
        }
        Trouble::UnknownCa => {
            format!("it was looked for in {roots}; name the file with its authority: --ca, or disco/dlm/ca")
        }
        Trouble::WrongName => "use a name that its certificate has, or give it one with this name: \
                               disco pki issue --server NAME --san NAME"
            .to_owned(),
        Trouble::Expired => {
            "renew it on the server (disco pki renew NAME); or is this node's clock wrong?".to_owned()
        }
        Trouble::NotYetValid => "is this node's clock wrong? (date)".to_owned(),
        Trouble::Refused(_) => {
            let hint = format!(
                "it was shown {shown}; renew or replace that (disco pki renew NAME), or is a clock wrong?"
            );
            return (Kind::Permission, Some(hint));
        }
        Trouble::Stopped => return (Kind::Interrupted, None),
        Trouble::BadCertificate(_) | Trouble::Tls(_) | Trouble::Answer(_) => {
            "does a lock server listen there, with TLS?".to_owned()
        }
    };
    (Kind::Unavailable, Some(hint))
}

fn identity_kind(error: &IdentityError) -> Kind {
    match error {
        IdentityError::File(error) => file_kind(error),
        IdentityError::Pem { .. } => Kind::Data,
        IdentityError::Half { .. } | IdentityError::NoAuthority => Kind::Config,
    }
}

fn identity_hint(error: &IdentityError) -> Option<String> {
    match error {
        IdentityError::NoAuthority => Some("name the file with the server's authority: --ca FILE".to_owned()),
        IdentityError::Half { missing, .. } => Some(format!("disco param set disco/{missing} FILE")),
        IdentityError::Pem { .. } => {
            Some("`disco pki issue NAME` makes a pair that belongs together".to_owned())
        }
        IdentityError::File(_) => None,
    }
}

impl From<LockOpError> for Failure {
    fn from(error: LockOpError) -> Failure {
        let (kind, hint) = match &error {
            LockOpError::Server(_) => {
                let LockOpError::Server(error) = error else {
                    return Failure::from_error(Kind::Software, &error);
                };
                return of_server(error);
            }
            LockOpError::File(error) => (file_kind(error), None),
            LockOpError::Open(path) => (Kind::Permission, Some(format!("chmod 600 {}", path.display()))),
            LockOpError::NoPassword { host, user } => (
                Kind::Permission,
                Some(format!(
                    "set DISCO_DLM_PASSWORD, or write `machine {host} login {user} password …` into ~/.netrc (mode 600)"
                )),
            ),
            // As a shell has it.
            LockOpError::Command { .. } => (Kind::Usage, None),
            LockOpError::Unfinished(_) => (Kind::Busy, Some("`disco recover` finishes it".to_owned())),
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}

impl From<PkiError> for Failure {
    fn from(error: PkiError) -> Failure {
        let (kind, hint) = match &error {
            PkiError::File(error) => (file_kind(error), None),
            PkiError::Busy(_) => (Kind::Busy, None),
            PkiError::Exists(path) => (
                Kind::CannotCreate,
                Some(format!(
                    "no key is overwritten; another authority goes into another folder: --dir DIR ({} stays)",
                    path.display()
                )),
            ),
            PkiError::None(folder) => {
                (Kind::Data, Some(format!("`disco pki init --dir {}` makes one", folder.display())))
            }
            PkiError::Issued { name, .. } => (
                Kind::CannotCreate,
                Some(format!(
                    "disco pki renew {name} makes a new one for its key; disco pki revoke {name} ends it"
                )),
            ),
            PkiError::NotIssued(_) => (Kind::Data, Some("`disco pki ls` lists them".to_owned())),
            PkiError::Ended { .. } => {
                (Kind::Data, Some("make a new one, in another folder: disco pki init --dir DIR".to_owned()))
            }
            PkiError::Index { .. } | PkiError::Newer { .. } | PkiError::Sign { .. } => (Kind::Data, None),
            PkiError::Random => (Kind::Io, None),
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}
