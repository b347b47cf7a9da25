//! What hosts do with a lock: look, acquire, release. Each of it is a check-in, whatever comes of it.

use axum::http::StatusCode;
use axum::response::Response;
use disco_dlm::model::{HostName, Lock, Requester, Time};
use disco_dlm::rules::{Answer, NotHeld, Operation, Outcome, Refusal};

use super::asked::lock_name;
use super::fail::Fail;
use super::say::{self, Own};
use super::{Asked, allowed, ask, ids, no_lock, which};
use crate::access::Permission;
use crate::app::{App, Caller};
use crate::store::{Told, Which};

/// Who asks for a lock: a host, or a user who may do this.
enum Who {
    Host(HostName),
    User(Requester),
}

/// A host's certificate wins over a login.
async fn who(app: &App, asked: &Asked, permission: Permission) -> Result<Who, Fail> {
    if let Caller::Host(host) = &asked.caller {
        app.store.check_in(host).await?;
        return Ok(Who::Host(host.clone()));
    }
    allowed(&asked.caller, permission).map(Who::User)
}

/// `GET …/:id`, `…/:id/lock`: 404 is "free" to `updatelock`, for looking never makes a lock.
pub async fn show(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    let (requester, host) = match who(app, asked, Permission::ViewDlmlocks).await? {
        Who::Host(host) => (Requester::Host(host.clone()), Some(host)),
        Who::User(user) => (user, None),
    };
    let which = which(id).ok_or_else(|| no_lock(id))?;
    let told = ask(app, which, requester, Operation::Show).await?;
    let lock = told.after.ok_or_else(|| no_lock(id))?;
    shown(app, StatusCode::OK, &lock, host.as_ref(), Own::Said).await
}

/// `PUT …/:id/lock`
pub async fn acquire(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    change(app, asked, id, Operation::Acquire { note: String::new() }).await
}

/// `DELETE …/:id/lock`
pub async fn release(app: &App, asked: &Asked, id: &str) -> Result<Response, Fail> {
    let operation = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
    change(app, asked, id, operation).await
}

async fn change(app: &App, asked: &Asked, id: &str, operation: Operation) -> Result<Response, Fail> {
    // By the order of Foreman's filters: before it is looked at who asks.
    asked.is_json()?;
    let who = who(app, asked, Permission::EditDlmlocks).await?;
    let which = which(id).ok_or_else(|| match lock_name(id) {
        Ok(_) => no_lock(id),
        Err(wrong) => Fail::Invalid { id: None, errors: vec![wrong] },
    })?;
    let (requester, host) = match who {
        Who::Host(host) => (Requester::Host(host.clone()), host),
        Who::User(user) => {
            // As Foreman: the lock is made, and then the user is turned away.
            ask(app, which, user, operation).await?;
            return Err(Fail::NoHost);
        }
    };
    let told = ask(app, which, requester, operation).await?;
    match &told {
        Told { answer: Answer::Granted { .. } | Answer::Released { .. }, after: Some(lock), .. } => {
            shown(app, StatusCode::OK, lock, Some(&host), Own::Unsaid).await
        }
        Told { answer: Answer::Refused(refusal), after, before, at, .. } => {
            let lock = after.as_ref().or(before.as_ref()).ok_or_else(|| no_lock(id))?;
            Err(refused(lock, refusal, *at))
        }
        // What a host cannot be told here.
        _ => Err(no_lock(id)),
    }
}

fn refused(lock: &Lock, refusal: &Refusal, now: Time) -> Fail {
    // Rounded up: who comes a moment too early is refused again. Never 0, which would be a loop.
    let wait = |at: Time| {
        let whole = at.since(now).0;
        let rest = u64::from(now.after(disco_dlm::model::Seconds(whole)) < at);
        (whole + rest).max(1)
    };
    Fail::Refused { id: lock.id, retry_after: refusal.retry_at.map(wait), position: refusal.place }
}

/// A lock as an answer.
pub async fn shown(
    app: &App,
    status: StatusCode,
    lock: &Lock,
    asking: Option<&HostName>,
    own: Own,
) -> Result<Response, Fail> {
    let ids = ids(app, [lock]).await?;
    Ok(say::json(status, &say::lock(lock, &ids, asking, own)))
}

/// A lock that is named in a path, for users.
pub fn named(id: &str) -> Result<Which, Fail> {
    which(id).ok_or_else(|| no_lock(id))
}
