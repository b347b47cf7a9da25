//! A lock server over TLS with a few locks, for walking through its pages: `lock_pages DIR`. Its certificate, its key and its store are in
//! DIR. Users: `alice` (administrator), `vera` (may look), both with the password `correct horse`.
#![allow(clippy::disallowed_methods, reason = "an example puts its files where it is told")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disco_dlm::model::{HostName, LockName, Policy, Requester, UserName};
use disco_dlm::rules::{NotHeld, Operation, Outcome};
use disco_dlm_server::access::{HostChange, User, roles};
use disco_dlm_server::app::{FleetLock, Set};
use disco_dlm_server::config::{Config, StoreAt};
use disco_dlm_server::identity::password;
use disco_dlm_server::listen::{ListenConfig, TlsFiles};
use disco_dlm_server::store::sqlite::SqliteStore;
use disco_dlm_server::store::{Ask, Store, Which};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).map(PathBuf::from).ok_or("say where: lock_pages DIR")?;
    let store = dir.join("locks.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fill(Arc::new(SqliteStore::open(&store)?)))?;
    drop(runtime);
    let listen = ListenConfig {
        addresses: vec!["127.0.0.1:0".parse()?],
        tls: Some(certificate(&dir)?),
        ..ListenConfig::default()
    };
    let set =
        Set { roles: roles(), auto_create: false, fleetlock: FleetLock::Off, per_page: 20, stale_hours: 4 };
    disco_dlm_server::server::run(&Config { store: StoreAt::Sqlite(store), listen, set })?;
    Ok(())
}

fn certificate(dir: &Path) -> Result<TlsFiles, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])?;
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    Ok(TlsFiles { cert, key, client_ca: None, crl: None })
}

async fn fill(store: Arc<dyn Store>) -> Result<(), Box<dyn Error>> {
    for (login, admin) in [("alice", true), ("vera", false)] {
        let hash = password::hash("correct horse").map_err(|error| error.to_string())?;
        let user = User {
            login: UserName::new(login)?,
            password: Some(hash),
            admin,
            roles: ["Viewer".to_owned()].into(),
            tokens: vec![],
        };
        store.put_user(&user).await?;
    }
    for host in ["web1.example.com", "web2.example.com", "db1.example.com"] {
        let change = HostChange { groups: Some(["web-updates".to_owned()].into()), may_acquire: None };
        store.put_host(&HostName::new(host)?, change).await?;
        store.check_in(&HostName::new(host)?).await?;
    }
    let by = |host: &str| HostName::new(host).map(Requester::Host);
    let note = |note: &str| Operation::Acquire { note: note.to_owned() };
    let failed = Outcome::Failed("nginx does not start".into());
    let policy: Policy = serde_json::from_str(
        r#"{"slots":{"percent":40},"expires_after":7200,"freeze_after":2,"queue":{"order":"fair","poll":60},
            "calendar":{"zone":"Europe/Berlin","windows":[],
            "blackouts":[{"from":"2001-12-24","to":"2001-12-26","reason":"holidays"}]}}"#,
    )?;
    for (lock, requester, operation) in [
        ("web-updates", by("web1.example.com")?, note("")),
        (
            "web-updates",
            by("web1.example.com")?,
            Operation::Release { outcome: failed, token: None, not_held: NotHeld::Refuse },
        ),
        ("web-updates", by("web1.example.com")?, note("kernel 6.1.0-42, then a reboot")),
        ("web-updates", Requester::User(UserName::new("alice")?), Operation::SetPolicy(policy)),
        ("web-updates", by("web2.example.com")?, note("")),
        ("db/reindex", by("db1.example.com")?, note("<script>alert(1)</script> & \"quotes\"")),
        ("db/reindex", by("web2.example.com")?, note("")),
        ("free", by("web2.example.com")?, note("")),
        (
            "free",
            by("web2.example.com")?,
            Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse },
        ),
        ("<img src=x onerror=alert(1)>", by("web2.example.com")?, note("")),
        (
            "a-very-long-name-of-a-lock-that-somebody-has-made-by-a-script-without-looking-at-it-0123456789",
            by("web1.example.com")?,
            note(""),
        ),
    ] {
        store.ask(Ask { which: Which::Named(LockName::new(lock)?), requester, operation }).await?;
    }
    Ok(())
}
