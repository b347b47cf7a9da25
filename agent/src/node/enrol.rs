//! A node's registration with a Foreman, made, or refreshed where something has changed.
//!
//! What is offered is asked of the node's own face, as the Foreman will ask it: so it has to listen.

use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use crate::client::ask::{self, AskError};
use crate::client::http::Http;
use crate::client::known;
use crate::client::reply::{RUNNING, Reply};
use crate::register::foreman::{Foreman, RegisterError, Registration};
use crate::register::print::Registered;
use crate::register::steps::Step;
use crate::register::tend::{Offer, TendError, tend};

/// The states of what is about to run.
const BEFORE: [&str; 3] = ["uninitialized", "loaded", "starting"];
/// How often our own face is asked before what is about to run counts as what does not, and the time between.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(300);

/// A registration that did not come about.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// This node's own face does not say what it offers.
    #[error("this node's own proxy has to answer first, at {url}")]
    Own {
        /// Where it was asked.
        url: String,
        /// Why not.
        #[source]
        source: AskError,
    },
    /// A Foreman as it comes would not take it.
    #[error("no Foreman would take this proxy: {0}")]
    Unfit(String),
    /// The Foreman did not do it.
    #[error("{name} is not registered")]
    Foreman {
        /// Our name.
        name: String,
        /// Why.
        #[source]
        source: RegisterError,
    },
    /// What is offered is no JSON.
    #[error("what is offered cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// Who registers, and where.
pub struct Enrolment<'a> {
    /// Our name there.
    pub name: &'a str,
    /// Where the Foreman finds us.
    pub url: &'a str,
    /// Who asks our own face.
    pub own: &'a Http,
    /// The Foreman.
    pub foreman: &'a Foreman,
}

/// Registers; with something `kept`, only where what is offered, or who offers it, has changed since. What is to be kept, and what was
/// done; `None` where there was nothing to do. After an error what was kept stays, and the next call tries again.
pub fn enrol(
    enrolment: &Enrolment<'_>,
    kept: Option<&Registered>,
) -> Result<Option<(Registered, Registration)>, EnrolError> {
    let Enrolment { name, url, own, foreman } = enrolment;
    let reply = settled(own, url)
        .map_err(|source| EnrolError::Own { url: ask::plain_url(url).to_owned(), source })?;
    if let Some(why) = known::refusal(&reply) {
        return Err(EnrolError::Unfit(why));
    }
    let running = reply.features.iter().filter(|(_, said)| said.state == RUNNING);
    let running: Vec<String> = running.map(|(name, _)| name.clone()).collect();
    let offer = Offer { name, url, running: &running, v2: &reply.features };
    tend(foreman, kept, &offer).map_err(|error| match error {
        TendError::Register { name, source } => EnrolError::Foreman { name, source },
        TendError::Json(source) => EnrolError::Json(source),
    })
}

/// What our own face says; once nothing is about to begin any more, where that does not take long. A Foreman drops what does not run
/// at the moment in which it asks.
fn settled(own: &Http, url: &str) -> Result<Reply, AskError> {
    for _ in 0..LOOKS {
        let reply = ask::features(own, url)?;
        if !reply.features.values().any(|said| BEFORE.contains(&said.state.as_str())) {
            return Ok(reply);
        }
        std::thread::sleep(PAUSE);
    }
    ask::features(own, url)
}

/// What was done, in a word.
pub fn word(step: &Step) -> &'static str {
    match step {
        Step::Create => "created",
        Step::Update(_) => "updated",
        Step::Refresh(_) => "refreshed",
    }
}

/// A registration as text.
pub fn text(kept: &Registered, done: Option<&Registration>) -> String {
    let Registered { foreman, name, id, .. } = kept;
    let Some(Registration { done, compared, .. }) = done else {
        return format!("{name}: number {id} at {foreman}, and nothing has changed since\n");
    };
    let mut text = format!("{name}: {}, number {id} at {foreman}\n", word(done));
    let lists = [
        ("runs here, and the Foreman does not have it", &compared.missing),
        ("does not run here, and the Foreman has it", &compared.extra),
        ("runs here, and is nothing that a Foreman knows as it comes", &compared.foreign),
    ];
    for (what, names) in lists {
        names.iter().for_each(|name| text += &format!("  {name}: {what}\n"));
    }
    // The Foreman's names are somebody else's text.
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// The same as one JSON object.
pub fn json(kept: &Registered, done: Option<&Registration>) -> Value {
    let Registered { foreman, name, url, id, .. } = kept;
    let (word, compared) =
        done.map_or(("unchanged", Default::default()), |done| (word(&done.done), done.compared.clone()));
    json!({ "schema": 1, "foreman": foreman, "name": name, "url": url, "id": id, "done": word, "compared": compared })
}

/// Whether the Foreman has what runs, and nothing else.
pub fn is_as_it_runs(done: &Registration) -> bool {
    done.compared.missing.is_empty() && done.compared.extra.is_empty()
}
