//! Fetching: every form of `disco/server/uri`, and every way it fails. When it fails, the message names the module and
//! what rsync said, and nothing has run.

use crate::world::{NODE, Output, World};

/// A node with one module, whose script says and leaves that it ran.
fn node() -> Option<World> {
    let world = World::new()?;
    world.module("m").script("10.sh", "echo it-ran; touch /etc/it-ran").file("etc/from-m", 0o644, "m\n");
    Some(world)
}

#[track_caller]
fn nothing_ran(world: &World, out: &Output) {
    out.stdout_lacks("it-ran").stdout_lacks("info: Processing");
    assert!(!world.exists("/etc/it-ran") && !world.exists("/etc/from-m"), "something was merged\n{out}");
}

#[test]
fn from_an_rsync_daemon_on_any_port() {
    let Some(world) = node() else { return };
    world.publish();
    world
        .sh("sed -i 's/^port = .*/port = 1873/' /tmp/master/rsyncd.conf && rsync --daemon --config=/tmp/master/rsyncd.conf")
        .succeeds();
    world.setting("disco/server/uri", "rsync://127.0.0.1:1873");
    world.wait_until("the daemon answers", || {
        world.run(&["rsync", "rsync://127.0.0.1:1873/"]).status == Some(0)
    });
    world.disco(&["dance"]).succeeds().stdout_has("it-ran");
    assert!(world.exists("/var/disco/modules/m/scripts/10.sh"));
    assert!(world.exists(&format!("/var/disco/parameters/{NODE}/modules/m")));
}

#[test]
fn from_a_host_name_as_in_the_seed() {
    let Some(world) = node() else { return };
    world.master();
    world.setting("disco/server/uri", "127.0.0.1");
    world.disco(&["dance"]).succeeds().stdout_has("it-ran");
}

#[test]
fn over_ssh_as_in_the_seed() {
    let Some(world) = node() else { return };
    world.sshd();
    world.disco(&["dance"]).succeeds().stdout_has("it-ran");
    assert!(world.exists("/etc/it-ran"));
}

#[test]
fn from_a_local_folder() {
    let Some(world) = node() else { return };
    world.copy_stage_to("/srv/master");
    world.setting("disco/server/uri", "/srv/master");
    world.disco(&["dance"]).succeeds().stdout_has("it-ran");
}

#[test]
fn what_the_master_no_longer_has_is_gone_from_the_node() {
    let Some(world) = node() else { return };
    world.module("m").script("20.sh", "echo second");
    world.master();
    world.disco(&["dance"]).succeeds().stdout_has("second");
    world.remove_module("m");
    world.module("m").script("10.sh", "echo it-ran");
    world.publish();
    world.disco(&["dance"]).succeeds().stdout_lacks("second");
}

#[test]
fn a_missing_module_is_named() {
    let Some(world) = node() else { return };
    world.assign(&["m", "not-on-the-master"]);
    world.master();
    let out = world.disco(&["dance"]);
    out.exits(65).stderr_has("not-on-the-master").stderr_has("error: ");
    nothing_ran(&world, &out);
}

#[test]
fn a_node_that_the_master_does_not_know_is_named() {
    let Some(world) = node() else { return };
    world.master();
    world.run(&["hostname", "stranger.example.com"]).succeeds();
    let out = world.disco(&["dance"]);
    out.exits(65).stderr_has("stranger.example.com");
    nothing_ran(&world, &out);
}

#[test]
fn a_refused_connection_says_so() {
    let Some(world) = node() else { return };
    world.setting("disco/server/uri", "rsync://127.0.0.1:1");
    let out = world.disco(&["dance"]);
    out.exits(69).stderr_has("127.0.0.1").stderr_has("Connection refused");
    nothing_ran(&world, &out);
}

#[test]
fn no_uri_at_all_says_how_to_set_it() {
    let Some(world) = node() else { return };
    let out = world.disco(&["dance"]);
    out.exits(78).stderr_has("disco/server/uri").stderr_has("disco param set");
    nothing_ran(&world, &out);
}

#[test]
fn a_wrong_host_key_stops_it() {
    let Some(world) = node() else { return };
    world.sshd();
    world.expect_another_host_key();
    let out = world.disco(&["dance"]);
    out.exits(69).stderr_has("Host key verification failed");
    nothing_ran(&world, &out);
}

#[test]
fn a_partial_transfer_is_a_failure() {
    let Some(world) = node() else { return };
    world.module("other").file("etc/unreadable", 0o000, "nobody may read this\n");
    world.master();
    let out = world.disco(&["dance"]);
    assert_ne!(out.status, Some(0), "{out}");
    out.stderr_has("other").stderr_has("ermission denied");
    nothing_ran(&world, &out);
}

#[test]
fn a_bad_requires_line_is_named_with_its_file_and_line() {
    let Some(world) = node() else { return };
    world.module("other").requires("# fine\nafter ../../etc");
    world.master();
    let out = world.disco(&["dance"]);
    out.exits(65).stderr_has("other").stderr_has("../../etc");
    nothing_ran(&world, &out);
}

#[test]
fn a_failed_fetch_leaves_the_modules_of_the_last_good_one() {
    let Some(world) = node() else { return };
    world.master();
    world.disco(&["dance"]).succeeds();
    world.setting("disco/server/uri", "rsync://127.0.0.1:1");
    world.disco(&["dance"]).exits(69);
    assert!(world.exists("/var/disco/modules/m/scripts/10.sh"), "the module is gone");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let Some(world) = World::new() else { return };
    let dance = world.disco(&["dance", "--noop", "--server", "/no/such/folder"]);
    dance.exits(69).stdout_is("").stderr_has("the folder /no/such/folder");
}

#[test]
fn without_a_fetch_it_takes_what_the_last_one_brought() {
    let Some(world) = node() else { return };
    world.module("base").unassigned().parameter("base/value", "default");
    world.module("m").requires("after base");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("it-ran");
    // Neither a master nor rsync is needed any more, and what the master has now is not looked at.
    world
        .module("m")
        .script("10.sh", "cat /var/disco/parameters/$(hostname)/parameters/base/value; echo new");
    world.publish();
    world.setting("disco/client/cmds/rsync", "no-such-rsync");
    let dance = world.disco(&["dance", "--no-fetch"]);
    dance.succeeds().stdout_has("it-ran").stdout_lacks("new");
    assert!(world.exists("/etc/it-ran") && world.exists("/etc/from-m"));
    world.disco(&["report"]).succeeds().stdout_lacks("fetch");
    // Nothing of the run is in the cache.
    assert!(!world.exists(&format!("/var/disco/parameters/{NODE}/parameters/base")));
    world.run(&["rm", "/var/disco/parameters/disco/server/uri"]).succeeds();
    world.setting("disco/client/fetch", "false");
    world.disco(&["dance"]).succeeds().stdout_has("it-ran");
    world.disco(&["settings"]).succeeds().stdout_has("parameter disco/client/fetch");
}

#[test]
fn without_a_fetch_what_was_never_fetched_is_named() {
    let Some(world) = node() else { return };
    let out = world.disco(&["dance", "--no-fetch"]);
    out.exits(65).stderr_has(&format!("no fetch has brought the parameters of {NODE}")).stderr_has("hint: ");
    world.module("m").requires("after other");
    world.module("other").script("10.sh", "true");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    world.run(&["rm", "-r", "/var/disco/modules/other"]).succeeds();
    let out = world.disco(&["dance", "--no-fetch"]);
    out.exits(65).stderr_has("no fetch has brought module other");
    nothing_ran(&world, &out);
}
