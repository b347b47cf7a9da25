//! `disco param`, to the letter of the seed's example.

use crate::world::World;

const SEED: &str = r#"disco = {}
disco/client = {}
disco/client/cmds = {}
disco/client/cmds/rsync = rsync -qaWHe "ssh -i /home/disco/.ssh/id_rsa_disco"
disco/server = {}
disco/server/uri = disco@aklabs.net
"#;

fn set(world: &World, name: &str, value: &str) {
    world.command(&["disco", "param", "set", name]).stdin(value).run().succeeds().stdout_is("");
}

fn node() -> Option<World> {
    let world = World::new()?;
    set(&world, "disco/client/cmds/rsync", "rsync -qaWHe \"ssh -i /home/disco/.ssh/id_rsa_disco\"\n");
    set(&world, "disco/server/uri", "disco@aklabs.net");
    Some(world)
}

#[test]
fn dump_prints_the_seeds_text() {
    let Some(world) = node() else { return };
    world.disco(&["param", "dump"]).succeeds().stdout_is(SEED);
    // The old name works as a link to the one binary.
    world
        .sh("ln -s /usr/local/bin/disco /tmp/disco-param && /tmp/disco-param dump")
        .succeeds()
        .stdout_is(SEED);
    assert_eq!(world.read("/var/disco/parameters/disco/server/uri").trim_end(), "disco@aklabs.net");
}

#[test]
fn a_setting_that_no_run_could_read_is_not_set() {
    let Some(world) = node() else { return };
    for (name, value, why) in [
        ("schedule/interval", "30", "use 60 seconds at least"),
        ("schedule/interval", "abc", "use whole seconds"),
        ("schedule/blackout", "zone=Europe/Berlin", "it names no times: zone=NAME; "),
        ("upload/webhook", "http://10.9.9.9/x", "use https://"),
        ("client/network", "all", "use none, fetch or host"),
        ("dlm/url", "{}", "it is a value, not a folder"),
    ] {
        let name = format!("disco/{name}");
        let out = world.disco(&["param", "set", &name, value]);
        out.exits(78).stderr_has(&format!("(parameter {name}) cannot be used: {why}"));
        let lines = format!("a=1\n{name}={value}\n");
        world.command(&["disco", "param", "set", "-"]).stdin(&lines).run().exits(78).stderr_has(why);
    }
    // Nothing of it is there, and what is nobody's setting is nobody's business.
    world.disco(&["param", "dump"]).succeeds().stdout_is(SEED);
    world.disco(&["param", "set", "disco/schedule/interval", "3600"]).succeeds();
    world.disco(&["param", "set", "disco/mine/interval", "abc"]).succeeds();
    world.disco(&["param", "set", "schedule/interval", "abc"]).succeeds();
}

#[test]
fn get_prints_a_value_or_braces_for_a_folder() {
    let Some(world) = node() else { return };
    world.disco(&["param", "get", "disco/server/uri"]).succeeds().stdout_is("disco@aklabs.net\n");
    world.disco(&["param", "get", "disco/server"]).succeeds().stdout_is("{}\n");
    let absent = world.disco(&["param", "get", "disco/absent"]);
    assert_ne!(absent.status, Some(0), "{absent}");
    absent.stdout_is("").stderr_has("disco/absent");
}

#[test]
fn keys_are_sorted_names() {
    let Some(world) = node() else { return };
    world.disco(&["param", "keys"]).succeeds().stdout_is("disco\n");
    world.disco(&["param", "keys", "disco"]).succeeds().stdout_is("client\nserver\n");
}

#[test]
fn set_makes_folders_and_reads_many() {
    let Some(world) = node() else { return };
    world.disco(&["param", "set", "users/present", "{}"]).succeeds();
    world.disco(&["param", "get", "users/present"]).succeeds().stdout_is("{}\n");
    world.command(&["disco", "param", "set", "-"]).stdin("a/one=1\na/two=x=y\n").run().succeeds();
    world.disco(&["param", "get", "a/one"]).succeeds().stdout_is("1\n");
    world.disco(&["param", "get", "a/two"]).succeeds().stdout_is("x=y\n");
}

#[test]
fn delete_takes_a_value_and_with_r_a_folder() {
    let Some(world) = node() else { return };
    let refused = world.disco(&["param", "delete", "disco/client"]);
    assert_ne!(refused.status, Some(0), "{refused}");
    refused.stderr_has("-r");
    world.disco(&["param", "delete", "disco/server/uri"]).succeeds();
    world.disco(&["param", "delete", "-r", "disco/client"]).succeeds();
    world.disco(&["param", "dump"]).succeeds().stdout_is("disco = {}\ndisco/server = {}\n");
}

#[test]
fn names_that_would_leave_the_tree_are_refused() {
    let Some(world) = node() else { return };
    for name in ["/etc/passwd", "../outside", "a/../../outside", "a b", "a//b", ""] {
        let out = world.command(&["disco", "param", "set", name]).stdin("x").run();
        assert!(matches!(out.status, Some(64 | 65)), "{name:?}\n{out}");
        out.stdout_is("").stderr_has("parameter name");
    }
    world.sh("ln -s /etc /var/disco/parameters/escape").succeeds();
    let out = world.command(&["disco", "param", "set", "escape/owned"]).stdin("x").run();
    assert_ne!(out.status, Some(0), "{out}");
    assert!(!world.exists("/etc/owned"), "a link led out of the tree");
}

#[test]
fn a_dump_with_origins_shows_what_steps_see() {
    let Some(world) = World::new() else { return };
    world
        .module("web")
        .parameter("web/port", "80")
        .parameter("web/name", "default")
        .script("1", "cd /var/disco/parameters/$DISCO_NODE/parameters && grep -r . web | sort");
    world.parameter("web/name", "node");
    world.master();
    world.disco(&["param", "dump", "--origin", "disco/server/uri"]).succeeds().stderr_has("been fetched");
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("web/name:node\nweb/port:80\n");
    world.disco(&["param", "dump", "--origin"]).succeeds().stderr_is("").stdout_is(
        "disco = {}  # local
disco/server = {}  # local
disco/server/uri = rsync://127.0.0.1  # local
web = {}  # node
web/name = node  # node
web/port = 80  # default of web
",
    );
    world.disco(&["param", "dump", "--origin", "web/port", "--format", "json"]).succeeds().stdout_is(concat!(
        r#"{"parameters":[{"module":"web","name":"web/port","origin":"default","value":"80"}],"schema":1}"#,
        "\n"
    ));
    world.disco(&["param", "dump", "--origin", "web/none"]).exits(1).stderr_has("web/none");
}

#[test]
fn settings_say_where_each_value_came_from() {
    let Some(world) = node() else { return };
    let out =
        world.command(&["disco", "settings"]).env("DISCO_CLIENT_NETWORK", "host").env("NOOP", "true").run();
    let row = |name: &str| {
        let line = out.stdout.lines().find(|line| line.split_whitespace().any(|word| word == name));
        line.unwrap_or_else(|| panic!("no row for {name}\n{out}")).to_owned()
    };
    out.succeeds();
    assert!(
        row("server/uri").contains("disco@aklabs.net")
            && row("server/uri").contains("parameter disco/server/uri")
    );
    assert!(
        row("client/network").contains("host") && row("client/network").contains("env DISCO_CLIENT_NETWORK")
    );
    assert!(row("noop").contains("true") && row("noop").contains("env NOOP"), "{out}");
    assert!(row("home").contains("/var/disco") && row("home").contains("default"), "{out}");
    world.setting("disco/client/network", "everything");
    world
        .disco(&["settings"])
        .exits(78)
        .stderr_has("client/network")
        .stderr_has("everything")
        .stderr_has("none, fetch or host");
}
