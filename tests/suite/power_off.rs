//! A node with systemd that is switched off in the middle of a dance: what its next start makes of that.

use std::path::PathBuf;

use crate::world::World;

/// Waits in it while /run/hang is there, which no start of the machine leaves.
const HANGS: &str = "/bin/sh -c 'while [ -e /run/hang ]; do sleep 0.1; done'";

/// The node's disk, with the units of recovery, a service that shows which configuration it runs with, and one that hangs.
fn prepared(world: &World) {
    let dist = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dist/systemd");
    for unit in ["disco-recover-files.service", "disco-recover.service"] {
        world.install(&format!("/etc/systemd/system/{unit}"), "644", &dist.join(unit));
    }
    let service = |exec: &str| format!("[Service]\n{exec}\n[Install]\nWantedBy=multi-user.target\n");
    let shows = "ExecStart=/bin/sh -c 'cp /etc/shown.conf /var/shown; exec sleep 1000000'";
    world.write("/etc/systemd/system/shows.service", &service(shows));
    let hangs = format!("ExecStart=sleep 1000001\nExecReload={HANGS}\nExecStop={HANGS}");
    world.write("/etc/systemd/system/hangs.service", &service(&hangs));
    world.write("/etc/shown.conf", "old\n");
    world
        .sh("systemctl daemon-reload; systemctl enable --quiet disco-recover-files disco-recover; systemctl enable --quiet --now shows hangs")
        .succeeds();
    world.wait_until("the service runs", || world.exists("/var/shown"));
}

/// Ends the node. Its systemd may go a moment before disco does, which must not see an action fail by that.
fn switch_off(world: World) {
    world.sh("pkill -KILL -x disco").succeeds();
    drop(world);
}

fn is_idle(world: &World) -> bool {
    world.sh("ls -A /var/disco/journal").stdout.is_empty()
}

#[test]
fn what_was_merged_is_finished_by_the_next_start() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(world) = World::with_systemd_on(Some(disk.path())) else { return };
    prepared(&world);
    let script = "echo new >/etc/shown.conf; systemctl reload hangs; systemctl restart shows";
    world.module("m").script("10.sh", script);
    world.master();
    world.sh("touch /run/hang").succeeds();
    world.sh("setsid disco dance </dev/null >/dev/null 2>&1 &").succeeds();
    world.wait_until("its first action hangs", || world.read("/etc/shown.conf") == "new\n");
    assert_eq!(world.read("/var/shown"), "old\n", "the later action was to wait");
    switch_off(world);

    let Some(world) = World::with_systemd_on(Some(disk.path())) else { return };
    world.wait_until("all is finished", || is_idle(&world));
    let said =
        world.sh("journalctl --boot --unit disco-recover --unit disco-recover-files --no-pager; disco runs");
    assert_eq!(world.read("/etc/shown.conf"), "new\n", "{said}");
    world.wait_until("the service has it", || world.read("/var/shown") == "new\n");
    world.disco(&["runs"]).succeeds().stdout_has("merged");
    world.sh("systemctl is-failed disco-recover disco-recover-files").exits(1);
    world.disco(&["undo"]).succeeds();
    world.wait_until("the service is back", || world.read("/var/shown") == "old\n");
}

#[test]
fn what_was_only_prepared_never_was() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(world) = World::with_systemd_on(Some(disk.path())) else { return };
    prepared(&world);
    world.module("m").script("10.sh", "echo new >/etc/shown.conf; systemctl stop hangs");
    world.master();
    world.sh("touch /run/hang").succeeds();
    world.sh("setsid disco dance </dev/null >/dev/null 2>&1 &").succeeds();
    world.wait_until("its first action hangs", || {
        world.sh("systemctl is-active hangs").stdout.trim() == "deactivating"
    });
    switch_off(world);

    let Some(world) = World::with_systemd_on(Some(disk.path())) else { return };
    world.wait_until("it is cleared away", || is_idle(&world));
    assert_eq!(world.read("/etc/shown.conf"), "old\n");
    world.sh("systemctl is-active hangs shows").succeeds();
    world.sh("ls -A /var/disco/undo /var/disco/scratch").stdout_lacks("-");
}
