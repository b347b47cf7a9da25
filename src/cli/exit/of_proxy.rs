//! The kinds of what goes wrong with proxies: the same table as in [`super::kinds`].

use disco_agent::node::ConfigError;
use disco_agent::node::enrol::EnrolError;
use disco_agent::register::foreman::RegisterError;
use disco_agent::register::login::Kind as LoginKind;

use crate::ops::proxy::ProxyError;

use super::kinds::file_kind;
use super::{Failure, Kind};

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Failure {
        let (kind, hint) = match error {
            ProxyError::Home(error) => return (*error).into(),
            ProxyError::Config(ConfigError::Absent(_)) => {
                (Kind::Config, Some("--settings names another folder; docs/proxy.md says what is in it"))
            }
            ProxyError::Config(ConfigError::Settings(_)) | ProxyError::Wanted(_) | ProxyError::Address(_) => {
                (Kind::Config, None)
            }
            ProxyError::Identity(_) => (Kind::Config, None),
            ProxyError::Look { .. } => (Kind::Unavailable, None),
            ProxyError::Would(_) => (Kind::Software, None),
            ProxyError::Enrol(ref error) => enrol_kind(error),
            ProxyError::NoForeman => {
                (Kind::Config, Some("name it with --foreman, or as `:foreman_url:` in register.yml"))
            }
            ProxyError::NoLogin => {
                (Kind::Config, Some("--user, or --oauth-key with --secret-file; or the same in register.yml"))
            }
            ProxyError::TwoLogins => (Kind::Config, Some("take one of them out of register.yml")),
            ProxyError::NoSecret { .. } => {
                (Kind::Config, Some("put it into a file that nobody else can read, and name that"))
            }
            ProxyError::Unfit { .. } | ProxyError::Absent(_) => (Kind::Config, None),
            ProxyError::Open(_) => (Kind::Permission, Some("chmod 600 that file")),
            ProxyError::File(ref error) => (file_kind(error), None),
        };
        Failure::from_error(kind, &error).hint(hint.map(str::to_owned))
    }
}

fn login_hint(login: LoginKind) -> &'static str {
    match login {
        LoginKind::Basic => "a password, or a personal access token, of a user who may use the API",
        LoginKind::OAuth => {
            "compare with the Foreman's settings oauth_active, oauth_consumer_key and oauth_consumer_secret; with oauth_map_users \
             --oauth-user names one of its users; and compare the clocks"
        }
    }
}

fn enrol_kind(error: &EnrolError) -> (Kind, Option<&'static str>) {
    match error {
        EnrolError::Own { .. } => {
            (Kind::Unavailable, Some("start disco's agent, which answers there; --url names another place"))
        }
        EnrolError::Unfit(_) => (Kind::Config, Some("enable `logs`, which every Foreman knows")),
        EnrolError::Json(_) => (Kind::Software, None),
        EnrolError::Foreman { source, .. } => match source {
            RegisterError::Address { .. } => (Kind::Config, None),
            RegisterError::Unreachable(_) => (Kind::Unavailable, None),
            // It does not say what it did not like; whoever reads its log does.
            RegisterError::NotAllowed { status: 401, login, .. } => {
                (Kind::Permission, Some(login_hint(*login)))
            }
            RegisterError::NotAllowed { .. } => (
                Kind::Permission,
                Some("that user needs the permissions to view, create and edit smart proxies"),
            ),
            RegisterError::Refused { .. } => (Kind::Failed, None),
            RegisterError::Strange { .. } => (Kind::Unavailable, None),
            RegisterError::Chance(_) => (Kind::Io, None),
        },
    }
}
