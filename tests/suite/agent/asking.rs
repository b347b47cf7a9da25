//! What is asked of the helper, and by whom.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::*;

#[test]
fn what_is_asked_for_runs_and_is_told() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >/etc/x");
    world.module("n").script("10.sh", "echo n >/etc/n");
    world.master();
    let node = Node::new(&world);
    let before = world.manifest();
    let asked = node.ask(true, &["m"]);
    assert!(!asked.state.is_end() && asked.noop && asked.by == ["ci"], "{asked:?}");
    let dry = node.end(&asked.id);
    assert_eq!(dry.state, State::Done { exit: 2 }, "{}", node.log(&asked.id));
    let log = node.log(&asked.id);
    assert!(log.contains("/etc/x : Created") && !log.contains("/etc/n"), "{log}");
    assert_eq!(world.manifest().since(&before), [""; 0], "a dry run changes nothing");
    let live = node.end(&node.ask(false, &[]).id);
    assert_eq!((live.state, world.read("/etc/n").as_str()), (State::Done { exit: 2 }, "n\n"));
    assert!(live.began >= Some(live.asked) && live.ended >= live.began);
    let runs = world.disco(&["runs", "--format", "json"]).succeeds().stdout.clone();
    for run in [&dry.run, &live.run] {
        let run = run.as_ref().expect("disco's own id of it is known");
        assert!(runs.contains(&format!("\"{run}\"")), "{run}: {runs}");
    }
    assert_eq!(node.end(&node.ask(false, &[]).id).state, State::Done { exit: 0 }, "nothing is left to do");
    let standing = node.client.standing().unwrap();
    assert_eq!(
        (standing.node.as_str(), standing.running, standing.trouble),
        (crate::world::NODE, None, None)
    );
    assert_eq!(standing.last.unwrap().outcome, "merged");
    let listed: Vec<TriggerId> = node.client.list().unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!((listed.len(), &listed[2]), (3, &asked.id), "the newest first");
    world.run(&["stat", "-c", "%a %U:%G", SOCKET]).stdout_is("600 root:root\n");
    world
        .sh("stat -c %a /var/disco/agent/runs /var/disco/agent/runs/*.json | sort -u")
        .stdout_is("600\n700\n");
    node.helper.signal("TERM");
    node.helper.wait().exits(0).stderr_has("Listening at /run/disco/agent.sock");
    assert!(!world.exists(SOCKET), "its socket goes with it");
}

#[test]
fn the_next_of_a_kind_is_everybodys_and_an_abort_ends_what_waits_and_what_runs() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.module("n").script("10.sh", "echo n");
    world.master();
    let node = Node::new(&world);
    let before = world.manifest();
    let first = node.ask(false, &["m"]);
    node.until_step();
    let keyed = || keyed(wish(false, &["n"], "ci"), "k");
    let second = node.client.run(&keyed()).unwrap();
    assert_eq!(second.state, State::Queued);
    let third = node.client.run(&wish(false, &["m"], "bob")).unwrap();
    assert_eq!(
        (&third.id, third.by, third.modules),
        (&second.id, vec!["ci".into(), "bob".into()], vec!["m".into(), "n".into()])
    );
    let dry = node.ask(true, &["n"]);
    assert_ne!(dry.id, second.id);
    let alone = Ask::Run { noop: true, modules: vec![], by: "twitch".to_owned(), key: None, alone: true };
    assert!(matches!(node.client.ask(&alone).unwrap(), Answer::Refused { why: Refusal::Busy, .. }));
    assert_eq!(node.client.standing().unwrap().running, Some(first.id.clone()));

    assert_eq!(node.abort(&second.id).state, State::Aborted { by: "bob".to_owned() });
    assert_eq!(
        node.client.run(&keyed()).unwrap().id,
        second.id,
        "a key leads to its run, whatever became of it"
    );
    assert_eq!(node.abort(&first.id).id, first.id);
    assert_eq!(node.end(&first.id).state, State::Aborted { by: "bob".to_owned() }, "{}", node.log(&first.id));
    assert_eq!(node.end(&dry.id).state, State::Done { exit: 0 }, "{}", node.log(&dry.id));
    assert_eq!(world.manifest().since(&before), [""; 0], "nothing of an aborted run merges");
    node.until_no_step();
    let again = node.client.run(&Ask::Abort { id: first.id, by: "bob".to_owned() }).unwrap_err();
    assert!(matches!(again, ClientError::Refused { why: Refusal::Ended, .. }), "{again}");
    let nobody =
        node.client.run(&Ask::Abort { id: TriggerId::of([1; 16]), by: "bob".to_owned() }).unwrap_err();
    assert!(matches!(nobody, ClientError::Refused { why: Refusal::Unknown, .. }), "{nobody}");
}

fn keyed(ask: Ask, word: &str) -> Ask {
    match ask {
        Ask::Run { noop, modules, by, alone, .. } => {
            Ask::Run { noop, modules, by, alone, key: Some(word.to_owned()) }
        }
        other => other,
    }
}

#[test]
fn whoever_repeats_a_key_hears_of_its_run_whatever_keeps_others_from_one() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "true");
    world.master();
    let node = Node::new(&world);
    let alone = Ask::Run { noop: false, modules: vec![], by: "ci".to_owned(), key: None, alone: true };
    let run = node.client.run(&keyed(alone.clone(), "k")).unwrap();
    assert_eq!(node.end(&run.id).state, State::Done { exit: 0 });
    let why = |ask: Ask| match node.client.ask(&ask).unwrap() {
        Answer::Refused { why, .. } => Err(why),
        Answer::Run(run) => Ok(run.id),
        other => panic!("{other:?}"),
    };
    // Somebody's own live run, as far as its lock says.
    let holder = world.spawn(&["flock", "--no-fork", "/var/disco/lock", "sleep", "8765"]);
    let held = || world.processes().iter().any(|line| line.ends_with("sleep 8765"));
    world.wait_until("the lock is held", held);
    assert_eq!(why(alone.clone()), Err(Refusal::Busy));
    assert_eq!(why(keyed(alone.clone(), "k")), Ok(run.id.clone()), "it has run");
    world.disco(&["disable", "an audit"]).succeeds();
    assert_eq!(why(wish(false, &[], "ci")), Err(Refusal::Disabled));
    assert_eq!(why(keyed(wish(false, &[], "ci"), "other")), Err(Refusal::Disabled));
    assert_eq!(why(keyed(wish(false, &[], "ci"), "k")), Ok(run.id), "it has run");
    assert_eq!(why(keyed(wish(false, &["m"], "ci"), "k")), Err(Refusal::Differs));
    kill(&world, "sleep 8765");
    drop(holder.wait());
}

#[test]
fn an_end_that_finds_no_room_is_told_and_is_written_when_there_is_some() {
    let Some(world) = World::new() else { return };
    let after = "touch /run/merged; while [ -e /run/hold ]; do sleep 0.05; done";
    world.module("m").script("10.sh", "echo x >/etc/x").any("after/10-wait", after);
    world.module("n").script("10.sh", "echo n");
    world.master();
    world
        .sh("mkdir -p /var/disco/agent/runs && touch /run/hold && cd /var/disco/agent/runs && \
             mount -t tmpfs -o size=256k,mode=700 small .")
        .succeeds();
    let node = Node::new(&world);
    let first = node.ask(false, &["m"]);
    world.wait_until("it is merged", || world.exists("/run/merged"));
    world.wait_until("its record is known", || node.look(&first.id).run.is_some());
    let second = node.ask(true, &["n"]);
    assert_eq!(second.state, State::Queued);
    world.sh("head -c 1M /dev/zero >/var/disco/agent/runs/fill").stderr_has("No space left");
    world.sh("rm /run/hold").succeeds();
    world
        .wait_until("the ends are told", || node.client.list().unwrap().iter().all(|run| run.state.is_end()));
    assert_eq!(node.end(&first.id).state, State::Done { exit: 2 }, "by the record that its dance has left");
    assert_eq!(node.end(&second.id).state, State::Done { exit: 71 }, "it cannot begin");
    let file = |id: &TriggerId| world.read(&format!("/var/disco/agent/runs/{id}.json"));
    assert!(file(&first.id).contains("\"running\"") && file(&second.id).contains("\"queued\""));
    let refused = node.client.ask(&wish(true, &["n"], "ci")).unwrap();
    assert!(matches!(refused, Answer::Refused { why: Refusal::Failed, .. }), "{refused:?}");
    world.sh("rm /var/disco/agent/runs/fill").succeeds();
    world.wait_until("both ends are written", || {
        file(&first.id).contains("\"exit\":2") && file(&second.id).contains("\"exit\":71")
    });
    assert_eq!(node.end(&first.id).state, State::Done { exit: 2 });
    assert_eq!(node.end(&node.ask(true, &["n"]).id).state, State::Done { exit: 0 });
}

#[test]
fn a_stop_with_its_runs_tells_the_end_of_one_whose_runner_was_killed() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ENDLESS);
    world.master();
    let node = Node::new(&world);
    let run = node.ask(false, &["m"]);
    node.until_step();
    world.wait_until("its record is known", || node.look(&run.id).run.is_some());
    node.helper.signal("KILL");
    assert_eq!(node.helper.wait().signal, Some(9));
    kill(&world, "agent __run");
    let stopped = world.disco(&["agent", "stop", "--runs"]);
    stopped.succeeds().stderr_has(&format!("The live run {} was ended by signal 15 at ", run.id));
    let node = Node::new(&world);
    assert_eq!(node.look(&run.id).state, State::Killed { signal: 15 }, "it is written");
}

#[test]
fn what_was_half_written_long_ago_goes_when_a_helper_starts() {
    let Some(world) = World::new() else { return };
    world
        .sh("mkdir -p /var/disco/agent/runs && cd /var/disco/agent/runs && \
             touch .disco-young~ notes && touch -d '2 hours ago' .disco-old~ old~")
        .succeeds();
    let _node = Node::new(&world);
    // A runner that goes on without a helper may be at the young one.
    world.sh("ls -A /var/disco/agent/runs").stdout_is(".disco-young~\nhelper.lock\nnotes\nold~\n");
}

#[test]
fn a_log_is_followed_while_it_grows() {
    let Some(world) = World::new() else { return };
    world.module("a").script("10.sh", "echo first");
    world.module("m").requires("after a").script("10.sh", ENDLESS);
    world.master();
    let node = Node::new(&world);
    let run = node.ask(true, &[]);
    let (_, mut log) = node.client.log(&run.id, 0).unwrap();
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains("Processing a") {
        let read = log.read(&mut piece).unwrap();
        assert!(read > 0, "it ends before the run does: {text}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    node.until_step();
    assert_eq!(node.look(&run.id).state, State::Running);
    node.abort(&run.id);
    log.read_to_string(&mut text).unwrap();
    assert_eq!(text, node.log(&run.id));
    let (_, mut rest) = node.client.log(&run.id, 10).unwrap();
    assert_eq!(std::io::read_to_string(&mut rest).unwrap(), text[10..]);
}

#[test]
fn twenty_at_once_are_never_two_runs_at_once() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "sleep 0.3");
    world.master();
    let node = Node::new(&world);
    let runs: BTreeSet<TriggerId> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20)
            .map(|n| {
                let client = node.client.clone();
                scope.spawn(move || client.run(&wish(n % 2 == 0, &[], &format!("user-{n}"))).unwrap().id)
            })
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!((2..=20).contains(&runs.len()));
    let ends: Vec<RunState> = runs.iter().map(|id| node.end(id)).collect();
    assert!(ends.iter().all(|run| run.state == State::Done { exit: 0 }), "{ends:#?}");
    // By the records, which the dances have written themselves.
    let records = world.sh("cat /var/disco/runs/*/record.json").succeeds().stdout.clone();
    let mut spans: Vec<(String, String)> = serde_json::Deserializer::from_str(&records)
        .into_iter::<serde_json::Value>()
        .map(|run| run.unwrap())
        .map(|run| (run["started"].as_str().unwrap().to_owned(), run["ended"].as_str().unwrap().to_owned()))
        .collect();
    spans.sort();
    assert_eq!(spans.len(), runs.len(), "each has run once");
    assert!(spans.windows(2).all(|two| two[0].1 <= two[1].0), "two at once: {spans:#?}");
    let named: BTreeSet<&String> = ends.iter().flat_map(|run| &run.by).collect();
    assert_eq!(named.len(), 20, "all who have asked are named");
}

/// What a connection answers to these bytes.
fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(client(world).path()).expect("the helper listens");
    // Whoever says too much is hung up on.
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn whoever_may_not_ask_and_whatever_is_no_question_is_refused() {
    let Some(world) = World::new() else { return };
    let node = Node::new(&world);
    for (asked, wanted) in [
        ("\n", "malformed"),
        ("{}\n", "malformed"),
        ("{\"verb\":\"reboot\"}\n", "malformed"),
        ("{\"verb\":\"list\",\"more\":1}\n", "malformed"),
        ("{\"verb\":\"standing\",\"more\":1}\n", "malformed"),
        ("{\"verb\":\"status\",\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"more\":1}\n", "malformed"),
        ("{\"verb\":\"status\",\"id\":\"../../etc/passwd\"}\n", "malformed"),
        ("{\"verb\":\"run\",\"noop\":true,\"by\":\"\"}\n", "malformed"),
        ("{\"verb\":\"run\",\"noop\":true,\"by\":\"a\\nb\"}\n", "malformed"),
        ("{\"verb\":\"run\",\"noop\":true,\"by\":\"ci\",\"modules\":[\"--root=/\"]}\n", "malformed"),
        ("{\"verb\":\"run\",\"noop\":true,\"by\":\"ci\",\"modules\":[\"../x\"]}\n", "malformed"),
        ("{\"verb\":\"log\",\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\"}\n", "unknown"),
    ] {
        let answer = raw(&world, asked.as_bytes());
        assert!(answer.contains(&format!(r#""answer":"refused","why":"{wanted}""#)), "{asked:?}: {answer}");
    }
    assert!(raw(&world, &[b'x'; 100_000]).contains("more than 65536 bytes"));
    assert_eq!(node.client.list().unwrap(), [], "nothing has run");

    // Their silence is over after ten seconds; meanwhile others are answered.
    let began = Instant::now();
    let mut silent: Vec<UnixStream> =
        (0..60).map(|_| UnixStream::connect(node.client.path()).unwrap()).collect();
    silent.iter_mut().for_each(|stream| stream.write_all(b"{").unwrap());
    assert!(node.client.standing().is_ok() && began.elapsed() < Duration::from_secs(5), "they stall others");
    let more: Vec<UnixStream> = (0..4).map(|_| UnixStream::connect(node.client.path()).unwrap()).collect();
    assert!(raw(&world, b"").contains("too many ask at once"));
    drop(more);
    let mut answer = String::new();
    silent[0].read_to_string(&mut answer).unwrap();
    assert!(answer.contains("silent for too long") && began.elapsed() >= Duration::from_secs(9), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(20));

    // Its mode keeps others out; and where somebody has opened it, the kernel's word on who they are.
    let nobody = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/disco/agent.sock'); print(s.recv(999).decode())";
    let as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", nobody];
    world.run(&as_nobody).exits(1).stderr_has("PermissionError");
    world.run(&["chmod", "666", SOCKET]).succeeds();
    world.run(&as_nobody).succeeds().stdout_has("user 65534 may not ask");
    world.disco(&["agent", "helper", "--socket", "/run/other.sock"]).exits(75).stderr_has("another helper");
    world.disco(&["agent", "__run", "aaaaaaaaaaaaaaaaaaaaaaaaaa"]).exits(74);
    world.run(&["setpriv", "--reuid=65534", "disco", "agent", "helper"]).exits(77);
}

#[test]
fn a_node_that_is_disabled_or_lacks_something_says_so() {
    let Some(world) = World::new() else { return };
    let node = Node::new(&world);
    assert!(node.client.standing().unwrap().trouble.unwrap().contains("no master"));
    world.module("m").script("10.sh", "true");
    world.master();
    world.disco(&["disable", "an audit"]).succeeds();
    let standing = node.client.standing().unwrap();
    assert_eq!((standing.disabled.as_deref(), standing.trouble), (Some("an audit"), None));
    let refused = node.client.ask(&wish(false, &[], "ci")).unwrap();
    assert!(matches!(refused, Answer::Refused { why: Refusal::Disabled, .. }), "{refused:?}");
    assert_eq!(node.end(&node.ask(true, &[]).id).state, State::Done { exit: 0 }, "dry runs go on");
}
