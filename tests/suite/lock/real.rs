//! The client against disco's own server: what docs/guide-rolling-change.md goes through.

use super::{FOLDER, Locks, OTHER, URL};
use crate::world::{NODE, Output};

const CONFIG: &str = r#"store = "sqlite:///var/disco/dlm/locks.db"
listen = ["127.0.0.1:8443"]
[tls]
certificate = "/srv/locks/ca/issued/localhost.pem"
key = "/srv/locks/ca/issued/localhost.key"
client_ca = "/srv/locks/ca/ca.pem"
crl = "/srv/locks/ca/crl.pem"
"#;
const PASSWORD: &str = "a long password";

/// A node with disco's lock server on its loopback, which knows two hosts and a user.
pub fn real() -> Option<Locks> {
    let locks = Locks::without_server()?;
    let world = &locks.world;
    world.write_with_mode("/etc/disco/dlm.toml", "600", CONFIG);
    world.disco(&["dlm", "host", "add", NODE]).succeeds();
    world.disco(&["dlm", "host", "add", OTHER]).succeeds();
    let add = world.command(&["disco", "dlm", "user", "add", "admin", "--role", "Manager"]);
    add.stdin(&format!("{PASSWORD}\n")).run().succeeds();
    world.sh(&format!("setsid disco dlm serve </dev/null >{FOLDER}/out 2>&1 &")).succeeds();
    world.wait_until("the server is there", || world.disco(&["lock", "whoami"]).status == Some(0));
    Some(locks)
}

/// `disco lock` as the user.
fn admin(locks: &Locks, words: &[&str]) -> Output {
    let argv = [&["disco", "lock"], words, &["--user", "admin"]].concat();
    locks.world.command(&argv).env("DISCO_DLM_PASSWORD", PASSWORD).run()
}

#[test]
fn a_change_rolls_over_a_cluster() {
    let Some(locks) = real() else { return };
    let world = &locks.world;
    locks.lock(&["whoami"]).succeeds().stdout_has(&format!("taken for    {NODE}, by disco "));
    admin(&locks, &["create", "web", "order=fair", "freeze_after=1"]).succeeds().stdout_is("web: made\n");
    admin(&locks, &["create", "web"]).exits(65).stderr_has("has a lock \"web\" already");
    locks
        .lock(&["policy", "web"])
        .succeeds()
        .stdout_has("order          fair\n")
        .stdout_has("slots          1\n");
    admin(&locks, &["policy", "web", "set", "slots=50%", "stale_after=none", "windows=daily 00:00+1440"])
        .succeeds()
        .stdout_has("slots          50%\n")
        .stdout_has("stale_after    none\n");
    admin(&locks, &["policy", "web", "set", "slots=1", "windows=none"])
        .succeeds()
        .stdout_has("windows        none\n");
    admin(&locks, &["policy", "web", "set", "zone=Nowhere/None"]).exits(65);

    world.setting("disco/dlm/lock", "web");
    world.module("m").script("10.sh", "test ! -e /srv/bad && echo x >>/etc/x");
    world.master();
    let before = admin(&locks, &["events", "web"]).succeeds().stdout.clone();
    world.disco(&["dance", "--noop"]).succeeds();
    assert_eq!(admin(&locks, &["events", "web"]).stdout, before, "a dry run asks for nothing");
    world
        .disco(&["dance"])
        .succeeds()
        .stderr_has("Lock : web : acquired, token 1\n")
        .stderr_has("released\n");
    let events = admin(&locks, &["events", "web"]);
    events.succeeds().stdout_has(&format!(" web acquire {NODE}")).stdout_has(&format!(" web release {NODE}"));

    locks.other(&["acquire", "web", "--note", "kernel"]).succeeds();
    let waiting = world.spawn(&["disco", "lock", "acquire", "web", "--wait"]);
    world.wait_until("it waits", || locks.lock(&["ls"]).stdout.contains("; 1 waiting"));
    locks.lock(&["show", "web"]).succeeds().stdout_has(&format!("  waiting: 1. {NODE} since "));
    locks.other(&["release", "web"]).succeeds();
    waiting.wait().succeeds().stdout_has("web: acquired, token 3\n");
    locks.lock(&["release", "web"]).succeeds();

    world.setting("disco/dlm/on_failure", "failed");
    world.sh("touch /srv/bad").succeeds();
    world.disco(&["dance"]).exits(1).stderr_has("Lock : web : released as failed\n");
    let frozen = locks.other(&["acquire", "web"]);
    frozen.exits(75).stderr_has("frozen after 1 failures").stderr_has(&format!("{NODE} failed at "));
    frozen.stderr_has("disco lock thaw web");
    admin(&locks, &["thaw", "web", "--reason", "repaired"]).succeeds();
    locks.other(&["acquire", "web"]).succeeds();
    locks.lock(&["release", "web", "--force", "--reason", "x"]).exits(77);
    admin(&locks, &["release", "web", "--force", "--reason", "gone", "--host", OTHER]).succeeds();
    admin(&locks, &["events", "web", "-n", "1"])
        .succeeds()
        .stdout_has("force")
        .stdout_has("by user admin: gone");
    admin(&locks, &["disable", "web", "--reason", "freeze"]).succeeds();
    locks
        .lock(&["acquire", "web"])
        .exits(75)
        .stderr_has("lock web: disabled")
        .stderr_has("disco lock enable web");
    admin(&locks, &["enable", "web"]).succeeds();
    locks.lock(&["run", "web", "--", "true"]).succeeds();
    admin(&locks, &["delete", "web"]).succeeds();
    locks.lock(&["show", "web"]).exits(65);
}

#[test]
fn who_stops_to_wait_is_not_let_in_later() {
    let Some(locks) = real() else { return };
    let world = &locks.world;
    locks.other(&["acquire", "a/b"]).succeeds();
    let follow = ["disco", "lock", "watch", "a/b"];
    let watching = world.spawn(&follow);
    let waiting = world.spawn(&["disco", "lock", "run", "a/b", "--", "true"]);
    world.wait_until("it waits", || locks.lock(&["ls"]).stdout.contains("; 1 waiting"));
    waiting.signal("TERM");
    assert_eq!(waiting.wait().signal_or_status(), 130);
    assert!(!locks.has_note());
    locks.other(&["release", "a/b"]).succeeds();
    world.sh("sleep 1").succeeds();
    locks.lock(&["show", "a/b"]).succeeds().stdout_has("a/b: free, 0 of 1 slots held\n");
    watching.signal("INT");
    let seen = watching.wait();
    assert_eq!(seen.signal_or_status(), 130);
    seen.stdout_has("a/b: held, 1 of 1 slots held\n").stdout_has("a/b: free, 0 of 1 slots held\n");
    let ca = format!("{FOLDER}/ca");
    world.disco(&["pki", "issue", "new.example.com", "--dir", &ca]).succeeds();
    let (pem, key) = (format!("{ca}/issued/new.example.com.pem"), format!("{ca}/issued/new.example.com.key"));
    let unknown = world.disco(&["lock", "acquire", "a/b", "--url", URL, "--cert", &pem, "--key", &key]);
    unknown.exits(77).stderr_has("disco dlm host add new.example.com");
    let wrong =
        world.command(&["disco", "lock", "ls", "--user", "admin"]).env("DISCO_DLM_PASSWORD", "wrong").run();
    wrong.exits(77).stderr_lacks("wrong\n");
}
