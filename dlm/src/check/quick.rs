//! Two checks of a history that need no search: too many at once, and tokens that do not grow. They find less than
//! [`super::linearize`], whatever the length of the history, and do not rest on the rules.

use super::history::{Call, Saw};
use crate::model::{HostName, Requester, Token};
use crate::rules::{NewHolder, Operation};

/// More hosts that held the lock for certain, at one time, than it had slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// When.
    pub at: u64,
    /// Who.
    pub hosts: Vec<HostName>,
}

/// Two grants whose tokens are wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFault {
    /// The call that came first, by its place in the history.
    pub first: usize,
    /// The call that was invoked when that had returned, and was granted no larger token; or any other, with the same one.
    pub second: usize,
}

/// From when to when a host held the lock for certain.
struct Hold<'a> {
    host: &'a HostName,
    from: u64,
    /// The first moment at which it may not hold it any more; `None` is never.
    until: Option<u64>,
}

/// The first moment at which more hosts than `slots` (the most that the lock ever had) held it for certain: each from the
/// answer that granted it until somebody asked for something that could take it away. For locks without an expiry.
pub fn overlap(calls: &[Call], slots: usize) -> Option<Overlap> {
    let holds: Vec<Hold<'_>> = calls.iter().filter_map(|call| hold(call, calls)).collect();
    let mut starts: Vec<u64> = holds.iter().map(|hold| hold.from).collect();
    starts.sort_unstable();
    starts.into_iter().find_map(|at| {
        let here = holds.iter().filter(|hold| hold.from <= at && hold.until.is_none_or(|until| at < until));
        let mut hosts: Vec<HostName> = here.map(|hold| hold.host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        (hosts.len() > slots).then_some(Overlap { at, hosts })
    })
}

/// What this call proves that its host held.
fn hold<'a>(call: &'a Call, calls: &[Call]) -> Option<Hold<'a>> {
    let host = granted(call)?.0;
    let from = call.returned.as_ref()?.at;
    let takes: Vec<&Call> = calls.iter().filter(|other| may_take(other, host)).collect();
    // A release under way with the acquire may have come after it: then the answer proves nothing for later.
    let under_way = |take: &&Call| {
        take.invoked <= from && take.returned.as_ref().is_none_or(|returned| returned.at >= call.invoked)
    };
    if takes.iter().any(under_way) {
        return None;
    }
    let until = takes.iter().map(|take| take.invoked).filter(|invoked| *invoked > from).min();
    Some(Hold { host, from, until })
}

/// The host that this call granted the lock, and the token that it was told.
fn granted(call: &Call) -> Option<(&HostName, Option<Token>)> {
    let returned = call.returned.as_ref()?;
    match (&call.request.requester, &call.request.operation, &returned.saw) {
        (Requester::Host(host), Operation::Acquire { .. }, Saw::Granted) => Some((host, returned.token)),
        _ => None,
    }
}

/// Whether this call can take the lock away from this host.
fn may_take(call: &Call, host: &HostName) -> bool {
    match &call.request.operation {
        Operation::Release { .. } => call.request.requester == Requester::Host(host.clone()),
        Operation::ForceRelease { host: of, .. } => of.as_ref().is_none_or(|of| of == host),
        Operation::Update { holder, .. } => *holder != NewHolder::Same,
        Operation::Delete => true,
        Operation::Show
        | Operation::Sweep
        | Operation::Create { .. }
        | Operation::Define { .. }
        | Operation::Acquire { .. }
        | Operation::Enable
        | Operation::Disable
        | Operation::Switch { .. }
        | Operation::SetPolicy(_)
        | Operation::SwapPolicy { .. }
        | Operation::Thaw { .. } => false,
    }
}

/// The first two grants whose tokens are wrong: of two hosts with the same token; or one that was asked for when the other had been
/// granted, with a smaller token. A renewal has the token of its grant.
pub fn token_fault(calls: &[Call]) -> Option<TokenFault> {
    let grants: Vec<(usize, &HostName, Token)> = calls
        .iter()
        .enumerate()
        .filter_map(|(at, call)| granted(call).and_then(|(host, token)| Some((at, host, token?))))
        .collect();
    let wrong = |first: &(usize, &HostName, Token), second: &(usize, &HostName, Token)| {
        let returned = calls[first.0].returned.as_ref();
        let precedes = returned.is_some_and(|returned| returned.at < calls[second.0].invoked);
        (first.1 != second.1 && first.2 == second.2) || (precedes && second.2 < first.2)
    };
    grants.iter().find_map(|first| {
        let second = grants.iter().find(|second| wrong(first, second))?;
        Some(TokenFault { first: first.0, second: second.0 })
    })
}
