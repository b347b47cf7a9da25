//! Who may ask, and how often: keys, certificates, anybody of this machine, and nobody else.
#![allow(clippy::disallowed_methods, reason = "tests write their certificates")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::config::Config;
use super::keys::Keys;
use super::stage::{Said, Stage, raw, said};

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "The CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(ca: &Ca, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    // rcgen keeps one of each type: the second is of the same one, by its number.
    for (name, kind) in names.iter().zip([DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])]) {
        params.distinguished_name.push(kind, *name);
    }
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, ca).unwrap(), key)
}

/// A listener with TLS whose key has that mode, for whoever is called `deploy` or `ops`.
fn with_tls(ca: &Ca, mode: u32) -> Stage {
    let prepare = |dir: &Path, config: &mut Config| {
        let (cert, key) = issue(ca, &["server"]);
        let at = |name: &str| dir.join(name);
        for (name, text) in [("cert", cert.pem()), ("key", key.serialize_pem()), ("ca", ca.pem())] {
            std::fs::write(at(name), text).unwrap();
        }
        std::fs::set_permissions(at("key"), std::fs::Permissions::from_mode(mode)).unwrap();
        let tls =
            disco_listen::TlsFiles { cert: at("cert"), key: at("key"), client_ca: Some(at("ca")), crl: None };
        config.listen.tls = Some(tls);
        let names = ["deploy", "ops"].map(str::to_owned).into();
        config.auth = super::config::Auth::Needed(names);
    };
    Stage::with("", prepare)
}

fn over_tls(address: SocketAddr, ca: &Ca, names: Option<&[&str]>, headers: &str) -> Said {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match names {
        None => builder.with_no_client_auth(),
        Some(names) => {
            let (cert, key) = issue(ca, names);
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![CertificateDer::from(cert.der().to_vec())], key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut stream = StreamOwned::new(session, tcp);
    let text = format!("GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut all = vec![];
    // That TLS was not said goodbye to is no matter here.
    let _ = stream.read_to_end(&mut all);
    said(&all)
}

#[test]
fn a_certificate_of_a_name_that_is_allowed_or_a_key() {
    let ca = ca();
    let stage = with_tls(&ca, 0o640);
    let key = format!("Authorization: Bearer {}\r\n", stage.key);
    let rows: [(u16, Option<&[&str]>, &str); 9] = [
        (200, Some(&["deploy"]), ""),
        (200, Some(&["OPS"]), ""),
        (403, Some(&["web1"]), ""),
        (401, Some(&["deploy", "ops"]), ""),
        (401, Some(&["deploy/x"]), ""),
        (401, None, ""),
        (200, None, &key),
        (200, Some(&["web1"]), &key),
        (401, Some(&["web1"]), "Authorization: Bearer wrong\r\n"),
    ];
    for (status, names, headers) in rows {
        assert_eq!(over_tls(stage.address(0), &ca, names, headers).status, status, "{names:?} {headers:?}");
    }
    let log = stage.log.text();
    assert!(log.contains(" deploy \"GET /v1/status\" 200 "), "{log}");
    assert!(log.contains("web1 has a good certificate, and is not in `names`"));
    let open = "every user can read this key";
    assert!(!log.contains(open) && with_tls(&ca, 0o644).log.text().contains(open));
}

#[test]
fn nothing_else_is_a_key() {
    let stage = Stage::new();
    let status = |headers: &str| stage.send(0, "GET", "/v1/status", headers, "").status;
    let key = &stage.key;
    assert_eq!(status(&format!("Authorization: Bearer {key}\r\n")), 200);
    assert_eq!(status(&format!("authorization: bEARER   {key} \r\n")), 200);
    for header in [
        String::new(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer \r\n".to_owned(),
        format!("Authorization: {key}\r\n"),
        format!("Authorization: Basic {key}\r\n"),
        format!("Authorization: Bearer {key}x\r\n"),
        format!("Authorization: Bearer {}\r\n", &key[1..]),
        format!("Authorization: Bearer {key}\r\nAuthorization: Bearer {key}\r\n"),
        format!("X-Key: {key}\r\n"),
    ] {
        assert_eq!(status(&header), 401, "{header:?}");
    }
    let stranger = stage.send(0, "GET", &format!("/v1/status?key={key}"), "", "");
    assert_eq!((stranger.status, stranger.header("www-authenticate")), (401, Some("Bearer")));
    for path in ["/v1/runs", "/metrics", "/v1/runs/x/log"] {
        assert_eq!(stage.send(0, "GET", path, "", "").status, 401, "{path}");
    }
    assert_eq!(stage.send(0, "GET", "/healthz", "", "").status, 200);
    assert!(stage.helper.asks.lock().unwrap().is_empty(), "nobody asked the helper");
}

#[test]
fn a_key_counts_from_when_it_is_written_until_it_ends_or_is_removed() {
    let stage = Stage::new();
    let path = stage.dir.path().join("keys");
    let mut keys = Keys::default();
    let now = disco_listen::clock::now();
    let old = keys.add("old".parse().unwrap(), now - 86_400, Some(1)).unwrap();
    let new = keys.add("new".parse().unwrap(), now, Some(1)).unwrap();
    std::fs::write(&path, keys.text()).unwrap();
    let status = |key: &str| {
        stage.send(0, "GET", "/v1/status", &format!("Authorization: Bearer {key}\r\n"), "").status
    };
    assert_eq!((status(&old), status(&new), status(&stage.key)), (401, 200, 401));
    keys.remove(&"new".parse().unwrap()).unwrap();
    std::fs::write(&path, keys.text()).unwrap();
    assert_eq!(status(&new), 401);
}

#[test]
fn who_guesses_is_not_listened_to_any_more() {
    let stage = Stage::new();
    let ask = |key: &str| stage.send(0, "GET", "/v1/status", &format!("Authorization: Bearer {key}\r\n"), "");
    for _ in 0..30 {
        assert_eq!(ask("wrong").status, 401);
    }
    let turned = ask("wrong");
    assert_eq!((turned.status, turned.header("retry-after")), (429, Some("300")));
    assert_eq!(ask(&stage.key).status, 429, "the right one is not looked at either");
}

#[test]
fn anybody_of_this_machine_only_where_that_is_set_and_no_page_of_a_browser() {
    let stage = Stage::with("auth = \"none\"", |_, _| {});
    assert_eq!(stage.send(0, "GET", "/v1/status", "", "").status, 200);
    let page = stage.send(0, "GET", "/v1/status", "Origin: http://evil.example\r\n", "");
    assert_eq!(page.status, 403);
    // The page's own name, which its DNS now gives this machine's address: a read has no Origin.
    for host in ["evil.example", "evil.example:8453", "localhost.evil.example"] {
        let text = format!("GET /v1/runs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(said(&raw(stage.address(0), text.as_bytes())).status, 403, "{host}");
    }
    // What a page can send without being asked is no JSON.
    let form = stage.send(0, "POST", "/v1/runs", "Content-Type: text/plain\r\n", "{}");
    assert_eq!(form.status, 415);
    assert!(stage.helper.asks.lock().unwrap().is_empty());
    let json = stage.send(0, "POST", "/v1/runs", "Content-Type: application/json\r\n", "{}");
    assert_eq!(json.json()["by"][0], "anyone at 127.0.0.1");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let set = "[rate]\nclient_per_second = 1\nclient_burst = 3\nall_per_second = 100\nall_burst = 100";
    let stage = Stage::with(set, |_, _| {});
    let statuses: Vec<u16> = (0..5).map(|_| stage.ask("GET", "/v1/status", "").status).collect();
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
    let turned = stage.ask("GET", "/healthz", "");
    assert_eq!((turned.status, turned.header("retry-after")), (429, Some("1")));
    assert_eq!(stage.twitch("GET", "/info"), "429 Too many requests\n", "the other port counts too");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(stage.ask("GET", "/v1/status", "").status, 200);
    let all = Stage::with("[rate]\nall_per_second = 1\nall_burst = 2", |_, _| {});
    let statuses: Vec<u16> = (0..4).map(|_| all.ask("GET", "/v1/status", "").status).collect();
    assert!(statuses[..2] == [200; 2] && statuses.contains(&429), "{statuses:?}");
}
