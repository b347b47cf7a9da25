//! Services under a real systemd, reconfigured by modules: each restarts once, with the new file, and comes back with the old
//! one where a health check fails.

use crate::world::World;

/// A node with a service `web` that runs as its unit file and `/etc/web.conf` say; what it saw when it started and when it
/// was stopped is in `/run/web.log`.
fn node() -> Option<World> {
    let world = World::with_systemd()?;
    world.write("/etc/web.conf", "old\n");
    world.write("/etc/systemd/system/web.service", &unit("old"));
    world.sh("systemctl daemon-reload; systemctl enable --quiet --now web").succeeds();
    world.wait_until("the service runs", || log(&world) == "start old old\n");
    Some(world)
}

fn unit(version: &str) -> String {
    let tells =
        |verb: &str| format!("/bin/sh -c 'echo {verb} {version} $(cat /etc/web.conf) >>/run/web.log'");
    format!(
        "[Unit]\nDescription=A test\n[Service]\nExecStartPre={}\nExecStart=sleep 1000002\nExecStop={}\n[Install]\nWantedBy=multi-user.target\n",
        tells("start"),
        tells("stop")
    )
}

fn log(world: &World) -> String {
    world.sh("cat /run/web.log 2>/dev/null; true").stdout.clone()
}

fn pid(world: &World, unit: &str) -> String {
    world.run(&["systemctl", "show", "-p", "MainPID", "--value", unit]).succeeds().stdout.trim().to_owned()
}

/// A script that writes the unit anew and asks for a restart in more than one way.
fn reconfigures() -> String {
    let unit = unit("new");
    format!(
        "set -e; cat >/etc/systemd/system/web.service <<'E'\n{unit}E\necho new >/etc/web.conf
        systemctl restart web; systemctl reload-or-restart web.service; service web restart"
    )
}

#[test]
fn a_unit_that_has_changed_is_read_again_and_restarted_once() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", &reconfigures());
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has("warning: Would execute : systemctl daemon-reload\n");
    assert_eq!(log(&world), "start old old\n");
    let live = world.disco(&["dance"]);
    live.succeeds().stderr_has(
        "info: Executed : systemctl daemon-reload : done\ninfo: Executed : service web restart : done\n",
    );
    // The unit was stopped as the new one has it, for that was read before; each once.
    assert_eq!(log(&world), "start old old\nstop new new\nstart new new\n", "{live}");
    assert_eq!(world.run(&["systemctl", "show", "-p", "NeedDaemonReload", "--value", "web"]).stdout, "no\n");
    world.disco(&["dance"]).succeeds().stderr_has("Executed : service web restart");

    world.module("m").script("10.sh", "systemctl stop web; echo newer >/etc/web.conf; systemctl start web");
    world.publish();
    world.sh("rm /run/web.log").succeeds();
    world.disco(&["dance"]).succeeds();
    assert_eq!(log(&world), "stop new new\nstart new newer\n");
}

#[test]
fn a_failing_health_check_brings_back_the_old_unit_and_its_service() {
    let Some(world) = node() else { return };
    world.write("/etc/systemd/system/idle.service", "[Service]\nExecStart=sleep 1000003\n");
    world.sh("systemctl daemon-reload").succeeds();
    world
        .module("m")
        .script("10.sh", &format!("{}; systemctl start idle", reconfigures()))
        .any("check/10-web", "systemctl is-active web idle; cat /run/web.log; false");
    world.master();
    let before = world.manifest();
    let live = world.disco(&["dance"]);
    live.exits(1).stderr_has("active\nactive\nstart old old\nstop new new\nstart new new\n");
    live.stderr_has("Undone : the merge was taken back : m/check/10-web: exit status 1\n").stderr_has(
        "info: Brought back : systemctl daemon-reload : done\ninfo: Brought back : systemctl restart web : done\ninfo: Brought back : systemctl stop idle : done\n",
    );
    assert_eq!(world.manifest().since(&before), [""; 0], "{live}");
    assert_eq!(log(&world), "start old old\nstop new new\nstart new new\nstop old old\nstart old old\n");
    world.run(&["systemctl", "is-active", "web"]).succeeds();
    world.run(&["systemctl", "is-active", "idle"]).exits(3);
    assert_ne!(pid(&world, "web"), "0");
}
