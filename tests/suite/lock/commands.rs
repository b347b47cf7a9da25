//! `disco lock …` from a host's side.

use super::{FOLDER, Locks, OTHER};

#[test]
fn a_lock_is_taken_shown_and_given_back() {
    let Some(locks) = Locks::new("") else { return };
    locks.lock(&["ls"]).succeeds().stdout_is("no locks\n");
    let who = locks.lock(&["whoami"]);
    who.succeeds()
        .stdout_has("/etc/disco/pki/host.pem (disco), name localhost.localdomain")
        .stdout_has("taken for    localhost.localdomain, by disco");
    locks.lock(&["acquire", "web", "--note", "kernel"]).succeeds().stdout_is("web: acquired, token 1\n");
    locks.lock(&["acquire", "web"]).succeeds().stdout_is("web: held already, and renewed, token 1\n");
    let shown = locks.lock(&["show", "web"]);
    shown.succeeds().stdout_has("web: held, 1 of 1 slots held\n  held by localhost.localdomain since 20");
    shown.stdout_has("token 1: kernel\n").stdout_has("  policy: slots 1, stale_after 4 h");
    locks.lock(&["ls"]).succeeds().stdout_has("web  held        1/1  localhost.localdomain since 20");
    let refused = locks.other(&["acquire", "web"]);
    refused.exits(75).stdout_is("").stderr_has("error: lock web: held by localhost.localdomain since 20");
    refused.stderr_has("hint: ask again in 1 min, or wait with --wait\n");
    let json = locks.other(&["acquire", "web", "--format", "json"]);
    json.exits(75).stdout_has("{\"code\":\"full\",\"reason\":\"1 of 1 slots held\"");
    locks.other(&["release", "web"]).exits(75).stderr_has("error: lock web: held by localhost.localdomain");
    locks.lock(&["release", "web", "--failed", "no kernel"]).succeeds().stdout_is("web: released\n");
    locks
        .lock(&["show", "web"])
        .succeeds()
        .stdout_has("localhost.localdomain failed at 20")
        .stdout_has("no kernel");
    locks.lock(&["show", "none"]).exits(65).stderr_has("has no lock \"none\"").stderr_has("hint: ");
    locks.lock(&["show", "a/b ü"]).exits(65);
    assert!(locks.asked().contains("/disco/v1/locks/a%2Fb%20%C3%BC "), "a name is one segment");
}

#[test]
fn what_is_wrong_is_named_with_the_way_out() {
    let Some(locks) = Locks::new("") else { return };
    let world = &locks.world;
    let ca = format!("{FOLDER}/ca");
    world.sh(&format!("disco pki revoke {OTHER} --dir {ca}; cp {ca}/issued/{OTHER}.pem.old-* /tmp/cert; cp {ca}/issued/{OTHER}.key.old-* /tmp/key")).succeeds();
    locks.stop();
    locks.start("");
    world.disco(&["pki", "init", "--dir", "/tmp/foreign"]).succeeds();
    world.disco(&["pki", "issue", "foreign.example.com", "--dir", "/tmp/foreign"]).succeeds();
    let foreign = "/tmp/foreign/issued/foreign.example.com";
    let (pem, key) = (format!("{foreign}.pem"), format!("{foreign}.key"));
    for (words, status, said) in [
        (&["--url", "locks"][..], 78, "is no address of a lock server"),
        (&["--url", "http://locks.example.com"], 78, "has no encryption"),
        (&["--url", "https://localhost:1"], 69, "it cannot be reached"),
        (&["--url", "https://no-such-host.invalid"], 69, "the name of the host is not known"),
        (&["--url", "https://localhost.localdomain:8443"], 69, "its certificate is for another name"),
        (&["--ca", "/tmp/foreign/ca.pem"], 69, "of an authority that is not known here"),
        (&["--cert", &pem, "--key", &key], 77, "it refuses our certificate"),
        (&["--cert", "/tmp/cert", "--key", "/tmp/key"], 77, "it was revoked"),
        (&["--cert", &pem], 78, "dlm/cert is set and dlm/key is not"),
        (&["--cert", &pem, "--key", "/tmp/key"], 65, "cannot be used together"),
        (&["--user", "admin"], 77, "there is no password for admin on localhost"),
    ] {
        let failed = world.disco(&[&["lock", "show", "web"], words].concat());
        failed.exits(status).stderr_has(said).stderr_has("error: ");
        assert!(status == 78 || failed.stderr.contains("hint: "), "{words:?} {}", failed.stderr);
    }
    world.write("/root/.netrc", "machine localhost login admin password secret\n");
    locks.lock(&["whoami", "--user", "admin"]).exits(77).stderr_has("chmod 600 /root/.netrc");
    world.sh("chmod 600 /root/.netrc").succeeds();
    locks.lock(&["whoami", "--user", "admin"]).succeeds().stdout_has("taken for    user admin");
    locks.knob("down", "1");
    locks.lock(&["show", "web"]).exits(69).stderr_has("is not available (status 503)");
}

#[test]
fn a_command_runs_under_a_lock() {
    let Some(locks) = Locks::new("") else { return };
    let world = &locks.world;
    let script = "echo $DISCO_LOCK_NAME $DISCO_LOCK_TOKEN $DISCO_LOCK_URL; cat";
    let command = world.command(&["disco", "lock", "run", "web", "--", "sh", "-c", script]).stdin("in\n");
    command.run().succeeds().stdout_is("web 1 https://localhost:8443\nin\n").stderr_is("");
    assert!(locks.asked().contains("release") && !locks.has_note());
    let failed = locks.lock(&["run", "web", "--", "sh", "-c", "exit 3"]);
    failed.exits(3).stderr_has("web: kept after exit status 3").stderr_has("disco lock release web");
    locks.other(&["run", "web", "--wait=0", "--", "true"]).exits(75);
    locks.lock(&["run", "web", "--", "true"]).succeeds();
    locks.other(&["run", "web", "--wait=0", "--", "true"]).succeeds();
    locks.asked();
    locks.lock(&["run", "web", "--on-failure", "failed", "--", "false"]).exits(1);
    assert!(locks.asked().contains("{\"result\":\"failed\",\"note\":\"false: exit status 1\""));
    locks.lock(&["run", "web", "--on-failure", "release", "--", "sh", "-c", "kill -9 $$"]).exits(137);
    locks.lock(&["run", "web", "--", "/no/such/program"]).exits(64).stderr_has("cannot run /no/such/program");
    assert!(!locks.has_note());
    let nested = locks.lock(&["run", "web", "--", "disco", "lock", "run", "web", "--", "echo", "inner"]);
    nested.succeeds().stdout_is("inner\n");
    let wrapped = "trap 'echo caught; exit 5' TERM; touch /run/up; while :; do sleep 0.05; done";
    let running = world.spawn(&["disco", "lock", "run", "web", "--", "sh", "-c", wrapped]);
    world.wait_until("it runs", || world.exists("/run/up"));
    let second = locks.lock(&["run", "web", "--wait=0", "--", "true"]);
    second.exits(75).stderr_has("another process of this host works under it: pid ");
    running.signal("TERM");
    running.wait().exits(5).stdout_is("caught\n");
}

#[test]
fn a_lock_is_renewed_and_its_loss_is_told() {
    let Some(locks) = Locks::new("") else { return };
    let world = &locks.world;
    locks.knob("expires", "1");
    locks.lock(&["run", "web", "--", "sleep", "1.5"]).succeeds();
    let renewals = locks.asked().matches("/acquire").count();
    assert!(renewals >= 4, "asked {renewals} times");
    let taken = format!("{FOLDER}/taken");
    let script = format!("disco lock release web --url https://localhost:8443; touch {taken}; exec sleep 60");
    let running = world.spawn(&["disco", "lock", "run", "web", "--kill-on-loss", "--", "sh", "-c", &script]);
    world.wait_until("it is free", || world.exists(&taken));
    let lost = running.wait();
    lost.exits(143).stderr_has("web: the lock is lost: ");
}

#[test]
fn who_waits_gets_it_or_leaves() {
    let Some(locks) = Locks::new("") else { return };
    let world = &locks.world;
    locks.other(&["acquire", "web"]).succeeds();
    let waiting = world.spawn(&["disco", "lock", "acquire", "web", "--wait"]);
    world.wait_until("it waits", || locks.was_asked("\"wait\":25"));
    waiting.signal("INT");
    let left = waiting.wait();
    assert_eq!(left.signal_or_status(), 130, "{left}");
    assert!(locks.asked().contains("POST /disco/v1/locks/web/release localhost.localdomain"));
    locks.lock(&["acquire", "web", "--wait=1"]).exits(75);
    let waiting = world.spawn(&["disco", "lock", "run", "web", "--", "echo", "had"]);
    world.wait_until("it waits", || locks.was_asked("\"wait\":25"));
    locks.other(&["release", "web"]).succeeds();
    waiting.wait().succeeds().stdout_is("had\n").stderr_is("");
}

#[test]
fn a_foreman_is_known_by_what_it_does_not_know() {
    let Some(locks) = Locks::new("--foreman") else { return };
    locks.lock(&["acquire", "web"]).succeeds().stdout_is("web: acquired\n");
    locks.lock(&["acquire", "web"]).succeeds().stdout_is("web: held already, and renewed\n");
    locks.other(&["acquire", "web"]).exits(75).stderr_has("lock web: held by localhost.localdomain since");
    locks.other(&["run", "web", "--wait=0", "--", "true"]).exits(75);
    locks.lock(&["release", "web"]).succeeds();
    locks.lock(&["run", "web", "--", "sh", "-c", "echo under"]).succeeds().stdout_is("under\n");
    locks.lock(&["whoami"]).succeeds().stdout_has("a Foreman");
    for (words, what) in [
        (&["policy", "web"][..], "have policies"),
        (&["release", "web", "--failed", "x"], "be told that the work failed"),
        (&["events"], "give the events of all locks"),
        (&["thaw", "web"], "freeze a lock"),
        (&["run", "web", "--on-failure", "failed", "--", "true"], "count failures"),
    ] {
        locks.lock(words).exits(64).stderr_has("is a Foreman, which cannot ").stderr_has(what);
    }
}
