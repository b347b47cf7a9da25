//! The kinds of what goes wrong with the agent's listener and its keys: the same table as in [`super::kinds`].

use disco_agent::listener::keys::KeysError;
use disco_agent::listener::proxy::ProxyError;
use disco_agent::listener::serve::ServeError;

use super::{Failure, Kind};

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        match error {
            ServeError::Listen(error) => error.into(),
            ServeError::Proxy(ProxyError::Settings(_) | ProxyError::Host { .. }) => {
                let hint = "the folder is `proxy` of /etc/disco/agent.toml, and a smart proxy's";
                Failure::from_error(Kind::Config, &error).hint(Some(hint.to_owned()))
            }
            ServeError::Proxy(ProxyError::Name(_)) => Failure::from_error(Kind::Software, &error),
            ServeError::System(_) => Failure::from_error(Kind::Io, &error),
        }
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Failure {
        let there = |name| {
            format!(
                "`disco agent key rotate {name}` makes another in its place, `disco agent key rm {name}` removes it; or name another"
            )
        };
        let (kind, hint) = match &error {
            KeysError::Syntax(_) | KeysError::Hash(_) => (Kind::Data, None),
            KeysError::There(name) => (Kind::CannotCreate, Some(there(name))),
            KeysError::NotThere(_) => (Kind::Failed, Some("`disco agent key ls` lists them".to_owned())),
            KeysError::Random(_) => (Kind::Software, None),
        };
        Failure::from_error(kind, &error).hint(hint)
    }
}
