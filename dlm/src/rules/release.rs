//! Release: the slot of a host back, and what it says about its work kept.

use super::answer::{Answer, Reason, Refusal};
use super::draft::Draft;
use super::log_refusal;
use super::request::{NotHeld, Outcome};
use crate::model::{EventKind, Failure, Holder, HostName, Token};

pub(super) fn release(
    draft: &mut Draft<'_>,
    host: &HostName,
    outcome: &Outcome,
    token: Option<Token>,
    not_held: NotHeld,
) -> Answer {
    if !draft.lock.enabled {
        // As Foreman: the holder's own release, too.
        return refuse(draft, Reason::Disabled);
    }
    let Some(holder) = draft.lock.holder(host) else {
        return match draft.lock.holders.first() {
            Some(other) if not_held == NotHeld::Refuse => {
                let reason = Reason::HeldBy(other.host.clone());
                refuse(draft, reason)
            }
            _ => Answer::Released { held: false },
        };
    };
    if let Some(token) = token
        && token != holder.token
    {
        return refuse(draft, Reason::OtherGrant(token));
    }
    let held = match outcome {
        Outcome::Ok => draft.take(host, EventKind::Release, String::new()),
        Outcome::Failed(note) => draft.take(host, EventKind::ReleaseFailed, note.clone()),
    };
    if let Some(holder) = held {
        remember(draft, holder, outcome);
    }
    Answer::Released { held: true }
}

/// Keeps a failure in place of the host's last one; a success takes that away.
fn remember(draft: &mut Draft<'_>, holder: Holder, outcome: &Outcome) {
    let was_frozen = draft.lock.frozen();
    draft.lock.failures.retain(|failure| failure.host != holder.host);
    if let Outcome::Failed(note) = outcome {
        let failure =
            Failure { host: holder.host, at: draft.facts.now, token: holder.token, note: note.clone() };
        draft.lock.failures.push(failure);
    }
    if !was_frozen && draft.lock.frozen() {
        let hosts: Vec<&str> = draft.lock.failures.iter().map(|failure| failure.host.as_str()).collect();
        let detail = format!("failed: {}", hosts.join(", "));
        draft.log(EventKind::Freeze, None, detail);
    }
}

fn refuse(draft: &mut Draft<'_>, reason: Reason) -> Answer {
    log_refusal(draft, &reason);
    Answer::Refused(Refusal { reason, retry_at: None, place: None })
}
