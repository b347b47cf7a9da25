//! What steps reach of the network: the node's package sources and nothing else, all, or nothing. The hosts are real servers
//! on a hermetic node (network.py), a name server among them.

use crate::world::{Output, World};

const LABEL: &str = "deb.world.example";

/// A node whose apt has one source, a server of its own, where the package `hello-world` is.
fn node() -> Option<World> {
    let world = World::new()?;
    world.sh("set -e; for last in 10 11 12 53; do ip addr add 192.0.2.$last/32 dev lo; done; ip addr add 2001:db8:1::10/128 dev lo").succeeds();
    world.write("/tmp/servers.py", include_str!("network.py"));
    world
        .sh(r#"set -e
        mkdir -p /tmp/deb/DEBIAN /tmp/deb/usr/share/hello-world /srv/repository
        printf 'Package: hello-world\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n' >/tmp/deb/DEBIAN/control
        echo hello >/tmp/deb/usr/share/hello-world/hello
        dpkg-deb --build /tmp/deb /srv/repository/hello-world_1_all.deb >/dev/null
        cd /srv/repository
        { dpkg-deb -f hello-world_1_all.deb
          echo "Filename: ./hello-world_1_all.deb"; echo "Size: $(stat -c %s hello-world_1_all.deb)"
          echo "SHA256: $(sha256sum hello-world_1_all.deb | cut -d' ' -f1)"; echo; } >Packages
        head -c 3000000 /dev/urandom >large
        rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
        echo 'nameserver 192.0.2.53' >/etc/resolv.conf"#)
        .succeeds();
    source(&world, "http://deb.world.example");
    world.sh("setsid python3 /tmp/servers.py </dev/null >/tmp/servers.log 2>&1 &").succeeds();
    world.wait_until("the servers run", || world.exists("/tmp/up"));
    Some(world)
}

fn source(world: &World, uri: &str) {
    world.write("/etc/apt/sources.list", &format!("deb [trusted=yes] {uri} ./\n"));
}

const INSTALL: &str = "set -e; apt-get update; apt-get install -y hello-world";

/// What a `disco try` of a script said, as one step with that network, where one is named.
fn tried(world: &World, network: Option<&str>, script: &str) -> Output {
    let network = network.map(|network| vec!["--network", network]).unwrap_or_default();
    world.run(&[&["disco", "try"], &network[..], &["--", "bash", "-c", script]].concat())
}

/// Who has answered, of those that a script asks.
fn answered(out: &Output) -> Vec<&str> {
    out.stdout.lines().filter(|line| line.contains(':') && line.as_bytes()[0].is_ascii_digit()).collect()
}

/// Asks all who might answer: by name, and by address, with the name of one that may be reached.
const ASK: &str = "get() { curl -sS -m 5 \"$@\" || true; }
get http://deb.world.example/who
get http://other.world.example/who
get http://192.0.2.11/who
get -H 'Host: deb.world.example' http://192.0.2.11:8080/who
get http://192.0.2.10:3142/who
get http://127.0.0.1/who
get http://127.0.0.1:5432/who
get http://localhost:5432/who
get --resolve deb.world.example:80:192.0.2.11 http://deb.world.example/who
true";

#[test]
fn packages_are_installed_from_the_nodes_own_source_and_the_report_is_exact() {
    let Some(world) = node() else { return };
    world.module("m").script("10.sh", INSTALL);
    world.master();
    let before = world.manifest();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has("/usr/share/hello-world/hello : Created").stdout_lacks("Stopped");
    noop.stderr_has("; exact").stderr_lacks("warning");
    assert_eq!(world.manifest().since(&before), [""; 0], "NOOP changed something");
    world.disco(&["dance"]).succeeds();
    world.run(&["dpkg", "-s", "hello-world"]).succeeds().stdout_has("Status: install ok installed");
    assert_eq!(world.read("/etc/resolv.conf"), "nameserver 192.0.2.53\n");
}

#[test]
fn nobody_else_is_reached_and_who_asks_for_their_names_is_told_of() {
    let Some(world) = node() else { return };
    let out = tried(&world, None, ASK);
    out.succeeds();
    assert_eq!(answered(&out), ["192.0.2.10:80"], "{out}");
    out.stdout_has("warning: Stopped : resolve : other.world.example : refused").stderr_has("approximate: ");
    // Whoever asks is known, with the line.
    world.module("m").script("10.sh", "true\ncurl -sS http://other.world.example || true\n");
    world.master();
    let told = "warning: Stopped : resolve : other.world.example : refused, by curl, line 2\n";
    world.disco(&["dance", "--noop"]).succeeds().stdout_has(told);
    // What a step writes has no say.
    let script = format!(
        "echo '192.0.2.11 deb.world.example' >>/etc/hosts
         echo 'deb http://other.world.example x main' >>/etc/apt/sources.list; {ASK}"
    );
    assert_eq!(answered(&tried(&world, Some("fetch"), &script)), [""; 0]);
    let asked = world.read("/tmp/asked");
    assert!(asked.lines().all(|line| line.starts_with("192.0.2.10:80 ")), "{asked}");
}

#[test]
fn with_none_apt_fails_in_words_and_with_host_all_is_reached_and_unknown() {
    let Some(world) = node() else { return };
    let script = format!("apt-get -o Acquire::Retries=0 update; {ASK}");
    let none = tried(&world, Some("none"), &script);
    none.succeeds();
    assert!(
        none.stdout.contains("resolving 'deb.world.example'") || none.stderr.contains("resolving"),
        "{none}"
    );
    assert_eq!((answered(&none), world.exists("/tmp/asked")), (vec![], false));
    let host = tried(&world, Some("host"), ASK);
    host.succeeds().stderr_has("unknown: ").stdout_lacks("resolve");
    let who = answered(&host);
    assert!(who.len() == 9 && who.contains(&"127.0.0.1:5432") && who.contains(&"192.0.2.11:8080"), "{host}");
}

#[test]
fn a_setting_names_further_hosts_and_a_wildcard_leads_to_no_address_of_the_machines_own() {
    let Some(world) = node() else { return };
    world.setting("disco/client/network_hosts", "other.world.example:8080 *.wild.example");
    let out = tried(
        &world,
        None,
        "for host in other.world.example:8080 other.world.example there.wild.example here.wild.example
         do curl -sS -m 5 http://$host/who || true; done",
    );
    assert_eq!(answered(&out), ["192.0.2.11:8080", "192.0.2.11:80"], "{out}");
    out.stdout_has("Stopped : resolve : here.wild.example : refused");
    world.setting("disco/client/network_hosts", "http://x/");
    tried(&world, None, "true").exits(78).stderr_has("\"http://x/\" is no host");
}

#[test]
fn a_proxy_of_apt_and_an_address_of_the_nodes_own_are_reached_if_a_source_says_so() {
    let Some(world) = node() else { return };
    for (uri, proxy) in [
        ("http://only-by-proxy.example", "http://192.0.2.10:3142"),
        ("http://localhost:5432", ""),
        ("http://[2001:db8:1::10]:8080", ""),
        ("mirror+file:/etc/mirrors", ""),
    ] {
        source(&world, uri);
        world.write("/etc/mirrors", "http://192.0.2.11:8080/\n");
        world.write("/etc/apt/apt.conf.d/01proxy", &format!("Acquire::http::Proxy \"{proxy}\";\n"));
        let out = tried(&world, None, INSTALL);
        out.succeeds().stdout_has("/usr/share/hello-world/hello : Created").stderr_has("; exact");
    }
    let asked = world.read("/tmp/asked");
    for asked_for in [
        "192.0.2.10:3142 http://only-by-proxy.example/./hello-world_1_all.deb\n",
        "127.0.0.1:5432 /./hello-world_1_all.deb\n",
        "2001:db8:1::10:8080 /./hello-world_1_all.deb\n",
        "192.0.2.11:8080 /./hello-world_1_all.deb\n",
    ] {
        assert!(asked.contains(asked_for), "{asked_for} is missing: {asked}");
    }
}

#[test]
fn another_roots_sources_count_for_it_and_name_no_address_of_this_machine() {
    let Some(world) = node() else { return };
    world
        .sh("mkdir /tmp/image /tmp/whole && mount -t tmpfs whole /tmp/whole && mkdir /tmp/whole/u /tmp/whole/w \
             && mount -t overlay -o lowerdir=/,upperdir=/tmp/whole/u,workdir=/tmp/whole/w whole /tmp/image")
        .succeeds();
    world.write(
        "/tmp/image/etc/apt/sources.list",
        "deb http://other.world.example ./\ndeb http://localhost:5432 ./\ndeb http://127.0.0.1/ ./\n",
    );
    let out = world.run(&["disco", "try", "--root", "/tmp/image", "--", "bash", "-c", ASK]);
    out.succeeds();
    assert_eq!(answered(&out), ["192.0.2.11:80", "192.0.2.11:80", "192.0.2.11:80"], "{out}");
}

#[test]
fn what_is_fetched_is_whole_however_many_fetch_at_once() {
    let Some(world) = node() else { return };
    let script = "sum=$(md5sum </srv/repository/large)
        for i in {1..150}; do { [ \"$(curl -sS http://deb.world.example/large | md5sum)\" = \"$sum\" ] && echo same; } & done | sort | uniq -c";
    tried(&world, None, script).succeeds().stdout_has(" 150 same\n");
}

#[test]
fn a_line_that_names_no_host_is_told_and_passed_over() {
    let Some(world) = node() else { return };
    world.write("/etc/yum.repos.d/odd.repo", "[odd]\nbaseurl=http://$host/x\n");
    let out = tried(&world, None, INSTALL);
    let odd = "warning: Passed over, no step reaches it : /etc/yum.repos.d/odd.repo: \"http://$host/x\"";
    out.succeeds().stderr_has(odd).stderr_has("; exact");
}

#[test]
fn a_name_server_of_the_nodes_own_loopback_and_questions_over_tcp_are_answered() {
    let Some(world) = node() else { return };
    world.write("/etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch world.example\n");
    let tcp = r#"import socket, struct
def ask(*labels):
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    asked = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + name + struct.pack(">HH", 1, 1)
    server = socket.create_connection(("127.0.0.53", 53))
    server.sendall(struct.pack(">H", len(asked)) + asked)
    heard = server.makefile("rb")
    said = heard.read(struct.unpack(">H", heard.read(2))[0])
    print("code", said[3] & 15, "answers", said[7])
ask(b"deb", b"world", b"example")
ask(b"other", b"world", b"example")"#;
    let script =
        format!("curl -sS http://deb/who; curl -sS http://deb.world.example/who; python3 -c '{tcp}'");
    let out = tried(&world, None, &script);
    // The short name is none of the source's: only what the search list makes of it.
    assert_eq!(answered(&out), ["192.0.2.10:80", "192.0.2.10:80"], "{out}");
    out.stdout_has("code 0 answers 2\ncode 3 answers 0\n")
        .stdout_has("resolve : other.world.example : refused\n");
}

#[test]
fn who_is_not_root_reaches_the_same() {
    let Some(world) = node() else { return };
    let script = "curl -sS http://deb.world.example/who; curl -sS http://other.world.example/who
        curl -sS http://192.0.2.11/who; true";
    let home = "DISCO_HOME=/tmp/home disco try -- bash -c";
    world.write("/tmp/script", script);
    let out = world.sh(&format!(
        "umount /proc/sys; chmod 666 /dev/fuse; su nobody -s /bin/bash -c '{home} \"$(cat /tmp/script)\"'"
    ));
    out.succeeds().stdout_has("resolve : other.world.example : refused, by curl");
    assert_eq!(answered(&out), ["192.0.2.10:80"], "{out}");
}

#[test]
fn nothing_is_left_of_the_relays_when_disco_is_killed() {
    let Some(world) = node() else { return };
    world.sh("mkfifo /srv/repository/endless").succeeds();
    let before = world.processes();
    // A fifo without a writer is an answer that never comes.
    let script = format!("curl -sS http://{LABEL}/endless");
    let running = world.spawn(&["disco", "try", "--", "bash", "-c", &script]);
    world.wait_until("it fetches", || {
        world.exists("/tmp/asked") && world.read("/tmp/asked").contains("/endless")
    });
    running.signal("KILL");
    assert_eq!(running.wait().signal, Some(9));
    world.only_has(&before);
    let connections = world.sh("grep -c ' 01 ' /proc/net/tcp || true").stdout.clone();
    assert_eq!(connections.trim(), "0");
    tried(&world, None, "curl -sS http://deb.world.example/who").succeeds().stdout_has("192.0.2.10:80\n");
}
