//! For tests: one lock and a clock to play with, and answers in words.

use super::*;
use crate::model::{Event, HostName, LockId, LockName, Policy, Seconds, Time, Token, UserName};

pub fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub fn name(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

pub fn by_host(name: &str) -> Requester {
    Requester::Host(host(name))
}

pub fn by_user() -> Requester {
    Requester::User(UserName::new("admin").unwrap())
}

pub fn acquire() -> Operation {
    Operation::Acquire { note: String::new() }
}

pub fn release() -> Operation {
    Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse }
}

pub fn failed() -> Operation {
    Operation::Release { outcome: Outcome::Failed("exit 1".into()), token: None, not_held: NotHeld::Refuse }
}

pub fn force(of: Option<&str>) -> Operation {
    Operation::ForceRelease { host: of.map(host), reason: "gone".into() }
}

pub fn update(holder: NewHolder, enabled: Option<bool>) -> Operation {
    Operation::Update { name: None, kind: None, holder, enabled }
}

/// One lock, and what the world says.
pub struct Stage {
    pub lock: Option<Lock>,
    pub facts: Facts,
    pub events: Vec<Event>,
}

impl Stage {
    /// No lock, at 1000 seconds after 1970.
    pub fn new() -> Stage {
        let facts = Facts {
            now: Time::new(1000, 0),
            group: 10,
            next_id: LockId(7),
            next_token: Token(1),
            name_taken: false,
            may_acquire: true,
        };
        Stage { lock: None, facts, events: vec![] }
    }

    /// A free lock under this policy.
    pub fn with(policy: Policy) -> Stage {
        let mut stage = Stage::new();
        assert_eq!(stage.release("nobody"), "not held");
        assert_eq!(stage.set(policy), "updated");
        stage
    }

    pub fn at(&mut self, seconds: i64) -> &mut Stage {
        self.facts.now = Time::new(seconds, 0);
        self
    }

    pub fn later(&mut self, seconds: u64) -> &mut Stage {
        self.facts.now = self.facts.now.after(Seconds(seconds));
        self
    }

    /// Asks, keeps what comes out, and gives the answer in words.
    pub fn ask(&mut self, requester: Requester, operation: Operation) -> String {
        let request = Request { requester, name: name("web"), operation };
        let decision = decide(self.lock.as_ref(), &request, &self.facts);
        self.lock = decision.lock(self.lock.as_ref()).cloned();
        self.events = decision.events;
        self.facts.next_token = self.facts.next_token.next().unwrap_or(Token(0));
        words(&decision.answer)
    }

    pub fn acquire(&mut self, by: &str) -> String {
        self.ask(by_host(by), acquire())
    }

    pub fn release(&mut self, by: &str) -> String {
        self.ask(by_host(by), release())
    }

    pub fn set(&mut self, policy: Policy) -> String {
        self.ask(by_user(), Operation::SetPolicy(policy))
    }

    /// The lock in words: whether it is enabled, who holds it, who waits.
    pub fn state(&self) -> String {
        let Some(lock) = &self.lock else { return "missing".into() };
        let holders: Vec<&str> = lock.holders.iter().map(|holder| holder.host.as_str()).collect();
        let switch = if lock.enabled { "enabled" } else { "disabled" };
        if holders.is_empty() { format!("{switch} free") } else { format!("{switch} {}", holders.join(" ")) }
    }

    /// The last request's events in words: `KIND HOST by REQUESTER`.
    pub fn logged(&self) -> String {
        let line = |event: &Event| {
            let host = event.host.as_ref().map_or("-", HostName::as_str);
            let by = match &event.requester {
                Requester::Host(host) => host.as_str(),
                Requester::User(user) => user.as_str(),
                Requester::Server => "server",
            };
            format!("{} {host} by {by}", format!("{:?}", event.kind).to_lowercase())
        };
        self.events.iter().map(line).collect::<Vec<_>>().join(", ")
    }
}

pub fn words(answer: &Answer) -> String {
    match answer {
        Answer::Granted { grant: Grant::New, token } => format!("granted {}", token.0),
        Answer::Granted { grant: Grant::Renewed, token } => format!("renewed {}", token.0),
        Answer::Released { held: true } => "released".into(),
        Answer::Released { held: false } => "not held".into(),
        Answer::Refused(Refusal { reason, retry_at, place }) => {
            let retry = retry_at.map_or(String::new(), |at| format!(", again at {}", at.seconds()));
            let place = place.map_or(String::new(), |place| format!(", place {place}"));
            format!("refused: {reason}{retry}{place}")
        }
        other => format!("{other:?}").to_lowercase(),
    }
}
