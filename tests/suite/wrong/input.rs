//! Parameters and modules that cannot be: refused before anything runs, and the live root is as before.

use super::{MASTER, master};
use crate::world::World;

/// What is done to the master, and what the error says: all with exit status 65, as data that is bad.
const BAD: [(&str, &[&str]); 36] = [
    // Names and values of parameters.
    (
        r"touch $P/parameters/$'a\nerror: b'",
        &[r#"/parameters/a\nerror: b" in the parameter tree has a name"#],
    ),
    (r"touch $P/parameters/$'a\xff'", &[r#"/parameters/a\xFF" in the parameter tree has a name"#]),
    ("touch \"$P/parameters/a b\"", &["/parameters/a b\" in the parameter tree has a name"]),
    (r"printf '\xff' >$P/parameters/x", &["/parameters/x\": a parameter's value is plain text in UTF-8"]),
    ("truncate -s 65M $P/parameters/x", &["/parameters/x\" in the parameter tree: a tree may hold at most"]),
    (
        "ln -s /etc/shadow $P/parameters/x",
        &["/parameters/x\" leads out of the parameter tree, to \"/etc/shadow\""],
    ),
    ("ln -s ../../../../../../../../../etc/shadow $P/parameters/x", &["leads out of the parameter tree"]),
    ("ln -s . $P/parameters/x", &["/parameters/x\" leads back to a folder that holds it"]),
    ("ln -s x $P/parameters/x", &["/parameters/x\" is a link that leads nowhere"]),
    ("rm -r $P/parameters; ln -s /etc $P/parameters", &["/parameters\" is not a folder"]),
    ("rm -r $P/parameters; touch $P/parameters", &["/parameters\" is not a folder"]),
    (
        "cd $P/parameters; mkdir d{0..20}; for i in {0..19}; do ln -s ../d$((i+1)) d$i/a; ln -s ../d$((i+1)) d$i/b; done",
        &["a tree may hold at most 100000 entries"],
    ),
    // A module's own defaults are named as its own.
    ("mkdir $S/parameters; ln -s /etc/shadow $S/parameters/x", &["\"modules/m/parameters/x\" leads out of"]),
    (
        r"mkdir $S/parameters; touch $S/parameters/$'\n'",
        &[r#""modules/m/parameters/\n" in the parameter tree"#],
    ),
    ("ln -s /etc $S/parameters", &["\"modules/m/parameters\" is not a folder"]),
    // Which modules.
    (r"touch $P/modules/$'x\nerror: y'", &[r#"module name "x\nerror: y": use letters"#]),
    (r"touch $P/modules/$'x\xff'", &["select a module that cannot be one: module name"]),
    ("touch $P/modules/..x", &["module name \"..x\": use letters"]),
    ("rm -r $P/modules; ln -s /etc $P/modules", &["the node's modules/ is not a folder"]),
    ("rm -r $P/modules; touch $P/modules", &["the node's modules/ is not a folder"]),
    // Requirements.
    ("echo after ../../etc >$S/requires", &["module m: requires, line 1: \"after ../../etc\""]),
    (r"printf '\n\xff' >$S/requires", &["module m: \"requires\" is not a text in UTF-8"]),
    ("ln -s /dev/zero $S/requires", &["module m: the link \"requires\" leads to \"/dev/zero\""]),
    ("truncate -s 2M $S/requires", &["module m: \"requires\" is not a file of at most 1 MiB"]),
    ("mkdir $S/requires", &["module m: \"requires\" is not a regular file"]),
    // Names and links of a module's parts.
    (
        r"touch $S/scripts/$'a\nerror: b'",
        &[r#"module m: the name of "scripts/a\nerror: b" is not plain text"#],
    ),
    (r"touch $S/scripts/$'a\xff'", &[r#"module m: the name of "scripts/a\xFF" is not plain text"#]),
    (
        r"mkdir -p $S/templates/e; touch $S/templates/e/$'\t'",
        &[r#"the name of "templates/e/\t" is not plain text"#],
    ),
    (
        r"mkdir $S/templates; touch $S/templates/$'\xff'",
        &[r#"the name of "templates/\xFF" is not plain text"#],
    ),
    (
        "rm -r $S/scripts; ln -s /etc/cron.d $S/scripts",
        &["module m: the link \"scripts\" leads to \"/etc/cron.d\""],
    ),
    ("ln -s /etc/ssh $S/templates", &["module m: the link \"templates\" leads to \"/etc/ssh\""]),
    ("ln -s ../../parameters $S/files", &["module m: the link \"files\" leads to \"../../parameters\""]),
    (
        "ln -s /etc/passwd $S/scripts/10.sh",
        &["module m: the link \"scripts/10.sh\" leads to \"/etc/passwd\""],
    ),
    ("ln -s nowhere $S/scripts/10.sh", &["module m: the link \"scripts/10.sh\" leads to \"nowhere\""]),
    (
        "mkdir $S/templates; ln -s /etc/shadow $S/templates/x",
        &["module m: \"templates/x\" is not a regular file"],
    ),
    (
        "mkdir $S/templates; ln -s /etc $S/templates/etc",
        &["module m: \"templates/etc\" is not a regular file"],
    ),
];

#[test]
fn bad_input_is_refused_by_name_before_anything_runs() {
    let Some(world) = World::new() else { return };
    world.run(&["mkdir", "-p", "/var/disco/scratch"]).succeeds();
    for (make, says) in BAD {
        master(&world, &format!("echo touch /etc/ran >$S/scripts/00.sh; {make}"));
        let made = world.manifest();
        println!("{make}");
        // Address space for a program that does not read what has no end.
        let out = world.sh(&format!("ulimit -v 2000000; timeout 30 disco dance --server {MASTER}"));
        out.exits(65).stdout_is("").stderr_lacks("/scratch/").stderr_lacks("os error");
        assert!(out.stderr.starts_with("error: ") && out.stderr.contains("\nhint: "), "{make}\n{out}");
        assert_eq!(out.stderr.lines().count(), 2, "a name makes lines\n{out}");
        for text in says {
            assert!(out.stderr.contains(text), "{make}: {text}\n{out}");
        }
        assert_eq!(world.manifest().since(&made), [""; 0], "{make}");
    }
    world
        .sh("ls -A /var/disco/scratch /var/disco/modules")
        .stdout_is("/var/disco/modules:\n\n/var/disco/scratch:\n");
}

#[test]
fn a_link_of_the_master_puts_no_default_into_the_live_root() {
    let Some(world) = World::new() else { return };
    master(
        &world,
        "rm -r $P/parameters; ln -s /etc $P/parameters; mkdir -p $S/parameters/cron.d; echo x >$S/parameters/cron.d/x; echo x >$S/parameters/y",
    );
    world.run(&["mkdir", "-p", "/var/disco/scratch"]).succeeds();
    let before = world.manifest();
    world.disco(&["dance", "--noop", "--server", MASTER]).exits(65);
    assert_eq!(world.manifest().since(&before), [""; 0], "a NOOP run wrote to the live root");
}

#[test]
fn odd_names_that_can_be_are_taken_as_they_are() {
    let Some(world) = World::new() else { return };
    master(
        &world,
        r"mkdir -p $S/files/srv/d $S/templates/srv; echo odd >$S/files/srv/$'a\nb\xff'; ln -s /root $S/files/srv/out
        ln -s ../../../../etc/hostname $S/files/srv/d/up; echo 'echo dots' >$S/templates/srv/..x
        echo 'echo ran' >$S/scripts/..10.sh; ln -s 00.sh $S/scripts/20.sh; echo 'echo linked' >$S/scripts/00.sh",
    );
    let out = world.disco(&["dance", "--server", MASTER]);
    // A link in files/ is content: it is laid as it is, and nothing is read or written through it.
    assert_eq!(
        out.succeeds().changes(),
        ["/srv/..x Created", r"/srv/a\nb\xff Created", "/srv/d/up Created", "/srv/out Created"]
    );
    out.stdout_has("linked\nlinked\n").stdout_lacks("ran");
    world.sh(r"cat /srv/$'a\nb\xff' /srv/..x; readlink /srv/out").succeeds().stdout_is("odd\ndots\n/root\n");
}
