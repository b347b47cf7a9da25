//! What the agent's listener cannot do, what its files must be like, and what is told of that.

use super::*;

/// The user of the package, the configuration, a key in /root/key.
pub(super) fn configured(world: &World) {
    world.sh("getent passwd disco-agent || useradd --system --user-group --shell /usr/sbin/nologin disco-agent").succeeds();
    world.disco(&["agent", "init"]).succeeds();
    world.sh("disco agent key add ci >/root/key").succeeds();
}

/// The status of an answer to whoever has that key.
const ASK: &str = "ask() { curl -s -o /dev/null -w '%{http_code}\\n' -H \"Authorization: Bearer $(cat /root/key)\" http://127.0.0.1:8453/v1/runs; }\n";
const AS_NOBODY: &str = "nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"; }\n";

#[test]
fn the_listener_holds_nothing_that_root_goes_by() {
    let Some(world) = World::new() else { return };
    configured(&world);
    world.disco(&["agent", "start"]).succeeds();
    let pid = pids(&world, "agent serve").pop().expect("the listener lives");
    let status = format!(
        "grep -E '^(NoNewPrivs|CapBnd|CapEff|CapPrm|CapInh|Groups):' /proc/{pid}/status | tr -s '[:space:]' ' '"
    );
    world.sh(&status).stdout_is(
        "Groups: CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 ",
    );
    world
        .sh(&format!("readlink /proc/{pid}/fd/0; stat -c %U /proc/{pid}"))
        .stdout_is("/dev/null\ndisco-agent\n");
    // Each that is a file of /run/disco is open to be read alone: the last digit of its flags is 0.
    let held = format!(
        "for fd in /proc/{pid}/fd/*; do case $(readlink $fd) in /run/disco/*) echo $(sed -n 's/flags:.*\\(.\\)$/\\1/p' /proc/{pid}/fdinfo/${{fd##*/}}) ;; esac; done"
    );
    world.sh(&held).stdout_is("0\n");
    let environment = format!("tr '\\0' '\\n' </proc/{pid}/environ | sort");
    let environment = world.sh(&environment).succeeds().stdout.clone();
    let home = world.sh("getent passwd disco-agent | cut -d: -f6").stdout.clone();
    assert!(environment.contains(&format!("HOME={}", home.trim())), "{environment}");
    assert!(environment.lines().count() == 6 && !environment.contains("/root"), "{environment}");
    // The number alone is not what is gone by.
    world.sh("sleep 8764 >/dev/null 2>&1 </dev/null & echo $! | tee /run/disco/agent-listener.pid >/root/victim").succeeds();
    world
        .disco(&["agent", "stop"])
        .succeeds()
        .stderr_has(&format!("The agent's listener has ended, pid {pid}"));
    world.sh("kill -0 $(cat /root/victim) && kill $(cat /root/victim)").succeeds();
}

#[test]
fn a_folder_of_somebody_elses_is_refused_by_name() {
    let Some(world) = World::new() else { return };
    world.sh("sleep 8764 >/dev/null 2>&1 </dev/null & echo $! >/root/victim").succeeds();
    let write = "mkdir -p /tmp/rd; cp /root/victim /tmp/rd/agent-listener.pid; chown -R 65534:65534 /tmp/rd\n\
                 setpriv --reuid 65534 --regid 65534 --clear-groups flock /tmp/rd/agent-listener.pid sleep 8764 >/dev/null 2>&1 </dev/null & sleep 0.3";
    world.sh(write).succeeds();
    for words in [&["agent", "stop"][..], &["agent", "start"], &["agent", "status"]] {
        let refused = world.disco(&[words, &["--run", "/tmp/rd"]].concat());
        refused
            .exits(77)
            .stderr_has("/tmp/rd is not safe to go by: it is another user's")
            .stderr_has("hint: ");
    }
    world.sh("kill -0 $(cat /root/victim) && kill $(cat /root/victim)").succeeds();
    world
        .sh("ln -s /etc/passwd /var/log/link; touch /var/log/theirs; chown 65534 /var/log/theirs")
        .succeeds();
    for (log, why) in
        [("/var/log/link", "it is a symbolic link"), ("/var/log/theirs", "it is another user's")]
    {
        world
            .disco(&["agent", "start", "--log", log])
            .exits(77)
            .stderr_has(&format!("{log} is not safe to go by: {why}"));
    }
    world.sh("echo precious >/root/file").succeeds();
    world
        .disco(&["agent", "helper", "--socket", "/root/file"])
        .exits(73)
        .stderr_has("/root/file")
        .stderr_has("stays");
    assert_eq!(world.read("/root/file"), "precious\n");
}

#[test]
fn it_starts_where_all_of_it_can_be_there_and_says_what_cannot() {
    let Some(world) = World::new() else { return };
    world.master();
    world.sh("! getent passwd disco-agent || userdel disco-agent").succeeds();
    world.disco(&["agent", "init"]).succeeds().stderr_has("no user disco-agent");
    world.sh("disco agent key add ci >/root/key").succeeds().stderr_has("no listener can read it");
    world
        .disco(&["agent", "start"])
        .exits(78)
        .stderr_has("there is no user disco-agent")
        .stderr_has("useradd --system");
    world.disco(&["agent", "status"]).exits(3).stdout_has("trouble   there is no user disco-agent");
    world.sh("useradd --system --user-group --shell /usr/sbin/nologin disco-agent").succeeds();
    world.disco(&["agent", "status"]).exits(3).stdout_has("the user disco-agent cannot read it");
    // Somebody else has its port, but not the one of puppet-twitch, which is opened before.
    let taken = "python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", 8453)); s.listen(1); time.sleep(8764)' >/dev/null 2>&1 </dev/null & echo $! >/root/other; sleep 1";
    world.sh(taken).succeeds();
    world.sh("sed -i 's/^enabled = false/enabled = true/' /etc/disco/agent.toml").succeeds();
    for _ in 0..5 {
        let start = world.disco(&["agent", "start"]);
        start.exits(69).stderr_has("the agent's listener does not come up").stderr_has("127.0.0.1:8453");
        world.disco(&["agent", "status"]).exits(3).stdout_has("listener  does not run");
    }
    world.sh("kill $(cat /root/other)").succeeds();
    world
        .sh("stat -c '%a %U:%G' /etc/disco/agent.toml /etc/disco/agent.keys")
        .stdout_is("640 root:disco-agent\n640 root:disco-agent\n");
    world.disco(&["agent", "start"]).succeeds().stderr_has("The agent's listener runs now");
    let told = world.sh(&format!("{AS_NOBODY}nobody disco --home /var/disco agent status; echo $?; nobody disco --home /var/disco agent stop; echo $?"));
    told.stdout_is("77\n77\n").stderr_has("/run/disco/agent-helper.pid").stderr_has("Permission denied");
    world.disco(&["agent", "status"]).succeeds().stdout_lacks("trouble");
    world.sh("chgrp root /run/disco/agent.sock").succeeds();
    world
        .disco(&["agent", "status"])
        .succeeds()
        .stdout_has("the user disco-agent cannot reach the helper there");
    world.disco(&["agent", "stop"]).succeeds();
    // By the folder of what runs alone both find each other.
    let run = ["--run", "/run/test", "--log", "/var/log/agent-test.log"];
    world.disco(&[&["agent", "restart"], &run[..]].concat()).succeeds();
    world.sh(&format!("{ASK}ask")).stdout_is("200\n");
    world.disco(&[&["agent", "stop"], &run[..]].concat()).succeeds();
    world.sh("ls -A /run/test; chmod 666 /etc/disco/agent.toml").stdout_is("");
    world.disco(&["agent", "start"]).exits(77).stderr_has("/etc/disco/agent.toml: every user may write it");
}

#[test]
fn a_key_that_was_removed_is_good_no_more_whatever_becomes_of_the_file() {
    let Some(world) = World::new() else { return };
    configured(&world);
    world.disco(&["agent", "start"]).succeeds();
    world
        .sh(&format!("{ASK}ask; chown root:root /etc/disco/agent.keys; chmod 600 /etc/disco/agent.keys; ask"))
        .stdout_is("200\n401\n");
    world.sh("grep -c 'agent.keys: no key is good: it cannot be read: Permission denied' /var/log/disco-agent.log").stdout_is("1\n");
    world
        .disco(&["agent", "status"])
        .succeeds()
        .stdout_has("trouble   no key is good: /etc/disco/agent.keys: the user disco-agent cannot read it");
    world.sh(&format!("{ASK}disco agent key add other; stat -c '%a %U:%G' /etc/disco/agent.keys; ask; disco agent key rm ci; ask")).stdout_has("\n640 root:disco-agent\n200\nci: removed\n401\n");
    world.sh(&format!("{ASK}disco agent key add third >/root/key; ask; chmod 666 /etc/disco/agent.keys; ask; disco agent key rm third; echo $?"))
        .stdout_is("200\n401\n77\n").stderr_has("every user may write it").stderr_has("chmod go-w /etc/disco/agent.keys");
    world.disco(&["agent", "stop"]).succeeds();
    // A proxy's settings say whom this node trusts.
    world.sh("mkdir -p /etc/disco/proxy; echo ':http_port: 8000' >/etc/disco/proxy/settings.yml; chmod 666 /etc/disco/proxy/settings.yml").succeeds();
    world.sh("chmod 640 /etc/disco/agent.keys").succeeds();
    let open = world.disco(&["agent", "start"]);
    open.exits(69)
        .stderr_has("/etc/disco/proxy/settings.yml: every user may write it, and it says who may do what");
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn a_listener_started_by_hand_needs_no_root_and_says_so() {
    let Some(world) = World::new() else { return };
    configured(&world);
    let as_root = world.sh("timeout -s INT 2 disco agent serve --port 0 2>&1");
    as_root
        .exits(124)
        .stdout_has("warning: The listener runs as root, and needs none of it: --user disco-agent\n");
    let as_its_user = world.sh("timeout -s INT 2 disco agent serve --port 0 --user disco-agent 2>&1");
    as_its_user.exits(124).stdout_has("listening on http://127.0.0.1:").stdout_lacks("warning");
    let refused = world.sh(&format!(
        "{AS_NOBODY}nobody disco agent serve; echo $?; nobody disco agent serve --user disco-agent; echo $?"
    ));
    refused
        .stdout_is("77\n77\n")
        .stderr_has("cannot read \"/etc/disco/agent.toml\"")
        .stderr_has("hint: it needs no root");
    refused.stderr_has("only root can become the user disco-agent").stderr_lacks("run it as root: disco");
}

#[test]
fn what_is_under_way_what_waits_and_that_live_runs_are_off_is_told() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    world.disco(&["agent", "start"]).succeeds();
    let client = client(&world);
    let one = client.run(&wish(true, &[], "ci")).unwrap();
    world.wait_until("the step runs", || in_step(&world));
    let two = client.run(&wish(true, &[], "eve")).unwrap();
    world.disco(&["disable", "an audit"]).succeeds();
    let status = world.disco(&["agent", "status"]);
    status.succeeds().stdout_has("disabled  live runs, since ").stdout_has("an audit\n");
    status.stdout_has(&format!("now       dry run {} runs since ", one.id)).stdout_has(", asked for by ci\n");
    status
        .stdout_has(&format!("next      dry run {} waits since ", two.id))
        .stdout_has(", asked for by eve\n");
    let json = world.disco(&["agent", "status", "--format", "json"]).succeeds().stdout.clone();
    let told: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!(
        (&told["schema"], &told["runs"], &told["listener"]),
        (&1.into(), &true.into(), &().into()),
        "{json}"
    );
    assert_eq!(
        (&told["disabled"]["why"], &told["queued"][0]["by"][0]),
        (&"an audit".into(), &"eve".into()),
        "{json}"
    );
    assert_eq!(told["running"]["id"], one.id.to_string(), "{json}");
    assert!(told["helper"]["pid"].as_i64() > Some(1) && told["last"].is_null(), "{json}");
    world.sh("disco disable --show").stdout_has("live runs are disabled since ").stdout_lacks("already");
    for run in [two, one] {
        client.run(&Ask::Abort { id: run.id, by: "bob".to_owned() }).unwrap();
    }
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn nothing_in_a_folder_of_somebody_elses_is_given_away_or_written() {
    let Some(world) = World::new() else { return };
    world.sh("getent passwd disco-agent || useradd --system --user-group --shell /usr/sbin/nologin disco-agent").succeeds();
    // Root's file, in a folder in which another one can put a link in its place at any moment.
    world.disco(&["agent", "init", "--config", "/srv/theirs/agent.toml"]).succeeds();
    let theirs = "cd /srv/theirs && chmod 600 agent.toml && chgrp root agent.toml && chown 65534 .";
    world.sh(theirs).succeeds();
    let start = ["agent", "start", "--run", "/run/test", "--config", "/srv/theirs/agent.toml"];
    world.disco(&start).exits(77).stderr_has("/srv/theirs is not safe to go by: it is another user's");
    world.sh("stat -c '%a %U:%G' /srv/theirs/agent.toml").stdout_is("600 root:root\n");
    // So is the way of the helper's socket to its group.
    world
        .disco(&["agent", "helper", "--socket", "/srv/theirs/agent.sock"])
        .exits(77)
        .stderr_has("/srv/theirs is not safe to go by: it is another user's");
    world.sh("ls /srv/theirs").stdout_is("agent.toml\n");
    // What is written to say who holds a lock is not written elsewhere.
    world.sh("echo precious >/root/file; ln -s /root/file /srv/theirs/agent.keys.lock").succeeds();
    let add = world.disco(&["agent", "key", "add", "ci", "--config", "/srv/theirs/agent.toml"]);
    assert_eq!(world.read("/root/file"), "precious\n", "{add}");
    add.exits(74).stderr_has("cannot lock \"/srv/theirs/agent.keys.lock\"");
}
