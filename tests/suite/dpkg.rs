//! A real package by the real dpkg: shown in NOOP, and in a live dance the same tree as plain dpkg leaves on another node.

use crate::world::World;

/// Builds a package with a program, a configuration file, a user, an init script and maintainer scripts.
const BUILD: &str = r#"set -e; umask 022; d=/tmp/package; mkdir -p $d/DEBIAN $d/usr/bin $d/etc/init.d $d/usr/share/doc/tiny
    printf '#!/bin/sh\necho tiny\n' >$d/usr/bin/tiny; chmod 755 $d/usr/bin/tiny
    echo setting=1 >$d/etc/tiny.conf; echo doc >$d/usr/share/doc/tiny/README; ln -s tiny $d/usr/bin/tiny-link
    printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: tiny\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\ntouch /run/tiny-was-started\n' >$d/etc/init.d/tiny
    chmod 755 $d/etc/init.d/tiny
    printf 'Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: a test <root@localhost>\nDescription: a tiny package\n' >$d/DEBIAN/control
    printf '/etc/tiny.conf\n/etc/init.d/tiny\n' >$d/DEBIAN/conffiles
    printf '#!/bin/sh\nset -e\nuseradd --system --no-create-home tiny\nupdate-rc.d tiny defaults\ninvoke-rc.d tiny start\n' >$d/DEBIAN/postinst
    chmod 755 $d/DEBIAN/postinst
    touch -d @1000000000 $(find $d)
    SOURCE_DATE_EPOCH=1000000000 dpkg-deb --root-owner-group --build $d /root/tiny.deb >/dev/null"#;

const INSTALL: &str = "dpkg -i /root/tiny.deb </dev/null";

#[test]
fn dpkg_in_a_dance_leaves_the_tree_that_plain_dpkg_leaves() {
    let (Some(dancing), Some(plain)) = (World::new(), World::new()) else { return };
    for world in [&dancing, &plain] {
        // Where the tests run, a policy may forbid packages to start services, and a booted system has a runlevel.
        let line =
            "[1] [00050] [~~  ] [runlevel] [~           ] [6.1] [0.0.0.0] [2026-01-01T00:00:00,000000+00:00]";
        world.run(&["rm", "-f", "/usr/sbin/policy-rc.d"]).succeeds();
        world.sh(&format!("echo '{line}' | utmpdump -r >/run/utmp")).succeeds();
        world.sh(BUILD).succeeds();
    }
    plain.sh(INSTALL).succeeds();
    assert!(plain.exists("/run/tiny-was-started"), "the package's own script did not run");

    dancing.module("m").script("10.sh", INSTALL);
    dancing.master();
    let before = dancing.manifest();
    let noop = dancing.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has("/usr/bin/tiny : Created").stdout_has("/etc/tiny.conf : Created");
    noop.stdout_has("/var/lib/dpkg/status : Modified").stdout_has("warning: Would execute : ");
    assert_eq!(dancing.manifest().since(&before), [""; 0]);
    dancing.run(&["dpkg", "-s", "tiny"]).exits(1);

    dancing.disco(&["dance"]).succeeds();
    dancing.run(&["dpkg", "-s", "tiny"]).succeeds().stdout_has("Status: install ok installed");
    dancing.run(&["dpkg", "--verify", "tiny"]).succeeds().stdout_is("");
    dancing.run(&["tiny-link"]).succeeds().stdout_is("tiny\n");
    assert!(dancing.exists("/run/tiny-was-started"), "the service was not started after the merge");
    let (with, without) = (dancing.manifest().objects(), plain.manifest().objects());
    assert_eq!(with, without);
}
