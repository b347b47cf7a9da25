//! Who asks: a host by its certificate, or a user by a login. A middleware finds it out before any handler runs, and puts it into
//! the request as [`Caller`]; handlers take `Extension<Caller>`. What else it puts there: [`AsUser`], for routes on which a host's
//! certificate counts for nothing; [`Identity`] itself, for a page that logs somebody in; [`ClientAddress`], for what is limited by address.

pub mod certificate;
pub mod password;

#[cfg(test)]
mod login_tests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use disco_dlm::model::{HostName, UserName};
use disco_listen::log::causes;
use disco_listen::network::is_in;
use disco_listen::throttle::Throttle;
use disco_listen::{Log, Peer, Who};
use thiserror::Error;

use crate::access::HostChange;
use crate::app::{App, Caller, NotKnown};
use crate::clock;
use crate::listen::TrustedProxies;
use crate::store::StoreError;
use crate::wire::failure;
use certificate::Certificate;
use password::{Passwords, Verdict};

/// No random bytes or no hash could be made.
#[derive(Debug, Error)]
#[error("passwords cannot be verified here: {0}")]
pub struct IdentityError(argon2::password_hash::Error);

/// Who asks, had no certificate been shown: on routes that are for users alone, a certificate beside a login is none.
#[derive(Debug, Clone)]
pub struct AsUser(pub Caller);

/// The address that a client is limited by: its own, or what a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// Finds out who asks; cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    app: App,
    proxies: Option<TrustedProxies>,
    passwords: Passwords,
    throttle: Mutex<Throttle>,
    log: Log,
}

/// Adds the middleware to routes.
pub fn layer(routes: Router, identity: Identity) -> Router {
    routes.layer(from_fn_with_state(identity, identify))
}

async fn identify(State(identity): State<Identity>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = parts.extensions.remove::<Peer>();
    match identity.who(peer, &parts.headers).await {
        Ok((caller, as_user, from)) => {
            let extensions = &mut parts.extensions;
            extensions.insert(caller.clone());
            extensions.insert(as_user);
            extensions.insert(from);
            extensions.insert(identity);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            // For the line in the log, which is outside of this.
            who(&caller).map(|who| response.extensions_mut().insert(who));
            response
        }
        Err(error) => {
            identity.0.log.error(format_args!("who asks is not known: {}", causes(&error)));
            failure::of_store(&error).into_response()
        }
    }
}

impl Identity {
    /// For this server; `verifications` passwords are verified at once.
    pub fn new(
        app: App,
        proxies: Option<TrustedProxies>,
        verifications: usize,
        log: Log,
    ) -> Result<Identity, IdentityError> {
        let passwords = Passwords::new(verifications).map_err(IdentityError)?;
        Ok(Identity(Arc::new(Inner { app, proxies, passwords, throttle: Mutex::default(), log })))
    }

    async fn who(
        &self,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<(Caller, AsUser, ClientAddress), StoreError> {
        let address =
            peer.as_ref().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip().to_canonical());
        let proxy = self.0.proxies.as_ref().filter(|proxies| is_in(address, &proxies.addresses));
        let (certificate, from) = match proxy {
            Some(proxy) => (said_by(proxy, headers), forwarded(headers).unwrap_or(address)),
            None => {
                (peer.map_or(Certificate::None, |peer| certificate::of_host(peer.certificate())), address)
            }
        };
        let user = match login(headers) {
            Said::Nothing => Caller::Nobody(NotKnown::Silent),
            Said::Other => Caller::Nobody(NotKnown::Login(String::new())),
            Said::Login(login, password) => self.log_in(from, &login, &password).await?,
        };
        let host = match certificate {
            Certificate::None => None,
            Certificate::Nameless => {
                self.0.log.warn(format_args!("{from}: the certificate has no name that a host can have"));
                Some(Caller::Nobody(NotKnown::Nameless))
            }
            Certificate::Named(name) => Some(self.host(name, from).await?),
        };
        let caller = match (host, &user) {
            (Some(host @ Caller::Host(_)), _) => host,
            (Some(unknown), Caller::Nobody(NotKnown::Silent)) => unknown,
            _ => user.clone(),
        };
        Ok((caller, AsUser(user), ClientAddress(from)))
    }

    async fn host(&self, name: HostName, from: IpAddr) -> Result<Caller, StoreError> {
        let app = &self.0.app;
        if app.store.host(&name).await?.is_some() {
            return Ok(Caller::Host(name));
        }
        if !app.set.auto_create {
            self.0.log.warn(format_args!(
                "{from}: host {name} has a good certificate and is not known; to add it: disco dlm host add {name}"
            ));
            return Ok(Caller::Nobody(NotKnown::Host(name)));
        }
        app.store.put_host(&name, HostChange::default()).await?;
        self.0.log.warn(format_args!("{from}: host {name} is new, and was added by its certificate"));
        Ok(Caller::Host(name))
    }

    /// Who logs in with this, from there. Counts what is wrong, and looks at nothing where that is too much.
    pub async fn log_in(&self, from: IpAddr, login: &str, password: &str) -> Result<Caller, StoreError> {
        let log = &self.0.log;
        let blocked = || self.throttle().blocked(from, Instant::now());
        if blocked() {
            log.warn(format_args!("{from}: too many wrong logins; {login:?} is not looked at"));
            return Ok(Caller::Nobody(NotKnown::Throttled));
        }
        let app = &self.0.app;
        let user = match UserName::new(login) {
            Ok(name) => app.store.user(&name).await?,
            Err(_) => None,
        };
        let me = self.clone();
        let failed = move || me.throttle().failed(from, Instant::now());
        let verdict =
            self.0.passwords.verify(user.as_ref(), login, password, clock::now(), blocked, failed).await;
        match (verdict, user) {
            (Verdict::Right, Some(user)) => {
                let permissions = user.permissions(&app.set.roles);
                Ok(Caller::User { login: user.login, permissions, session: false })
            }
            (Verdict::NotNow, _) => {
                log.warn(format_args!("{from}: too many logins at once; {login:?} is not looked at"));
                Ok(Caller::Nobody(NotKnown::Throttled))
            }
            (Verdict::Right | Verdict::Wrong, _) => {
                log.warn(format_args!("{from}: wrong login as {login:?}"));
                Ok(Caller::Nobody(NotKnown::Login(login.to_owned())))
            }
        }
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.0.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a line of the log names who asks; `None` where nobody has.
fn who(caller: &Caller) -> Option<Who> {
    match caller {
        Caller::Host(host) => Some(Who(host.to_string())),
        Caller::User { login, .. } => Some(Who(format!("user {login}"))),
        Caller::Nobody(NotKnown::Host(host)) => Some(Who(format!("unknown {host}"))),
        Caller::Nobody(NotKnown::Silent | NotKnown::Nameless | NotKnown::Login(_) | NotKnown::Throttled) => {
            None
        }
    }
}

/// Whom a trusted proxy names. A header that is there twice may have come from the client, and names nobody.
fn said_by(proxy: &TrustedProxies, headers: &HeaderMap) -> Certificate {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    };
    if !headers.contains_key(&proxy.name_header) {
        return Certificate::None;
    }
    if proxy.verify_header.as_ref().is_some_and(|header| one(header) != Some("SUCCESS")) {
        return Certificate::None;
    }
    one(&proxy.name_header).map_or(Certificate::Nameless, certificate::of_header)
}

/// The address that the proxy itself has seen: the last one, for those before it are what the client says.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// What a request says about a login.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// In a way that is not known here.
    Other,
    Login(String, String),
}

/// HTTP basic (RFC 7617).
fn login(headers: &HeaderMap) -> Said {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Said::Nothing };
    let parsed = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (login, password) = text.split_once(':')?;
        Some(Said::Login(login.to_owned(), password.to_owned()))
    };
    parsed().unwrap_or(Said::Other)
}
