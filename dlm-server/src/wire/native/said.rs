//! What is said of a lock: the lock, and what its policy makes of it at a time. Pure.

use disco_dlm::model::{Event, Holder, Lock, Policy, Requester, Seconds, Slots, Time, Token};
use disco_dlm::native::say::{EventSaid, FailureSaid, HolderSaid, LockSaid, RefusalCode, WaitingSaid};
use disco_dlm::rules::{Facts, Opening, Operation, Reason, Request, decide, opening};

use crate::store::Logged;

/// What has to be known beside a lock to say what is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The time, by the store's clock.
    pub now: Time,
    /// How many hosts the lock's group has.
    pub group: u64,
    /// After how many hours a holder is stale where the policy says nothing.
    pub stale_hours: u64,
}

/// The lock without what has lapsed by now. Nothing is stored.
pub fn lapsed(lock: &Lock, view: View) -> Lock {
    let request =
        Request { requester: Requester::Server, name: lock.name.clone(), operation: Operation::Show };
    let decision = decide(Some(lock), &request, &facts(Some(lock), view));
    decision.lock(Some(lock)).unwrap_or(lock).clone()
}

/// The facts of a decision that is only played through.
pub fn facts(lock: Option<&Lock>, view: View) -> Facts {
    Facts {
        now: view.now,
        group: view.group,
        next_id: lock.map_or(disco_dlm::model::LockId(0), |lock| lock.id),
        next_token: lock.and_then(|lock| lock.last_token.next()).unwrap_or(Token(1)),
        name_taken: false,
        may_acquire: true,
    }
}

/// What is said of this lock.
pub fn lock_said(lock: &Lock, view: View) -> LockSaid {
    let waiting = lock.tickets.iter().zip(1..);
    LockSaid {
        id: lock.id,
        name: lock.name.clone(),
        kind: lock.kind.sti().map(str::to_owned),
        enabled: lock.enabled,
        slots: lock.policy.slots.of(view.group),
        holders: lock.holders.iter().map(|holder| holder_said(lock, holder, view)).collect(),
        waiting: waiting
            .map(|(ticket, place)| WaitingSaid {
                host: ticket.host.clone(),
                since: rfc3339(ticket.since),
                place,
            })
            .collect(),
        failures: lock
            .failures
            .iter()
            .map(|failure| FailureSaid {
                host: failure.host.clone(),
                at: rfc3339(failure.at),
                note: failure.note.clone(),
            })
            .collect(),
        frozen: lock.frozen(),
        opens: match opening(&lock.policy.calendar, view.now) {
            Opening::Open => None,
            Opening::Closed { until, .. } => until.map(rfc3339),
        },
        policy: lock.policy.clone(),
        created: rfc3339(lock.created),
        updated: rfc3339(lock.updated),
    }
}

fn holder_said(lock: &Lock, holder: &Holder, view: View) -> HolderSaid {
    HolderSaid {
        host: holder.host.clone(),
        since: rfc3339(holder.since),
        renewed: rfc3339(holder.renewed),
        expires: lock.expires(holder).map(rfc3339),
        stale: stale(&lock.policy, holder, view),
        token: holder.token,
        note: holder.note.clone(),
    }
}

/// Whether a holder has not asked for longer than the policy finds good, or the server where the policy says nothing.
pub fn stale(policy: &Policy, holder: &Holder, view: View) -> bool {
    let server = Seconds(3600).times(view.stale_hours);
    view.now > holder.renewed.after(policy.stale_after.unwrap_or(server))
}

/// Whether the number of hosts in the group makes a difference to what is said.
pub fn needs_group(lock: &Lock) -> bool {
    matches!(lock.policy.slots, Slots::Percent(_))
}

/// What is said of an event.
pub fn event_said(logged: &Logged) -> EventSaid {
    let Event { lock, kind, host, requester, detail, at } = &logged.event;
    EventSaid {
        id: logged.id,
        lock_id: *lock,
        lock: Some(logged.lock.clone()),
        kind: *kind,
        host: host.clone(),
        requester: requester.clone(),
        detail: detail.clone(),
        at: rfc3339(*at),
    }
}

/// The code of a refusal.
pub fn refusal_code(reason: &Reason) -> RefusalCode {
    match reason {
        Reason::NotPermitted => RefusalCode::NotPermitted,
        Reason::Disabled => RefusalCode::Disabled,
        Reason::Full { .. } => RefusalCode::Full,
        Reason::Queued(_) => RefusalCode::Queued,
        Reason::Closed(_) => RefusalCode::Closed,
        Reason::Gap => RefusalCode::Gap,
        Reason::Frozen(_) => RefusalCode::Frozen,
        Reason::HeldBy(_) => RefusalCode::HeldByOther,
        Reason::OtherGrant(_) => RefusalCode::OtherGrant,
        Reason::NoToken => RefusalCode::NoToken,
    }
}

/// In how many whole seconds a time is reached: rounded up, and never 0, so that nobody comes too early.
pub fn seconds_until(at: Time, now: Time) -> u64 {
    let whole = at.since(now).0;
    let rounded = if now.after(Seconds(whole)) < at { whole.saturating_add(1) } else { whole };
    rounded.max(1)
}

/// A time as RFC 3339 in UTC; one that no calendar has, as the nearest one.
pub fn rfc3339(time: Time) -> String {
    let nanoseconds = i32::try_from(time.nanoseconds()).unwrap_or(0);
    let nearest = if time.seconds() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::new(time.seconds(), nanoseconds).unwrap_or(nearest).to_string()
}
