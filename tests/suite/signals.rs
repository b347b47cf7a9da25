//! Signals during a step: no mount, process or file is left, nothing is merged, and the next run is not hindered.

use crate::world::World;

#[test]
fn a_signal_during_a_step_leaves_nothing() {
    for (signal, status) in [("TERM", 143), ("INT", 130), ("HUP", 129), ("KILL", 137)] {
        for noop in [false, true] {
            let Some(world) = World::new() else { return };
            world.module("m").script(
                "10.sh",
                "echo x >/etc/from-step; setsid sleep 8765 & sleep 8764; echo x >/etc/after-sleep",
            );
            world.master();
            let (before, processes, mounts) = (world.manifest(), world.processes(), world.mounts());
            let mut argv = vec!["disco", "dance"];
            argv.extend(noop.then_some("--noop"));
            let dance = world.spawn(&argv);
            world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 8764")));
            dance.signal(signal);
            let out = dance.wait();
            assert_eq!(out.signal_or_status(), status, "{signal}\n{out}");
            world.only_has(&processes);
            assert_eq!(world.mounts(), mounts, "{signal} leaves a mount");
            assert_eq!(world.manifest().since(&before), [""; 0], "{signal}");

            world.module("m").script("10.sh", "echo x >/etc/second");
            world.publish();
            let next = world.disco(&["dance"]);
            assert_eq!(next.succeeds().changes(), ["/etc/second Created"], "{signal}");
            world.run(&["ls", "-A", "/var/disco/scratch"]).stdout_is("");
        }
    }
}

#[test]
fn an_interrupted_run_is_recorded_as_such() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo said-before; sleep 8764");
    world.master();
    let dance = world.spawn(&["disco", "dance"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("sleep 8764")));
    dance.signal("TERM");
    let out = dance.wait();
    out.stderr_has("nothing");
    let record = world.sh("cat /var/disco/runs/*/record.json").succeeds().stdout.clone();
    let record: serde_json::Value = serde_json::from_str(&record).expect("one record, in JSON");
    assert_eq!(record["outcome"], serde_json::json!({"ended": "interrupted", "signal": 15}), "{record:#}");
}

#[test]
fn a_step_owns_its_processes() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .script("10.sh", "setsid nohup sleep 8763 >/dev/null 2>&1 & sleep 0.1")
        .script("20.sh", "pgrep -f 'sleep 876[3]' && exit 1; echo alone");
    world.master();
    let processes = world.processes();
    world.disco(&["dance"]).succeeds().stdout_has("alone");
    world.only_has(&processes);
}
