//! What is left of a request's body when its answer is there already, over HTTP/2. Dropped, it would end the stream with a reset, which
//! some clients (curl 7.88) take for a failure: they would not learn why they were turned away. So it is read for a moment. Over HTTP/1 the
//! connection does that at its end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Request;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::timeout;

/// A body that comes back when whoever has it drops it before its end.
pub struct Lent {
    body: Option<Incoming>,
    back: Option<Sender<Incoming>>,
}

impl Lent {
    /// The request with such a body, and where that comes back.
    pub fn of(request: Request<Incoming>) -> (Request<Lent>, Receiver<Incoming>) {
        let (back, comes) = oneshot::channel();
        (request.map(|body| Lent { body: Some(body), back: Some(back) }), comes)
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            // Where nobody wants it any more it is dropped here.
            let _ = back.send(body);
        }
    }
}

/// Reads a body that has come back, for so long and so many bytes, and lets it go. The answer does not wait for that.
pub fn read_rest(mut back: Receiver<Incoming>, within: Duration, most: u64) {
    let Ok(mut body) = back.try_recv() else { return };
    tokio::spawn(async move {
        let read = async {
            let mut left = most;
            // Whoever has gone sends nothing more.
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(bytes) {
                    Some(fewer) => left = fewer,
                    None => return,
                }
            }
        };
        // Whoever takes longer hears of it by the reset.
        let _ = timeout(within, read).await;
    });
}
