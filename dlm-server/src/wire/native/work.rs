//! Acquire and release: what hosts ask.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use disco_dlm::model::{HostName, LockName, Requester};
use disco_dlm::native::ask::{Acquire, LONGEST_WAIT, Release, WorkResult};
use disco_dlm::native::say::{GrantSaid, RefusalSaid, ReleaseSaid};
use disco_dlm::rules::{Answer, Grant, NotHeld, Operation, Outcome, Refusal};
use tokio::time::{Instant, sleep_until};

use super::asked::{Body, Named, Who, short};
use super::error::Problem;
use super::said::{refusal_code, seconds_until};
use super::waiting::span;
use super::{Native, Waited};
use crate::store::{Told, Which};

/// `POST /locks/NAME/acquire`
pub async fn acquire(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Response, Problem> {
    let host = who.host()?;
    native.check_in(&host).await;
    let Acquire { note, wait } = body.read()?;
    short("note", &note)?;
    let until = Instant::now() + Duration::from_secs(wait.min(LONGEST_WAIT));
    let told = wait_for(&native, &name, &host, note, until).await?;
    let mut response = said(&native, &name, told)?;
    if wait > 0 {
        response.extensions_mut().insert(Waited);
    }
    Ok(response)
}

/// Asks now, whenever there is a chance, and at the end of the time: what is answered is as true as any answer.
async fn wait_for(
    native: &Native,
    name: &LockName,
    host: &HostName,
    note: String,
    until: Instant,
) -> Result<Told, Problem> {
    let ask = || {
        let operation = Operation::Acquire { note: note.clone() };
        native.ask(Which::Named(name.clone()), Requester::Host(host.clone()), operation)
    };
    let mut told = ask().await?;
    let Some(mut ticket) = ticket_ends(&told) else { return Ok(told) };
    if Instant::now() >= until {
        return Ok(told);
    }
    // Where too many wait already, this one is told when to ask again.
    let Some(seat) = native.rooms.enter(name, host) else { return Ok(told) };
    loop {
        let called = tokio::select! {
            () = seat.called() => true,
            () = sleep_until(until.min(ticket)) => false,
        };
        told = ask().await?;
        match ticket_ends(&told) {
            Some(ends) if Instant::now() < until => ticket = ends,
            _ => return Ok(told),
        }
        if called {
            seat.refused();
        }
    }
}

/// Until when a host that was refused has to ask again to keep its place; `None` where waiting is no use, or over.
fn ticket_ends(told: &Told) -> Option<Instant> {
    let Answer::Refused(Refusal { retry_at: Some(at), .. }) = &told.answer else { return None };
    let poll = told.after.as_ref().map_or(disco_dlm::model::Seconds(1), |lock| lock.policy.queue.poll);
    // It ends after three polls; one is enough to come in time.
    Some(Instant::now() + span(told.at, at.after(poll)))
}

/// `POST /locks/NAME/release`
pub async fn release(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Response, Problem> {
    let host = who.host()?;
    native.check_in(&host).await;
    let Release { result, note, token } = body.read()?;
    short("note", &note)?;
    let outcome = match result {
        WorkResult::Ok => Outcome::Ok,
        WorkResult::Failed => Outcome::Failed(note),
    };
    let operation = Operation::Release { outcome, token, not_held: NotHeld::Refuse };
    let told = native.ask(Which::Named(name.clone()), Requester::Host(host), operation).await?;
    native.rooms.poke(&name);
    said(&native, &name, told)
}

fn said(native: &Native, name: &LockName, told: Told) -> Result<Response, Problem> {
    let lock = native.said(name, &told)?;
    Ok(match told.answer {
        Answer::Granted { token, grant } => {
            Json(GrantSaid { token, renewed: grant == Grant::Renewed, lock }).into_response()
        }
        Answer::Released { held } => Json(ReleaseSaid { held, lock }).into_response(),
        Answer::Refused(Refusal { reason, retry_at, place }) => {
            let retry_after = retry_at.map(|at| seconds_until(at, told.at));
            let (code, reason) = (refusal_code(&reason), reason.to_string());
            let refusal = RefusalSaid { code, reason, retry_after, place, lock };
            let mut response = (StatusCode::PRECONDITION_FAILED, Json(refusal)).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        // Those two operations have no other answers.
        _ => return Err(Problem::HostsOnly),
    })
}
