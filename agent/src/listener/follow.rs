//! A log that goes on until its run ends: bytes as they come from the helper. Who reads slowly holds a place of a log and nothing else,
//! and not for ever; who has gone holds none.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use disco_listen::Streams;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::helper::{Helper, HelperError};
use super::said::Failure;
use crate::runs::{Answer, TriggerId};

/// So long somebody may take for the next piece.
const PATIENCE: Duration = Duration::from_secs(30);

/// The log of a run, from a byte on.
pub async fn log(helper: Arc<Helper>, id: TriggerId, from: u64) -> Result<Response, Failure> {
    let (tell, told) = oneshot::channel();
    let (send, body) = Channel::<Bytes, Infallible>::new(1);
    // Dropped with this future, or with the body that it comes to.
    let (here, gone) = oneshot::channel::<Infallible>();
    // A task of its own: it sees that a client is slow, which a body that is asked for its next piece does not.
    tokio::spawn(async move {
        tokio::select! {
            () = pass_on(&helper, &id, from, tell, send) => {}
            // A log may be silent for hours: its place is not kept until there is something to say to nobody.
            _ = gone => {}
        }
    });
    let lost = |_| Failure::new(StatusCode::BAD_GATEWAY, "the log cannot be read");
    told.await.map_err(lost)??;
    let mut response = Body::new(body.map_frame(move |frame| with(&here, frame))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(Streams);
    Ok(response)
}

/// Says whether there is such a log, and sends what comes of it until it ends, or its reader is too slow.
async fn pass_on(
    helper: &Helper,
    id: &TriggerId,
    from: u64,
    tell: oneshot::Sender<Result<(), Failure>>,
    mut send: Sender<Bytes, Infallible>,
) {
    let mut log = match helper.log(id, from).await {
        Ok(Ok((_, log))) => log,
        Ok(Err(answer)) => return drop(tell.send(Err(refused(answer, helper)))),
        Err(error) => return drop(tell.send(Err(error.into()))),
    };
    if tell.send(Ok(())).is_err() {
        return;
    }
    while let Ok(bytes) = log.next().await {
        if bytes.is_empty() {
            return;
        }
        match timeout(PATIENCE, send.send_data(bytes.into())).await {
            Ok(Ok(())) => {}
            // It has gone, or does not read.
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// The frame; whoever gives it has the other for as long as there may be frames.
fn with<T>(_: &oneshot::Sender<Infallible>, frame: T) -> T {
    frame
}

fn refused(answer: Answer, helper: &Helper) -> Failure {
    match answer {
        Answer::Refused { why, message } => Failure::refused(why, message),
        Answer::Run(_) | Answer::Runs { .. } | Answer::Standing(_) => {
            HelperError::Unexpected { path: helper.path().to_owned() }.into()
        }
    }
}
