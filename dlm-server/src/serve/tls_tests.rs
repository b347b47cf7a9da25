//! Who is let in by a certificate, and who is not: over real TLS, with what the log says of it.
#![allow(clippy::disallowed_methods, reason = "tests write their certificates")]

use std::io::Write;
use std::time::{Duration, Instant};

use disco_listen::tls;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SerialNumber, date_time_ymd};

use super::stage::{Ca, Cert, Stage, rest, said};
use super::*;
use crate::listen::LogLevel;

/// Whether somebody with this certificate is answered: the status, or why not.
fn acquires(stage: &Stage, cert: &Cert) -> String {
    let client = stage.client(Some(cert));
    let said = client.send("PUT", "/api/dlmlocks/test/lock", "Content-Type: application/json\r\n", "");
    said.map_or_else(|error| error.to_string(), |said| said.status.to_string())
}

#[test]
fn certificates_that_are_no_good_end_the_handshake() {
    let stage = Stage::with(|listen, _, ca| {
        let crl = listen.tls.as_ref().unwrap().crl.clone().unwrap();
        std::fs::write(crl, ca.list(&[66, 67])).unwrap();
    });
    let other = Ca::new("The CA");
    let years = |from, to| {
        move |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        }
    };
    let ca = &stage.ca;
    let server_alone = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    let table = [
        (ca.numbered("web1", 65), "200", ""),
        (
            ca.issue(&["web1"], years(2001, 2002)),
            "CertificateExpired",
            "invalid peer certificate: certificate expired",
        ),
        (
            ca.issue(&["web1"], years(2091, 2092)),
            "CertificateExpired",
            "invalid peer certificate: certificate not valid yet",
        ),
        (ca.numbered("web1", 66), "CertificateRevoked", "invalid peer certificate: Revoked"),
        // By the name of the CA alone it would be good; its signature is another's.
        (other.host("web1"), "DecryptError", "invalid peer certificate: BadSignature"),
        (Ca::new("Other CA").host("web1"), "UnknownCA", "invalid peer certificate: UnknownIssuer"),
        (
            ca.issue(&["web1"], server_alone),
            "UnsupportedCertificate",
            "invalid peer certificate: certificate does not allow extended key usage for client authentication",
        ),
    ];
    for (cert, expected, logged) in table {
        let found = acquires(&stage, &cert);
        assert!(found.contains(expected), "{logged}: {found}\n{}", stage.log.text());
        if !logged.is_empty() {
            stage.log.wait_for(&format!("a certificate that names web1 is refused: {logged}"));
            stage.log.wait_for(&format!(": no handshake: {logged}"));
        }
    }
    assert_eq!(stage.client(None).get("/api/dlmlocks").status, 401, "without any one may ask");
}

#[test]
fn one_name_counts_in_lower_case_and_several_are_nobodys() {
    let stage = Stage::new();
    let ca = &stage.ca;
    assert_eq!(acquires(&stage, &ca.issue(&["WEB1"], |_| {})), "200");
    let lock = stage.user("admin", "admin").get("/api/dlmlocks/test").body;
    assert!(lock.contains("\"host\":{\"name\":\"web1\"}"), "{lock}");
    for nameless in [
        ca.issue(&[], |_| {}),
        ca.issue(&["web2", "web1"], |_| {}),
        ca.host(" web1"),
        ca.host("web1\n"),
        ca.host("web1\0.example.com"),
        ca.host("web1/CN=web2"),
    ] {
        assert_eq!(acquires(&stage, &nameless), "401");
    }
    assert!(stage.log.text().contains("the certificate has no name that a host can have"));
}

#[test]
fn a_certificate_without_any_usage_is_as_good() {
    let stage = Stage::new();
    let plain = stage.ca.issue(&["web1"], |params| params.extended_key_usages = vec![]);
    assert_eq!(acquires(&stage, &plain), "200");
}

#[test]
fn certificates_are_read_again_and_nobody_stays_known_by_the_old_ones() {
    let stage = Stage::new();
    let cert = stage.ca.issue(&["web1"], |params| params.serial_number = Some(SerialNumber::from(66)));
    let running = stage.running.as_ref().unwrap();
    let reload = || stage.runtime.block_on(async { running.reload() });
    // Somebody who is connected, and stays.
    let mut stream = stage.client(Some(&cert)).connect().unwrap();
    let request = b"GET /api/dlmlocks/x/lock HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).unwrap();
    stage.log.wait_for("\"GET /api/dlmlocks/x/lock\" 404");
    // What cannot be read changes nothing.
    let crl = stage.dir.path().join("crl.pem");
    std::fs::write(&crl, "junk").unwrap();
    reload();
    assert!(stage.log.text().contains("the certificates stay as they were"), "{}", stage.log.text());
    assert_eq!(acquires(&stage, &cert), "200");
    // Revoked, and read again: the old connection ends without another word, a new one is refused.
    std::fs::write(&crl, stage.ca.list(&[66])).unwrap();
    reload();
    let text = rest(&mut *stream).unwrap();
    assert_eq!(said(&text).unwrap().status, 404);
    assert!(acquires(&stage, &cert).contains("CertificateRevoked"));
    assert_eq!(acquires(&stage, &stage.ca.host("web1")), "200");
}

#[test]
fn no_session_is_resumed_and_no_connection_grows_old() {
    let stage = Stage::with(|listen, _, _| listen.limits.age = Duration::from_millis(500));
    let web1 = stage.host("web1");
    for _ in 0..3 {
        assert_eq!(web1.handshake(), rustls::HandshakeKind::Full);
    }
    // Somebody who never stops asking.
    let (mut stream, start) = (web1.connect().unwrap(), Instant::now());
    let request = b"GET /api/dlmlocks/x/lock HTTP/1.1\r\nHost: localhost\r\n\r\n";
    while stream.write_all(request).and_then(|()| stream.flush()).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(start.elapsed() > Duration::from_millis(400), "{:?}", start.elapsed());
}

#[test]
fn files_that_are_no_good_are_named() {
    let stage = Stage::new();
    let dir = stage.dir.path();
    let listen = stage.running.as_ref().unwrap().door.listen.clone();
    let files = listen.tls.unwrap();
    std::fs::write(dir.join("empty"), "").unwrap();
    std::fs::write(dir.join("broken"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
        .unwrap();
    let none = dir.join("none");
    let other = Ca::new("other").host("x");
    std::fs::write(dir.join("other.key"), other.key_pem).unwrap();
    let with = |change: &dyn Fn(&mut crate::listen::TlsFiles)| {
        let mut files = files.clone();
        change(&mut files);
        let log = Log::to(LogLevel::Error, stage.log.clone());
        tls::load(&files, clock::now().seconds(), &log).map(|_| ()).map_err(|error| causes(&error))
    };
    let table: [(&str, Result<(), String>); 7] = [
        ("", with(&|_| {})),
        ("none: No such file", with(&|files| files.cert = none.clone())),
        ("empty: no certificate", with(&|files| files.cert = dir.join("empty"))),
        ("broken: no valid PEM", with(&|files| files.client_ca = Some(dir.join("broken")))),
        ("empty: no private key", with(&|files| files.key = dir.join("empty"))),
        ("empty: no revocation list", with(&|files| files.crl = Some(dir.join("empty")))),
        ("cannot be used together", with(&|files| files.key = dir.join("other.key"))),
    ];
    for (expected, found) in table {
        assert!(found.clone().err().unwrap_or_default().contains(expected), "{expected}: {found:?}");
        assert_eq!(found.is_ok(), expected.is_empty());
    }
}

#[test]
fn without_tls_it_listens_on_loopback_alone() {
    let stage = Stage::new();
    let app = App { store: Arc::<crate::store::memory::MemoryStore>::clone(&stage.store), set: stage.set() };
    let with = |address: &str| {
        let listen = ListenConfig { addresses: vec![address.parse().unwrap()], ..ListenConfig::default() };
        let log = Log::to(LogLevel::Error, stage.log.clone());
        stage.runtime.block_on(start(&listen, app.clone(), Router::new(), log)).map(|_| ())
    };
    assert!(matches!(with("0.0.0.0:0"), Err(ServeError::Listen(ListenError::Plain(_)))));
    assert!(with("127.0.0.1:0").is_ok());
    assert!(matches!(with("192.0.2.1:1"), Err(ServeError::Listen(ListenError::Plain(_)))));
    let taken = stage.address.to_string();
    assert!(matches!(with(&taken), Err(ServeError::Listen(ListenError::Listen { .. }))));
}
