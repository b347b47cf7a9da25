//! What somebody sees who uses disco for the first time, or takes a wrong turn: no other output than what helps.

use crate::world::World;

#[test]
fn a_node_without_modules_is_told_how_to_get_one() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", ":").unassigned();
    world.master();
    world
        .disco(&["dance", "--noop"])
        .succeeds()
        .stderr_has("warning: localhost.localdomain has no modules: ")
        .stderr_has("parameters/localhost.localdomain/modules/NAME");
}

#[test]
fn a_bad_file_of_a_module_is_named_as_it_is_on_the_master() {
    let Some(world) = World::new() else { return };
    world.module("m").requires("after b\n\nafterr c\n").script("10.sh", ":");
    world.master();
    world
        .disco(&["dance", "--noop"])
        .exits(65)
        .stderr_has("error: module m: requires, line 3: \"afterr c\" is not `after MODULE`")
        .stderr_lacks("scratch");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_and_a_reader_that_has_left_is_none() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo said");
    world.master();
    for command in ["settings", "man", "completions bash", "dance --noop", "dance", "param dump"] {
        world
            .sh(&format!("disco {command} >/dev/full"))
            .exits(74)
            .stderr_has("error: cannot write the result to standard output: No space left on device");
        world.sh(&format!("set -o pipefail; disco {command} | true")).succeeds();
    }
    world.sh("disco --version >/dev/full").exits(74);
    world.sh("disco dance 2>/dev/full").succeeds();
}

#[test]
fn a_report_of_a_run_that_did_not_succeed_says_so() {
    let Some(world) = World::new() else { return };
    world.disco(&["dance", "--noop"]).exits(78);
    world.disco(&["report"]).succeeds().stdout_is("").stderr_has(": not started: no master is set");
    world.module("m").script("10.sh", "exit 3");
    world.master();
    world.disco(&["dance"]).exits(1);
    world.disco(&["report"]).succeeds().stdout_has("report: exit: 3").stderr_has(": failed");
}

#[test]
fn without_root_the_way_out_is_named() {
    let Some(world) = World::new() else { return };
    world.setting("server/uri", "/nowhere");
    for command in ["dance", "dance --noop", "param set a b"] {
        world
            .sh(&format!("chmod 755 /var/disco; su nobody -s /bin/bash -c 'disco {command}'"))
            .exits(77)
            .stderr_has("error: ")
            .stderr_has("hint: run it as root");
    }
}

#[test]
fn bash_reads_its_completions_and_knows_the_commands() {
    let Some(world) = World::new() else { return };
    let script = "set -eo pipefail; disco completions bash >/tmp/c; source /tmp/c
        COMP_WORDS=(disco da); COMP_CWORD=1; _disco disco da disco; echo \"${COMPREPLY[*]}\"
        for shell in zsh fish elvish; do disco completions $shell | grep -q dance; done";
    world.sh(script).succeeds().stdout_is("dance\n");
}

#[test]
fn where_there_is_nothing_yet_the_next_command_is_named() {
    let Some(world) = World::new() else { return };
    world.disco(&["--home", "/tmp/none", "runs"]).succeeds().stderr_has("`disco dance --noop` makes one");
    world.disco(&["--home", "/tmp/none", "report"]).exits(1).stderr_has("`disco dance --noop` makes one");
    world.disco(&["--home", "/tmp/none", "settings"]).succeeds().stdout_has("(not set)");
    world
        .disco(&["--home", "/tmp/none", "module", "lint"])
        .exits(74)
        .stderr_has("hint: name a folder of modules with --path");
    world
        .disco(&["--home", "/tmp/none", "module", "graph"])
        .exits(74)
        .stderr_has("hint: name a folder of modules with --folder");
    let new = "cd /tmp && script -qec 'disco module new m-1 --path mods' /dev/null";
    world.sh(new).succeeds().stdout_has("check it: disco module lint --path mods m-1");
    world.sh("cd /tmp && disco module lint --folder mods m-1").succeeds();
}
