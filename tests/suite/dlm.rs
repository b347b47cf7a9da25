//! `disco dlm`: the configuration, hosts and users of a lock server, on its store.

use crate::world::World;

/// A world with a configuration whose store is where nothing else is.
fn server() -> Option<World> {
    let world = World::new()?;
    world.disco(&["dlm", "init"]).succeeds().stdout_has("/etc/disco/dlm.toml: written");
    assert_eq!(world.sh("stat -c %a /etc/disco/dlm.toml").succeeds().stdout.trim(), "600");
    Some(world)
}

#[test]
fn a_configuration_is_written_once_and_bad_ones_are_told() {
    let Some(world) = server() else { return };
    let again = world.disco(&["dlm", "init"]);
    assert_eq!(again.status, Some(73), "{again}");
    again.stderr_has("there is a configuration already: /etc/disco/dlm.toml");
    world.sh("sed -i s/^per_page/per_pgae/ /etc/disco/dlm.toml").succeeds();
    let bad = world.disco(&["dlm", "host", "ls"]);
    assert_eq!(bad.status, Some(78), "{bad}");
    bad.stderr_has("per_pgae: there is no such key; the nearest is per_page");
    let none = world.disco(&["dlm", "host", "ls", "--config", "/nowhere"]);
    assert_eq!(none.status, Some(78), "{none}");
    none.stderr_has("disco dlm init --config /nowhere");
    world.sh("echo 'store = \"sqlite:///proc/none/locks.db\"' > /etc/disco/dlm.toml").succeeds();
    let unavailable = world.disco(&["dlm", "host", "ls"]);
    assert_eq!(unavailable.status, Some(69), "{unavailable}");
    unavailable.stderr_has("/proc/none/locks.db");
}

#[test]
fn hosts_and_users_are_kept_and_no_secret_of_theirs() {
    let Some(world) = server() else { return };
    world.disco(&["dlm", "host", "add", "web1.example.com", "--group", "web"]).succeeds();
    let again = world.disco(&["dlm", "host", "add", "web1.example.com"]);
    assert_eq!(again.status, Some(73), "{again}");
    world.disco(&["dlm", "host", "set", "web1.example.com", "--may-acquire", "false"]).succeeds();
    let line = world.disco(&["dlm", "host", "ls", "--format", "json"]);
    line.succeeds().stdout_has("\"groups\":[\"web\"]").stdout_has("\"may_acquire\":false");
    world.disco(&["dlm", "host", "rm", "web1.example.com"]).succeeds();
    world.disco(&["dlm", "host", "ls", "--format", "json"]).succeeds().stdout_is("");

    let add = |password: &str| {
        world.command(&["disco", "dlm", "user", "add", "alice", "--role", "Manager"]).stdin(password).run()
    };
    assert_eq!(add("short\n").status, Some(64));
    add("a long password\n").succeeds();
    let nobody = world.disco(&["dlm", "user", "add", "bob", "--role", "Nobody", "--no-password"]);
    assert_eq!(nobody.status, Some(64), "{nobody}");
    nobody.stderr_has("the roles are Distributed Lock Manager, Manager, Viewer");
    let token = world.disco(&["dlm", "user", "token", "add", "alice", "ci"]).succeeds().stdout.clone();
    assert_eq!(token.trim_end().len(), 43);
    let listed = world.disco(&["dlm", "user", "ls", "--format", "json"]).succeeds().stdout.clone();
    assert!(listed.contains("\"tokens\":[\"ci\"]") && !listed.contains("argon2"), "{listed}");
    world.command(&["disco", "dlm", "user", "passwd", "alice"]).stdin("another long one\n").run().succeeds();
    // Neither the password nor the token is anywhere in the store.
    let kept =
        format!("grep -ac -e 'another long one' -e '{}' /var/lib/disco-dlm/locks.db*", token.trim_end());
    let found = world.sh(&kept).stdout.clone();
    assert!(found.lines().all(|line| line.ends_with(":0") || line == "0"), "{found}");
    world.disco(&["dlm", "user", "token", "rm", "alice", "ci"]).succeeds();
    world.disco(&["dlm", "expire", "--days", "1"]).succeeds();
    world.disco(&["dlm", "user", "rm", "alice"]).succeeds();
    let gone = world.disco(&["dlm", "user", "passwd", "alice"]);
    assert_eq!(gone.status, Some(1), "{gone}");
}

#[test]
fn the_packages_server_can_read_the_configuration_and_nobody_else() {
    let Some(world) = World::new() else { return };
    world.sh("echo disco-dlm:x:987: >>/etc/group").succeeds();
    let made = world.disco(&["dlm", "init"]);
    made.succeeds().stdout_has("-g disco-dlm KEY /etc/disco/dlm/server.key");
    assert_eq!(world.sh("stat -c '%a %u %g' /etc/disco/dlm.toml").succeeds().stdout.trim(), "640 0 987");
}
