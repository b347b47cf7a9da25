//! What users do with a lock: make, change, force, enable, disable, delete.

use super::answer::{Answer, Decision, Reason, Refusal};
use super::draft::Draft;
use super::request::{Facts, NewHolder, Operation, Request};
use crate::model::{EventKind, HostName, Kind, Lock, LockName, Policy};

pub(super) fn create(
    request: &Request,
    facts: &Facts,
    kind: Kind,
    enabled: bool,
    holder: Option<&HostName>,
) -> Decision {
    if facts.name_taken {
        return Decision::unchanged(Answer::NameTaken);
    }
    let mut draft = Draft::new(kind, request, facts);
    switch(&mut draft, enabled, "");
    match holder.map_or(Ok(()), |host| give(&mut draft, host)) {
        Ok(()) => draft.finish_new(Answer::Created),
        Err(refusal) => Decision::unchanged(refusal),
    }
}

pub(super) fn define(
    request: &Request,
    facts: &Facts,
    kind: Kind,
    enabled: bool,
    policy: &Policy,
) -> Decision {
    if facts.name_taken {
        return Decision::unchanged(Answer::NameTaken);
    }
    let mut draft = Draft::new(kind, request, facts);
    if let refusal @ Answer::BadPolicy(_) = set_policy(&mut draft, policy) {
        return Decision::unchanged(refusal);
    }
    switch(&mut draft, enabled, "");
    draft.finish_new(Answer::Created)
}

pub(super) fn manage(lock: &Lock, operation: &Operation, request: &Request, facts: &Facts) -> Decision {
    let mut draft = Draft::of(lock, request, facts);
    let answer = match operation {
        Operation::Update { name, kind, holder, enabled } => {
            match update(&mut draft, name.as_ref(), *kind, holder, *enabled) {
                Ok(()) => Answer::Updated,
                // An update is done whole or not at all.
                Err(refusal) => return Draft::of(lock, request, facts).finish(lock, refusal),
            }
        }
        Operation::Delete => return draft.remove(Answer::Deleted),
        Operation::ForceRelease { host, reason } => {
            take_all(
                &mut draft,
                |held| host.as_ref().is_none_or(|host| host == held),
                EventKind::Force,
                reason,
            );
            Answer::Updated
        }
        Operation::Enable => {
            switch(&mut draft, true, "");
            Answer::Updated
        }
        Operation::Disable => {
            switch(&mut draft, false, "");
            Answer::Updated
        }
        Operation::Switch { enabled, reason } => {
            switch(&mut draft, *enabled, reason);
            Answer::Updated
        }
        Operation::SetPolicy(policy) => set_policy(&mut draft, policy),
        Operation::SwapPolicy { from, .. } if draft.lock.policy != **from => Answer::Shown,
        Operation::SwapPolicy { to, .. } => set_policy(&mut draft, to),
        Operation::Thaw { reason } => {
            if !draft.lock.failures.is_empty() {
                draft.lock.failures.clear();
                draft.touch();
                draft.log(EventKind::Thaw, None, reason.clone());
            }
            Answer::Updated
        }
        // Decided before: `decide` sends none of these here.
        Operation::Show
        | Operation::Sweep
        | Operation::Create { .. }
        | Operation::Define { .. }
        | Operation::Acquire { .. }
        | Operation::Release { .. } => Answer::Shown,
    };
    draft.finish(lock, answer)
}

fn update(
    draft: &mut Draft<'_>,
    name: Option<&LockName>,
    kind: Option<Kind>,
    holder: &NewHolder,
    enabled: Option<bool>,
) -> Result<(), Answer> {
    if let Some(name) = name
        && draft.lock.name != *name
    {
        if draft.facts.name_taken {
            return Err(Answer::NameTaken);
        }
        let detail = format!("name {} => {name}", draft.lock.name);
        draft.lock.name = name.clone();
        draft.touch();
        draft.log(EventKind::Update, None, detail);
    }
    if let Some(kind) = kind
        && draft.lock.kind != kind
    {
        let detail = format!("type {:?} => {kind:?}", draft.lock.kind);
        draft.lock.kind = kind;
        draft.touch();
        draft.log(EventKind::Update, None, detail);
    }
    if let Some(enabled) = enabled {
        switch(draft, enabled, "");
    }
    match holder {
        NewHolder::Same => {}
        NewHolder::Nobody => take_all(draft, |_| true, EventKind::Release, ""),
        NewHolder::Host(host) => give(draft, host)?,
    }
    Ok(())
}

/// Enables or disables, and logs a change.
fn switch(draft: &mut Draft<'_>, enabled: bool, why: &str) {
    if draft.lock.enabled == enabled {
        return;
    }
    draft.lock.enabled = enabled;
    draft.touch();
    let holder = draft.lock.holders.first().map(|holder| holder.host.clone());
    draft.log(if enabled { EventKind::Enable } else { EventKind::Disable }, holder, why.to_owned());
}

/// Takes the slots of these hosts.
fn take_all(draft: &mut Draft<'_>, whose: impl Fn(&HostName) -> bool, kind: EventKind, why: &str) {
    let hosts: Vec<HostName> = draft.lock.holders.iter().map(|holder| holder.host.clone()).collect();
    for host in hosts.iter().filter(|host| whose(host)) {
        draft.take(host, kind, why.to_owned());
    }
}

/// Gives the lock to this host alone, unless it has it already; or says why not.
fn give(draft: &mut Draft<'_>, host: &HostName) -> Result<(), Answer> {
    if draft.lock.holder(host).is_some() {
        return Ok(());
    }
    let refused = |reason| Answer::Refused(Refusal { reason, retry_at: None, place: None });
    if draft.slots() == 0 {
        let holders = draft.lock.holders.len() as u64;
        return Err(refused(Reason::Full { holders, slots: 0 }));
    }
    take_all(draft, |_| true, EventKind::Release, "");
    draft.grant(host, "").map(|_| ()).map_err(refused)
}

fn set_policy(draft: &mut Draft<'_>, policy: &Policy) -> Answer {
    if let Err(error) = policy.check() {
        return Answer::BadPolicy(error);
    }
    if draft.lock.policy == *policy {
        return Answer::Updated;
    }
    draft.lock.policy = policy.clone();
    // Who was told to come when a window opens may sleep long; those behind must not wait for that under another policy. Who
    // asks at the old pace must not be void at once by a faster one. So all have three new polls from now on.
    for ticket in &mut draft.lock.tickets {
        ticket.due = draft.facts.now;
    }
    draft.touch();
    draft.log(EventKind::Policy, None, String::new());
    Answer::Updated
}
