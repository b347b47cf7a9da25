//! Acquire: one slot for one host, or why not, and when to ask again.

use super::answer::{Answer, Grant, Reason, Refusal};
use super::calendar::{Opening, opening};
use super::draft::Draft;
use super::log_refusal;
use crate::model::{HostName, Order, Ticket, Time};

/// The most hosts that have a place in a lock's queue. Who comes when it is full is refused without a place.
pub const MOST_TICKETS: usize = 1000;

/// Something in the way, and until when where that is known.
struct Obstacle {
    reason: Reason,
    until: Option<Time>,
}

impl Obstacle {
    fn new(reason: Reason) -> Obstacle {
        Obstacle { reason, until: None }
    }
}

pub(super) fn acquire(draft: &mut Draft<'_>, host: &HostName, note: &str) -> Answer {
    if !draft.facts.may_acquire {
        // As Foreman: before anything is looked at, and without an event.
        return Answer::Refused(Refusal { reason: Reason::NotPermitted, retry_at: None, place: None });
    }
    if !draft.lock.enabled {
        return refuse(draft, host, Obstacle::new(Reason::Disabled));
    }
    let now = draft.facts.now;
    if let Some(holder) = draft.lock.holders.iter_mut().find(|holder| holder.host == *host) {
        holder.renewed = now;
        if !note.is_empty() {
            note.clone_into(&mut holder.note);
        }
        let token = holder.token;
        draft.touch();
        return Answer::Granted { token, grant: Grant::Renewed };
    }
    if let Some(obstacle) = obstacle(draft, host) {
        return refuse(draft, host, obstacle);
    }
    match draft.grant(host, note) {
        Ok(token) => Answer::Granted { token, grant: Grant::New },
        Err(reason) => {
            log_refusal(draft, &reason);
            Answer::Refused(Refusal { reason, retry_at: None, place: None })
        }
    }
}

/// The first thing in the way of a grant to a host that has none.
fn obstacle(draft: &Draft<'_>, host: &HostName) -> Option<Obstacle> {
    let (lock, now) = (&draft.lock, draft.facts.now);
    if lock.frozen() {
        return Some(Obstacle::new(Reason::Frozen(lock.failures.len())));
    }
    if let Opening::Closed { why, until } = opening(&lock.policy.calendar, now) {
        return Some(Obstacle { reason: Reason::Closed(why), until });
    }
    if let (Some(gap), Some(last)) = (lock.policy.gap, lock.last_grant) {
        let over = last.after(gap);
        if now < over {
            return Some(Obstacle { reason: Reason::Gap, until: Some(over) });
        }
    }
    let (holders, slots) = (lock.holders.len() as u64, draft.slots());
    if holders >= slots {
        return Some(Obstacle::new(Reason::Full { holders, slots }));
    }
    if lock.policy.queue.order == Order::Fair {
        let ahead = lock.tickets.iter().take_while(|ticket| ticket.host != *host).count();
        // Each who waited longer has a slot kept. With a gap every grant delays the others, so the first comes first.
        let grantable = if lock.policy.gap.is_some() { 1 } else { slots - holders };
        if ahead as u64 >= grantable {
            return Some(Obstacle::new(Reason::Queued(ahead)));
        }
    }
    None
}

/// Refuses, leaves a ticket, and logs it.
fn refuse(draft: &mut Draft<'_>, host: &HostName, obstacle: Obstacle) -> Answer {
    let Obstacle { reason, until } = obstacle;
    let retry_at = until.unwrap_or_else(|| next_poll(draft));
    let place = wait(draft, host, retry_at);
    log_refusal(draft, &reason);
    let place = place.filter(|_| draft.lock.policy.queue.order == Order::Fair);
    Answer::Refused(Refusal { reason, retry_at: Some(retry_at), place })
}

/// When to ask again if nothing is known: by the next poll, and sooner where the policy ends a grant before.
fn next_poll(draft: &Draft<'_>) -> Time {
    let (lock, now) = (&draft.lock, draft.facts.now);
    let poll = now.after(lock.policy.queue.poll);
    if !lock.enabled || lock.frozen() {
        return poll;
    }
    let mut ends: Vec<Time> = lock.holders.iter().filter_map(|holder| lock.expires(holder)).collect();
    ends.sort_unstable();
    // So many grants have to end until one slot is free.
    let excess = (ends.len() as u64).saturating_sub(draft.slots());
    let free = usize::try_from(excess).ok().and_then(|excess| ends.get(excess));
    free.map_or(poll, |end| poll.min(*end))
}

/// The place of a host among those who wait, 1 the first, whether it waited before or not. Who holds the lock waits for nothing.
fn wait(draft: &mut Draft<'_>, host: &HostName, due: Time) -> Option<usize> {
    if draft.lock.holder(host).is_some() {
        return None;
    }
    let tickets = &mut draft.lock.tickets;
    let at = tickets.iter().position(|ticket| ticket.host == *host);
    match at {
        Some(at) => tickets[at].due = due,
        None if tickets.len() < MOST_TICKETS => {
            tickets.push(Ticket { host: host.clone(), since: draft.facts.now, due });
        }
        None => return None,
    }
    Some(at.unwrap_or(tickets.len() - 1) + 1)
}
