//! A node made known to a Foreman: the real listener with its face over HTTPS, the real `disco proxy register`, and a Foreman that checks
//! signatures by Python's oauthlib and asks the node back with a certificate of its own (`proxy/oauth_foreman.py`).

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::joined::Agent;
use super::*;
use crate::world::NODE;

const FOLDER: &str = "/srv/foreman";
const FOREMAN: &str = "https://foreman.example.com:3443";
const FACE: &str = "https://localhost.localdomain:8443";
const SECRET: &str = "s&cr%t +/ü";

/// A Foreman and a node that has its face on, not registered yet.
pub(super) struct Known<'a> {
    pub(super) world: &'a World,
}

/// Certificates: of the node, of the Foreman, and of somebody else; each may ask and be asked.
const CERTIFICATES: &str = r#"set -e; umask 022; mkdir -p /etc/disco/proxy/settings.d /srv/foreman; cd /srv/foreman
ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -keyout $1.key -out $1.pem \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; }
signed() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" -keyout $1.key -out $1.csr
  printf 'subjectAltName=DNS:%s,DNS:%s\nbasicConstraints=critical,CA:FALSE\n' $2 second.$2 >$1.ext
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }
{ ca ca; signed foreman foreman.example.com; signed node localhost.localdomain; signed other other.example.com; } 2>/dev/null
install -g disco-agent -m 640 node.key /etc/disco/proxy/; cp ca.pem node.pem /etc/disco/proxy/
echo 127.0.0.1 foreman.example.com second.localhost.localdomain >>/etc/hosts"#;

const SETTINGS: &str = ":ssl_certificate: /etc/disco/proxy/node.pem
:ssl_ca_file: /etc/disco/proxy/ca.pem
:ssl_private_key: /etc/disco/proxy/node.key
:bind_host: 127.0.0.1
:trusted_hosts: [foreman.example.com, localhost.localdomain]
:foreman_url: https://foreman.example.com:3443
";

/// Whether this machine has what the Foreman is written with; says why where it has not.
fn has_oauthlib() -> bool {
    let done =
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/oauth-foreman")).arg("--ensure").output();
    let done = done.expect("the script starts");
    if !done.status.success() {
        let reason = format!("scripts/oauth-foreman: {}", String::from_utf8_lossy(&done.stderr).trim());
        assert_ne!(std::env::var("DISCO_REQUIRE_PRIVILEGED").as_deref(), Ok("1"), "{reason}");
        println!("skipped: {reason}");
    }
    done.status.success()
}

/// A node, where it can have such a Foreman.
pub(super) fn world() -> Option<World> {
    if has_oauthlib() { World::new() } else { None }
}

impl<'a> Known<'a> {
    /// Starts both. The Foreman's consumer is `disco`, and acts as one of its users.
    pub(super) fn start(world: &'a World) -> Known<'a> {
        world.module("m").script("10.sh", "echo x >/etc/x");
        world.master();
        world
            .sh("getent passwd disco-agent || useradd --system --user-group --shell /usr/sbin/nologin disco-agent")
            .succeeds();
        world.sh(CERTIFICATES).succeeds();
        world.write("/etc/disco/proxy/settings.yml", SETTINGS);
        for feature in ["dance", "noop", "facts"] {
            world.write(&format!("/etc/disco/proxy/settings.d/{feature}.yml"), ":enabled: https\n");
        }
        world.write_with_mode("/etc/disco/proxy/secret", "600", &format!("{SECRET}\n"));
        world.write_with_mode("/etc/disco/proxy/password", "600", "changeme\n");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/proxy/oauth_foreman.py");
        world.install(&format!("{FOLDER}/oauth_foreman.py"), "644", &script);
        let known = Known { world };
        known.set(true);
        known.begin();
        Agent::start(world, "");
        world.wait_until("its features run", || known.face() == ["dance", "facts", "logs", "noop"]);
        known
    }

    /// What the Foreman is set to; it reads that when it starts.
    fn set(&self, map_users: bool) {
        let users = serde_json::json!({"admin": "changeme", "jürgen": "p:w ü"});
        let settings = serde_json::json!({"consumer": "disco", "secret": SECRET, "map_users": map_users, "users": users});
        self.world.write(&format!("{FOLDER}/settings.json"), &settings.to_string());
    }

    /// Starts the Foreman.
    pub(super) fn begin(&self) {
        let line = format!(
            "rm -f {FOLDER}/ready; setsid python3 {FOLDER}/oauth_foreman.py {FOLDER} 3443 </dev/null >>{FOLDER}/out 2>&1 &"
        );
        self.world.sh(&line).succeeds();
        self.world.wait_until("the Foreman is there", || self.world.exists(&format!("{FOLDER}/ready")));
    }

    /// Ends it. What it knows is kept.
    pub(super) fn end(&self) {
        self.world.sh(&format!("kill -KILL $(cat {FOLDER}/ready)")).succeeds();
    }

    /// The names at the node's own face.
    pub(super) fn face(&self) -> Vec<String> {
        let out =
            self.world.run(&["curl", "-s", "--cacert", "/srv/foreman/ca.pem", &format!("{FACE}/features")]);
        serde_json::from_str(&out.stdout).unwrap_or_default()
    }

    /// What the Foreman was asked since the last call: `METHOD path status`, and by whom where that is known; `back` for each time that
    /// it has asked the node.
    pub(super) fn asked(&self) -> Vec<String> {
        let script = format!("touch {FOLDER}/requests; mv {FOLDER}/requests {FOLDER}/old; cat {FOLDER}/old");
        let text = self.world.sh(&script).succeeds().stdout.clone();
        let line = |line: &str| {
            let one: Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
            match one["callback"].as_str() {
                Some(url) => format!("back {}", url.strip_prefix(FACE).unwrap_or(url)),
                None => {
                    let path = text("path").replacen("/api/v2/smart_proxies", "", 1);
                    format!("{} {path} {} {}", text("method"), one["status"], text("who"))
                }
            }
        };
        text.lines().map(line).collect()
    }

    /// The proxies that it knows: name, url, features.
    fn proxies(&self) -> Vec<(String, String, Vec<String>)> {
        let all: Vec<Value> =
            serde_json::from_str(&self.world.read(&format!("{FOLDER}/proxies.json"))).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let features = |one: &Value| {
            one["features"].as_array().expect("features").iter().map(|one| text(&one["name"])).collect()
        };
        all.iter().map(|one| (text(&one["name"]), text(&one["url"]), features(one))).collect()
    }

    /// `disco proxy register` with these words.
    fn register(&self, words: &[&str]) -> crate::world::Output {
        self.world.disco(&[&["proxy", "register"], words].concat())
    }
}

const CONSUMER: [&str; 6] =
    ["--oauth-key", "disco", "--secret-file", "/etc/disco/proxy/secret", "--oauth-user", "admin"];
const BACK: &str = "back /v2/features";

#[test]
fn an_independent_implementation_takes_its_signatures() {
    let Some(world) = world() else { return };
    let known = Known::start(&world);
    let with = |more: &[&str]| known.register(&[&CONSUMER[..], more].concat());
    let names = |all: &[&str]| -> Vec<String> { all.iter().map(|&one| one.to_owned()).collect() };
    with(&[]).succeeds().stdout_has(&format!("{NODE}: created, number 1 at {FOREMAN}/\n"));
    let refreshed = [BACK, BACK, "PUT /1/refresh 200 OAuth admin"];
    let found = ["GET  200 OAuth admin"];
    assert_eq!(known.asked(), [&found[..], &[BACK, "POST  201 OAuth admin"], &refreshed].concat());
    assert_eq!(known.proxies(), [(NODE.to_owned(), FACE.to_owned(), names(&["Logs", "Facts"]))]);

    let again = with(&["--format", "json"]);
    again.succeeds().stdout_has(r#""done":"refreshed""#).stdout_has(r#""missing":[]"#);
    assert_eq!(known.asked(), [&found[..], &refreshed].concat());

    // Elsewhere, and with less.
    world.write("/etc/disco/proxy/settings.d/facts.yml", ":enabled: false\n");
    world.wait_until("facts is off", || !known.face().contains(&"facts".to_owned()));
    let second = "https://second.localhost.localdomain:8443";
    with(&["--url", &format!("{second}/")]).succeeds().stdout_has("updated, number 1");
    let back = format!("back {second}/v2/features");
    let refreshed = [&*back, &back, "PUT /1/refresh 200 OAuth admin"];
    assert_eq!(known.asked(), [&found[..], &[&back, "PUT /1 200 OAuth admin"], &refreshed].concat());
    assert_eq!(known.proxies(), [(NODE.to_owned(), second.to_owned(), names(&["Logs"]))]);

    let taken = with(&["--name", "other", "--url", second]);
    taken
        .exits(1)
        .stderr_has("the Foreman refuses to create it: Url Only one declaration of a proxy is allowed\n");
    let nowhere = with(&["--url", &format!("{FACE}/?a=b c")]);
    nowhere.exits(69).stderr_has("this node's own proxy has to answer first");
}

#[test]
fn names_that_are_hard_to_sign_are_found_again() {
    let Some(world) = world() else { return };
    let known = Known::start(&world);
    let all = ["wéb ☃ 1", "a+b&c=d%20e", r#"say "hi""#, r"back\slash", "*~!'()", "100%"];
    for (number, name) in all.into_iter().enumerate() {
        // One url, one proxy.
        world.sh(&format!("echo '[]' >{FOLDER}/proxies.json; kill -KILL $(cat {FOLDER}/ready)")).succeeds();
        known.begin();
        let words = [&CONSUMER[..], &["--name", name]].concat();
        known.register(&words).succeeds().stdout_has(&format!("{name}: created, number 1 "));
        known.register(&words).succeeds().stdout_has(&format!("{name}: refreshed, number 1 "));
        assert_eq!(known.proxies()[0].0, name, "number {number}");
    }
}

#[test]
fn whoever_is_nobody_to_the_foreman_is_told_what_to_look_at() {
    let Some(world) = world() else { return };
    let known = Known::start(&world);
    let refused = |words: &[&str], said: &str, hint: &str| {
        let out = known.register(words);
        out.exits(77).stderr_has(said).stderr_has(hint);
        assert_eq!(known.asked(), ["GET  401 -"], "{words:?}");
    };
    let nobody = "the Foreman does not let us search for it (401): Unable to authenticate user";
    world.write_with_mode("/etc/disco/proxy/wrong", "600", "wrong\n");
    let consumer = |key: &'static str, secret: &'static str, user: &'static str| {
        ["--oauth-key", key, "--secret-file", secret, "--oauth-user", user]
    };
    let secret = "/etc/disco/proxy/secret";
    refused(&consumer("disco", "/etc/disco/proxy/wrong", "admin"), nobody, "oauth_consumer_secret");
    refused(&consumer("puppet", secret, "admin"), nobody, "oauth_consumer_key");
    refused(&consumer("disco", secret, "nobody"), nobody, "--oauth-user");
    refused(&CONSUMER[..4], nobody, "--oauth-user");
    for ahead in ["3600", "-3600"] {
        world.write(&format!("{FOLDER}/clock"), ahead);
        refused(&CONSUMER, nobody, "the clocks");
    }
    world.sh(&format!("rm {FOLDER}/clock")).succeeds();
    let user = |file: &'static str| ["--user", "admin", "--password-file", file];
    refused(&user("/etc/disco/proxy/wrong"), &format!("{nobody} admin\n"), "a personal access token");
    known.register(&user("/etc/disco/proxy/password")).succeeds().stdout_has("created, number 1");
    assert_eq!(known.asked()[0], "GET  200 Basic admin");
    // A name and a password with all that is hard about them.
    world.write_with_mode("/etc/disco/proxy/password", "600", "p:w ü\n");
    known
        .register(&["--user", "jürgen", "--password-file", "/etc/disco/proxy/password"])
        .succeeds()
        .stdout_has("refreshed");
    // Where consumers are not mapped the user does not matter.
    known.end();
    known.set(false);
    known.begin();
    known.asked();
    known.register(&CONSUMER[..4]).succeeds();
    assert_eq!(known.asked()[0], "GET  200 OAuth foreman_api_admin");
    // Not there, and not well.
    world.write(&format!("{FOLDER}/broken"), "");
    known
        .register(&CONSUMER)
        .exits(69)
        .stderr_has("the Foreman answered 503")
        .stderr_has("Service Unavailable");
    known.end();
    known.register(&CONSUMER).exits(69).stderr_has("cannot reach https://foreman.example.com:3443/");
}

/// What the helper does by itself, with that time between two looks; its log.
pub(super) fn helper<'a>(world: &'a World, seconds: &str) -> Running<'a> {
    world.disco(&["agent", "stop"]).succeeds();
    let line = format!("exec disco agent helper --tend {seconds} >/tmp/helper.log 2>&1");
    let helper = world.spawn(&["bash", "-c", &line]);
    world.wait_until("the helper answers", || world.exists(SOCKET));
    helper
}

/// The listener, as the agent's user.
pub(super) fn listener(world: &World) -> Running<'_> {
    let line = "exec setpriv --reuid disco-agent --regid disco-agent --clear-groups disco agent serve >/tmp/serve.log 2>&1";
    world.spawn(&["bash", "-c", line])
}

#[test]
fn a_change_of_the_settings_is_told_once_and_by_itself() {
    let Some(world) = world() else { return };
    let known = Known::start(&world);
    let _helper = helper(&world, "1");
    let _listener = listener(&world);
    world.wait_until("its features run", || known.face() == ["dance", "facts", "logs", "noop"]);
    let quiet = || {
        std::thread::sleep(Duration::from_secs(4));
        known.asked()
    };
    assert_eq!(quiet(), [""; 0], "nobody has said as whom it registers");
    let login = ":oauth_consumer_key: disco\n:oauth_consumer_secret_file: /etc/disco/proxy/secret\n:oauth_user: admin\n";
    world.write("/etc/disco/proxy/register.yml", login);
    world.wait_until("it is made", || world.exists(&format!("{FOLDER}/proxies.json")));
    world.wait_until("it is said", || world.read("/tmp/helper.log").contains(": created, number 1 at"));
    let refreshed = ["GET  200 OAuth admin", BACK, BACK, "PUT /1/refresh 200 OAuth admin"];
    let made = [&["GET  200 OAuth admin", BACK, "POST  201 OAuth admin"], &refreshed[1..]].concat();
    assert_eq!(quiet(), made, "made, and left alone then");

    // Nobody is told that a file has changed.
    let log = world.read("/tmp/helper.log");
    world.write("/etc/disco/proxy/settings.d/trigger.yml", ":enabled: https\n");
    world
        .wait_until("it is refreshed", || world.read("/tmp/helper.log").contains(": refreshed, number 1 at"));
    assert_eq!(quiet(), refreshed);
    assert!(!log.contains("warning"), "{log}");
    world.write("/etc/disco/proxy/settings.d/facts.yml", ":enabled: false\n");
    world.wait_until("facts is off", || known.proxies()[0].2 == ["Logs"]);
    assert_eq!(quiet(), refreshed);
    world.sh("touch /etc/disco/proxy/settings.d/facts.yml").succeeds();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(quiet(), [""; 0], "read again, and the same");
}

#[test]
fn a_foreman_that_is_down_or_says_no_is_asked_later_and_not_often() {
    let Some(world) = world() else { return };
    let known = Known::start(&world);
    known.end();
    let login = ":user: admin\n:password_file: /etc/disco/proxy/password\n";
    world.write("/etc/disco/proxy/register.yml", login);
    let _helper = helper(&world, "1");
    let _listener = listener(&world);
    let log = || world.read("/tmp/helper.log");
    world.wait_until("it is said", || log().contains("cannot reach https://foreman.example.com:3443/"));
    known.begin();
    // It is refreshed, too, before that is said.
    world.wait_until("it is made", || log().contains(": created, number 1 at"));
    known.asked();

    // It says no: said once, and asked after 1, 2, 4, … seconds.
    world.write_with_mode("/etc/disco/proxy/password", "600", "wrong\n");
    world.write("/etc/disco/proxy/settings.d/trigger.yml", ":enabled: https\n");
    let said = "the Foreman does not let us search for it (401): Unable to authenticate user admin";
    world.wait_until("it is said", || log().contains(said));
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(log().matches(said).count(), 1, "{}", log());
    let asked = known.asked();
    assert!((2..=5).contains(&asked.len()), "{asked:?}");
    assert!(asked.iter().all(|one| one == "GET  401 -"), "{asked:?}");
    // Right again: told without anybody's doing.
    world.write_with_mode("/etc/disco/proxy/password", "600", "changeme\n");
    world.wait_until("it is refreshed", || log().contains(": refreshed, number 1 at"));
}

#[test]
fn a_secret_is_typed_where_no_file_has_it_and_is_not_shown() {
    let Some(world) = world() else { return };
    let known = Known::start(&world);
    world.write("/tmp/typed.py", include_str!("../proxy/typed.py"));
    let typed = |question: &str, answer: &str, words: &[&str]| {
        let all =
            [&["python3", "/tmp/typed.py", question, answer, "disco", "proxy", "register"], words].concat();
        let out = world.run(&all);
        out.stdout_has(question).stdout_has("\nthe terminal echoes\n");
        assert!(answer.is_empty() || !out.stdout.contains(answer), "{out}");
        out
    };
    let consumer = ["--oauth-key", "disco", "--oauth-user", "admin"];
    let secret = "Secret of the consumer disco: ";
    typed(secret, SECRET, &consumer).succeeds().stdout_has("created, number 1");
    let user = ["--user", "admin"];
    let password = "Password of admin: ";
    typed(password, "changeme", &user).succeeds().stdout_has("refreshed, number 1");
    assert_eq!(known.asked().last().map(String::as_str), Some("PUT /1/refresh 200 Basic admin"));
    typed(password, "wrong horse", &user).exits(77).stdout_has("Unable to authenticate user admin");
    typed(password, "", &user).exits(78).stdout_has("there is no password");
    typed(password, "^C", &user).exits(130).stdout_lacks("Unable");
    world.sh(&format!("! grep -rF -e changeme -e '{SECRET}' /var/disco /var/log")).succeeds();
    // Without a terminal nobody is asked.
    known.register(&user).exits(78).stderr_has("there is no password").stdout_lacks(password);
}
