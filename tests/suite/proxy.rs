//! `disco proxy`: what this node would say, its registration with a Foreman, other proxies looked at. The wire itself is tested in the
//! agent's crate; this is the program around it.

use crate::world::{Running, World};

const V2: &str = r#"{
  "dance": {"http_enabled": true, "https_enabled": false, "settings": {}, "state": "running", "capabilities": ["apply"]},
  "logs": {"http_enabled": true, "https_enabled": true, "settings": {}, "state": "running", "capabilities": []}}"#;
const AT: &str = "http://localhost.localdomain:8000";

/// A node with settings of a proxy, whose face and Foreman answer on its loopback.
fn node(world: &World) -> Running<'_> {
    world.write("/etc/disco/proxy/settings.yml", ":http_port: 8000\n:foreman_url: http://127.0.0.1:3000\n");
    world.write("/etc/disco/proxy/settings.d/dance.yml", ":enabled: http\n");
    world.write("/tmp/p/v2", V2);
    world.write("/tmp/p/v1", r#"["logs"]"#);
    world.write("/tmp/foreman.py", include_str!("proxy/foreman.py"));
    world
        .sh("grep -q localhost.localdomain /etc/hosts || echo 127.0.0.1 localhost.localdomain >>/etc/hosts")
        .succeeds();
    let running = world.spawn(&["python3", "/tmp/foreman.py", "/tmp/p"]);
    world.wait_until("they listen", || world.exists("/tmp/p/ready"));
    running
}

#[test]
fn it_shows_what_it_would_say() {
    let Some(world) = World::new() else { return };
    world
        .disco(&["proxy", "show"])
        .exits(78)
        .stderr_has("/etc/disco/proxy/settings.yml is not there")
        .stderr_has("hint: --settings");
    world.write("/srv/p/settings.yml", ":http_port: 8000\n");
    world.write("/srv/p/settings.d/dance.yml", ":enabled: https\n");
    let text = world.disco(&["proxy", "show", "--settings", "/srv/p"]);
    text.succeeds()
        .stdout_has("dance    running   https       apply,confirm,recover,undo\n")
        .stdout_has("noop     disabled  -");
    let json = world.disco(&["proxy", "show", "--settings", "/srv/p", "--format", "json"]);
    json.succeeds()
        .stdout_has(r#"{"dance":{"http_enabled":false,"https_enabled":true,"settings":{},"state":"running""#);
    world.write("/srv/p/settings.d/noop.yml", "enabled: true\n");
    world.write("/srv/p/settings.d/logs.yml", "---\n:enabled: maybe\n");
    world.write("/srv/p/settings.d/lock.yml", "---\n:enabled: true\n");
    let bad = world.disco(&["proxy", "show", "--settings", "/srv/p"]);
    bad.stdout_has("logs     disabled")
        .stderr_has("warning: /srv/p/settings.d/logs.yml:2: `:enabled:` must be true, false, http or https")
        .stderr_has("/srv/p/settings.d/lock.yml:2: `:use_provider:` must name a provider");
    bad.exits(1)
        .stdout_has("noop     failed")
        .stderr_has("/srv/p/settings.d/noop.yml:1: a smart proxy does not see the key");
    world.write("/srv/p/settings.yml", ":http_port: none\n");
    world
        .disco(&["proxy", "show", "--settings", "/srv/p"])
        .exits(78)
        .stderr_has("/srv/p/settings.yml:1: `:http_port:`");
}

#[test]
fn it_registers_and_comes_back_only_after_a_change() {
    let Some(world) = World::new() else { return };
    let _running = node(&world);
    let register = ["proxy", "register"];
    world.disco(&register).exits(78).stderr_has("error: nobody logs in to the Foreman\n");
    let user = [&register[..], &["--user", "admin"]].concat();
    world.disco(&user).exits(78).stderr_has("error: there is no password\n");
    world.write("/etc/disco/proxy/password", "changeme\n");
    let all = [&user[..], &["--password-file", "/etc/disco/proxy/password"]].concat();
    world
        .disco(&all)
        .exits(77)
        .stderr_has("others can read /etc/disco/proxy/password")
        .stderr_has("hint: chmod 600");
    world.write_with_mode("/etc/disco/proxy/password", "600", "changeme\n");
    world.write("/tmp/p/refuse", "");
    world.disco(&all).exits(1).stderr_has("the Foreman refuses to create it: Name has already been taken\n");
    world.sh("rm /tmp/p/refuse").succeeds();
    let first = world.disco(&all);
    first.succeeds().stdout_has("localhost.localdomain: created, number 1 at http://127.0.0.1:3000/\n");
    first.stdout_has("  dance: runs here, and is nothing that a Foreman knows as it comes\n");
    // From now on from the file, as the agent does it.
    world.write("/etc/disco/proxy/register.yml", ":user: admin\n:password_file: /etc/disco/proxy/password\n");
    world.sh(">/tmp/p/requests").succeeds();
    let if_changed = [&register[..], &["--if-changed"]].concat();
    world.disco(&if_changed).succeeds().stdout_has("and nothing has changed since\n");
    assert_eq!(world.read("/tmp/p/requests"), "");
    world.write("/tmp/p/v2", &V2.replace(r#"["apply"]"#, r#"["apply","undo"]"#));
    let json = world.disco(&[&if_changed[..], &["--format", "json"]].concat());
    json.succeeds().stdout_has(r#""done":"refreshed""#).stdout_has(r#""missing":[]"#);
    assert_eq!(
        world.read("/tmp/p/requests"),
        "GET /api/v2/smart_proxies\nPUT /api/v2/smart_proxies/1/refresh\n"
    );
    // What is in the way has its code.
    world.write_with_mode("/etc/disco/proxy/password", "600", "wrong\n");
    world
        .disco(&register)
        .exits(77)
        .stderr_has("the Foreman does not let us search for it (401): Unable to authenticate user\n");
    let nobody = [&register[..], &["--foreman", "http://127.0.0.1:1"]].concat();
    world.disco(&nobody).exits(69).stderr_has("cannot ask the Foreman");
    let elsewhere = [&register[..], &["--url", "http://127.0.0.1:1"]].concat();
    world
        .disco(&elsewhere)
        .exits(69)
        .stderr_has("this node's own proxy has to answer first, at http://127.0.0.1:1");
    world.sh("! grep -r changeme /var/disco").succeeds();
}

#[test]
fn a_login_goes_nowhere_in_clear() {
    let Some(world) = World::new() else { return };
    world.write("/etc/disco/proxy/settings.yml", ":http_port: 8000\n");
    world.write_with_mode("/tmp/secret", "600", "changeme\n");
    let user = ["--user", "admin", "--password-file", "/tmp/secret"];
    let consumer = ["--oauth-key", "k", "--secret-file", "/tmp/secret"];
    let said = "use https://: http:// is for this node itself (localhost) alone";
    for login in [user, consumer] {
        let register = |at| world.disco(&[&["proxy", "register", "--foreman", at], &login[..]].concat());
        register("http://192.0.2.1:3001").exits(78).stderr_has(said);
        register("http://localhost.example.com:3001").exits(78).stderr_has(said);
        let named = register("https://eve:geheim@192.0.2.1");
        named.exits(78).stderr_has("leave the login out").stderr_lacks("geheim");
        // This node itself is as it was: its own face has to answer first.
        register("http://127.0.0.1:3001").exits(69);
    }
    // So do uploads, by the same rule.
    world.setting("disco/upload/foreman", "http://192.0.2.1:3001");
    world.disco(&["upload"]).exits(78).stderr_has(said);
    let gone = [
        "proxy",
        "register",
        "--foreman",
        "http://127.0.0.1:1",
        "--user",
        "a",
        "--password-file",
        "/tmp/none",
    ];
    world.disco(&gone).exits(78).stderr_has("/tmp/none is not there");
}

#[test]
fn proxies_are_kept_in_mind_and_compared() {
    let Some(world) = World::new() else { return };
    world.disco(&["proxy", "ls"]).exits(64).stderr_has("no proxy is known yet");
    world.disco(&["proxy", "check"]).exits(78);
    for bad in ["nonsense", "file:///x", "https://", "http://:80"] {
        for look in ["ls", "check"] {
            world.disco(&["proxy", look, bad]).exits(64).stderr_has("use https://HOST:PORT");
        }
    }
    let _running = node(&world);
    world.disco(&["proxy", "check"]).succeeds().stdout_is(&format!("{AT}: fine, features: 2\n"));
    let listed = world.disco(&["proxy", "ls"]);
    listed.succeeds().stdout_is(&format!(
        "{AT}\n  dance  running        http        apply\n  logs   running        http+https\n"
    ));
    // One fails, and is kept with what it could do.
    world.write("/tmp/p/v2", &V2.replacen("running", "failed", 1));
    let checked = world.disco(&["proxy", "check"]);
    checked
        .exits(1)
        .stdout_has("  dance  failed         http        apply\n")
        .stdout_has("dance: should run, and is failed\n");
    let json = world.disco(&["proxy", "check", "--format", "json"]);
    json.exits(1).stdout_has(r#""drift":[{"drift":"not-running","feature":"dance","state":"failed"}]"#);
    json.stdout_has(r#""failed":["dance"]"#).stdout_has(r#""fine":false"#);
    // The older way names what works: the other is kept, and why is not known. By another url it is another proxy.
    world.sh("rm /tmp/p/v2").succeeds();
    world.disco(&["proxy", "ls"]).succeeds().stdout_has("  dance  not named      http        apply\n");
    world.disco(&["proxy", "ls", "http://127.0.0.1:8000/"]).succeeds().stdout_lacks("dance");
    world.write("/tmp/p/v2", V2);
    // The settings ask for something else.
    world.write("/etc/disco/proxy/settings.d/dance.yml", ":enabled: false\n");
    world.disco(&["proxy", "check"]).exits(1).stdout_has("dance: runs, and is not enabled in the settings\n");
    world.disco(&["proxy", "check", "http://127.0.0.1:8000"]).succeeds();
    let with = world.disco(&["proxy", "check", "http://127.0.0.1:8000", "--settings", "/etc/disco/proxy"]);
    with.exits(1).stdout_has("dance: runs, and is not enabled");
    // Nobody there: what was known is shown.
    let pid = _running.pid().to_owned();
    world.sh(&format!("kill {pid}")).succeeds();
    world.wait_until("it has ended", || world.sh(&format!("kill -0 {pid}")).status != Some(0));
    let silent = world.disco(&["proxy", "ls"]);
    silent.exits(69).stdout_has("  dance  running").stderr_has("error: 2 of 2 did not answer\n");
    world.disco(&["proxy", "check"]).exits(69).stdout_is("");
    world.disco(&["proxy", "ls", "--forget", AT]).succeeds();
    world.disco(&["proxy", "ls", "--forget", AT]).exits(1).stderr_has("no such proxy is known");
}
