//! One connection, from the handshake to its end.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::Limits;
use crate::connections::{Busy, Entry, Place};
use crate::layers::{Asked, Streams, squeezed};
use crate::log::{Log, causes};
use crate::peer::{Certificate, Over, Peer};
use crate::refusal::closing;
use crate::rest::{Lent, read_rest};

/// The most requests at once on one connection of HTTP/2.
const MOST_STREAMS: u32 = 64;
/// So long, and so many bytes, a connection is read from after its last word.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// What every connection is served with.
#[derive(Clone)]
pub struct Served {
    /// The routes, with all that is around them.
    pub routes: Router,
    /// What clients may take.
    pub limits: Limits,
    /// Where lines go.
    pub log: Log,
}

/// What all those who are connected are told, the last of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing yet.
    GoOn,
    /// Others are served otherwise now: what is being answered is, for as long as the connection could have lasted; then connect again.
    Renew,
    /// The server ends: what is being answered has so long.
    End(Duration),
}

/// Serves a connection until it ends, or has to.
pub async fn serve(
    served: Served,
    tcp: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    place: Place,
    orders: watch::Receiver<Order>,
) {
    let log = served.log.clone();
    log.debug(format_args!("{address}: connected"));
    if let Err(error) = tcp.set_nodelay(true) {
        log.debug(format_args!("{address}: no TCP_NODELAY: {error}"));
    }
    let ended = match tls {
        None => {
            let peer = Peer { address, over: Over::Plain };
            speak(served, TokioIo::new(tcp), peer, Protocol::Http1, &place.entry, orders).await
        }
        Some(config) => {
            let handshake =
                timeout(served.limits.handshake, TlsAcceptor::from(config).accept(tcp).into_fallible());
            let stream = tokio::select! {
                shaken = handshake => match shaken {
                    Ok(Ok(stream)) => stream,
                    Ok(Err((error, mut tcp))) => {
                        log.warn(format_args!("{address}: no handshake: {}", causes(&error)));
                        return linger(&mut tcp).await;
                    }
                    Err(_) => return log.debug(format_args!("{address}: the handshake took too long")),
                },
                () = place.entry.go.notified() => return,
            };
            let session = stream.get_ref().1;
            let shown = session.peer_certificates().and_then(|chain| chain.first());
            let certificate = shown.map_or(Certificate::None, |first| Certificate::of_der(first));
            let protocol = match session.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            let peer = Peer { address, over: Over::Tls(certificate) };
            speak(served, TokioIo::new(stream), peer, protocol, &place.entry, orders).await
        }
    };
    match ended {
        Ok(()) => log.debug(format_args!("{address}: ended")),
        Err(error) => log.debug(format_args!("{address}: ended: {}", causes(&error))),
    }
}

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Speaks it until the connection ends, or has to.
pub async fn speak<S>(
    served: Served,
    stream: TokioIo<S>,
    peer: Peer,
    protocol: Protocol,
    entry: &Arc<Entry>,
    orders: watch::Receiver<Order>,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Served { routes, limits, log } = served;
    let this = Arc::clone(entry);
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut routes, peer, busy) = (routes.clone(), peer.clone(), this.begin());
        if this.takes_no_more(Instant::now()) {
            log.debug(format_args!("{}: has to connect again, and does not", peer.address));
            routes = Router::new().fallback(connect_again);
        }
        async move {
            let response = match protocol {
                Protocol::Http1 => answer(routes, peer, request.map(Body::new)).await?,
                Protocol::Http2 => {
                    let (request, back) = Lent::of(request);
                    let response = answer(routes, peer, request.map(Body::new)).await?;
                    read_rest(back, LINGER, LINGER_BYTES);
                    response
                }
            };
            Ok::<_, std::convert::Infallible>(held(response, busy))
        }
    });
    match protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .max_buf_size(limits.head_bytes.max(8192));
            let mut connection = builder.serve_connection(stream, service);
            let end = |connection: Pin<&mut http1::Connection<_, _>>| connection.graceful_shutdown();
            let ended = drive(Pin::new(&mut connection), end, limits, entry, orders).await;
            // After a head that cannot be read, too: there hyper has answered as well.
            if !matches!(ended, Ok(Ended::Left)) {
                linger(&mut connection.into_parts().io.into_inner()).await;
            }
            ended.map(|_| ())
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            let head = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
            builder.timer(TokioTimer::new()).max_concurrent_streams(MOST_STREAMS).max_header_list_size(head);
            builder.keep_alive_interval(limits.idle).keep_alive_timeout(limits.head);
            let connection = pin!(builder.serve_connection(stream, service));
            drive(connection, |connection| connection.graceful_shutdown(), limits, entry, orders)
                .await
                .map(|_| ())
        }
    }
}

/// What is answered to those who ask on a connection that takes no more: over HTTP/2 a client can go on as if it had not heard.
async fn connect_again(request: Request) -> Response {
    let message = "What is served has changed: connect again.";
    closing(request.version(), StatusCode::MISDIRECTED_REQUEST, message)
}

/// The answer; where its body goes on for a while, the request is over when that has ended.
fn held(response: Response, busy: Busy) -> Response {
    match response.extensions().get::<Streams>() {
        None => response,
        Some(Streams) => response.map(|body| Body::new(body.map_frame(move |frame| busy.with(frame)))),
    }
}

/// Says that nothing comes any more, and reads what does for a moment: who closes with something unread takes back what it said last,
/// and a client would not learn why it was turned away.
async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let read = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    // Whoever has gone has gone.
    let _ = timeout(LINGER, read).await;
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// By HTTP's rules.
    ByItself,
    /// By this server's: nothing more was to be said.
    Left,
}

async fn answer(
    routes: Router,
    peer: Peer,
    mut request: Request,
) -> Result<Response, std::convert::Infallible> {
    if let Some(uri) = squeezed(request.uri()) {
        let asked = std::mem::replace(request.uri_mut(), uri);
        request.extensions_mut().insert(Asked(asked));
    }
    request.extensions_mut().insert(peer);
    routes.oneshot(request).await
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It takes requests.
    Open,
    /// It takes no more, and what is being answered is.
    Last,
    /// The same, and soon it is left.
    Leaving,
}

/// Lets a connection go on until it ends; asks it to when it is old, when others are served otherwise now or when the server ends, and
/// leaves it when it is idle too long, when others need its place, or when it does not end.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    end: impl Fn(Pin<&mut C>),
    limits: Limits,
    entry: &Entry,
    mut orders: watch::Receiver<Order>,
) -> Result<Ended, hyper::Error>
where
    C: Future<Output = Result<(), hyper::Error>>,
{
    let mut until = tokio::time::Instant::now() + limits.age;
    let mut stage = Stage::Open;
    loop {
        let idle = entry.idle_since().unwrap_or_else(Instant::now) + limits.idle;
        let order = tokio::select! {
            ended = connection.as_mut() => return ended.map(|()| Ended::ByItself),
            () = entry.go.notified() => return Ok(Ended::Left),
            () = sleep_until(idle.into()) => {
                if entry.idle_since().is_some_and(|since| since + limits.idle <= Instant::now()) {
                    return Ok(Ended::Left);
                }
                continue;
            }
            () = sleep_until(until) => {
                if stage == Stage::Leaving {
                    return Ok(Ended::Left);
                }
                Order::End(limits.grace)
            }
            changed = orders.changed(), if stage != Stage::Leaving => match changed {
                Ok(()) => *orders.borrow_and_update(),
                // Nobody is there to give any.
                Err(_) => Order::End(limits.grace),
            },
        };
        match order {
            Order::GoOn => {}
            Order::Renew => {
                stage = Stage::Last;
                entry.take_no_more_from(Instant::now() + limits.grace);
                end(connection.as_mut());
            }
            Order::End(grace) => {
                stage = Stage::Leaving;
                until = tokio::time::Instant::now() + grace;
                end(connection.as_mut());
            }
        }
    }
}
