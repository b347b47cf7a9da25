//! The seed's own example, to the letter, from a real rsync daemon.

use crate::world::{NODE, World};

const MD5: &str = "77b20e4840b1be13a577e152edc6b443";
const WOULD: &str = "warning: Would execute : service postgresql stop\n";

/// What a dance of the example prints; NOOP says one line more.
fn expected(world: &World, would: &str) -> String {
    let device = world.run(&["stat", "-c", "%D", "/etc"]).succeeds().stdout.trim().to_owned();
    format!(
        "info: Processing testmodule-1.0
Hello, disco
{would}info: Processing othermodule-3.2
info: File: file: /etc/othermodule/stuff.cfg : Created : type=[regular file] device=[{device}] mode=[81a4] selinux=[?] md5=[{MD5}] perms=[root:root 644]
0a1,2
> HOST={NODE}
> KEY_VALUE=LOLTHISKEYMEANSNOTHING
"
    )
}

fn node() -> Option<World> {
    let world = World::new()?;
    world.service("postgresql");
    world.example();
    world.master();
    Some(world)
}

#[test]
fn a_noop_dance_prints_the_seeds_text_and_does_nothing() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    let pid = world.service_pid("postgresql");
    world.disco(&["dance", "--noop"]).succeeds().stdout_is(&expected(&world, WOULD));
    world
        .command(&["disco", "dance"])
        .env("NOOP", "true")
        .run()
        .succeeds()
        .stdout_is(&expected(&world, WOULD));
    assert_eq!(world.manifest().since(&before), [""; 0]);
    assert!(!world.exists("/etc/othermodule"));
    assert!(world.service_runs("postgresql"), "a NOOP dance stopped the service");
    assert_eq!(world.service_pid("postgresql"), pid, "a NOOP dance restarted the service");
}

#[test]
fn a_live_dance_installs_the_file_and_stops_the_service() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    world.disco(&["dance"]).succeeds().stdout_is(&expected(&world, ""));
    let md5 = world.run(&["md5sum", "/etc/othermodule/stuff.cfg"]).succeeds().stdout.clone();
    assert!(md5.starts_with(MD5), "{md5}");
    assert!(!world.service_runs("postgresql"), "the service still runs");
    let since = world.manifest().since(&before);
    assert_eq!(since.len(), 1, "{since:#?}");
    assert!(since[0].starts_with("/etc/othermodule/stuff.cfg: file"), "{since:#?}");
}

#[test]
fn a_second_live_dance_reports_no_difference() {
    let Some(world) = node() else { return };
    world.disco(&["dance"]).succeeds();
    let before = world.manifest();
    world.disco(&["dance"]).succeeds().reports_no_difference().stdout_has("Hello, disco\n");
    world.disco(&["dance", "--noop"]).succeeds().reports_no_difference();
    assert_eq!(world.manifest().since(&before), [""; 0], "a dance without differences wrote");
}

#[test]
fn a_pipe_gets_no_colour_and_stdout_carries_the_results_alone() {
    let Some(world) = node() else { return };
    world.module("noisy").script("00-noise.sh", "echo to-stderr >&2; echo to-stdout");
    world.publish();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds()
        .stdout_lacks("\u{1b}")
        .stderr_lacks("\u{1b}")
        .stdout_has("to-stdout\n")
        .stderr_has("to-stderr");
    out.stdout_lacks("to-stderr");
    let coloured = world.disco(&["dance", "--noop", "--color", "always"]);
    coloured.succeeds().stdout_has("\u{1b}[0;33;40").stdout_has("\u{1b}[0;36;40");
}
