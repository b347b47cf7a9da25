//! Who is logged in. A session is known by 256 random bits, of which only the hash is kept, in memory: a server that starts again has
//! none, and each server has its own. It ends by itself, when it is not used, and when the user's password changes or a token goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use disco_dlm::model::UserName;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::access::User;

/// A session ends after so long, and when it was not used for so long.
pub const ENDS: (Duration, Duration) = (Duration::from_secs(10 * 3600), Duration::from_secs(3600));
/// The most sessions, and the most of one user; then the one that was used longest ago ends.
const MOST: (usize, usize) = (10_000, 20);

/// A secret: 256 random bits, in hex.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one; `None` where the machine has no random bits.
    pub fn new() -> Option<Secret> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(Secret(hex(&bytes)))
    }

    /// As text, for a cookie or a form.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether somebody said this one. How long that takes says nothing.
    pub fn is(&self, said: &str) -> bool {
        self.0.as_bytes().ct_eq(said.as_bytes()).into()
    }
}

/// Somebody who is logged in.
#[derive(Clone)]
pub struct Session {
    /// Who.
    pub login: UserName,
    /// What each of its forms carries.
    pub csrf: Secret,
    password: Option<String>,
    tokens: Vec<String>,
    began: Instant,
    used: Instant,
}

impl Session {
    /// Whether the user can still log in as was done then.
    pub fn holds_for(&self, user: &User) -> bool {
        let kept = |sha256: &String| user.tokens.iter().any(|token| token.sha256 == *sha256);
        self.password == user.password && self.tokens.iter().all(kept)
    }

    fn ended(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= ENDS.0 || now.duration_since(self.used) >= ENDS.1
    }
}

/// All sessions; clones share them.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<[u8; 32], Session>>>);

impl Sessions {
    fn held(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session for this user, and the secret that it is known by; `None` where the machine has no random bits.
    pub fn begin(&self, user: &User, now: Instant) -> Option<Secret> {
        let (secret, csrf) = (Secret::new()?, Secret::new()?);
        let session = Session {
            login: user.login.clone(),
            csrf,
            password: user.password.clone(),
            tokens: user.tokens.iter().map(|token| token.sha256.clone()).collect(),
            began: now,
            used: now,
        };
        let mut held = self.held();
        held.retain(|_, session| !session.ended(now));
        if held.values().filter(|other| other.login == session.login).count() >= MOST.1 {
            end_oldest(&mut held, |other| other.login == session.login);
        }
        if held.len() >= MOST.0 {
            end_oldest(&mut held, |_| true);
        }
        held.insert(digest(secret.text()), session);
        Some(secret)
    }

    /// The session of this secret, which is used by that.
    pub fn find(&self, secret: &str, now: Instant) -> Option<Session> {
        let mut held = self.held();
        let key = digest(secret);
        if held.get(&key)?.ended(now) {
            held.remove(&key);
            return None;
        }
        let session = held.get_mut(&key)?;
        session.used = now;
        Some(session.clone())
    }

    /// Ends a session.
    pub fn end(&self, secret: &str) {
        self.held().remove(&digest(secret));
    }
}

fn end_oldest(held: &mut HashMap<[u8; 32], Session>, whose: impl Fn(&Session) -> bool) {
    let of_them = held.iter().filter(|(_, session)| whose(session));
    if let Some(key) = of_them.min_by_key(|(_, session)| session.used).map(|(key, _)| *key) {
        held.remove(&key);
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(login: &str, password: &str) -> User {
        User {
            login: login.parse().unwrap(),
            password: Some(password.into()),
            admin: false,
            roles: Default::default(),
            tokens: vec![],
        }
    }

    #[test]
    fn a_session_ends_when_it_is_old_or_not_used() {
        let (sessions, begin) = (Sessions::default(), Instant::now());
        let alice = user("alice", "a");
        let secret = sessions.begin(&alice, begin).unwrap();
        let at = |minutes: u64| begin + Duration::from_secs(60 * minutes);
        assert!(sessions.find("guess", at(0)).is_none());
        assert!(sessions.find(secret.text(), at(59)).is_some());
        assert!(sessions.find(secret.text(), at(118)).is_some(), "it was used");
        assert!(sessions.find(secret.text(), at(178)).is_none(), "it was not");
        assert!(sessions.find(secret.text(), at(0)).is_none(), "it is gone");
        let secret = sessions.begin(&alice, begin).unwrap();
        for minutes in (0..600).step_by(30) {
            assert!(sessions.find(secret.text(), at(minutes)).is_some(), "{minutes}");
        }
        assert!(sessions.find(secret.text(), at(600)).is_none());
        let secret = sessions.begin(&alice, begin).unwrap();
        sessions.end(secret.text());
        assert!(sessions.find(secret.text(), begin).is_none());
    }

    #[test]
    fn a_session_holds_while_its_user_could_log_in_so() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let mut alice = user("alice", "a");
        let token = |sha256: &str| crate::access::ApiToken {
            name: "t".into(),
            sha256: sha256.into(),
            created: Default::default(),
            expires: None,
        };
        alice.tokens = vec![token("1"), token("2")];
        let secret = sessions.begin(&alice, now).unwrap();
        let session = sessions.find(secret.text(), now).unwrap();
        assert!(session.holds_for(&alice));
        alice.tokens.push(token("3"));
        assert!(session.holds_for(&alice));
        alice.tokens.remove(0);
        assert!(!session.holds_for(&alice));
        assert!(!session.holds_for(&user("alice", "b")));
    }

    #[test]
    fn sessions_are_bounded_and_secrets_differ() {
        let (sessions, begin) = (Sessions::default(), Instant::now());
        let alice = user("alice", "a");
        let at = |n: usize| begin + Duration::from_millis(n as u64);
        let all: Vec<Secret> = (0..MOST.1 + 1).map(|n| sessions.begin(&alice, at(n)).unwrap()).collect();
        assert!(sessions.find(all[0].text(), at(30)).is_none(), "the oldest ended");
        assert!(sessions.find(all[1].text(), at(30)).is_some());
        assert_eq!(sessions.held().len(), MOST.1);
        assert!(all[0].text().len() == 64 && all[0] != all[1]);
        assert!(all[0].is(all[0].text()) && !all[0].is(all[1].text()) && !all[0].is(""));
        assert!(!format!("{:?}", sessions.held().keys()).contains(all[1].text()), "only hashes are kept");
    }
}
