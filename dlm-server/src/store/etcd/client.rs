//! Requests to the members of a cluster, one after the other until one answers: a member that is down, hangs, is cut off from the
//! others or has no leader costs its patience once, and the next requests begin with one that answered.
//!
//! A request whose answer is lost may have been done, and is sent again as it is. Whoever asks sees to it that twice is as once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use super::chance;
use super::options::{Login, Options, OptionsError};
use super::wire::{ErrorSaid, LoginSaid};
use crate::store::StoreError;

/// The pause after all members were asked in vain.
const PAUSE: Duration = Duration::from_millis(100);
/// What a request says so that a member without a leader refuses at once instead of waiting for one.
const WANTS_LEADER: &str = "grpc-metadata-hasleader";
/// How many bytes of a member's answer that is none are kept for the error.
const MOST_SAID: usize = 200;

/// What a member did instead of answering.
#[derive(Debug, Error)]
pub enum MemberError {
    /// No word in time.
    #[error("{member} does not answer")]
    Silent {
        /// The member.
        member: String,
    },
    /// No connection, or not to the end.
    #[error("cannot talk to {member}")]
    Lost {
        /// The member.
        member: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It said no.
    #[error("{member} says: {said}")]
    Refused {
        /// The member.
        member: String,
        /// The code of gRPC, 0 where it was none.
        code: i64,
        /// Its words.
        said: String,
    },
    /// It said what cannot be read.
    #[error("{member} said what is no answer of etcd")]
    Unreadable {
        /// The member.
        member: String,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// There was no time left to ask anybody.
    #[error("too many wait for the same")]
    Queue,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
enum Cure {
    /// Another member, or the same one later.
    Ask,
    /// Log in again.
    LogIn,
    /// Nothing: all members would say the same.
    None,
}

impl MemberError {
    fn cure(&self) -> Cure {
        match self {
            // Invalid arguments (too large, among others), permission, no users at all, unimplemented. Without a user, and with one whose rights
            // changed, etcd speaks of invalid arguments, too.
            MemberError::Refused { code: 3, said, .. }
                if said.contains("user name is empty") || said.contains("revision") =>
            {
                Cure::LogIn
            }
            MemberError::Refused { code: 16, .. } => Cure::LogIn,
            MemberError::Refused { code: 3 | 7 | 9 | 12, .. } => Cure::None,
            MemberError::Silent { .. }
            | MemberError::Lost { .. }
            | MemberError::Refused { .. }
            | MemberError::Unreadable { .. }
            | MemberError::Queue => Cure::Ask,
        }
    }
}

/// The way to a cluster.
pub struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    name: String,
    members: Vec<String>,
    /// The member that is asked first.
    first: AtomicUsize,
    login: Option<Login>,
    token: RwLock<Option<HeaderValue>>,
    patience: Duration,
}

impl Client {
    /// The way to this cluster; nothing is connected yet.
    pub fn new(address: &Address, options: &Options) -> Result<Client, OptionsError> {
        let tls = options.tls(address.tls)?;
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        let http = builder.pool_timer(TokioTimer::new()).build(https.wrap_connector(tcp));
        let scheme = if address.tls { "https" } else { "http" };
        let members: Vec<String> =
            address.members.iter().map(|member| format!("{scheme}://{member}")).collect();
        let first = AtomicUsize::new(usize::try_from(chance::below(members.len() as u64)).unwrap_or(0));
        let login = options.login()?;
        let name = address.to_string();
        Ok(Client { http, name, members, first, login, token: RwLock::new(None), patience: options.patience })
    }

    /// What the cluster is called in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// The error that the store is not available, for this reason.
    pub fn unavailable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Unavailable { store: self.name.clone(), source: source.into() }
    }

    /// The error that what is stored there makes no sense.
    pub fn damaged(
        &self,
        what: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Damaged { what: what.to_owned(), store: self.name.clone(), source: source.into() }
    }

    /// The answer of the first member that gives one before this moment.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        until: Instant,
    ) -> Result<T, StoreError> {
        let body = Bytes::from(body.to_string());
        let mut last = MemberError::Queue;
        let mut logins = 0;
        for attempt in 0.. {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let round = attempt / self.members.len();
            let member = self.first.load(Ordering::Relaxed);
            // A cluster that is slow and not broken has its time in the second round.
            let patience =
                self.patience.saturating_mul(u32::try_from(round + 1).unwrap_or(u32::MAX)).min(left);
            let error = match self.ask_one(member, path, body.clone(), patience).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.cure() {
                Cure::None => return Err(self.unavailable(error)),
                Cure::LogIn if self.login.is_some() && logins < 2 => {
                    logins += 1;
                    *self.token.write().unwrap_or_else(PoisonError::into_inner) = None;
                    last = error;
                    continue;
                }
                Cure::LogIn => return Err(self.unavailable(error)),
                Cure::Ask => last = error,
            }
            // Whoever else found out has moved on already.
            let next = (member + 1) % self.members.len();
            let _moved = self.first.compare_exchange(member, next, Ordering::Relaxed, Ordering::Relaxed);
            if (attempt + 1) % self.members.len() == 0 {
                sleep(chance::part(PAUSE)).await;
            }
        }
        Err(self.unavailable(last))
    }

    /// The answer of this member.
    pub async fn ask_one<T: DeserializeOwned>(
        &self,
        member: usize,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<T, MemberError> {
        let whole = async {
            let token = self.token(member).await?;
            let response = self.send(member, path, body, token).await?;
            self.read(member, response).await
        };
        timeout(patience, whole)
            .await
            .unwrap_or_else(|_| Err(MemberError::Silent { member: self.member(member) }))
    }

    /// An answer of this member that goes on.
    pub async fn open(&self, member: usize, path: &str, body: &Value) -> Result<Incoming, MemberError> {
        let begin = async {
            let token = self.token(member).await?;
            self.send(member, path, Bytes::from(body.to_string()), token).await
        };
        let begun = timeout(self.patience, begin).await;
        let response = begun.unwrap_or_else(|_| Err(MemberError::Silent { member: self.member(member) }))?;
        Ok(response.into_body())
    }

    fn member(&self, member: usize) -> String {
        self.members.get(member).cloned().unwrap_or_default()
    }

    /// What stands for the login.
    async fn token(&self, member: usize) -> Result<Option<HeaderValue>, MemberError> {
        let Some(login) = &self.login else { return Ok(None) };
        let known = self.token.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some() {
            return Ok(known);
        }
        let body = json!({ "name": login.user, "password": login.password }).to_string();
        let response = self.send(member, "/v3/auth/authenticate", Bytes::from(body), None).await?;
        let said: LoginSaid = self.read(member, response).await?;
        let token = HeaderValue::from_str(&said.token)
            .map_err(|error| MemberError::Lost { member: self.member(member), source: error.into() })?;
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(Some(token))
    }

    async fn send(
        &self,
        member: usize,
        path: &str,
        body: Bytes,
        token: Option<HeaderValue>,
    ) -> Result<Response<Incoming>, MemberError> {
        let name = self.member(member);
        let lost = |source: Box<dyn std::error::Error + Send + Sync>| MemberError::Lost {
            member: name.clone(),
            source,
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{name}{path}"))
            .header(CONTENT_TYPE, "application/json")
            .header(WANTS_LEADER, "true");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body)).map_err(|error| lost(error.into()))?;
        self.http.request(request).await.map_err(|error| lost(error.into()))
    }

    async fn read<T: DeserializeOwned>(
        &self,
        member: usize,
        response: Response<Incoming>,
    ) -> Result<T, MemberError> {
        let name = self.member(member);
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body
            .map_err(|error| MemberError::Lost { member: name.clone(), source: error.into() })?
            .to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|source| MemberError::Unreadable { member: name, source });
        }
        let said: ErrorSaid = serde_json::from_slice(&body).unwrap_or_else(|_| ErrorSaid {
            code: 0,
            error: format!("{status}: {}", String::from_utf8_lossy(&body[..body.len().min(MOST_SAID)])),
        });
        Err(MemberError::Refused { member: name, code: said.code, said: said.error })
    }
}
