//! What a lock server has said, in words: one sentence each, with times by the clocks of this node.

use disco_dlm::model::{EventKind, Requester};
use disco_dlm::native::say::{EventSaid, HolderSaid, LockSaid, RefusalCode, RefusalSaid};

use crate::lock::words::span;
use crate::sys::clock;

/// Since when, and how long that is.
pub fn since(time: &str) -> String {
    match clock::seconds_since(time) {
        Some(seconds) => format!("since {} ({} ago)", clock::local(time), span(seconds)),
        None => format!("since {}", clock::local(time)),
    }
}

/// A holder: who, since when, what for.
pub fn holder(holder: &HolderSaid) -> String {
    let mut text = format!("{} {}", holder.host, since(&holder.since));
    if holder.token.0 > 0 {
        text += &format!(", token {}", holder.token.0);
    }
    if let Some(expires) = &holder.expires {
        text += &format!(", until {}", clock::local(expires));
    }
    if holder.stale {
        text += &format!(", stale: not heard of {}", since(&holder.renewed));
    }
    if holder.note.is_empty() { text } else { format!("{text}: {}", holder.note) }
}

/// All who hold it, in few words.
pub fn holders(lock: &LockSaid) -> String {
    let all: Vec<String> =
        lock.holders.iter().map(|holder| format!("{} {}", holder.host, since(&holder.since))).collect();
    all.join(", ")
}

/// Why it was refused, with who is in the way.
pub fn refusal(said: &RefusalSaid) -> String {
    let lock = &said.lock;
    let why = match said.code {
        RefusalCode::Full if !lock.holders.is_empty() => format!("held by {}", holders(lock)),
        RefusalCode::HeldByOther if !lock.holders.is_empty() => format!("held by {}", holders(lock)),
        RefusalCode::Queued => {
            let ahead: Vec<&str> = lock.waiting.iter().map(|waiting| waiting.host.as_str()).collect();
            format!("{}, in its queue are {}", said.reason, ahead.join(", "))
        }
        RefusalCode::Closed => match &lock.opens {
            Some(opens) => format!("{}; it opens at {}", said.reason, clock::local(opens)),
            None => said.reason.clone(),
        },
        RefusalCode::Frozen => {
            let failures: Vec<String> = lock.failures.iter().map(failure).collect();
            format!("{}: {}", said.reason, failures.join("; "))
        }
        _ => said.reason.clone(),
    };
    let place = said.place.map(|place| format!("; this node is number {place} in the queue"));
    format!("lock {}: {why}{}", lock.name, place.unwrap_or_default())
}

/// What to do about it.
pub fn way_out(said: &RefusalSaid) -> String {
    let name = &said.lock.name;
    let again =
        said.retry_after.map(|seconds| format!("ask again in {}, or wait with --wait", span(seconds)));
    let more = match said.code {
        RefusalCode::Frozen => {
            Some(format!("who has looked at it thaws it: disco lock thaw {name} --reason WHY"))
        }
        RefusalCode::Disabled => Some(format!("a user can enable it: disco lock enable {name}")),
        RefusalCode::NotPermitted => Some("the server says that this node may not acquire locks".to_owned()),
        RefusalCode::OtherGrant | RefusalCode::HeldByOther => {
            Some(format!("`disco lock show {name}` says who holds it"))
        }
        RefusalCode::NoToken => Some("a user has to make another lock".to_owned()),
        RefusalCode::Full | RefusalCode::Queued | RefusalCode::Closed | RefusalCode::Gap => None,
    };
    [more, again].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A failure: who, when, what it said.
pub fn failure(failure: &disco_dlm::native::say::FailureSaid) -> String {
    let text = format!("{} failed at {}", failure.host, clock::local(&failure.at));
    if failure.note.is_empty() { text } else { format!("{text}: {}", failure.note) }
}

/// The word for what a lock is now.
pub fn state(lock: &LockSaid) -> &'static str {
    match () {
        () if !lock.enabled => "disabled",
        () if lock.frozen => "frozen",
        () if !lock.holders.is_empty() => "held",
        () if lock.opens.is_some() => "closed",
        () => "free",
    }
}

/// Who asked for something.
pub fn requester(requester: &Requester) -> String {
    match requester {
        Requester::Host(host) => host.to_string(),
        Requester::User(user) => format!("user {user}"),
        Requester::Server => "the server".to_owned(),
    }
}

/// An event as a line.
pub fn event(event: &EventSaid) -> String {
    let lock = event.lock.as_ref().map(|lock| format!(" {lock}")).unwrap_or_default();
    let host = event.host.as_ref().map(|host| format!(" {host}")).unwrap_or_default();
    let by = match (&event.requester, &event.host) {
        (Requester::Host(by), Some(host)) if by == host => String::new(),
        (Requester::Server, _) => String::new(),
        (by, _) => format!(" by {}", requester(by)),
    };
    let detail = if event.detail.is_empty() { String::new() } else { format!(": {}", event.detail) };
    format!("{}{lock} {}{host}{by}{detail}", clock::local(&event.at), kind(event.kind))
}

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Acquire => "acquire",
        EventKind::Release => "release",
        EventKind::ReleaseFailed => "release-failed",
        EventKind::Force => "force",
        EventKind::Expire => "expire",
        EventKind::Fail => "fail",
        EventKind::Enable => "enable",
        EventKind::Disable => "disable",
        EventKind::Create => "create",
        EventKind::Update => "update",
        EventKind::Delete => "delete",
        EventKind::Policy => "policy",
        EventKind::Freeze => "freeze",
        EventKind::Thaw => "thaw",
    }
}
