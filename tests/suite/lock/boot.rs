//! A node with systemd that is started anew while it holds the lock, and its lock server, which is the service that disco brings.

use std::path::{Path, PathBuf};

use super::Locks;
use crate::world::{NODE, World};

/// As `disco dlm init` writes it, with the certificates that the node has.
const CONFIGURE: &str = r#"
disco dlm init >/dev/null
for key in certificate key client_ca; do sed -i "0,/^# $key = /s//$key = /" /etc/disco/dlm.toml; done
install -d /etc/disco/dlm
install -m 644 /srv/locks/ca/ca.pem /etc/disco/dlm
install -m 644 /srv/locks/ca/issued/localhost.pem /etc/disco/dlm/server.pem
install -m 640 -g disco-dlm /srv/locks/ca/issued/localhost.key /etc/disco/dlm/server.key
"#;

/// A node on that disk, as it is after `systemctl enable`.
fn node(disk: &Path) -> Option<World> {
    let world = World::with_systemd_on(Some(disk))?;
    let dist = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dist");
    for unit in ["disco-dlm", "disco-lock-release", "disco-recover", "disco-recover-files"] {
        let path = format!("systemd/{unit}.service");
        world.install(&format!("/etc/systemd/system/{unit}.service"), "644", &dist.join(path));
    }
    world.install("/usr/lib/sysusers.d/disco.conf", "644", &dist.join("sysusers.d/disco.conf"));
    world.sh("systemd-sysusers && systemctl daemon-reload").succeeds();
    let locks = Locks::on(world);
    locks.world.sh(CONFIGURE).succeeds();
    let world = locks.world;
    world.disco(&["dlm", "host", "add", NODE]).succeeds();
    world
        .sh("systemctl enable --quiet --now disco-dlm; systemctl enable --quiet disco-recover-files disco-recover disco-lock-release")
        .succeeds();
    let there = || world.disco(&["lock", "whoami"]).status == Some(0);
    world.wait_until("the lock server is there", || {
        there() || world.sh("systemctl is-failed -q disco-dlm").status == Some(0)
    });
    assert!(
        there(),
        "{}",
        world.sh("journalctl --no-pager --unit disco-dlm; ls -la /var/lib/disco-dlm; disco lock whoami")
    );
    Some(world)
}

/// The same disk, started anew by systemd's own reboot.
fn next(world: World, disk: &Path) -> World {
    let first = format!("/proc/{}", world.pid());
    world.wait_until("the machine goes down", || !Path::new(&first).exists());
    drop(world);
    World::with_systemd_on(Some(disk)).expect("it started before")
}

fn is_released(world: &World) -> bool {
    !world.exists("/var/disco/cluster-lock/held.json")
}

#[test]
fn a_dance_that_restarts_the_machine_gives_the_lock_back_after_it_is_up() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(world) = node(disk.path()) else { return };
    world.sh("systemd-analyze security --no-pager disco-dlm | tail -n 1").succeeds().stdout_has("OK");
    world.setting("disco/dlm/lock", "web");
    world.setting("disco/client/allow_reboot", "true");
    world.module("m").script("10.sh", "test -e /etc/x || { echo x >/etc/x; systemctl reboot; }");
    world.master();
    world.sh("setsid disco dance </dev/null >/var/said 2>&1 &").succeeds();
    let world = next(world, disk.path());
    world.wait_until("the lock is given back", || is_released(&world));
    let said =
        world.sh("cat /var/said; journalctl --boot --no-pager --unit disco-lock-release --unit disco-dlm");
    assert_eq!(world.read("/etc/x"), "x\n", "{said}");
    said.stdout_has("Lock : web : kept until the machine has been started anew")
        .stdout_has("web: released, the machine has been started anew");
    world.disco(&["lock", "events", "web"]).succeeds().stdout_has("release");
    world.sh("systemctl is-failed disco-lock-release disco-dlm").exits(1);
}

#[test]
fn a_command_that_restarts_the_machine_keeps_the_lock_over_that() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(world) = node(disk.path()) else { return };
    world
        .sh("setsid disco lock run web --over-reboot -- systemctl reboot </dev/null >/var/said 2>&1 &")
        .succeeds();
    let world = next(world, disk.path());
    world.wait_until("the lock is given back", || is_released(&world));
    let said = world.sh("cat /var/said; journalctl --boot --no-pager --unit disco-lock-release");
    said.stdout_has("web: released, the machine has been started anew");
    let events = world.disco(&["lock", "events", "web"]);
    events.succeeds().stdout_has("acquire").stdout_has("release");
}
