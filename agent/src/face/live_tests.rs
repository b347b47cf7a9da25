//! The face behind a real listener with TLS, asked by the client of this crate: what a handshake lets in, and who is who.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::client::ask;
use crate::client::http::{Http, Question};
use crate::face::names::System;
use crate::face::peer::{Over, Shown};
use crate::face::router::router;
use crate::face::stage::{ask_all, board, feature, load, spec};
use crate::face::trust::Trust;
use crate::face::{Board, Peer, Standing};

pub type Ca = CertifiedIssuer<'static, KeyPair>;

pub fn ca(name: &str) -> Ca {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("a CA")
}

/// A certificate of that CA for that name, and its key.
pub fn issue(ca: &Ca, name: &str) -> (rcgen::Certificate, KeyPair) {
    let mut parameters = CertificateParams::new(vec![String::from("localhost")]).expect("a name");
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    (parameters.signed_by(&key, ca).expect("a certificate"), key)
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, board: Arc<Board>) {
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (stream, from) = listener.accept().await.expect("a connection");
        let (acceptor, board) = (acceptor.clone(), Arc::clone(&board));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let shown = chain.first().map_or(Shown::Nothing, |first| Shown::of_der(first));
            let peer = Peer { address: from.ip(), over: Over::Https(shown) };
            let service = TowerToHyperService::new(router(board, Arc::new(System)).layer(Extension(peer)));
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that hangs up is no error here.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

pub fn up(ca: &Ca, trust: Trust) -> SocketAddr {
    let board = board(vec![feature(spec("logs", &[]), Standing::Running)], trust);
    load(&board, &[("logs", ":enabled: https\n")]);
    ask_all(&board);
    let (certificate, key) = issue(ca, "proxy.example.com");
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .expect("a verifier");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a pair");
    let (tell, told) = std::sync::mpsc::channel();
    // It ends with the test's process.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
            serve(listener, Arc::new(config), board).await;
        });
    });
    told.recv().expect("it listens")
}

#[test]
fn certificates_say_who_is_who() {
    let (ours, theirs) = (ca("ours"), ca("theirs"));
    let trust = Trust { hosts: Some(vec![String::from("good.example.com")]), forward_verify: true };
    let (open, closed) = (up(&ours, Trust::default()), up(&ours, trust));
    let roots = ours.pem();
    let client = |ca: &Ca, name: &str| {
        let (certificate, key) = issue(ca, name);
        Http::new(Some(&roots), Some((&certificate.pem(), &key.serialize_pem()))).expect("a client")
    };
    let nobody = Http::new(Some(&roots), None).expect("a client");
    let get = |http: &Http, at: SocketAddr, path: &str| {
        let url = format!("https://localhost:{}{path}", at.port());
        let question = Question { method: "GET", url: &url, headers: &[], body: None };
        http.ask(&question).map(|answer| (answer.status, answer.body))
    };
    let good = client(&ours, "Good.example.com");
    let other = client(&ours, "other.example.com");
    let stranger = client(&theirs, "good.example.com");
    for at in [open, closed] {
        assert_eq!(get(&nobody, at, "/features").expect("for everybody"), (200, "[\"logs\"]".to_owned()));
        assert_eq!(get(&good, at, "/v2/features").expect("known").0, 200);
        assert_eq!(get(&good, at, "/logs").expect("known").0, 200);
        assert!(get(&stranger, at, "/features").is_err(), "the handshake fails");
    }
    let refused = |http: &Http, at| get(http, at, "/v2/features").expect("an answer");
    assert_eq!(refused(&nobody, open), (403, "No client SSL certificate supplied".to_owned()));
    assert_eq!(refused(&nobody, closed), (403, "could not read client cert from environment".to_owned()));
    assert_eq!(refused(&other, open).0, 200);
    assert_eq!(
        refused(&other, closed),
        (
            403,
            "Untrusted client other.example.com attempted to access /features. Check :trusted_hosts: in settings.yml"
                .to_owned()
        )
    );
    // The client of this crate against the face of this crate.
    let reply = ask::features(&good, &format!("https://localhost:{}/", closed.port())).expect("a reply");
    assert_eq!(reply.features["logs"].https_enabled, Some(true));
    assert_eq!(reply.features["logs"].http_enabled, Some(false));
    // Whom we do not know we do not ask.
    let elsewhere = Http::new(Some(&theirs.pem()), None).expect("a client");
    assert!(get(&elsewhere, open, "/features").is_err());
}
