//! The names of all keys. Names of locks, hosts and users are written with `%XX`, so that no name can be part of another key.
//!
//! | below `PREFIX/v1/` | what is there |
//! |---|---|
//! | `form` | the form of all of it, a number |
//! | `lock/NAME` | a lock, whole ([`super::record::LockRecord`]) |
//! | `lockid/ID` | its name |
//! | `log/ID/TIME.NUMBER.NONCE` | an event of the lock of that number |
//! | `made/lock`, `made/host` | the last number given; written whenever a name comes into being |
//! | `host/NAME`, `hostid/ID` | a host; its name |
//! | `group` | how many hosts there are, in all and in each group |
//! | `checkin/NAME` | when a host asked last |
//! | `user/NAME` | a user |
//! | `age/ID` | for how long at least holders have not renewed ([`super::ages`]) |
//!
//! `lock/`, `lockid/` and `log/` stand side by side, so that one watch sees them and nothing else.

use disco_dlm::model::{HostName, LockId, LockName, Time, UserName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::access::HostId;

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The keys of one store.
#[derive(Debug, Clone)]
pub struct Keys {
    top: String,
}

/// All keys from the first on that come before the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: String,
    /// The first that is none of them.
    pub to: String,
}

impl Keys {
    /// Those below this prefix.
    pub fn new(prefix: &str) -> Keys {
        Keys { top: format!("{prefix}/v1/") }
    }

    pub fn form(&self) -> String {
        format!("{}form", self.top)
    }

    pub fn lock(&self, name: &LockName) -> String {
        self.named("lock", name.as_str())
    }

    pub fn lock_id(&self, id: LockId) -> String {
        format!("{}lockid/{:016x}", self.top, id.0)
    }

    pub fn last_lock(&self) -> String {
        format!("{}made/lock", self.top)
    }

    pub fn last_host(&self) -> String {
        format!("{}made/host", self.top)
    }

    pub fn host(&self, name: &HostName) -> String {
        self.named("host", name.as_str())
    }

    pub fn host_id(&self, id: HostId) -> String {
        format!("{}hostid/{:016x}", self.top, id.0)
    }

    pub fn groups(&self) -> String {
        format!("{}group", self.top)
    }

    pub fn check_in(&self, name: &HostName) -> String {
        self.named("checkin", name.as_str())
    }

    pub fn user(&self, login: &UserName) -> String {
        self.named("user", login.as_str())
    }

    pub fn age(&self, id: LockId) -> String {
        format!("{}age/{:016x}", self.top, id.0)
    }

    /// The lock of which that is the age.
    pub fn aged(&self, key: &str) -> Option<LockId> {
        let id = key.strip_prefix(&self.top)?.strip_prefix("age/")?;
        u64::from_str_radix(id, 16).ok().map(LockId)
    }

    /// An event: of a lock, by the time of its decision, so that the old ones of a lock are one span; which of the decision's.
    pub fn event(&self, id: LockId, at: Time, number: usize, nonce: u64) -> String {
        format!("{}log/{:016x}/{:016x}.{number:04x}.{nonce:016x}", self.top, id.0, nanoseconds(at))
    }

    /// All of one kind: `lock`, `host`, …
    pub fn all(&self, kind: &str) -> Span {
        Span { from: format!("{}{kind}/", self.top), to: format!("{}{kind}0", self.top) }
    }

    /// The log of one lock.
    pub fn log(&self, id: LockId) -> Span {
        let log = format!("{}log/{:016x}", self.top, id.0);
        Span { from: format!("{log}/"), to: format!("{log}0") }
    }

    /// The log of one lock before a time.
    pub fn log_before(&self, id: LockId, time: Time) -> Span {
        let from = self.log(id).from;
        Span { to: format!("{from}{:016x}", nanoseconds(time)), from }
    }

    /// The logs of all locks that come after this one.
    pub fn logs_after(&self, id: LockId) -> Span {
        Span { from: self.log(id).to, to: self.all("log").to }
    }

    /// The lock whose event has this key.
    pub fn logged(&self, key: &str) -> Option<LockId> {
        let id = key.strip_prefix(&self.top)?.strip_prefix("log/")?.get(..16)?;
        u64::from_str_radix(id, 16).ok().map(LockId)
    }

    /// All that changes when a lock or a log does.
    pub fn watched(&self) -> Span {
        Span { from: self.all("lock").from, to: self.all("log").to }
    }

    fn named(&self, kind: &str, name: &str) -> String {
        format!("{}{kind}/{}", self.top, utf8_percent_encode(name, PLAIN))
    }
}

/// A time as a number that sorts; what is before 1970 is taken for 1970, what is after 2554 for that.
fn nanoseconds(time: Time) -> u64 {
    let seconds = u64::try_from(time.seconds()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanoseconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_part_of_another_key() {
        let keys = Keys::new("/p");
        let name = |name| LockName::new(name).unwrap();
        assert_eq!(keys.lock(&name("web/1 ü.a-b_c")), "/p/v1/lock/web%2F1%20%C3%BC.a-b_c");
        assert_eq!(keys.lock(&name("%2F")), "/p/v1/lock/%252F");
    }

    #[test]
    fn events_sort_by_time_and_old_ones_are_a_span() {
        let keys = Keys::new("/p");
        let key = |id, seconds| keys.event(LockId(id), Time::new(seconds, 5), 0, 7);
        let span = keys.log_before(LockId(2), Time::new(100, 5));
        let inside = |key: &String| span.from <= *key && *key < span.to;
        assert!(inside(&key(2, 99)) && inside(&key(2, -4)));
        assert!(!inside(&key(2, 100)) && !inside(&key(1, 99)) && !inside(&key(3, 99)));
        assert_eq!(keys.logged(&key(258, 1)), Some(LockId(258)));
        assert!(
            keys.logs_after(LockId(2)).from <= key(3, 0) && key(2, 1 << 40) < keys.logs_after(LockId(2)).from
        );
        let watched = keys.watched();
        for key in [key(1, 1), keys.lock(&LockName::new("~").unwrap())] {
            assert!(watched.from <= key && key < watched.to);
        }
        for key in [keys.age(LockId(1)), keys.groups(), keys.last_lock(), keys.all("host").from] {
            assert!(key < watched.from || watched.to <= key, "{key}");
        }
    }
}
