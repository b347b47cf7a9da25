//! Failures 6 and 7 of the first disco: cycles, lone and missing modules; templates.

use crate::world::World;

// 6. Cycles ran, lone modules never ran, missing modules were "processed".

#[test]
fn f6_a_cycle_is_an_error_that_names_its_modules_and_nothing_runs() {
    let Some(world) = World::new() else { return };
    world.module("ring-a").requires("after ring-b").script("10.sh", "echo ran; touch /etc/ran");
    world.module("ring-b").requires("after ring-c").script("10.sh", "echo ran; touch /etc/ran");
    world.module("ring-c").requires("after ring-a").script("10.sh", "echo ran; touch /etc/ran");
    world.module("lone").script("10.sh", "echo ran; touch /etc/ran");
    world.master();
    let out = world.disco(&["dance"]);
    out.exits(65)
        .stdout_is("")
        .stderr_has("ring-a")
        .stderr_has("ring-b")
        .stderr_has("ring-c")
        .stderr_lacks("lone");
    assert!(!world.exists("/etc/ran"));
}

#[test]
fn f6_modules_without_requirements_run_and_the_order_holds() {
    let Some(world) = World::new() else { return };
    world.module("lone").script("10.sh", "touch /etc/lone");
    world.module("last").requires("# comment\nafter middle\n").script("10.sh", ":");
    world.module("middle").requires("first").script("10.sh", ":").unassigned();
    world.module("first").requires("before also").script("10.sh", ":").unassigned();
    world.module("also").requires("").script("10.sh", "touch /etc/also").unassigned();
    world.module("unrelated").script("10.sh", "touch /etc/unrelated").unassigned();
    world.master();
    let out = world.disco(&["dance"]);
    let order: Vec<&str> =
        out.succeeds().stdout.lines().filter_map(|l| l.strip_prefix("info: Processing ")).collect();
    let at = |name: &str| {
        order.iter().position(|m| *m == name).unwrap_or_else(|| panic!("{name} did not run\n{out}"))
    };
    assert_eq!(order.len(), 5, "{out}");
    assert!(at("first") < at("middle") && at("middle") < at("last") && at("first") < at("also"), "{out}");
    assert!(world.exists("/etc/lone") && world.exists("/etc/also") && !world.exists("/etc/unrelated"));
    let again: Vec<String> =
        world.disco(&["dance", "--noop"]).succeeds().stdout.lines().map(String::from).collect();
    let again: Vec<&str> = again.iter().filter_map(|l| l.strip_prefix("info: Processing ")).collect();
    assert_eq!(order, again, "the order is not stable");
}

#[test]
fn f6_a_missing_required_module_is_an_error_before_anything_runs() {
    let Some(world) = World::new() else { return };
    world.module("here").requires("after not-there").script("10.sh", "echo ran; touch /etc/ran");
    world.master();
    let out = world.disco(&["dance"]);
    out.exits(65).stdout_is("").stderr_has("not-there");
    assert!(!world.exists("/etc/ran"));
}

// 7. A failing template installed what it had printed; each run rewrote every template.

#[test]
fn f7_a_failing_template_installs_nothing_and_fails_its_module() {
    let Some(world) = World::new() else { return };
    let templates = [
        ("etc/half.cfg", "echo half; exit 4", "exit status 4"),
        ("etc/tera.cfg.tera", "line one\n{{ params.nosuch }}\n", "nosuch"),
        ("etc/syntax.cfg.tera", "one\ntwo {% if %}", "line 2"),
    ];
    world.master();
    for (name, text, reason) in templates {
        world.module("templated").template(name, text).script("10.sh", "echo script-ran");
        world.publish();
        let before = world.manifest();
        let out = world.disco(&["dance"]);
        out.exits(1)
            .stdout_lacks("script-ran")
            .stderr_has("error: templated: ")
            .stderr_has(name)
            .stderr_has(reason);
        assert_eq!(world.manifest().since(&before), [""; 0], "{name}");
        world.remove_module("templated");
    }
}

#[test]
fn f7_a_second_run_of_templates_and_files_reports_nothing_and_writes_nothing() {
    let Some(world) = World::new() else { return };
    world.parameter("colour", "green");
    world
        .module("m")
        .parameter("colour", "never: the node's own value wins")
        .parameter("shape", "round")
        .template("etc/m/bash.cfg", "echo colour=$(cat /var/disco/parameters/$(hostname)/parameters/colour)")
        .template("etc/m/tera.cfg.tera", "{{ params.colour }} {{ params.shape }} on {{ hostname }}\n")
        .file("etc/m/plain", 0o604, "plain\n")
        .file("usr/local/bin/tool", 0o755, "#!/bin/sh\necho tool\n");
    world.master();
    world.disco(&["dance"]).succeeds();
    assert_eq!(world.read("/etc/m/bash.cfg"), "colour=green\n");
    assert_eq!(world.read("/etc/m/tera.cfg"), "green round on localhost.localdomain\n");
    world.run(&["stat", "-c", "%U:%G %a", "/etc/m/plain"]).succeeds().stdout_is("root:root 604\n");
    world.run(&["/usr/local/bin/tool"]).succeeds().stdout_is("tool\n");
    let before = world.manifest();
    world.disco(&["dance"]).succeeds().reports_no_difference();
    assert_eq!(world.manifest().since(&before), [""; 0]);
}
