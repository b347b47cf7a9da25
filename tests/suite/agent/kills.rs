//! kill -9 of each process at each moment: the run goes on or is over, and what is told of it is so. Never two at once.

use super::*;

/// A node whose step has no end, and one live run in that step.
fn in_step_of(world: &World) -> (Node<'_>, RunState) {
    world.module("m").script("10.sh", ENDLESS);
    world.module("n").script("10.sh", "echo n");
    world.master();
    let node = Node::new(world);
    let run = node.ask(false, &["m"]);
    node.until_step();
    (node, run)
}

#[test]
fn a_helper_that_is_killed_changes_nothing_for_its_runs() {
    let Some(world) = World::new() else { return };
    let (node, first) = in_step_of(&world);
    let second = node.ask(true, &["n"]);
    assert_eq!(second.state, State::Queued);
    let node = node.again();
    assert_eq!(node.look(&first.id).state, State::Running, "it is alive");
    assert_eq!(node.look(&second.id).state, State::Queued, "it waits");
    assert_eq!(node.ask(true, &["n"]).id, second.id, "it is still the next of its kind");
    let node = node.again();
    node.abort(&first.id);
    assert_eq!(node.end(&first.id).state, State::Aborted { by: "bob".to_owned() }, "{}", node.log(&first.id));
    assert_eq!(node.end(&second.id).state, State::Done { exit: 0 }, "it began when the first had ended");
    assert_eq!(node.client.list().unwrap().len(), 2);
}

#[test]
fn a_run_that_ends_while_no_helper_lives_has_its_end_told() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "sleep 2; echo x >/etc/x");
    world.master();
    let node = Node::new(&world);
    let run = node.ask(false, &[]);
    world.wait_until("it runs", || !pids(&world, "disco dance").is_empty());
    node.helper.signal("KILL");
    assert_eq!(node.helper.wait().signal, Some(9));
    world.wait_until("it is merged", || world.exists("/etc/x"));
    world.wait_until("it has ended", || pids(&world, "__run").is_empty());
    let node = Node::new(&world);
    let end = node.look(&run.id);
    assert_eq!(end.state, State::Done { exit: 2 });
    assert!(end.run.is_some());
}

#[test]
fn a_dance_that_is_killed_is_told_as_killed_and_the_next_one_runs() {
    let Some(world) = World::new() else { return };
    let (node, first) = in_step_of(&world);
    let before = world.manifest();
    let second = node.ask(true, &["n"]);
    kill(&world, "disco dance");
    assert_eq!(node.end(&first.id).state, State::Killed { signal: 9 });
    assert_eq!(node.end(&second.id).state, State::Done { exit: 0 });
    assert_eq!(world.manifest().since(&before), [""; 0]);
    // At once, before there is a sandbox.
    let third = node.ask(true, &["m"]);
    world.wait_until("it runs", || !pids(&world, "disco dance").is_empty());
    kill(&world, "disco dance");
    assert_eq!(node.end(&third.id).state, State::Killed { signal: 9 });
}

#[test]
fn with_its_runner_a_dance_ends_and_nothing_begins_before_it_has() {
    let Some(world) = World::new() else { return };
    let (node, first) = in_step_of(&world);
    let before = world.manifest();
    let second = node.ask(true, &["n"]);
    let dance = pids(&world, "disco dance");
    world.run(&["kill", "-s", "STOP", &dance[0]]).succeeds();
    kill(&world, "agent __run");
    // The dance was asked to end, and cannot yet.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(node.look(&first.id).state, State::Running, "its dance is there");
    assert_eq!(node.look(&second.id).state, State::Queued);
    world.run(&["kill", "-s", "CONT", &dance[0]]).succeeds();
    assert_eq!(node.end(&first.id).state, State::Killed { signal: 15 }, "by the record that it has left");
    assert_eq!(node.end(&second.id).state, State::Done { exit: 0 });
    assert_eq!(world.manifest().since(&before), [""; 0]);
    node.until_no_step();
}

#[test]
fn with_all_of_them_killed_a_run_is_lost_and_the_one_that_waits_begins() {
    let Some(world) = World::new() else { return };
    let (node, first) = in_step_of(&world);
    let second = node.ask(true, &["n"]);
    let all =
        [pids(&world, "agent helper"), pids(&world, "agent __run"), pids(&world, "disco dance")].concat();
    assert_eq!(all.len(), 3, "{:#?}", world.processes());
    let words: Vec<&str> = ["kill", "-s", "KILL"].into_iter().chain(all.iter().map(String::as_str)).collect();
    world.run(&words).succeeds();
    assert_eq!(node.helper.wait().signal, Some(9));
    let node = Node::new(&world);
    assert_eq!(node.end(&first.id).state, State::Lost);
    assert_eq!(node.end(&second.id).state, State::Done { exit: 0 });
    node.until_no_step();
}

#[test]
fn in_the_merge_an_abort_comes_too_late_and_a_kill_is_finished_by_the_next_run() {
    let Some(world) = World::new() else { return };
    world.module("m").script(
        "10.sh",
        "mkdir -p /etc/many; for i in {1..300}; do echo $i >/etc/many/$i; done; service slow restart",
    );
    world.module("m").any("after/10-wait", "touch /run/merged; sleep 3");
    world.write_with_mode("/etc/init.d/slow", "755", "#!/bin/sh\nexit 0\n");
    world.master();
    let node = Node::new(&world);
    let run = node.ask(false, &[]);
    world.wait_until("it is merged", || world.exists("/run/merged"));
    // The merge stands: what belongs to it goes on.
    node.abort(&run.id);
    let end = node.end(&run.id);
    assert_eq!(end.state, State::Done { exit: 2 }, "{}", node.log(&run.id));
    assert!(world.exists("/etc/many/300"));

    world.sh("rm -rf /etc/many /run/merged").succeeds();
    let run = node.ask(false, &[]);
    world.wait_until("it is merged", || world.exists("/run/merged"));
    kill(&world, "disco dance");
    assert_eq!(node.end(&run.id).state, State::Killed { signal: 9 });
    let trouble = node.client.standing().unwrap().trouble;
    assert!(trouble.as_deref().is_some_and(|why| why.contains("disco recover")), "{trouble:?}");
    let next = node.end(&node.ask(false, &[]).id);
    // Its script writes the same once more: other times.
    assert!(next.state.is_success(), "{}", node.log(&next.id));
    assert!(world.exists("/etc/many/300") && node.client.standing().unwrap().trouble.is_none());
}
