//! What an operator does on the store itself, beside a server that runs: hosts, users, tokens, old events. Blocking, for a
//! command line; what it prints is not decided here.

mod secret;

#[cfg(test)]
mod admin_tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use disco_dlm::model::{HostName, Requester, Seconds, Time, UserName};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

pub use self::secret::SecretError;
use crate::access::{ApiToken, Host, HostChange, User};
use crate::config::StoreAt;
use crate::opening;
use crate::store::{Paging, Store, StoreError};

/// A shorter password is refused: a longer one can be had for nothing, for nobody has to type it often.
pub const SHORTEST_PASSWORD: usize = 12;

/// What could not be done.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// There is no such host.
    #[error("host {0}: it is not known")]
    NoHost(HostName),
    /// There is such a host already.
    #[error("host {0}: it is known already")]
    HostThere(HostName),
    /// There is no such user.
    #[error("user {0}: there is none")]
    NoUser(UserName),
    /// There is such a user already.
    #[error("user {0}: there is one already")]
    UserThere(UserName),
    /// A user has no such token.
    #[error("user {0} has no token {1:?}")]
    NoToken(UserName, String),
    /// A user has such a token already.
    #[error("user {0} has a token {1:?} already")]
    TokenThere(UserName, String),
    /// A password that is no good.
    #[error("the password has {0} characters: use {SHORTEST_PASSWORD} at least")]
    Short(usize),
    /// No password or token could be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// What is said of a user that is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// May do everything.
    pub admin: bool,
    /// The roles.
    pub roles: BTreeSet<String>,
    /// The password; without one only tokens log in.
    pub password: Option<String>,
}

/// The store, opened for somebody who asks some questions.
pub struct Admin {
    store: Arc<dyn Store>,
    runtime: Runtime,
}

/// What is done, or why not.
pub type Done<T> = Result<T, AdminError>;

const ALL: Paging = Paging { page: 1, per_page: None };

impl Admin {
    /// Opens the store; one in a file is made where there is none.
    pub fn open(at: &StoreAt) -> Done<Admin> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AdminError::Runtime)?;
        let store = runtime.block_on(opening::open(at))?;
        Ok(Admin { store, runtime })
    }

    /// Adds a host that is not known.
    pub fn add_host(&self, name: &HostName, change: HostChange) -> Done<Host> {
        self.runtime.block_on(async {
            match self.store.host(name).await? {
                Some(_) => Err(AdminError::HostThere(name.clone())),
                None => Ok(self.store.put_host(name, change).await?),
            }
        })
    }

    /// Changes a host that is known.
    pub fn set_host(&self, name: &HostName, change: HostChange) -> Done<Host> {
        self.runtime.block_on(async {
            match self.store.host(name).await? {
                Some(_) => Ok(self.store.put_host(name, change).await?),
                None => Err(AdminError::NoHost(name.clone())),
            }
        })
    }

    /// Removes a host, with its slots and events.
    pub fn remove_host(&self, name: &HostName) -> Done<()> {
        match self.runtime.block_on(self.store.remove_host(name, &Requester::Server))? {
            true => Ok(()),
            false => Err(AdminError::NoHost(name.clone())),
        }
    }

    /// All hosts, by name.
    pub fn hosts(&self) -> Done<Vec<Host>> {
        Ok(self.runtime.block_on(self.store.hosts(ALL))?.items)
    }

    /// Adds a user.
    pub fn add_user(&self, login: &UserName, new: NewUser) -> Done<()> {
        let password = new.password.as_deref().map(hashed).transpose()?;
        let (admin, roles) = (new.admin, new.roles);
        let user = User { login: login.clone(), password, admin, roles, tokens: vec![] };
        self.runtime.block_on(async {
            match self.store.user(login).await? {
                Some(_) => Err(AdminError::UserThere(login.clone())),
                None => Ok(self.store.put_user(&user).await?),
            }
        })
    }

    /// Gives a user another password.
    pub fn set_password(&self, login: &UserName, password: &str) -> Done<()> {
        let hash = hashed(password)?;
        self.change_user(login, |user| {
            user.password = Some(hash);
            Ok(())
        })
    }

    /// Removes a user.
    pub fn remove_user(&self, login: &UserName) -> Done<()> {
        match self.runtime.block_on(self.store.remove_user(login))? {
            true => Ok(()),
            false => Err(AdminError::NoUser(login.clone())),
        }
    }

    /// All users, by login.
    pub fn users(&self) -> Done<Vec<User>> {
        Ok(self.runtime.block_on(self.store.users())?)
    }

    /// One user.
    pub fn user(&self, login: &UserName) -> Done<User> {
        let user = self.runtime.block_on(self.store.user(login))?;
        user.ok_or_else(|| AdminError::NoUser(login.clone()))
    }

    /// Makes a token of a user, which ends after so many days. It is given once: what is kept is its SHA-256.
    pub fn add_token(&self, login: &UserName, name: &str, days: Option<u64>, now: Time) -> Done<String> {
        let token = secret::token()?;
        let made = ApiToken {
            name: name.to_owned(),
            sha256: secret::sha256(&token),
            created: now,
            expires: days.map(|days| now.after(days_long(days))),
        };
        self.change_user(login, |user| {
            if user.tokens.iter().any(|token| token.name == name) {
                return Err(AdminError::TokenThere(login.clone(), name.to_owned()));
            }
            user.tokens.push(made);
            user.tokens.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(())
        })?;
        Ok(token)
    }

    /// Removes a token of a user.
    pub fn remove_token(&self, login: &UserName, name: &str) -> Done<()> {
        self.change_user(login, |user| {
            let before = user.tokens.len();
            user.tokens.retain(|token| token.name != name);
            if user.tokens.len() < before {
                Ok(())
            } else {
                Err(AdminError::NoToken(login.clone(), name.to_owned()))
            }
        })
    }

    /// Removes events that are older than so many days, and lapses what has lapsed. How many went.
    pub fn expire(&self, days: u64, now: Time) -> Done<u64> {
        let seconds = i64::try_from(days_long(days).0).unwrap_or(i64::MAX);
        let before = Time::new(now.seconds().saturating_sub(seconds), now.nanoseconds());
        Ok(self.runtime.block_on(self.store.sweep(before))?)
    }

    fn change_user(&self, login: &UserName, change: impl FnOnce(&mut User) -> Done<()>) -> Done<()> {
        let mut user = self.user(login)?;
        change(&mut user)?;
        Ok(self.runtime.block_on(self.store.put_user(&user))?)
    }
}

fn days_long(days: u64) -> Seconds {
    Seconds(86_400).times(days)
}

fn hashed(password: &str) -> Done<String> {
    match password.chars().count() {
        length if length < SHORTEST_PASSWORD => Err(AdminError::Short(length)),
        _ => Ok(secret::hash(password)?),
    }
}
