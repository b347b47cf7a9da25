//! A registration with a Foreman: search, create or update, refresh, compare. Doing it again changes nothing. Blocking.
//!
//! While it creates, a Foreman asks the proxy what it offers: the listener must be up.

use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use url::Url;

use crate::client::http::{Answer, Http, Question, Unreachable};
use crate::face::clock::Clock;
use crate::register::login::{Kind, Login};
use crate::register::steps::{self, Compared, Known, Step};

/// A registration that did not come about.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// An address that is none.
    #[error("{text} is no address of a Foreman")]
    Address {
        /// What was given.
        text: String,
        /// Why.
        #[source]
        source: url::ParseError,
    },
    /// There was no answer.
    #[error("cannot ask the Foreman")]
    Unreachable(#[source] Unreachable),
    /// It does not know who we are, or does not let us.
    #[error("the Foreman does not let us {what} ({status}): {said}")]
    NotAllowed {
        /// What was asked.
        what: &'static str,
        /// 401 or 403.
        status: u16,
        /// How we logged in.
        login: Kind,
        /// What it said.
        said: String,
    },
    /// It refused what we sent: each sentence of its own.
    #[error("the Foreman refuses to {what}: {}", said.join("; "))]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        said: Vec<String>,
    },
    /// It answered something else.
    #[error("the Foreman answered {status} where it was to {what}: {said}")]
    Strange {
        /// What was asked.
        what: &'static str,
        /// The status.
        status: u16,
        /// The start of what it said.
        said: String,
    },
    /// There is no chance to be had from the system, without which nothing can be signed.
    #[error("the system gives no random numbers")]
    Chance(#[source] getrandom::Error),
}

/// What a registration came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Our number.
    pub id: u64,
    /// What was done.
    pub done: Step,
    /// How what it knows now differs from what runs.
    pub compared: Compared,
}

/// A Foreman, and who we are to it.
pub struct Foreman {
    http: Http,
    base: Url,
    login: Login,
    clock: Clock,
}

#[derive(Deserialize)]
struct Found {
    results: Vec<Known>,
}

impl Foreman {
    /// The Foreman at that address.
    pub fn new(address: &str, http: Http, login: Login, clock: Clock) -> Result<Foreman, RegisterError> {
        let slashed = if address.ends_with('/') { address.to_owned() } else { format!("{address}/") };
        let base = Url::parse(&slashed)
            .map_err(|source| RegisterError::Address { text: address.to_owned(), source })?;
        Ok(Foreman { http, base, login, clock })
    }

    /// Its address, with a slash at its end.
    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// Makes the proxy of that name and url known, where these features run.
    pub fn register(&self, name: &str, url: &str, running: &[String]) -> Result<Registration, RegisterError> {
        let step = steps::first(&self.search(name)?, name, url);
        let proxy = json!({ "smart_proxy": { "name": name, "url": url } });
        let id = match &step {
            Step::Create => {
                self.ask::<Known>("POST", "api/v2/smart_proxies", &[], Some(&proxy), "create it")?.id
            }
            Step::Update(id) => {
                let path = format!("api/v2/smart_proxies/{id}");
                self.ask::<Known>("PUT", &path, &[], Some(&proxy), "change its url")?.id
            }
            Step::Refresh(id) => *id,
        };
        let known = self.refresh(id)?;
        Ok(Registration { id, done: step, compared: steps::compare(running, &known.features) })
    }

    /// Has the Foreman look again at what the proxy with that number offers.
    pub fn refresh(&self, id: u64) -> Result<Known, RegisterError> {
        let path = format!("api/v2/smart_proxies/{id}/refresh");
        self.ask("PUT", &path, &[], Some(&json!({})), "refresh its features")
    }

    fn search(&self, name: &str) -> Result<Vec<Known>, RegisterError> {
        let search = searched(name);
        let query = [("search", search.as_str())];
        let found: Found = self.ask("GET", "api/v2/smart_proxies", &query, None, "search for it")?;
        Ok(found.results)
    }

    fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        what: &'static str,
    ) -> Result<T, RegisterError> {
        let parse = |source| RegisterError::Address { text: path.to_owned(), source };
        let mut url = self.base.join(path).map_err(parse)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut chance = [0; 16];
        getrandom::fill(&mut chance).map_err(RegisterError::Chance)?;
        let nonce: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
        let timestamp = (self.clock)().0 / 1_000_000;
        let headers = self.login.headers(method, &url, timestamp, &nonce);
        let body = body.map(Value::to_string);
        let question = Question { method, url: url.as_str(), headers: &headers, body: body.as_deref() };
        let answer = self.http.ask(&question).map_err(RegisterError::Unreachable)?;
        let strange = |answer: &Answer| RegisterError::Strange {
            what,
            status: answer.status,
            said: start(&answer.body),
        };
        match answer.status {
            200 | 201 => serde_json::from_str(&answer.body).map_err(|_| strange(&answer)),
            401 | 403 => {
                let said = sentences(&answer.body).join("; ");
                Err(RegisterError::NotAllowed { what, status: answer.status, login: self.login.kind(), said })
            }
            422 => Err(RegisterError::Refused { what, said: sentences(&answer.body) }),
            _ => Err(strange(&answer)),
        }
    }
}

/// A search for exactly that name: within quotes a Foreman takes what follows a backslash as it is.
fn searched(name: &str) -> String {
    format!("name=\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What an error of Foreman's says: `{"error":{"full_messages":[…]}}`, or `{"error":{"message":…}}`, or whatever came.
fn sentences(body: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let error = &value["error"];
    let full = error["full_messages"].as_array().into_iter().flatten();
    let full: Vec<String> = full.filter_map(|one| one.as_str()).map(start).collect();
    if !full.is_empty() {
        return full;
    }
    let message = error["message"].as_str().or_else(|| value["message"].as_str());
    vec![message.map_or_else(|| start(body), start)]
}

fn start(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_searched_for_as_it_is() {
        for (name, search) in [
            ("web1.example.com", r#"name="web1.example.com""#),
            (r#"say "hi""#, r#"name="say \"hi\"""#),
            (r"a\", r#"name="a\\""#),
        ] {
            assert_eq!(searched(name), search);
        }
    }
}
