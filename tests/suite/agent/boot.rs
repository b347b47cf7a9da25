//! Runs that wait when the machine goes down: they begin when it is up again, and nobody has to ask.

use std::path::Path;

use super::*;

/// The units of the agent, as a package brings them, enabled as docs/agent.md says it.
fn enable(world: &World) {
    let dist = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dist"));
    let units = [
        "disco-agent.socket",
        "disco-agent.service",
        "disco-agent-helper.socket",
        "disco-agent-helper.service",
        "disco-recover.service",
        "disco-recover-files.service",
    ];
    for unit in units {
        world.install(&format!("/etc/systemd/system/{unit}"), "644", &dist.join("systemd").join(unit));
    }
    // A minute of silence is long for a test.
    world.write(
        "/etc/systemd/system/disco-agent-helper.service.d/idle.conf",
        "[Service]\nExecStart=\nExecStart=/usr/local/bin/disco agent helper --idle 4\n",
    );
    world.install("/usr/lib/sysusers.d/disco.conf", "644", &dist.join("sysusers.d/disco.conf"));
    world.sh("systemd-sysusers disco.conf && systemctl daemon-reload").succeeds();
    world.sh("systemctl enable --quiet disco-recover disco-recover-files").succeeds();
    let text = include_str!("../../../docs/agent.md");
    let hint = text.split('`').find(|word| word.starts_with("systemctl enable ")).expect("it says how");
    world.sh(hint).succeeds();
    assert_eq!(active(world), "inactive", "nobody has asked yet, and nothing waits");
}

fn active(world: &World) -> String {
    world.run(&["systemctl", "is-active", "disco-agent-helper.service"]).stdout.trim().to_owned()
}

/// One run in a step without an end, and one of each kind behind it.
fn fill(world: &World) -> [TriggerId; 3] {
    world.module("m").script("10.sh", ENDLESS);
    world.module("n").script("10.sh", "echo n >/etc/n");
    // A master that is there in the next start, too.
    world.copy_stage_to("/srv/master");
    world.setting("disco/server/uri", "/srv/master");
    let client = client(world);
    let ask = |noop, module| client.run(&wish(noop, &[module], "ci")).expect("the helper answers").id;
    let first = ask(false, "m");
    world.wait_until("the step runs", || in_step(world));
    let all = [first, ask(false, "n"), ask(true, "n")];
    let waits =
        |id: &TriggerId| client.run(&Ask::Status { id: id.clone(), wait: 0 }).expect("it answers").state;
    assert_eq!(all.each_ref().map(waits), [State::Running, State::Queued, State::Queued]);
    all
}

/// What waited has run in this start of the machine, and nobody has asked.
fn have_run(world: &World, all: &[TriggerId; 3], first: &State) {
    let state = |id: &TriggerId| world.read(&format!("/var/disco/agent/runs/{id}.json"));
    world.wait_until("somebody has looked what became of the first", || {
        !state(&all[0]).contains("\"running\"")
    });
    world.wait_until("the live run that waited has merged", || world.exists("/etc/n"));
    world.wait_until("both have ended", || all[1..].iter().all(|id| state(id).contains("\"done\"")));
    let client = client(world);
    let told =
        |id: &TriggerId| client.run(&Ask::Status { id: id.clone(), wait: 0 }).expect("it answers").state;
    assert_eq!(&told(&all[0]), first);
    assert_eq!(told(&all[1]), State::Done { exit: 2 });
    assert!(told(&all[2]).is_success());
    assert!(!in_step(world) && !world.exists("/etc/from-step"), "nothing of the first is left");
    world.sh("systemctl is-failed disco-agent-helper.service disco-agent-helper.socket").exits(1);
}

#[test]
fn what_waits_when_the_power_goes_begins_at_the_next_start() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(world) = World::with_systemd_on(Some(disk.path())) else { return };
    enable(&world);
    let all = fill(&world);
    drop(world);
    let world = World::with_systemd_on(Some(disk.path())).expect("it started before");
    have_run(&world, &all, &State::Lost);
    // With nothing to do it ends by itself, and is there again for whoever asks.
    world.wait_until("the helper has ended", || active(&world) == "inactive");
    assert_eq!(client(&world).list().expect("it answers").len(), 3);
    assert_eq!(active(&world), "active");
}

#[test]
fn what_waits_when_the_machine_is_restarted_begins_when_it_is_up() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(world) = World::with_systemd_on(Some(disk.path())) else { return };
    enable(&world);
    let all = fill(&world);
    let first = format!("/proc/{}", world.pid());
    world.run(&["systemctl", "reboot"]).succeeds();
    world.wait_until("the machine goes down", || !Path::new(&first).exists());
    drop(world);
    let world = World::with_systemd_on(Some(disk.path())).expect("it started before");
    // systemd asks all to end: the dance has, and its runner has written that.
    have_run(&world, &all, &State::Killed { signal: 15 });
}
