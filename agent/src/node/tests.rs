//! A node among proxies: with a face that really listens, and a stand-in for a Foreman that asks it back.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::client::drift::Drift;
use crate::client::http::Http;
use crate::client::keep::{Features, Mark};
use crate::face::live_tests::{ca, issue, up};
use crate::face::stage::{ask_all, load};
use crate::face::trust::Trust;
use crate::node::config::{Config, ConfigError, Register};
use crate::node::enrol::{self, EnrolError, Enrolment, enrol};
use crate::node::identity::Identity;
use crate::node::look::{self, look};
use crate::node::would::would_say;
use crate::register::foreman::RegisterError;
use crate::register::foreman_tests::{SECRET, consumer, proxy, to};
use crate::register::login::Login;
use crate::register::stand_in::foreman;
use crate::settings::yaml::parse;

const NAME: &str = "node.example.com";

/// A folder of settings with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("settings.d")).expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn plain() -> Http {
    Http::new(None, None).expect("no certificates")
}

#[test]
fn a_folder_says_who_it_is() {
    let settings = ("settings.yml", ":http_port: 8000\n:foreman_url: https://foreman.example.com\n");
    let plain = Config::read(folder(&[settings]).path()).expect("good");
    assert_eq!(plain.url(NAME), "http://node.example.com:8000");
    assert_eq!(plain.foreman(), Some("https://foreman.example.com/"));
    let register = (
        "register.yml",
        ":foreman_url: https://other\n:url: https://n:1\n:oauth_consumer_key: k\n:oauth_consumer_secret_file: /s\n",
    );
    let said = Config::read(folder(&[settings, register]).path()).expect("good");
    assert_eq!((said.url(NAME).as_str(), said.foreman()), ("https://n:1", Some("https://other")));
    assert_eq!(said.register.oauth_secret_file, Some(PathBuf::from("/s")));
    let empty = folder(&[]);
    let absent = Config::read(empty.path()).expect_err("nothing");
    assert!(matches!(absent, ConfigError::Absent(ref path) if path.ends_with("settings.yml")), "{absent}");
    for (text, wrong) in [
        (
            ":password: geheim\n",
            "register.yml:1: `:password:` does not belong here: name a file for it, as `:password_file:`",
        ),
        (":user: a\n:usr: b\n", "register.yml:2: `:usr:` is nothing that a registration has"),
        (":user: [a]\n", "register.yml:1: `:user:` must be a text, and is a list"),
    ] {
        let error = Register::of(&parse("register.yml", text).expect("YAML")).expect_err(text);
        assert_eq!(error.to_string(), wrong);
    }
}

#[test]
fn it_would_say_what_its_settings_say() {
    let folder = folder(&[
        ("settings.yml", ":http_port: 8000\n:trusted_hosts: [Web]\n"),
        ("settings.d/dance.yml", ":enabled: https\n"),
        ("settings.d/trigger.yml", ":enabled: true\n:trigger_url: https://n:8443\n"),
        ("settings.d/facts.yml", "enabled: true\n"),
    ]);
    let would = would_say(&Config::read(folder.path()).expect("good")).expect("names");
    let said = serde_json::to_value(&would.features).expect("JSON");
    assert_eq!(said["dance"]["state"], "running");
    assert_eq!(
        (&said["dance"]["http_enabled"], &said["dance"]["https_enabled"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(said["trigger"]["settings"], json!({ "trigger_url": "https://n:8443" }));
    assert_eq!((&said["noop"]["state"], &said["logs"]["state"]), (&json!("disabled"), &json!("running")));
    assert_eq!(said["facts"]["state"], "failed", "a key that is no symbol");
    let troubles = would.troubles.join("\n");
    assert!(troubles.contains("`:trusted_hosts:` has Web") && troubles.contains("facts.yml:1"), "{troubles}");
}

#[test]
fn what_the_documentation_shows_is_good() {
    let docs = include_str!("../../../docs/proxy.md");
    let shown = docs.lines().skip_while(|line| *line != "    # /etc/disco/proxy/settings.yml");
    let text: String =
        shown.take_while(|line| line.starts_with("    ")).map(|line| format!("{line}\n")).collect();
    let files = text.split("    # /etc/disco/proxy/").skip(1).map(|file| {
        let (name, text) = file.split_once('\n').expect("a name");
        (name.split(';').next().expect("a name"), text.replace("    ", ""))
    });
    let files: Vec<(&str, String)> = files.collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(
        files.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["settings.yml", "settings.d/dance.yml", "settings.d/lock.yml"]
    );
    let would = would_say(&Config::read(folder(&files).path()).expect("good")).expect("names");
    assert_eq!(would.troubles, [""; 0]);
    let said = serde_json::to_value(&would.features).expect("JSON");
    for name in ["dance", "lock"] {
        assert_eq!(
            (&said[name]["https_enabled"], &said[name]["state"]),
            (&json!(true), &json!("running")),
            "{name}"
        );
    }
    assert_eq!(said["lock"]["settings"]["use_provider"], "lock_disco");
}

#[test]
fn drift_and_failed_features_are_seen_and_kept() {
    let settings = folder(&[
        ("settings.yml", ":http_port: 8000\n"),
        ("settings.d/dance.yml", ":enabled: true\n"),
        ("settings.d/lock_disco.yml", ":lock_url: https://l\n"),
    ]);
    let wanted = look::wanted(&Config::read(settings.path()).expect("good")).expect("settings");
    assert_eq!(
        wanted.keys().collect::<Vec<_>>(),
        ["dance", "logs"],
        "a provider is no feature, and logs is on by itself"
    );
    let (server, board) = proxy(&["dance", "logs"]);
    let first = look(&plain(), &server.url(), &Features::new(), Some(&wanted)).expect("it answers");
    assert!(first.is_fine(), "{first:?}");
    // Its settings cannot be read any more: it fails, and is kept with what it said.
    board.load(|name| match name.as_str() {
        "dance" => Err(parse("dance.yml", "enabled: x\n").expect_err("no symbol")),
        _ => Ok(Some(parse("logs.yml", ":enabled: true\n").expect("YAML"))),
    });
    ask_all(&board);
    let later = look(&plain(), &server.url(), &first.features, Some(&wanted)).expect("it answers");
    assert_eq!(later.features["dance"].mark, Mark::NotRunning { state: "failed".to_owned() });
    let [Drift::NotRunning { feature, state, why: Some(why) }] = &later.drift[..] else {
        panic!("{:?}", later.drift)
    };
    assert_eq!((feature.as_str(), state.as_str()), ("dance", "failed"));
    assert!(why.contains("dance.yml:1"), "its log says why: {why}");
    assert!(!later.is_fine());
    // Who never knew it does not take it up; without settings that is fine.
    let stranger = look(&plain(), &server.url(), &Features::new(), None).expect("it answers");
    assert_eq!(stranger.features.keys().collect::<Vec<_>>(), ["logs"]);
    assert!(stranger.is_fine());
    load(&board, &[("logs", ":enabled: true\n"), ("dance", ":enabled: https\n")]);
    ask_all(&board);
    let other = look(&plain(), &server.url(), &later.features, Some(&wanted)).expect("it answers");
    let elsewhere = Drift::Elsewhere { feature: "dance".to_owned(), over: "http", wanted: true };
    assert_eq!((other.drift, &other.features["dance"].mark), (vec![elsewhere], &Mark::Running));
}

#[test]
fn a_node_registers_once_and_again_when_something_has_changed() {
    let (server, seen) = foreman(SECRET);
    let (face, board) = proxy(&["dance", "logs"]);
    let foreman = to(&server, consumer(SECRET));
    let (own, url) = (plain(), face.url());
    let enrolment = Enrolment { name: NAME, url: &url, own: &own, foreman: &foreman };
    let (kept, done) = enrol(&enrolment, None).expect("registered").expect("new");
    assert!(enrol::is_as_it_runs(&done));
    let text = enrol::text(&kept, Some(&done));
    assert!(text.starts_with("node.example.com: created, number 1 at http://127.0.0.1:"), "{text}");
    assert!(text.contains("  dance: runs here, and is nothing that a Foreman knows as it comes\n"), "{text}");
    assert_eq!(enrol::json(&kept, Some(&done))["done"], "created");
    let before = seen.lock().expect("not poisoned").requests.len();
    assert!(enrol(&enrolment, Some(&kept)).expect("fine").is_none());
    assert!(enrol::text(&kept, None).ends_with("and nothing has changed since\n"));
    assert_eq!(seen.lock().expect("not poisoned").requests.len(), before, "nobody was asked");
    // Whoever asks without what was kept has it refreshed.
    let (_, again) = enrol(&enrolment, None).expect("fine").expect("asked");
    assert_eq!(enrol::word(&again.done), "refreshed");
    load(&board, &[("logs", ":enabled: true\n"), ("dance", ":enabled: false\n")]);
    ask_all(&board);
    let (after, _) = enrol(&enrolment, Some(&kept)).expect("fine").expect("it has changed");
    assert_ne!(after.print, kept.print);
}

#[test]
fn what_is_in_the_way_of_a_registration_is_told() {
    let (server, _seen) = foreman(SECRET);
    let (face, _board) = proxy(&["logs"]);
    let own = plain();
    let go = |login: Login, name: &str, url: &str| {
        let foreman = to(&server, login);
        enrol(&Enrolment { name, url, own: &own, foreman: &foreman }, None).map(drop)
    };
    let admin = |password: &str| Login::Basic { user: "admin".into(), password: password.into() };
    let wrong = go(admin("wrong"), NAME, &face.url()).expect_err("a wrong password");
    assert!(
        matches!(&wrong, EnrolError::Foreman { source: RegisterError::NotAllowed { status: 401, .. }, .. }),
        "{wrong:?}"
    );
    go(admin("changeme"), "first.example.com", &face.url()).expect("registered");
    let taken = go(consumer(SECRET), NAME, &face.url()).expect_err("another one has that url");
    assert_eq!(
        taken.source().expect("a cause").to_string(),
        "the Foreman refuses to create it: URL has already been taken"
    );
    let nobody = go(consumer(SECRET), NAME, "http://127.0.0.1:1/").expect_err("nobody listens");
    assert_eq!(nobody.to_string(), "this node's own proxy has to answer first, at http://127.0.0.1:1");
    let (unfit, _board) = proxy(&["dance"]);
    let unfit = go(consumer(SECRET), NAME, &unfit.url()).expect_err("nothing that a Foreman knows");
    assert!(unfit.to_string().starts_with("no Foreman would take this proxy: Features \"dance\""), "{unfit}");
}

#[test]
fn an_unknown_authority_is_not_believed() {
    let (ours, theirs) = (ca("ours"), ca("theirs"));
    let at = up(&ours, Trust::default());
    let (certificate, key) = issue(&ours, NAME);
    let files = folder(&[
        ("ours.pem", &ours.pem()),
        ("theirs.pem", &theirs.pem()),
        ("cert.pem", &certificate.pem()),
        ("key.pem", &key.serialize_pem()),
    ]);
    let path = |name: &str| files.path().join(name);
    let url = format!("https://localhost:{}", at.port());
    let identity = |ca: &str| Identity { ca: Some(path(ca)), own: Some((path("cert.pem"), path("key.pem"))) };
    let see = |ca: &str| look(&identity(ca).http().expect("certificates"), &url, &Features::new(), None);
    assert_eq!(see("ours.pem").expect("known").features.len(), 1);
    assert!(see("theirs.pem").expect_err("unknown").to_string().starts_with("unable to communicate"));
    for bad in ["key.pem", "none.pem"] {
        assert!(identity(bad).http().is_err(), "{bad}");
    }
    // From the settings: the Foreman is asked with its own files, where it has some.
    let text = format!(
        ":ssl_certificate: {0}/cert.pem\n:ssl_ca_file: {0}/ours.pem\n:ssl_private_key: {0}/key.pem\n:foreman_ssl_ca: /f\n",
        files.path().display()
    );
    fs::write(path("settings.yml"), text).expect("a file");
    let config = Config::read(files.path()).expect("good");
    assert_eq!(Identity::to_proxies(&config), identity("ours.pem"));
    assert_eq!(Identity::to_foreman(&config), Identity { ca: Some("/f".into()), ..identity("ours.pem") });
    assert_eq!(config.url(NAME), "https://node.example.com:8443");
}
