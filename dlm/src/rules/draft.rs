//! A lock while it is decided about: a copy, what is logged so far, and the few ways in which it can change.

use super::answer::{After, Answer, Decision, Reason};
use super::request::{Facts, Request};
use crate::model::{Event, EventKind, Holder, HostName, Kind, Lock, Requester, Seconds, Ticket, Time, Token};

/// How many polls a host that waits may miss.
pub(super) const MISSED_POLLS: u64 = 3;

pub(super) struct Draft<'a> {
    pub lock: Lock,
    pub facts: &'a Facts,
    request: &'a Request,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    /// A lock that there is, without what has lapsed.
    pub fn of(lock: &Lock, request: &'a Request, facts: &'a Facts) -> Draft<'a> {
        let mut draft = Draft { lock: lock.clone(), facts, request, events: vec![] };
        draft.lapse();
        draft
    }

    /// A lock that this request makes.
    pub fn new(kind: Kind, request: &'a Request, facts: &'a Facts) -> Draft<'a> {
        let lock = Lock::new(facts.next_id, request.name.clone(), kind, facts.now);
        let mut draft = Draft { lock, facts, request, events: vec![] };
        draft.log(EventKind::Create, None, String::new());
        draft
    }

    fn lapse(&mut self) {
        let now = self.facts.now;
        let expired = |lock: &Lock, holder: &Holder| lock.expires(holder).is_some_and(|end| end <= now);
        let gone: Vec<HostName> = self
            .lock
            .holders
            .iter()
            .filter(|holder| expired(&self.lock, holder))
            .map(|h| h.host.clone())
            .collect();
        for host in gone {
            self.take(&host, EventKind::Expire, "not renewed in time".to_owned());
        }
        let patience = self.lock.policy.queue.poll.times(MISSED_POLLS);
        self.lock.tickets.retain(|ticket| alive(ticket, patience, now));
    }

    /// Adds a line to the log.
    pub fn log(&mut self, kind: EventKind, host: Option<HostName>, detail: String) {
        let requester = match kind {
            EventKind::Expire => Requester::Server,
            _ => self.request.requester.clone(),
        };
        self.events.push(Event { lock: self.lock.id, kind, host, requester, detail, at: self.facts.now });
    }

    /// Notes that the lock was changed now.
    pub fn touch(&mut self) {
        self.lock.updated = self.facts.now;
    }

    /// How many may hold the lock.
    pub fn slots(&self) -> u64 {
        self.lock.policy.slots.of(self.facts.group)
    }

    /// Gives a slot to a host that has none, and says its token. Asks nothing but whether there is one.
    pub fn grant(&mut self, host: &HostName, note: &str) -> Result<Token, Reason> {
        let token = self.lock.last_token.next().ok_or(Reason::NoToken)?.max(self.facts.next_token);
        let now = self.facts.now;
        self.lock.tickets.retain(|ticket| ticket.host != *host);
        let holder = Holder { host: host.clone(), since: now, renewed: now, token, note: note.to_owned() };
        self.lock.holders.push(holder);
        self.lock.last_token = token;
        self.lock.last_grant = Some(now);
        self.touch();
        self.log(EventKind::Acquire, Some(host.clone()), note.to_owned());
        Ok(token)
    }

    /// Takes the slot of a host, logs that, and says what it had; `None` where it had none.
    pub fn take(&mut self, host: &HostName, kind: EventKind, detail: String) -> Option<Holder> {
        let at = self.lock.holders.iter().position(|holder| holder.host == *host)?;
        let holder = self.lock.holders.remove(at);
        self.touch();
        self.log(kind, Some(host.clone()), detail);
        Some(holder)
    }

    /// The decision about a lock that there was.
    pub fn finish(self, before: &Lock, answer: Answer) -> Decision {
        let after = if self.lock == *before { After::Unchanged } else { After::Saved(Box::new(self.lock)) };
        Decision { after, events: self.events, answer }
    }

    /// The decision about a lock that this request makes.
    pub fn finish_new(self, answer: Answer) -> Decision {
        Decision { after: After::Saved(Box::new(self.lock)), events: self.events, answer }
    }

    /// The decision that there is no such lock any more.
    pub fn remove(mut self, answer: Answer) -> Decision {
        let host = self.lock.holders.first().map(|holder| holder.host.clone());
        self.log(EventKind::Delete, host, String::new());
        Decision { after: After::Removed, events: self.events, answer }
    }
}

/// Whether who has the ticket may still come.
fn alive(ticket: &Ticket, patience: Seconds, now: Time) -> bool {
    now <= ticket.due.after(patience)
}
