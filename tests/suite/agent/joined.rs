//! The real listener, as a user of its own, and the real helper: started by `disco agent start` on a node without systemd, asked by curl.

use serde_json::Value;

use super::*;
use crate::world::Manifest;

const AT: &str = "http://127.0.0.1:8453";
const TWITCH: &str = "http://127.0.0.1:12023/puppet/twitch";

/// A node with both, and a key for them.
struct Agent<'a> {
    world: &'a World,
    key: String,
}

impl<'a> Agent<'a> {
    /// Makes the user that the package makes, and the configuration, and starts both.
    fn start(world: &'a World, change: &str) -> Agent<'a> {
        world
            .sh("getent passwd disco-agent || useradd --system --user-group --shell /usr/sbin/nologin disco-agent")
            .succeeds();
        world.disco(&["agent", "init"]).succeeds();
        world.sh(&format!("sed -i '{change}' /etc/disco/agent.toml")).succeeds();
        let key = world.disco(&["agent", "key", "add", "ci"]).succeeds().stdout.trim().to_owned();
        world
            .sh("stat -c '%a %U:%G' /etc/disco/agent.toml /etc/disco/agent.keys")
            .stdout_is("640 root:disco-agent\n640 root:disco-agent\n");
        world
            .disco(&["agent", "start"])
            .succeeds()
            .stderr_has("The agent's helper runs now")
            .stderr_has("The agent's listener runs now");
        Agent { world, key }
    }

    /// The arguments of curl for a path, with the key.
    fn words(&self, path: &str, more: &[&str]) -> Vec<String> {
        let words = ["curl", "-sN", "-H", "Content-Type: application/json", "-H"].map(str::to_owned);
        let key = format!("Authorization: Bearer {}", self.key);
        words
            .into_iter()
            .chain([key, format!("{AT}{path}")])
            .chain(more.iter().map(|&s| s.to_owned()))
            .collect()
    }

    /// The status of an answer, and what it holds.
    #[track_caller]
    fn ask(&self, path: &str, more: &[&str]) -> (String, Value) {
        let words = self.words(path, &[&["-w", "\n%{http_code}"], more].concat());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let out = self.world.run(&words);
        let (body, status) = out.succeeds().stdout.rsplit_once('\n').expect("curl says the status");
        (status.to_owned(), serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {out}")))
    }

    /// How puppet-twitch's path answers.
    #[track_caller]
    fn twitch(&self, query: &str) -> String {
        let out = self.world.run(&["curl", "-s", "-w", "%{http_code}", &format!("{TWITCH}{query}")]);
        out.succeeds().stdout.clone()
    }

    /// The newest run.
    fn newest(&self) -> Value {
        self.ask("/v1/runs", &[]).1["runs"][0].clone()
    }
}

/// The lines of a process's status that begin so, without what stands between their words.
fn rights(world: &World, pid: &str, lines: &str) -> String {
    world
        .sh(&format!("grep -E '^({lines}):' /proc/{pid}/status | tr -s '[:space:]' ' '"))
        .succeeds()
        .stdout
        .clone()
}

/// What has changed but the agent's own log.
fn since(world: &World, before: &Manifest) -> Vec<String> {
    let all = world.manifest().since(before);
    all.into_iter().filter(|line| !line.starts_with("/var/log/disco-agent.log:")).collect()
}

#[test]
fn who_has_a_key_runs_follows_and_aborts() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >/etc/x");
    world.module("endless").script("10.sh", ENDLESS);
    world.master();
    let processes = world.processes();
    let agent = Agent::start(&world, "");
    let pid = pids(&world, "agent serve").pop().expect("the listener lives");
    let user = world.sh("echo $(id -u disco-agent) $(id -g disco-agent)").stdout.clone();
    let (user, group) = user.trim().split_once(' ').expect("both");
    let wanted = format!(
        "Uid: {user} {user} {user} {user} Gid: {group} {group} {group} {group} Groups: CapPrm: 0000000000000000 CapEff: 0000000000000000 "
    );
    assert_eq!(
        rights(&world, &pid, "Uid|Gid|Groups|CapPrm|CapEff"),
        wanted,
        "it has no rights but its user's"
    );
    world.run(&["stat", "-c", "%a %U:%G", SOCKET]).stdout_is("660 root:disco-agent\n");
    let status = world.disco(&["agent", "status"]);
    status.succeeds().stdout_has("helper    runs, pid ").stdout_has("listener  runs, pid ");
    status.stdout_has("at 127.0.0.1:8453\n");
    world.sh(&format!("curl -s -o /dev/null -w '%{{http_code}}' -d '{{}}' {AT}/v1/runs")).stdout_is("401");

    let before = world.manifest();
    let (code, dry) = agent.ask("/v1/runs", &["-d", r#"{"noop":true,"modules":["m"],"wait":60}"#]);
    assert_eq!((code.as_str(), &dry["state"], &dry["exit"]), ("200", &"done".into(), &2.into()), "{dry}");
    assert_eq!((&dry["success"], &dry["by"][0]), (&true.into(), &"key ci".into()), "{dry}");
    assert_eq!(since(&world, &before), [""; 0], "a dry run changes nothing");

    let (code, live) = agent.ask("/v1/runs", &["-d", r#"{"modules":["endless"]}"#]);
    assert_eq!(code, "202", "{live}");
    let href = live["href"].as_str().expect("it says where").to_owned();
    let words = agent.words(&format!("{href}/log"), &[]);
    let follower = world.spawn(&words.iter().map(String::as_str).collect::<Vec<_>>());
    world.wait_until("the step runs", || in_step(&world));
    assert_eq!(agent.ask(&href, &[]).1["state"], "running");
    let (code, aborted) = agent.ask(&format!("{href}/abort"), &["-X", "POST"]);
    assert_eq!((code.as_str(), &aborted["id"]), ("200", &live["id"]), "{aborted}");
    let log = follower.wait();
    log.succeeds().stdout_has("Processing endless");
    let end = agent.ask(&format!("{href}?wait=60"), &[]).1;
    assert_eq!((&end["state"], &end["success"]), (&"aborted".into(), &false.into()), "{end}");
    let whole = world.read(&format!("/var/disco/agent/runs/{}.log", live["id"].as_str().expect("an id")));
    assert_eq!(log.stdout, whole, "who follows has read all of it");
    assert_eq!(since(&world, &before), [""; 0], "nothing of an aborted run merges");

    let (_, live) = agent.ask("/v1/runs", &["-d", r#"{"modules":["m"],"wait":60}"#]);
    assert_eq!((&live["exit"], world.read("/etc/x").as_str()), (&2.into(), "x\n"), "{live}");
    world.disco(&["agent", "status"]).succeeds().stdout_has("live run").stdout_has("ended with 2");
    world.disco(&["agent", "key", "rm", "ci"]).succeeds();
    assert_eq!(agent.ask("/v1/runs", &[]).0, "401");
    world.disco(&["agent", "stop"]).succeeds().stderr_has("The agent's listener has ended");
    world.disco(&["agent", "status"]).exits(3).stdout_has("listener  does not run");
    world.only_has(&processes);
    world.sh("ls -A /run/disco").stdout_is("");
}

#[test]
fn a_restart_of_both_ends_no_run() {
    let Some(world) = World::new() else { return };
    world.module("endless").script("10.sh", ENDLESS);
    world.master();
    let agent = Agent::start(&world, "");
    let (_, run) = agent.ask("/v1/runs", &["-d", r#"{"noop":true}"#]);
    let href = run["href"].as_str().expect("it says where").to_owned();
    world.wait_until("the step runs", || in_step(&world));
    let both = || (pids(&world, "agent serve"), pids(&world, "agent helper"));
    let first = both();
    world.disco(&["agent", "restart"]).succeeds();
    let second = both();
    assert!(first.0 != second.0 && first.1 != second.1, "{first:?} {second:?}");
    assert_eq!(agent.ask(&href, &[]).1["state"], "running");
    agent.ask(&format!("{href}/abort"), &["-X", "POST"]);
    let end = agent.ask(&format!("{href}?wait=60"), &[]).1;
    assert_eq!((&end["state"], &end["aborted_by"]), (&"aborted".into(), &"key ci".into()), "{end}");
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn a_reload_changes_what_can_change_and_says_what_cannot() {
    let Some(world) = World::new() else { return };
    let agent = Agent::start(&world, "");
    let first = pids(&world, "agent serve");
    let edit = |change: &str| {
        world.sh(&format!("sed -i '{change}' /etc/disco/agent.toml && kill -HUP {}", first[0])).succeeds();
    };
    let stranger = || {
        let ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", &format!("{AT}/v1/runs")];
        world.run(&ask).stdout.clone()
    };
    let log = || world.read("/var/log/disco-agent.log");
    let says = |what: &str| world.wait_until(what, || log().contains(what));
    assert_eq!((stranger().as_str(), agent.ask("/v1/runs", &[]).0.as_str()), ("401", "200"));
    edit("s/^auth = .*/auth = \"none\"/");
    says("the configuration was read again");
    assert_eq!(stranger(), "200");
    edit("s/^auth = .*/auth = \"needed\"/; s/:8453\"/:18453\"/");
    says("listen: what has changed there needs a restart");
    assert_eq!((stranger().as_str(), agent.ask("/v1/runs", &[]).0.as_str()), ("401", "200"));
    edit("s/^auth = .*/auth = \"none\"/; s/^proxy/prxoy/");
    says("the configuration stays as it was: cannot use the configuration /etc/disco/agent.toml: ");
    says("unknown field `prxoy`");
    assert_eq!(stranger(), "401", "nothing of it holds");
    world.sh("mv /etc/disco/agent.toml /etc/disco/away").succeeds();
    world.run(&["kill", "-HUP", &first[0]]).succeeds();
    says("there is no /etc/disco/agent.toml any more");
    assert_eq!((stranger().as_str(), pids(&world, "agent serve")), ("401", first), "it is the same process");
    world.sh("mv /etc/disco/away /etc/disco/agent.toml").succeeds();
    world.disco(&["agent", "stop"]).succeeds();
}

#[test]
fn puppet_twitchs_users_are_answered_as_they_are_used_to() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    let change =
        "s/^enabled = false/enabled = true/; s/^bind = .*/bind = \"127.0.0.1\"/; s/^port = .*/port = 12023/";
    let agent = Agent::start(&world, change);
    assert_eq!(agent.twitch(""), "Triggered puppet run\n202");
    assert_eq!(agent.twitch(""), "Puppet already running\n409");
    assert_eq!(agent.twitch("?async=false"), "Puppet already running\n409");
    world.wait_until("the step runs", || in_step(&world));
    let run = agent.newest();
    assert_eq!((&run["noop"], &run["by"][0]), (&false.into(), &"twitch 127.0.0.1".into()), "{run}");
    let href = run["href"].as_str().expect("it says where").to_owned();
    agent.ask(&format!("{href}/abort"), &["-X", "POST"]);
    assert_eq!(agent.ask(&format!("{href}?wait=60"), &[]).1["state"], "aborted");

    world.module("m").script("10.sh", "echo x >/etc/x");
    world.publish();
    assert_eq!(agent.twitch("?async=false"), "Puppet run complete\n200");
    assert_eq!(
        (&agent.newest()["exit"], world.read("/etc/x").as_str()),
        (&2.into(), "x\n"),
        "a change is success"
    );
    assert_eq!(agent.twitch("?async=false"), "Puppet run complete\n200");
    assert_eq!(agent.newest()["exit"], 0);

    world.module("m").script("10.sh", "exit 3");
    world.publish();
    assert_eq!(agent.twitch("?async=false"), "Error running puppet\n500");
    let failed = agent.newest();
    assert_eq!((&failed["state"], &failed["success"]), (&"done".into(), &false.into()), "{failed}");
    world.disco(&["disable", "an audit"]).succeeds();
    assert_eq!(agent.twitch(""), "Error running puppet\n500");
    assert_eq!(agent.newest()["id"], failed["id"], "no live run begins while they are disabled");
    world.sh("cat /var/log/disco-agent.log").stdout_has("an audit");
    world.disco(&["agent", "stop"]).succeeds();
}
