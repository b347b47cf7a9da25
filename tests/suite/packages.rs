//! Real packages of Debian with a daemon, by the real dpkg: what a NOOP dance says of their installation is what plain dpkg
//! does on another node, and a live dance leaves the tree that plain dpkg leaves there. Then the daemon runs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::{Manifest, Output, Packages, World};

/// What is not the same on two nodes on which the same package was installed, and why. Everything else is compared;
/// `/proc`, `/sys`, `/dev` and `/tmp` apart.
const VOLATILE: [(&str, &str); 6] = [
    ("/run/", "of the running system, such as pid files; a manifest leaves it out"),
    ("/var/log/dpkg.log", "every line has its time"),
    ("/var/log/memcached.log", "the daemon makes it, when it starts"),
    ("/var/log/lighttpd/error.log", "the daemon makes it, when it starts"),
    ("/etc/ssh/ssh_host_", "new keys are random"),
    ("/var/cache/ldconfig/aux-cache", "inode numbers and times of libraries"),
];

/// Where the packages are on both nodes.
const FOLDER: &str = "/root/packages";

struct Case {
    package: &'static str,
    install: &'static str,
    /// The daemon's command line, at least its start.
    daemon: &'static str,
    /// What its maintainer script asks of the running system.
    asks: &'static str,
}

macro_rules! cases {
    ($($name:ident: $case:expr;)*) => { $(#[test] fn $name() { as_plain_dpkg(&$case); })* };
}

cases! {
    memcached_with_a_user_of_its_own: Case {
        package: "memcached",
        install: "dpkg -i /root/packages/*.deb",
        daemon: "/usr/bin/memcached -m 64 ",
        asks: "invoke-rc.d --skip-systemd-native memcached start",
    };
    at_with_a_spool_of_its_own: Case {
        package: "at",
        install: "dpkg -i /root/packages/*.deb",
        daemon: "/usr/sbin/atd",
        asks: "invoke-rc.d atd start",
    };
    lighttpd_with_folders_of_another_user: Case {
        package: "lighttpd",
        install: "dpkg -i /root/packages/*.deb",
        daemon: "/usr/sbin/lighttpd",
        asks: "invoke-rc.d --skip-systemd-native lighttpd start",
    };
    dnsmasq_with_libraries_that_it_needs: Case {
        package: "dnsmasq",
        install: "dpkg -i /root/packages/*.deb",
        daemon: "/usr/sbin/dnsmasq",
        asks: "invoke-rc.d --skip-systemd-native dnsmasq start",
    };
    nullmailer_with_debconf_a_pipe_and_set_id_programs: Case {
        package: "nullmailer",
        // Where the machine has another mail system.
        install: "dpkg --force-conflicts --force-overwrite -i /root/packages/*.deb",
        daemon: "/usr/sbin/nullmailer-send",
        asks: "invoke-rc.d nullmailer start",
    };
    openssh_which_the_machine_may_have: Case {
        package: "openssh-server",
        install: "dpkg -i /root/packages/*.deb",
        daemon: "sshd: /usr/sbin/sshd",
        asks: "invoke-rc.d --skip-systemd-native ssh start",
    };
    cron_with_a_group_and_a_package_before_it: Case {
        package: "cron",
        install: "dpkg -i /root/packages/cron-daemon-common_*.deb && dpkg -i /root/packages/cron_*.deb",
        daemon: "/usr/sbin/cron",
        asks: "invoke-rc.d --skip-systemd-native cron start",
    };
}

/// The same start for all: a node that has not the package, and on which a package may start its daemon.
fn prepare(world: &World, packages: &Packages, package: &str) {
    let runlevel =
        "[1] [00050] [~~  ] [runlevel] [~           ] [6.1] [0.0.0.0] [2026-01-01T00:00:00,000000+00:00]";
    // man-db's index, which reads every manual page of the machine, is not what is tested here.
    let script = format!(
        "rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update; echo '{runlevel}' | utmpdump -r >/run/utmp
         ! dpkg -s {package} >/dev/null 2>&1 || dpkg --force-depends --purge {package}"
    );
    world.sh(&script).succeeds();
    world.put_packages(packages, FOLDER);
}

#[track_caller]
fn as_plain_dpkg(case: &Case) {
    let Some(packages) = Packages::of(case.package) else { return };
    let (Some(dancing), Some(plain)) = (World::new(), World::new()) else { return };
    let Case { package, install, daemon, asks } = case;
    for world in [&dancing, &plain] {
        prepare(world, &packages, package);
        assert!(!runs(world, daemon));
    }
    let before = plain.manifest();
    // A daemon keeps the streams of whoever starts it, and a pipe would be waited on for as long as it lives.
    plain
        .sh(&format!("{{ {install}; }} </dev/null >/tmp/said 2>&1 || {{ cat /tmp/said; false; }}"))
        .succeeds();
    plain.wait_until("the daemon runs on the plain node", || runs(&plain, daemon));
    let installed = plain.manifest();

    let script = format!("set -e; {install}");
    dancing.module("m").script("10.sh", &script);
    dancing.master();
    let untouched = dancing.manifest();
    let noop = dancing.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has(&format!("warning: Would execute : {asks}\n"));
    let told = dancing.disco(&["dance", "--noop", "--format", "json"]);
    told.succeeds();
    assert_eq!(dancing.manifest().since(&untouched), [""; 0], "NOOP changed something");
    assert!(!runs(&dancing, daemon), "NOOP started the daemon");
    let (said, done) = (told_changes(&told), changes(&before, &installed));
    assert!(done.len() > 20, "there is little to compare: {done:?}");
    equal("what NOOP told", &said, "what plain dpkg did", &done);

    let live = dancing.disco(&["dance"]);
    live.succeeds().stderr_has(&format!("info: Executed : {asks} : done\n"));
    dancing.wait_until("the daemon runs after the merge", || runs(&dancing, daemon));
    same_state(&dancing, &plain, "after the installation");
    for world in [&dancing, &plain] {
        world.run(&["dpkg", "-s", package]).succeeds().stdout_has("Status: install ok installed");
        world.run(&["dpkg", "--verify", package]).succeeds().stdout_is("");
    }
    // dpkg gives what it unpacks the times of the archive.
    let times = format!("dpkg -L {package} | while read -r f; do [ -d $f ] || stat -c '%n %Y' $f; done");
    let unpacked = |world: &World| {
        let times = world.sh(&times).succeeds().stdout.clone();
        // Maintainer scripts may write conffiles of their own; their times are those of the installation.
        times.lines().filter(|line| !line.starts_with("/etc/")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(unpacked(&dancing), unpacked(&plain));

    for how in ["-r", "-P"] {
        for world in [&dancing, &plain] {
            world.run(&["dpkg", how, package]).succeeds();
            world.wait_until("the daemon has ended", || !runs(world, daemon));
        }
        same_state(&dancing, &plain, &format!("after dpkg {how}"));
    }
    dancing.run(&["dpkg", "-s", package]).exits(1);
}

#[test]
fn a_package_is_removed_in_a_dance_as_by_plain_dpkg() {
    let Some(packages) = Packages::of("memcached") else { return };
    let (Some(dancing), Some(plain)) = (World::new(), World::new()) else { return };
    dancing.module("m");
    dancing.master();
    for world in [&dancing, &plain] {
        prepare(world, &packages, "memcached");
        world.sh("dpkg -i /root/packages/*.deb </dev/null; service memcached stop").succeeds();
    }
    for how in ["-r", "-P"] {
        plain.run(&["dpkg", how, "memcached"]).succeeds();
        dancing.module("m").script("10.sh", &format!("dpkg {how} memcached"));
        dancing.publish();
        dancing.disco(&["dance"]).succeeds();
        same_state(&dancing, &plain, &format!("after dpkg {how}"));
    }
}

#[test]
fn a_package_goes_into_another_root_and_its_daemon_is_not_started() {
    let Some(packages) = Packages::of("memcached") else { return };
    let Some(world) = World::new() else { return };
    prepare(&world, &packages, "memcached");
    world
        .sh("mkdir /tmp/image /tmp/whole && mount -t tmpfs whole /tmp/whole && mkdir /tmp/whole/u /tmp/whole/w \
             && mount -t overlay -o lowerdir=/,upperdir=/tmp/whole/u,workdir=/tmp/whole/w whole /tmp/image")
        .succeeds();
    world.module("m").script("10.sh", "dpkg -i /root/packages/*.deb");
    world.master();
    let before = world.manifest();
    let live = world.disco(&["dance", "--root", "/tmp/image"]);
    live.succeeds().stderr_has("info: Not executed : invoke-rc.d --skip-systemd-native memcached start\n");
    assert!(!runs(&world, "/usr/bin/memcached"), "a daemon was started");
    assert_eq!(world.manifest().since(&before), [""; 0], "the node was changed");
    let dpkg = |how: &str| world.run(&["chroot", "/tmp/image", "dpkg", how, "memcached"]);
    dpkg("-s").succeeds().stdout_has("Status: install ok installed");
    dpkg("--verify").succeeds().stdout_is("");
    world.sh("grep -q ^memcache: /tmp/image/etc/passwd && ! grep ^memcache: /etc/passwd").succeeds();
}

/// Whether a process with that command line runs on the node.
fn runs(world: &World, daemon: &str) -> bool {
    let is_it = |process: &String| process.split_once(' ').is_some_and(|(_, line)| line.starts_with(daemon));
    world.processes().iter().any(is_it)
}

fn volatile(path: &str) -> Option<&'static str> {
    VOLATILE.iter().find(|(start, _)| path.starts_with(start)).map(|(_, why)| *why)
}

/// Both nodes differ from the machine in the same way; what is volatile is printed.
#[track_caller]
fn same_state(dancing: &World, plain: &World, when: &str) {
    let (with, without) = (dancing.manifest(), plain.manifest());
    let all = |manifest: &Manifest| -> BTreeMap<String, String> {
        manifest.state().into_iter().map(|(path, what)| (path.to_owned(), what)).collect()
    };
    equal(&format!("with disco, {when}"), &all(&with), &format!("without, {when}"), &all(&without));
}

#[track_caller]
fn equal(one: &str, left: &BTreeMap<String, String>, other: &str, right: &BTreeMap<String, String>) {
    let mut differences = Vec::new();
    for path in left.keys().chain(right.keys().filter(|path| !left.contains_key(*path))) {
        let (this, that) = (left.get(path), right.get(path));
        match (this == that, volatile(path)) {
            (true, _) => {}
            (false, Some(why)) => println!("volatile: {path}: {why}"),
            (false, None) => differences.push(format!("{path}: {one}: {this:?}; {other}: {that:?}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What differs on a node from an earlier time, as [`told_changes`] has it.
fn changes(before: &Manifest, after: &Manifest) -> BTreeMap<String, String> {
    let change = |was: Option<String>, now: &str| {
        let kind = match (was, now) {
            (_, "deleted") => return "deleted".to_owned(),
            (Some(_), _) => "modified",
            (None, _) => "created",
        };
        let word = |name: &str| now.split_once(name).and_then(|(_, rest)| rest.split(' ').next());
        let content = word("md5 ").or(word("link to ")).unwrap_or_default();
        let (mode, owner) = (word("mode ").unwrap_or_default(), word("owner ").unwrap_or_default());
        format!("{kind} {mode} {owner} {content}")
    };
    after.changes_since(before).into_iter().map(|(path, (was, now))| (path, change(was, &now))).collect()
}

/// The changes that a dance told in JSON: path -> change, mode, owner, and content or target.
fn told_changes(out: &Output) -> BTreeMap<String, String> {
    let events = out.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let changed = events.filter(|event| event["event"] == "changed");
    let all = changed.flat_map(|event| event["changes"].as_array().cloned().unwrap_or_default());
    all.map(|change| {
        let path = change["path"].as_str().expect("the paths of packages are text").to_owned();
        let after = &change["after"];
        let kind = change["change"].as_str().unwrap_or_default();
        if kind == "deleted" {
            return (path, kind.to_owned());
        }
        let content = after["md5"].as_str().or(after["target"].as_str()).unwrap_or_default();
        let mode = after["mode"].as_u64().unwrap_or_default();
        (path, format!("{kind} {mode:o} {}:{} {content}", after["uid"], after["gid"]))
    })
    .collect()
}
