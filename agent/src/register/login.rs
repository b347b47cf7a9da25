//! Who we are to a Foreman. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::register::oauth::{self, Consumer};

/// Who we are to a Foreman.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A user.
    Basic {
        /// The name.
        user: String,
        /// The password, or a personal access token.
        password: String,
    },
    /// A consumer of OAuth.
    OAuth {
        /// Its key and secret.
        consumer: Consumer,
        /// Which of Foreman's users it acts as, where `oauth_map_users` is on.
        user: Option<String>,
    },
}

/// How somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a user.
    Basic,
    /// As a consumer of OAuth.
    OAuth,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Login::Basic { user, .. } => write!(f, "user {user} with a password"),
            Login::OAuth { consumer, user } => write!(f, "{consumer:?}, user {user:?}"),
        }
    }
}

impl Login {
    /// How it logs in.
    pub fn kind(&self) -> Kind {
        match self {
            Login::Basic { .. } => Kind::Basic,
            Login::OAuth { .. } => Kind::OAuth,
        }
    }

    /// The headers of a request.
    pub fn headers(
        &self,
        method: &str,
        url: &Url,
        timestamp: u64,
        nonce: &str,
    ) -> Vec<(&'static str, String)> {
        match self {
            Login::Basic { user, password } => {
                vec![("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))]
            }
            Login::OAuth { consumer, user } => {
                let signed = oauth::header(method, url, consumer, timestamp, nonce);
                // With a hyphen: web servers in front of a Foreman drop names with `_`, and Rack makes both the same.
                let user = user.clone().map(|user| ("foreman-user", user));
                [("authorization", signed)].into_iter().chain(user).collect()
            }
        }
    }
}
