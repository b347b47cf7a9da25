//! A NOOP dance tells the truth: a live dance of the same modules reports the same, byte for byte, and a second one nothing.

use crate::world::World;

#[track_caller]
fn noop_then_live_then_nothing(world: &World) {
    let before = world.manifest();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds();
    assert_eq!(world.manifest().since(&before), [""; 0], "a NOOP dance wrote");
    let told: String =
        noop.stdout.split_inclusive('\n').filter(|l| !l.starts_with("warning: Would execute")).collect();
    assert!(!noop.changes().is_empty(), "there is nothing to compare\n{noop}");
    world.disco(&["dance"]).succeeds().stdout_is(&told);
    let between = world.manifest();
    world.disco(&["dance"]).succeeds().reports_no_difference();
    assert_eq!(world.manifest().since(&between), [""; 0], "a dance without differences wrote");
}

#[test]
fn of_the_seeds_example() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.example();
    world.master();
    noop_then_live_then_nothing(&world);
}

#[test]
fn of_what_a_real_node_would_want() {
    let Some(world) = World::new() else { return };
    world.example();
    world.assign(&["sshd-hardening", "admin-user", "motd"]);
    world.parameter("admin_user/name", "operator-1");
    world.parameter("admin_user/key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample operator-1");
    world.parameter("sshd/max_auth_tries", "5");
    world.master();
    noop_then_live_then_nothing(&world);
    world
        .sh("stat -c '%U:%G %a' ~operator-1/.ssh ~operator-1/.ssh/authorized_keys")
        .succeeds()
        .stdout_is("operator-1:operator-1 700\noperator-1:operator-1 600\n");
    assert!(world.read("/home/operator-1/.ssh/authorized_keys").ends_with("Example operator-1\n"));
    let drop_in = world.read("/etc/ssh/sshd_config.d/50-disco.conf");
    assert!(
        drop_in.contains("\nMaxAuthTries 5\n") && drop_in.contains("\nPasswordAuthentication no\n"),
        "{drop_in}"
    );
    let motd = world.read("/etc/motd");
    let kernel = world.run(&["uname", "-rm"]).succeeds().stdout.trim().to_owned();
    let system = world.sh(". /etc/os-release; echo $PRETTY_NAME").succeeds().stdout.trim().to_owned();
    for fact in ["localhost.localdomain", kernel.as_str(), system.as_str(), "GiB"] {
        assert!(motd.contains(fact), "{fact} is not in\n{motd}");
    }
}

#[test]
fn of_every_kind_of_change() {
    let Some(world) = World::new() else { return };
    world.sh("mkdir -p /srv/d/sub; cd /srv/d; seq 9 >lines; echo x >gone; echo x >mode; ln -s a link; echo y >sub/f").succeeds();
    world.module("m").script(
        "10.sh",
        r#"set -e; cd /srv/d
        sed -i 's/5/five/' lines; rm -f gone; chmod 4711 mode; chown 12:34 mode; ln -sfn b link
        printf 'no newline' >bare; printf '\0\1\2' >binary; : >empty; mkdir -p new/deep; echo z >new/deep/z
        rm -rf sub; mkdir sub; echo w >sub/other; [ -p fifo ] || mkfifo fifo
        setfattr -n user.note -v hello lines; touch 'odd name
with newline'"#,
    );
    world.master();
    noop_then_live_then_nothing(&world);
}

#[test]
fn a_rewrite_with_equal_content_is_no_change() {
    let Some(world) = World::new() else { return };
    world.module("m").script(
        "10.sh",
        "cp -a /etc/passwd /etc/new; mv /etc/new /etc/passwd; touch /etc/group; echo rewritten",
    );
    world.master();
    let before = world.manifest();
    world.disco(&["dance"]).succeeds().stdout_has("rewritten\n").reports_no_difference();
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

#[test]
fn a_modified_file_shows_only_the_attributes_that_differ() {
    let Some(world) = World::new() else { return };
    world.write("/etc/lines", "one\ntwo\nthree\n");
    world.write("/etc/mode", "same\n");
    world.module("m").script("10.sh", "sed -i 's/two/2/' /etc/lines; chmod 600 /etc/mode");
    world.master();
    let md5 = |text: &str| format!("{:x}", md5::compute(text));
    let (before, after) = (md5("one\ntwo\nthree\n"), md5("one\n2\nthree\n"));
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has(&format!(
        "info: File: file: /etc/lines : Modified : md5=[{before} => {after}]\n2c2\n< two\n---\n> 2\n"
    ));
    noop.stdout_has("info: File: file: /etc/mode : Modified : ");
    noop.stdout_has("mode=[81a4 => 8180]").stdout_has("perms=[root:root 644 => root:root 600]");
}

#[test]
fn only_runs_what_is_named_and_what_it_requires() {
    let Some(world) = World::new() else { return };
    world.module("base").script("10.sh", "echo base >/etc/base");
    world.module("top").requires("after base").script("10.sh", "echo top >/etc/top");
    world.module("other").script("10.sh", "echo other >/etc/other");
    world.master();
    let shown = world.disco(&["dance", "--noop", "--only", "top"]);
    shown.succeeds().stdout_has("Processing base\n").stdout_has("Processing top\n").stdout_lacks("other");
    world.disco(&["dance", "--noop", "--only", "stranger"]).exits(64).stderr_has("stranger is no module of");
}

#[test]
fn detailed_exit_codes_tell_nothing_changes_failures_and_both_apart() {
    let Some(world) = World::new() else { return };
    world.module("m");
    world.master();
    let module = |script: &str| {
        world.remove_module("m");
        world.module("m").script("10.sh", script);
        world.publish();
    };
    let dance = |mode: &[&str]| world.disco(&[&["dance", "--detailed-exitcodes"], mode].concat());
    module("echo x >/etc/x");
    dance(&["--noop"]).exits(2);
    dance(&[]).exits(2);
    dance(&["--noop"]).exits(0);
    dance(&[]).exits(0);
    module("exit 3");
    dance(&[]).exits(4);
    module("echo y >/etc/x; exit 3");
    dance(&[]).exits(6);
    assert_eq!(world.read("/etc/x"), "x\n");
}
