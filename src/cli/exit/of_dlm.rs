//! The kinds of what goes wrong with the lock server's store: the same table as in [`super::kinds`].

use std::io::ErrorKind;

use disco_dlm_server::admin::AdminError;
use disco_dlm_server::serve::ServeError;
use disco_dlm_server::store::StoreError;
use disco_listen::ListenError;

use super::{Failure, Kind};

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        match error {
            ServeError::Store(error) => AdminError::from(error).into(),
            ServeError::Listen(error) => error.into(),
            ServeError::Identity(_) | ServeError::System(_) => Failure::from_error(Kind::Io, &error),
        }
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Failure {
        match error {
            ListenError::NoAddress | ListenError::Plain(_) | ListenError::Tls(_) | ListenError::Given(_) => {
                Failure::from_error(Kind::Config, &error)
            }
            ListenError::Listen { ref source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                let hint = "ports below 1024 are root's: choose a port above 1023";
                Failure::from_error(Kind::Permission, &error).hint(Some(hint.to_owned()))
            }
            ListenError::Listen { .. } => Failure::from_error(Kind::Unavailable, &error)
                .hint(Some("another server may have the address: `ss -ltnp` says which".to_owned())),
            ListenError::System(_) => Failure::from_error(Kind::Io, &error),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Failure {
        let (kind, hint) = match &error {
            AdminError::Store(StoreError::Unavailable { .. }) => (
                Kind::Unavailable,
                Some("look at its disk and its owner, and ask again: whatever was under way can be repeated"),
            ),
            AdminError::Store(StoreError::Damaged { .. }) => (
                Kind::Data,
                Some("name another store in the configuration, or bring this one back from a copy"),
            ),
            AdminError::Store(StoreError::Newer { .. }) => {
                (Kind::Data, Some("use a disco at least as new as the one that wrote it"))
            }
            AdminError::Runtime(_) => (Kind::Io, None),
            AdminError::NoHost(_) => (Kind::Failed, Some("`disco dlm host ls` lists them")),
            AdminError::HostThere(_) => (Kind::CannotCreate, Some("`disco dlm host set` changes it")),
            AdminError::NoUser(_) => (Kind::Failed, Some("`disco dlm user ls` lists them")),
            AdminError::UserThere(_) => {
                (Kind::CannotCreate, Some("`disco dlm user passwd` gives another password"))
            }
            AdminError::NoToken(..) => (Kind::Failed, Some("`disco dlm user token ls` lists them")),
            AdminError::TokenThere(..) => {
                (Kind::CannotCreate, Some("name another, or remove it: `disco dlm user token rm`"))
            }
            AdminError::Short(_) => (Kind::Usage, None),
            AdminError::Secret(_) => (Kind::Software, None),
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}
