//! The rest: TLS, users of etcd, what other servers see, forms, damage.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use disco_dlm::model::UserName;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster_tests::Cluster;
use super::{acquire, admin, host, release};
use crate::access::{HostChange, User};
use crate::store::etcd::{EtcdStore, Options};
use crate::store::{EventQuery, Paging, Store, StoreError};

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn user(name: &str) -> User {
    let login = UserName::new(name).unwrap();
    User { login, password: None, admin: true, roles: BTreeSet::new(), tokens: vec![] }
}

#[tokio::test]
async fn what_one_server_writes_another_one_sees() {
    let cluster = Cluster::start(3).await;
    let (one, two) = (cluster.store().await, cluster.store().await);
    let mut changes = two.changes();
    // The watch of a server begins soon after it does.
    timeout(Duration::from_secs(3), changes.changed()).await.unwrap().unwrap();
    changes.borrow_and_update();
    one.ask(acquire("web", "a")).await.unwrap();
    timeout(Duration::from_secs(3), changes.changed()).await.unwrap().unwrap();
    // The watch goes on at another member when one ends.
    let mut cluster = cluster;
    cluster.kill(0);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        changes.borrow_and_update();
        while one.ask(release("web", "a")).await.is_err() {}
        timeout(Duration::from_secs(3), changes.changed()).await.unwrap().unwrap();
        one.ask(acquire("web", "a")).await.unwrap();
    }

    one.put_host(&host("a"), HostChange::default()).await.unwrap();
    one.check_in(&host("a")).await.unwrap();
    let until = tokio::time::Instant::now() + Duration::from_secs(6);
    while two.host(&host("a")).await.unwrap().unwrap().last_checkin.is_none() {
        assert!(tokio::time::Instant::now() < until, "a check-in is written down some seconds later");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    assert!(two.users().await.unwrap().is_empty());
    one.put_user(&user("root")).await.unwrap();
    one.put_user(&user("adam")).await.unwrap();
    one.put_user(&User { admin: false, ..user("root") }).await.unwrap();
    let all = two.users().await.unwrap();
    assert_eq!(all, [user("adam"), User { admin: false, ..user("root") }]);
    assert_eq!(two.user(&all[0].login).await.unwrap().as_ref(), Some(&all[0]));
    assert!(two.remove_user(&all[0].login).await.unwrap());
    assert!(!one.remove_user(&all[0].login).await.unwrap());
    assert_eq!(one.user(&all[0].login).await.unwrap(), None);

    assert!(two.remove_host(&host("a"), &admin()).await.unwrap());
    assert!(!one.remove_host(&host("a"), &admin()).await.unwrap());
    let newest = EventQuery::Newest(Paging { page: 1, per_page: Some(1) });
    let last = one.events(None, newest).await.unwrap().items.remove(0).event;
    assert_eq!((last.kind, last.detail.as_str()), (disco_dlm::model::EventKind::Force, "host removed"));
}

#[tokio::test]
async fn what_is_newer_or_damaged_is_refused() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    store.ask(acquire("web", "a")).await.unwrap();
    let put = async |key: &str, value: &str| {
        cluster.raw("/v3/kv/put", json!({ "key": base64(key), "value": base64(value) })).await;
    };
    put("/disco/v1/lock/web", "{\"lock\":").await;
    for error in [
        store.ask(acquire("web", "b")).await.unwrap_err(),
        store
            .locks(&crate::search::Filter::All, Default::default(), Paging { page: 1, per_page: None })
            .await
            .unwrap_err(),
    ] {
        let StoreError::Damaged { what, .. } = &error else { panic!("{error:?}") };
        assert_eq!(what, "/disco/v1/lock/web");
    }
    put("/disco/v1/form", "2").await;
    assert!(matches!(store.ready().await, Err(StoreError::Newer { found: 2, known: 1, .. })));
    let error = EtcdStore::connect(&cluster.address(), &Options::default()).await.err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_user_and_a_password_open_a_cluster_that_has_users() {
    let cluster = Cluster::start_with(1, &["--auth-token-ttl=1"], "etcd").await;
    for (path, body) in [
        ("user/add", json!({ "name": "root", "password": "geheim" })),
        ("role/add", json!({ "name": "root" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        ("enable", json!({})),
    ] {
        let said = cluster.raw(&format!("/v3/auth/{path}"), body).await;
        assert!(said["header"].is_object(), "{path}: {said}");
    }
    let folder = TempDir::new().unwrap();
    let password = |text: &str| {
        let path = folder.path().join("password");
        write(&path, text);
        let user = Some("root".to_owned());
        Options { user, password_file: Some(path), deadline: Duration::from_secs(2), ..Options::default() }
    };
    let refused = async |options: Options| {
        let error = EtcdStore::connect(&cluster.address(), &options).await.err().unwrap();
        let StoreError::Unavailable { source, .. } = error else { panic!("{error:?}") };
        source.to_string()
    };
    assert!(refused(Options::default()).await.contains("user name is empty"));
    assert!(refused(password("wrong\n")).await.contains("invalid user ID or password"));
    let store = EtcdStore::connect(&cluster.address(), &password("geheim\n")).await.unwrap();
    store.ask(acquire("web", "a")).await.unwrap();
    // The token has ended by now: the next request logs in again.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    store.ask(release("web", "a")).await.unwrap();
}

#[tokio::test]
async fn members_are_spoken_to_over_tls_with_a_certificate() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ca = issuer();
    write(&path("ca.pem"), &ca.pem());
    issue(&ca, &path("server"));
    issue(&ca, &path("client"));
    let other = issuer();
    write(&path("other.pem"), &other.pem());
    issue(&other, &path("stranger"));
    let argument = |name: &str, file: &str| format!("--{name}={}", path(file).display());
    let arguments = [
        argument("cert-file", "server.pem"),
        argument("key-file", "server.key"),
        argument("trusted-ca-file", "ca.pem"),
        "--client-cert-auth".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cluster = Cluster::start_with(1, &arguments, "etcds").await;
    let options = |ca: &str, own: Option<&str>, deadline| Options {
        ca: Some(path(ca)),
        cert: own.map(|own| path(&format!("{own}.pem"))),
        key: own.map(|own| path(&format!("{own}.key"))),
        deadline: Duration::from_secs(deadline),
        ..Options::default()
    };
    let connect = async |options: Options| EtcdStore::connect(&cluster.address(), &options).await;
    let store = connect(options("ca.pem", Some("client"), 10)).await.unwrap();
    store.ask(acquire("web", "a")).await.unwrap();
    for wrong in [
        options("ca.pem", None, 1),
        options("ca.pem", Some("stranger"), 1),
        options("other.pem", Some("client"), 1),
        options("none.pem", None, 1),
        Options { ca: None, ..options("ca.pem", None, 1) },
        Options { key: None, ..options("ca.pem", Some("client"), 1) },
    ] {
        assert!(
            matches!(connect(wrong.clone()).await.err(), Some(StoreError::Unavailable { .. })),
            "{wrong:?}"
        );
    }
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this machine, as server and as client, and its key.
fn issue(ca: &CertifiedIssuer<'static, KeyPair>, path: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, ca).unwrap();
    write(&path.with_extension("pem"), &certificate.pem());
    write(&path.with_extension("key"), &key.serialize_pem());
}

#[allow(clippy::disallowed_methods, reason = "tests make files")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
