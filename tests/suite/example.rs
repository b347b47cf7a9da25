//! modules-example, without disco: what it says of itself holds, and its scripts can run twice.

use std::fs;
use std::path::Path;

use crate::world::{NODE, World};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/modules-example");

#[test]
fn the_master_serves_every_module() {
    let conf = fs::read_to_string(format!("{EXAMPLE}/rsyncd.conf")).unwrap();
    assert!(conf.contains("\nsocket options = TCP_NODELAY\n"));
    for entry in fs::read_dir(format!("{EXAMPLE}/modules")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let section = format!("\n[{name}]\n    path = @HERE@/modules/{name}\n");
        assert!(conf.contains(&section), "{name} has no section in rsyncd.conf");
        let requires = fs::read_to_string(format!("{EXAMPLE}/modules/{name}/requires")).unwrap();
        for line in requires.lines().filter(|line| !line.starts_with('#')) {
            let needed = line.split(' ').next_back().unwrap();
            assert!(Path::new(&format!("{EXAMPLE}/modules/{needed}")).is_dir(), "{name} needs {needed}");
        }
    }
}

/// The scripts' own idempotence, so that "a second dance reports nothing" is theirs to keep.
#[test]
fn scripts_can_run_twice() {
    let Some(world) = World::new() else { return };
    world.example();
    world.parameter("admin_user/key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample key");
    world.publish();
    let lay = format!(
        "cd /tmp/master && cp -r modules parameters /var/disco/ && cd modules &&
         for m in */parameters; do rsync -a --ignore-existing $m /var/disco/parameters/{NODE}/ || exit; done"
    );
    world.sh(&lay).succeeds();
    let run = |module: &str| {
        let script = format!(
            "cd / && for s in /var/disco/modules/{module}/scripts/*; do DISCO_NODE={NODE} DISCO_MODULE={module} \
             DISCO_MODULE_DIR=/var/disco/modules/{module} DISCO_HOME=/var/disco bash $s || exit; done"
        );
        let out = world.sh(&script);
        out.succeeds();
        out
    };
    let start = world.manifest();
    run("admin-user").stderr_is("");
    let first = world.manifest();
    assert!(first.get("/home/ops/.ssh/authorized_keys").is_some_and(|what| what.contains("mode 100600")));
    assert!(!first.since(&start).is_empty());
    run("admin-user").stderr_is("");
    assert_eq!(first.objects(), world.manifest().objects());
}

#[test]
fn a_bad_ssh_configuration_fails_the_validation() {
    let Some(world) = World::new() else { return };
    world.write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
    world.example();
    world.assign(&["sshd-hardening"]);
    world.parameter("sshd/max_auth_tries", "banana");
    world.master();
    let drop_in = "/etc/ssh/sshd_config.d/50-disco.conf";
    for args in [&["dance", "--noop"][..], &["dance"]] {
        let out = world.disco(args);
        out.exits(1)
            .stderr_has("MaxAuthTries")
            .stderr_has("error: sshd-hardening: validate/10-sshd: exit status ");
        assert!(!world.exists(drop_in));
    }
    world.parameter("sshd/max_auth_tries", "3");
    world.publish();
    let out = world.disco(&["dance"]);
    assert_eq!(
        out.succeeds().changes().last().map(String::as_str),
        Some("/etc/ssh/sshd_config.d/50-disco.conf Created")
    );
    assert!(world.exists(drop_in) && !world.exists("/run/sshd"));
}
