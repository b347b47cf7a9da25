//! Who asks, how often, and who may: in front of everything else, so that nothing is read of somebody who may not.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use disco_listen::network::network;
use disco_listen::throttle::Throttle;
use disco_listen::{Certificate, Log, Peer, Who, clock};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::config::{Auth, Rate};
use super::keyring::Keyring;
use super::metrics::Metrics;
use super::said::Failure;

/// Of so many addresses it is known how often they asked; then those who have not for a while are forgotten.
const MOST_ADDRESSES: usize = 4096;

/// Who asks, as the helper and the log are told: an extension of every request that may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By(pub String);

/// Knows who may ask.
pub struct Guard {
    auth: Auth,
    keys: Arc<Keyring>,
    wrong: Arc<Mutex<Throttle>>,
    log: Log,
}

/// Knows how often somebody asked.
pub struct Paces {
    all: DefaultDirectRateLimiter,
    each: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    metrics: Metrics,
}

impl Paces {
    /// With these bounds.
    pub fn new(rate: Rate, metrics: Metrics) -> Paces {
        let quota = |second: NonZeroU32, burst| Quota::per_second(second).allow_burst(burst);
        Paces {
            all: RateLimiter::direct(quota(rate.all_per_second, rate.all_burst)),
            each: RateLimiter::keyed(quota(rate.client_per_second, rate.client_burst)),
            clock: DefaultClock::default(),
            metrics,
        }
    }

    /// Whether somebody may ask once more; or after how many seconds.
    pub fn check(&self, from: IpAddr) -> Result<(), u64> {
        // An address that asks too often must not use up what is for all.
        let each = self.each.check_key(&network(from));
        if self.each.len() > MOST_ADDRESSES {
            self.each.retain_recent();
        }
        let wait = match each {
            Ok(()) => match self.all.check() {
                Ok(()) => return Ok(()),
                Err(not) => not.wait_time_from(self.clock.now()),
            },
            Err(not) => not.wait_time_from(self.clock.now()),
        };
        self.metrics.turned_away("rate");
        Err(wait.as_secs() + 1)
    }
}

/// Answers only as often as that; `refuse` says it to those who ask more often.
pub fn paced(routes: Router, paces: Arc<Paces>, refuse: fn(u64) -> Response) -> Router {
    routes.layer(from_fn_with_state((paces, refuse), pace))
}

type Paced = (Arc<Paces>, fn(u64) -> Response);

async fn pace(State((paces, refuse)): State<Paced>, request: Request, next: Next) -> Response {
    let Some(from) = request.extensions().get::<Peer>().map(|peer| peer.address.ip()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match paces.check(from) {
        Ok(()) => next.run(request).await,
        Err(seconds) => refuse(seconds),
    }
}

/// Somebody asks too often, in JSON.
pub fn too_often(seconds: u64) -> Response {
    Failure::new(StatusCode::TOO_MANY_REQUESTS, "too many requests").again(seconds).into_response()
}

/// Lets only those in who may ask.
pub fn guarded(routes: Router, guard: Arc<Guard>) -> Router {
    routes.layer(from_fn_with_state(guard, stand))
}

async fn stand(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let by = peer.map(|peer| guard.who(&peer, request.headers(), request.uri().host()));
    match by {
        Some(Ok(by)) => {
            request.extensions_mut().insert(by.clone());
            let mut response = next.run(request).await;
            response.extensions_mut().insert(Who(by.0));
            response
        }
        Some(Err(failure)) => failure.into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What a request says about a key.
enum Said<'a> {
    Nothing,
    Key(&'a str),
    Other,
}

impl Guard {
    /// By this rule, with these keys.
    pub fn new(auth: Auth, keys: Keyring, log: Log) -> Guard {
        Guard { auth, keys: Arc::new(keys), wrong: Arc::default(), log }
    }

    /// Looks at the file with the keys, where keys let anybody in.
    pub fn look_at_keys(&self) {
        match self.auth {
            Auth::Needed(_) => self.keys.look(),
            Auth::AnyoneHere => {}
        }
    }

    /// By another rule, and with other keys where there are others. Who has guessed is remembered.
    pub fn again(&self, auth: Auth, keys: Option<Keyring>) -> Guard {
        let keys = keys.map_or_else(|| Arc::clone(&self.keys), Arc::new);
        Guard { auth, keys, wrong: Arc::clone(&self.wrong), log: self.log.clone() }
    }

    /// Who asks, if it may; `authority` is the host in the request's own line, which HTTP/2 has in place of a header.
    pub fn who(&self, peer: &Peer, headers: &HeaderMap, authority: Option<&str>) -> Result<By, Failure> {
        let from = peer.address.ip().to_canonical();
        if headers.contains_key(header::ORIGIN) {
            // No page is a client: whoever looks at one must not have it ask in his place, from this machine.
            let message = "requests of pages in a browser are not answered";
            return Err(Failure::new(StatusCode::FORBIDDEN, message));
        }
        let names = match &self.auth {
            Auth::AnyoneHere if from.is_loopback() => {
                let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
                return if host.into_iter().chain(authority).all(is_here) {
                    Ok(By(format!("anyone at {from}")))
                } else {
                    // A page whose name was made to lead here asks in that name, without an Origin where it only reads.
                    Err(Failure::new(
                        StatusCode::FORBIDDEN,
                        "without a login only localhost is answered, by that name or an address",
                    ))
                };
            }
            Auth::AnyoneHere => return Err(Failure::new(StatusCode::FORBIDDEN, "only for this machine")),
            Auth::Needed(names) => names,
        };
        let shown = match peer.certificate() {
            Certificate::Named(name) if names.contains(&name) => return Ok(By(name)),
            shown => shown,
        };
        match said(headers) {
            Said::Key(key) => self.key(from, key),
            Said::Other => Err(self.stranger("a key is said as Authorization: Bearer KEY")),
            Said::Nothing => match shown {
                Certificate::Named(name) => {
                    self.log
                        .warn(format_args!("{from}: {name} has a good certificate, and is not in `names`"));
                    let message = format!("{name} may not ask here");
                    Err(Failure::new(StatusCode::FORBIDDEN, message)
                        .hint("the node's /etc/disco/agent.toml has `names`"))
                }
                Certificate::Nameless => {
                    Err(self.stranger("the certificate has no name that can be somebody's"))
                }
                Certificate::None => Err(self.stranger("nobody has said who asks")),
            },
        }
    }

    fn stranger(&self, message: &str) -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, message)
            .hint("with a key (on the node: disco agent key add NAME) or a certificate that the node allows")
    }

    fn key(&self, from: IpAddr, key: &str) -> Result<By, Failure> {
        if self.wrong().blocked(from, Instant::now()) {
            self.log.warn(format_args!("{from}: too many wrong keys; this one is not looked at"));
            let message = "too many wrong keys came from this address";
            return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, message)
                .hint("right ones are not looked at for five minutes either; a certificate that the node allows is")
                .again(300));
        }
        if let Some(name) = self.keys.whose(key, clock::now()) {
            return Ok(By(format!("key {name}")));
        }
        self.wrong().failed(from, Instant::now());
        self.log.warn(format_args!("{from}: a wrong key"));
        Err(self.stranger("the key is wrong, or has ended"))
    }

    fn wrong(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a host that was asked for, maybe with a port, is this machine by its own name for itself: nobody else can give that to another.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn said(headers: &HeaderMap) -> Said<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Said::Nothing,
        (Some(value), None) => match value.to_str().ok().and_then(|text| text.split_once(' ')) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Said::Key(key.trim()),
            Some(_) | None => Said::Other,
        },
        (Some(_), Some(_)) => Said::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn here_is_localhost_and_every_address() {
        for here in [
            "localhost",
            "LocalHost:8453",
            "127.0.0.1",
            "127.0.0.1:8453",
            "[::1]",
            "[::1]:8453",
            "10.0.0.1:1",
        ] {
            assert!(is_here(here), "{here}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:8453",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            ":8453",
            "localhost:x",
        ] {
            assert!(!is_here(other), "{other}");
        }
    }
}
