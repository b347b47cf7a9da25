//! What is told of runs to a Foreman and to a webhook, and what becomes of it where that cannot be told. The server is a small one
//! that takes and refuses what a Foreman does, and can be made to misbehave (`uploads/server.py`).

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::world::{NODE, World};

const FOLDER: &str = "/srv/uploads";
const URL: &str = "http://localhost:8080";

/// A node with a module, whose Foreman and webhook are on its own loopback.
struct Told {
    world: World,
}

impl Told {
    /// Such a node; its servers are not there yet.
    fn new() -> Option<Told> {
        let world = World::new()?;
        world.module("web").script("10.sh", "[ ! -e /etc/broken ] || exit 3; echo x >/etc/web; cat /etc/key");
        world.parameter("web/password", "hunter2hunter2");
        world.write_with_mode("/etc/key", "600", "key=abcdefghijklmnop\n");
        world.master();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/uploads/server.py");
        world.install(&format!("{FOLDER}/server.py"), "755", &script);
        world.setting("disco/upload/foreman", URL);
        world.setting("disco/upload/webhook", &format!("{URL}/hooks/disco?x=1"));
        world.setting("disco/upload/webhook_secret", "quite-a-secret-thing");
        Some(Told { world })
    }

    /// Such a node with its servers.
    fn with_server() -> Option<Told> {
        let told = Told::new()?;
        told.start("");
        Some(told)
    }

    fn start(&self, arguments: &str) {
        let line = format!(
            "rm -f {FOLDER}/ready; setsid python3 {FOLDER}/server.py {FOLDER} 8080 {arguments} </dev/null >{FOLDER}/out 2>&1 &"
        );
        self.world.sh(&line).succeeds();
        self.world.wait_until("the server is there", || self.world.exists(&format!("{FOLDER}/ready")));
    }

    fn stop(&self) {
        self.world.sh(&format!("kill -KILL $(cat {FOLDER}/ready)")).succeeds();
    }

    /// How the server takes the next ones of that.
    fn knob(&self, what: &str, words: &str) {
        self.world.write(&format!("{FOLDER}/{what}"), words);
    }

    /// What the servers were asked since the last call: all of it, and of one kind.
    fn asked(&self) -> Vec<Value> {
        let take = format!("cat {FOLDER}/log 2>/dev/null; rm -f {FOLDER}/log; true");
        let text = self.world.sh(&take).succeeds().stdout.clone();
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    /// What waits and what was refused.
    fn list(&self) -> Vec<Value> {
        let text = self.world.disco(&["upload", "--list", "--format", "json"]).succeeds().stdout.clone();
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    /// How many there are in that state of that target.
    fn number(&self, state: &str, target: &str) -> usize {
        let all = self.list();
        all.iter().filter(|one| one["state"] == state && one["target"] == target).count()
    }
}

fn of<'a>(asked: &'a [Value], what: &str) -> Vec<&'a Value> {
    asked.iter().filter(|one| one["what"] == what).collect()
}

#[test]
fn every_run_is_told_without_secrets() {
    let Some(told) = Told::with_server() else { return };
    let world = &told.world;
    world.module("web").script("20.sh", "echo x >/etc/hunter2hunter2; echo hunter2hunter2 >/etc/web");
    world.publish();
    // What its user sees is more than what is told.
    let args = ["script", "-qec", "disco dance --noop --show-secrets --format classic", "/dev/null"];
    world.command(&args).run().succeeds().stdout_has("/etc/hunter2hunter2").stdout_lacks("upload");
    let asked = told.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    let report = &of(&asked, "report")[0]["body"]["config_report"];
    assert_eq!((&report["host"], &report["status"]["pending"]), (&NODE.into(), &2.into()));
    let sources =
        [0, 1].map(|at| report["logs"][at]["log"]["sources"]["source"].as_str().unwrap_or_default());
    assert!(sources[0].starts_with("/etc/[secret") && sources[1] == "/etc/web", "{sources:?}");
    assert_eq!(report["logs"][1]["log"]["messages"]["message"], "would be created by module web");
    let facts = &of(&asked, "facts")[0]["body"];
    assert_eq!((&facts["name"], &facts["facts"]["_type"]), (&NODE.into(), &"puppet".into()));
    assert_eq!(facts["facts"]["kernel"], "Linux");
    let hook = of(&asked, "hook")[0];
    assert_eq!((&hook["signed"], &hook["path"]), (&true.into(), &"/hooks/disco?x=1".into()));
    assert_eq!((&hook["body"]["mode"], &hook["body"]["outcome"]["ended"]), (&"noop".into(), &"shown".into()));
    assert_eq!(hook["delivery"].as_str().unwrap().split('.').next(), hook["body"]["run"].as_str());

    world.disco(&["dance"]).succeeds();
    world.disco(&["undo"]).succeeds();
    world.write("/etc/broken", "");
    world.disco(&["dance"]).exits(1);
    world.setting("disco/server/uri", "/nowhere");
    world.disco(&["dance"]).exits(69);
    let asked = told.asked();
    let status =
        |at: usize, name: &str| of(&asked, "report")[at]["body"]["config_report"]["status"][name].clone();
    assert_eq!(of(&asked, "report").len(), 4, "{asked:?}");
    assert_eq!((status(0, "applied"), status(0, "pending")), (2.into(), 0.into()));
    assert_eq!((status(1, "applied"), status(1, "failed")), (2.into(), 0.into()), "an undo is a run, too");
    assert_eq!((status(2, "failed"), status(3, "failed")), (1.into(), 1.into()));
    assert!(asked.iter().all(|one| one["status"] == 201), "{asked:?}");
    let all = format!("{asked:?}");
    assert!(
        !all.contains("hunter2") && !all.contains("abcdefgh") && !all.contains("quite-a-secret"),
        "{all}"
    );

    world.disco(&["try", "--", "true"]).succeeds();
    assert!(told.asked().is_empty(), "what somebody tries is nobody's business");
    world.disco(&["upload"]).succeeds().stdout_is("0 sent, 0 waiting, 0 refused\n");
    world.disco(&["upload", "--list"]).succeeds().stdout_is("nothing waits\n");
    let settings = world.disco(&["settings"]);
    settings
        .succeeds()
        .stdout_lacks("quite-a-secret")
        .stdout_has("upload/webhook_secret")
        .stdout_has("(hidden)");
}

#[test]
fn what_becomes_of_a_run_later_is_told_with_the_next_one() {
    let Some(told) = Told::with_server() else { return };
    let world = &told.world;
    world.disco(&["dance", "--confirm", "600"]).succeeds();
    let asked = told.asked();
    let outcome = |asked: &[Value]| of(asked, "hook")[0]["body"]["outcome"]["ended"].clone();
    assert_eq!(outcome(&asked), "unconfirmed");
    world.disco(&["confirm"]).succeeds().stderr_lacks("upload");
    assert!(told.asked().is_empty(), "it waits for nobody");
    world.disco(&["upload"]).succeeds().stdout_is("3 sent, 0 waiting, 0 refused\n");
    let later = told.asked();
    assert_eq!((outcome(&later), later[0]["status"].clone()), ("merged".into(), 201.into()));
    assert_eq!(of(&later, "hook")[0]["body"]["run"], of(&asked, "hook")[0]["body"]["run"]);
    assert_ne!(of(&later, "hook")[0]["delivery"], of(&asked, "hook")[0]["delivery"]);
}

#[test]
fn nothing_is_kept_where_nobody_is_told() {
    let Some(told) = Told::new() else { return };
    let world = &told.world;
    world.sh("rm -r /var/disco/parameters/disco/upload").succeeds();
    world.disco(&["dance"]).succeeds();
    assert!(!world.exists("/var/disco/spool"));
    world.disco(&["upload"]).exits(78).stderr_has("nobody is set").stderr_has("hint: ");
    world.disco(&["upload", "--list"]).succeeds().stdout_is("nothing waits\n");
    world.setting("disco/upload/foreman", "http://foreman.example.com");
    world.disco(&["upload"]).exits(78).stderr_has("use https://");
}

#[test]
fn what_cannot_be_sent_waits_in_its_order() {
    let Some(told) = Told::new() else { return };
    let world = &told.world;
    let first = world.disco(&["dance"]);
    first.succeeds().stderr_has("3 uploads wait for http://localhost:8080: it cannot be reached");
    assert_eq!(first.stderr.matches("warning: ").count(), 1, "{first}");
    // It is left alone for a minute, and said nothing more of.
    let second = world.disco(&["dance", "--noop"]);
    second.succeeds().stderr_lacks("warning: ");
    assert_eq!((told.number("waits", "report"), told.number("waits", "facts")), (2, 1));
    world.disco(&["upload"]).exits(69).stdout_is("0 sent, 5 waiting, 0 refused\n");
    assert_eq!(told.list()[0]["failures"], 2, "it is kept with what waits");
    world
        .sh("stat -c %a /var/disco/spool /var/disco/spool/*.json | sort -u")
        .succeeds()
        .stdout_is("600\n700\n");

    told.start("");
    told.knob("report", "503 429");
    told.knob("hook", "500");
    world.disco(&["upload"]).exits(69).stderr_has("it is not available (status 503): {\"error\"");
    world.disco(&["upload"]).exits(69).stderr_has("not now (status 429)");
    told.asked();
    world.disco(&["upload"]).succeeds().stdout_is("2 sent, 0 waiting, 0 refused\n");
    let asked = told.asked();
    let modes: Vec<_> =
        of(&asked, "report").iter().map(|one| &one["body"]["config_report"]["status"]["applied"]).collect();
    assert_eq!(modes, [&Value::from(1), &Value::from(0)], "the live run came first");
    told.stop();
    told.start("");
    world.disco(&["dance", "--noop"]).succeeds().stderr_lacks("warning: ");
    assert_eq!(told.asked().len(), 3, "once it was taken there is no pause any more");
}

#[test]
fn a_server_that_hangs_takes_ten_seconds_and_nothing_of_others() {
    let Some(told) = Told::with_server() else { return };
    told.knob("report", "hang!");
    let started = Instant::now();
    let out = told.world.disco(&["dance"]);
    let took = started.elapsed().as_secs_f64();
    out.succeeds().stderr_has("2 uploads wait for http://localhost:8080: it did not answer in time");
    assert!((9.5..16.0).contains(&took), "{took}");
    let asked = told.asked();
    assert_eq!((of(&asked, "hook").len(), of(&asked, "facts").len()), (1, 0));
    assert_eq!(told.number("waits", "webhook"), 0);
}

#[test]
fn what_is_refused_is_put_aside_and_keeps_nobody_waiting() {
    let Some(told) = Told::with_server() else { return };
    let world = &told.world;
    told.knob("report", "422");
    let out = world.disco(&["dance"]);
    out.succeeds().stderr_has(
        "the report is refused, and put aside (`disco upload --list`): http://localhost:8080 answers 422: ",
    );
    assert_eq!((told.number("refused", "report"), told.number("waits", "report")), (1, 0));
    world.disco(&["upload", "--list"]).succeeds().stdout_has("refused").stdout_has("status 422: {\"error\"");
    world.disco(&["dance", "--noop"]).succeeds().stderr_lacks("warning: ");
    // It fails over one, and takes the next: that one it is.
    told.knob("report", "500 500");
    world.disco(&["dance", "--noop"]).succeeds().stderr_has("it fails (status 500)");
    told.knob("report", "500");
    told.stop();
    world.disco(&["dance", "--noop"]).succeeds();
    told.start("");
    told.knob("report", "500");
    world.disco(&["upload"]).exits(65).stdout_has(", 0 waiting, 1 refused\n");
    assert_eq!((told.number("refused", "report"), told.number("waits", "report")), (2, 0));
    // A login that is not known says nothing about what is sent with it.
    told.knob("report", "401");
    world.disco(&["dance", "--noop"]).succeeds().stderr_has("it does not know who sends (status 401)");
    for (how, why) in
        [("cut", "the connection was lost"), ("302", "it sends elsewhere"), ("404", "no such address")]
    {
        told.knob("report", how);
        world.disco(&["upload"]).exits(69).stderr_has(why);
    }
    world.disco(&["upload"]).succeeds();
    assert_eq!((told.number("refused", "report"), told.number("waits", "report")), (2, 0));
    // Who has refused it, and why; then once more, and no more.
    let list = world.disco(&["upload", "--list"]);
    list.succeeds().stdout_has("http://localhost:8080: status 422: ").stdout_has(": status 500: ");
    assert_eq!(told.list()[0]["to"], "http://localhost:8080");
    told.knob("report", "422");
    world.disco(&["upload", "--again"]).exits(65).stdout_has("1 sent, 0 waiting, 1 refused\n");
    world.disco(&["upload"]).succeeds().stdout_is("0 sent, 0 waiting, 0 refused\n");
    world.disco(&["upload", "--drop"]).succeeds().stdout_is("1 dropped\n");
    world.disco(&["upload", "--list"]).succeeds().stdout_is("nothing waits\n");
}

#[test]
fn what_is_set_wrongly_changes_nothing_of_a_run() {
    let Some(told) = Told::with_server() else { return };
    let world = &told.world;
    world.setting("disco/upload/webhook", "http://10.9.9.9/x");
    let why = "upload/webhook (parameter disco/upload/webhook) cannot be used: use https://";
    for (noop, changed) in [(&["--noop"][..], 2), (&[], 2), (&[], 0)] {
        let out = world.disco(&[&["dance", "--detailed-exitcodes"], noop].concat());
        out.exits(changed).stderr_has(&format!("warning: not everybody is told of this run: {why}"));
    }
    // The Foreman is told all the same.
    let asked = told.asked();
    assert_eq!((of(&asked, "report").len(), of(&asked, "hook").len()), (3, 0));
    world.disco(&["upload"]).exits(78).stderr_has(why);
    world.disco(&["upload", "--list"]).succeeds().stderr_has(why);
    world.disco(&["settings"]).succeeds().stderr_has(why);
    world.setting("disco/upload/ca/x", "a folder");
    world.disco(&["dance"]).succeeds().stderr_has("upload/ca (parameter disco/upload/ca) cannot be used");
    assert_eq!(told.asked().len(), 0, "not to whom nobody has said to believe");
}

#[test]
fn a_kill_between_sending_and_noting_it_sends_twice_and_counts_once() {
    let Some(told) = Told::with_server() else { return };
    let world = &told.world;
    for how in ["late", "lost"] {
        told.knob("report", "503");
        world.disco(&["dance"]).succeeds();
        assert_eq!(told.number("waits", "report"), 1);
        told.asked();
        told.knob("report", how);
        let sending = world.spawn(&["disco", "upload"]);
        world.wait_until("it has come", || world.exists(&format!("{FOLDER}/log")));
        if how == "late" {
            sending.signal("KILL");
        }
        let _ = sending.wait();
        assert_eq!(told.number("waits", "report"), 1, "{how}");
        world.disco(&["upload"]).succeeds().stdout_is("1 sent, 0 waiting, 0 refused\n");
        let asked = told.asked();
        let statuses: Vec<_> = of(&asked, "report").iter().map(|one| one["status"].clone()).collect();
        assert_eq!(statuses, [201, 422], "{how}");
        assert_eq!(asked[0]["body"], asked[1]["body"], "{how}");
        assert_eq!(told.number("refused", "report"), 0, "{how}");
    }
}

#[test]
fn two_that_send_at_a_time_send_nothing_twice() {
    let Some(told) = Told::new() else { return };
    let world = &told.world;
    for _ in 0..3 {
        world.disco(&["dance", "--noop"]).succeeds();
    }
    told.start("");
    told.knob("report", "slow!");
    let both = [world.spawn(&["disco", "upload"]), world.spawn(&["disco", "upload"])];
    both.into_iter().for_each(|one| {
        one.wait().succeeds();
    });
    let asked = told.asked();
    assert_eq!((of(&asked, "report").len(), of(&asked, "facts").len(), of(&asked, "hook").len()), (3, 1, 3));
}

#[test]
fn a_foreman_knows_the_node_by_certificate_or_login() {
    let Some(told) = Told::new() else { return };
    let world = &told.world;
    let ca = "/srv/ca";
    for words in [&["init"][..], &["issue", "--server", "localhost"], &["issue", NODE]] {
        world.disco(&[&["pki"], words, &["--dir", ca]].concat()).succeeds();
    }
    told.start(&format!("{ca}/issued/localhost {ca}/ca.pem"));
    world.setting("disco/upload/foreman", "https://localhost:8080");
    world.sh("rm /var/disco/parameters/disco/upload/webhook").succeeds();
    world
        .disco(&["dance", "--noop"])
        .succeeds()
        .stderr_has("its certificate is of an authority that is not known here");
    world.setting("disco/upload/ca", &format!("{ca}/ca.pem"));
    world.setting("disco/upload/cert", &format!("{ca}/issued/{NODE}.pem"));
    world.disco(&["upload"]).exits(69).stderr_has("upload/cert is set and upload/key is not");
    world.setting("disco/upload/key", &format!("{ca}/issued/{NODE}.key"));
    world.disco(&["upload"]).succeeds();
    let asked = told.asked();
    assert!(asked.len() == 2 && asked.iter().all(|one| one["peer"][0] == NODE), "{asked:?}");

    world.sh("rm /var/disco/parameters/disco/upload/{cert,key}").succeeds();
    world.setting("disco/upload/user", "node");
    world.disco(&["dance", "--noop"]).succeeds().stderr_has("there is no password for node");
    world.write_with_mode("/etc/disco/upload.password", "644", "open sesame\n");
    world.setting("disco/upload/password_file", "/etc/disco/upload.password");
    world.disco(&["upload"]).exits(69).stderr_has("others can read /etc/disco/upload.password");
    world.sh("chmod 600 /etc/disco/upload.password").succeeds();
    world.disco(&["upload"]).succeeds();
    let asked = told.asked();
    assert!(asked.len() == 2 && asked.iter().all(|one| one["peer"] == Value::Array(Vec::new())), "{asked:?}");
    assert!(asked.iter().all(|one| one["login"] == "Basic bm9kZTpvcGVuIHNlc2FtZQ=="), "{asked:?}");
    // A webhook is somebody else's: it gets neither, and is believed as everybody believes it.
    world.setting("disco/upload/webhook", "https://localhost:8080/hook");
    world.disco(&["dance", "--noop"]).succeeds();
    let asked = told.asked();
    let hook = of(&asked, "hook");
    assert!(
        hook.len() == 1 && hook[0]["login"] == Value::Null && hook[0]["peer"][0] == Value::Null,
        "{asked:?}"
    );
}

#[test]
fn a_node_shows_its_facts() {
    let Some(told) = Told::new() else { return };
    let text = told.world.disco(&["facts"]);
    text.succeeds().stdout_has("os.name ").stdout_has(&format!("networking.fqdn{:>3}", "")).stdout_has(NODE);
    let json = told.world.disco(&["facts", "--format", "json"]).succeeds().stdout.clone();
    let facts: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(facts["networking"]["domain"], "localdomain");
    assert!(
        facts["memory"]["system"]["total_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20),
        "{facts}"
    );
    assert!(facts["processors"]["count"].as_u64().is_some_and(|count| count > 0), "{facts}");
}
