//! Passwords and tokens: verified by Argon2id, a few at a time, and remembered for some minutes so that a script's requests are
//! quick. What is remembered is a keyed hash; its key is made when the server starts and leaves it never.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use disco_dlm::model::Time;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::access::User;

/// So long a verified password is remembered.
const REMEMBER: Duration = Duration::from_secs(300);
/// So many are.
const MOST_REMEMBERED: usize = 1000;
/// So many logins may wait for their turn; the next is told to come again.
const MOST_WAITING: usize = 64;

/// What came of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is right.
    Right,
    /// It is not.
    Wrong,
    /// It was not looked at: too many at once, or too many wrong ones from there meanwhile.
    NotNow,
}

/// A verified password: of which hash, and until when that is remembered.
struct Remembered {
    hash: String,
    until: Instant,
}

/// Verifies passwords.
pub struct Passwords {
    key: [u8; 32],
    /// A hash that no password has, for logins that there are not: they take as long as others.
    nobody: String,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
}

/// The password as a PHC string of Argon2id, for [`User::password`].
pub fn hash(password: &str) -> Result<String, HashError> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

impl Passwords {
    /// Verifies so many at once.
    pub fn new(at_once: usize) -> Result<Passwords, HashError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| HashError::Crypto)?;
        let nobody = hash(&hex(&key))?;
        Ok(Passwords {
            key,
            nobody,
            turns: Arc::new(Semaphore::new(at_once.max(1))),
            places: Arc::new(Semaphore::new(MOST_WAITING)),
            remembered: Mutex::new(HashMap::new()),
        })
    }

    /// Whether this is the password, or a token, of a user. `blocked` is asked again when its turn has come, and `failed` called
    /// before the turn goes on, also where the client has gone meanwhile: a thousand guesses at once are no more than a
    /// thousand in a row.
    pub async fn verify(
        &self,
        user: Option<&User>,
        login: &str,
        password: &str,
        now: Time,
        blocked: impl Fn() -> bool,
        failed: impl FnOnce() + Send + 'static,
    ) -> Verdict {
        if user.is_some_and(|user| is_token(user, password, now)) {
            return Verdict::Right;
        }
        let stored = user.and_then(|user| user.password.clone());
        let digest = self.digest(login, password);
        if stored.as_ref().is_some_and(|hash| self.remembers(&digest, hash)) {
            return Verdict::Right;
        }
        let Ok(_place) = self.places.try_acquire() else { return Verdict::NotNow };
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return Verdict::NotNow };
        if blocked() {
            return Verdict::NotNow;
        }
        let (hash, known) = match stored {
            Some(hash) => (hash, true),
            None => (self.nobody.clone(), false),
        };
        let (said, of) = (password.to_owned(), hash.clone());
        let fits = tokio::task::spawn_blocking(move || {
            let right = fits(&said, &of) && known;
            if !right {
                failed();
            }
            drop(turn);
            right
        });
        if !fits.await.unwrap_or(false) {
            return Verdict::Wrong;
        }
        self.remember(digest, hash);
        Verdict::Right
    }

    /// A keyed hash of a login: twice, so that nothing can be added to what was hashed.
    fn digest(&self, login: &str, password: &str) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(self.key);
        inner.update((login.len() as u64).to_be_bytes());
        inner.update(login);
        inner.update(password);
        let mut outer = Sha256::new();
        outer.update(self.key);
        outer.update(inner.finalize());
        outer.finalize().into()
    }

    /// Whether it was verified lately, against the hash that the user has now.
    fn remembers(&self, digest: &[u8; 32], hash: &str) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(digest).is_some_and(|it| it.hash == hash && Instant::now() < it.until)
    }

    fn remember(&self, digest: [u8; 32], hash: String) {
        let now = Instant::now();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, it| now < it.until);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(digest, Remembered { hash, until: now + REMEMBER });
        }
    }
}

fn fits(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Whether it is one of the user's tokens, and has not ended.
fn is_token(user: &User, said: &str, now: Time) -> bool {
    if user.tokens.is_empty() {
        return false;
    }
    let digest = hex(&Sha256::digest(said.as_bytes()));
    let mut found = false;
    for token in &user.tokens {
        let same: bool = token.sha256.as_bytes().ct_eq(digest.as_bytes()).into();
        found |= same && token.expires.is_none_or(|end| now < end);
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
