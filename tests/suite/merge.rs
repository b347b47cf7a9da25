//! The merge, against the plain truth: a script that runs in a dance leaves the node as it leaves another node when it
//! runs there without disco.

use crate::world::World;

/// What is below some folders, as programs on the node see it: type, mode, owner, size, target, links, attributes, content.
const LIST: &str = r#"cd "$1" && {
    find . \( -type d -printf '%p %y %m %U:%G\n' \) -o -printf '%p %y %m %U:%G %s %l %n\n'
    find . -type f -exec md5sum {} +
    find . \( -type c -o -type b \) -exec stat -c '%n device %t:%T' {} +
    getfattr -Rhd -m - -e hex . | awk '/^# file: / {f = substr($0, 9); next} NF && !/^trusted.overlay/ {print f, $0}'
    getcap -r .
    find . -type f -links +1 -printf '%i %p\n' | sort | awk '{if ($1 in n) print n[$1], "is", $2; else n[$1] = $2}'
    } 2>/dev/null | LC_ALL=C sort"#;

const BEFORE: &str = r#"set -e; mkdir -p /srv/t/dir/deep /srv/t/full; cd /srv/t
    echo a >a; echo b >b; echo d >dir/d; echo e >dir/deep/e; ln -s a link; ln a hard; echo f >full/f; echo g >full/g
    mkfifo pipe; echo acl >acl; setfacl -m u:daemon:r acl; cp /usr/bin/true caps; echo immutable >other; ln -s full to-full"#;

/// The script runs on both nodes, in a dance and plainly; then both look alike, and the second dance finds nothing.
#[track_caller]
fn as_without_disco(script: &str) {
    let (Some(dancing), Some(plain)) = (World::new(), World::new()) else { return };
    for world in [&dancing, &plain] {
        world.sh(BEFORE).succeeds();
    }
    let script = format!("set -e; umask 022; cd /srv/t\n{script}");
    plain.sh(&script).succeeds();
    dancing.module("m").script("10.sh", &script);
    dancing.master();
    let list = |world: &World| world.run(&["bash", "-c", LIST, "list", "/srv/t"]).succeeds().stdout.clone();
    let untouched = list(&dancing);
    dancing.disco(&["dance", "--noop"]).succeeds();
    assert_eq!(list(&dancing), untouched, "NOOP changed something");
    // What an undo keeps of a hard link is one more name of it.
    let out = dancing.sh("DISCO_CLIENT_UNDO_RUNS=0 disco dance");
    out.succeeds();
    let (with, without) = (list(&dancing), list(&plain));
    assert_ne!(with, untouched, "the dance changed nothing\n{out}");
    assert_eq!(with, without, "{out}");
}

macro_rules! cases {
    ($($name:ident: $script:expr;)*) => { $(#[test] fn $name() { as_without_disco($script); })* };
}

cases! {
    deletions: "rm -f a; rm -rf dir";
    a_folder_replaced_by_another_of_its_name: "rm -rf full; mkdir -m 750 full; echo new >full/h; chown 3:4 full";
    a_folder_emptied: "rm -f full/*";
    a_folder_replaced_by_a_file: "rm -rf full; echo now-a-file >full";
    a_file_replaced_by_a_folder: "rm -f b; mkdir b; echo in >b/in";
    a_file_replaced_by_a_link: "rm -f b; ln -s dir/d b";
    a_link_replaced_by_a_file: "rm -f link; echo file >link";
    a_write_through_a_linked_folder: "echo through >to-full/through; rm -f to-full/g";
    a_renamed_file: "mv b renamed; mv -T link link2";
    a_renamed_folder: "mv dir moved; echo more >moved/more";
    new_hard_links: "echo one >h1; ln h1 h2; ln h1 dir/h3";
    a_hard_link_of_the_node_that_is_kept: "echo changed >>a";
    owners_and_modes: "chown 1:2 b; chmod 4755 caps; chmod 1777 full; chown -h 5:6 link; chmod 600 dir/deep/e";
    extended_attributes: "setfattr -n user.k -v v b; setfattr -n user.k -v v dir; echo n >n; setfattr -n user.n -v n n";
    access_control_lists: "setfacl -m u:daemon:rw,g:mail:r b; setfacl -d -m u:daemon:rwx full; setfacl -b acl";
    capabilities: "setcap cap_net_bind_service=+ep caps; cp /usr/bin/true caps2; setcap cap_net_raw=+p caps2";
    special_files: "mkfifo -m 640 pipe2; rm -f pipe; mknod null c 1 3; chmod 666 null";
    sparse_and_empty_files: "truncate -s 30M sparse; : >empty; truncate -s 0 b";
    appended_and_edited: "echo more >>b; sed -i s/d/D/ dir/d; printf x | dd of=dir/deep/e conv=notrunc status=none";
    names_that_are_not_text: r#"printf x >"$(printf 'b\377d')"; printf y >'with space'; printf z >$'new\nline'; : >-rf"#;
    many_files: "mkdir many; for i in {1..1500}; do echo $i >many/$i; done";
    a_deep_tree: "p=deep; for i in {1..60}; do p=$p/d$i; done; mkdir -p $p; echo end >$p/end";
}

#[test]
fn what_a_program_holds_open_is_replaced_and_not_rewritten() {
    let Some(world) = World::new() else { return };
    world.write("/etc/held", "old\n");
    world.module("m").script("10.sh", "echo new >/etc/held");
    world.master();
    world
        .sh("exec 3</etc/held; disco dance >/dev/null || exit; cat <&3; cat /etc/held")
        .succeeds()
        .stdout_is("old\nnew\n");
}

#[test]
fn a_program_that_a_run_brings_can_be_started_at_once() {
    let Some(world) = World::new() else { return };
    world.write("/usr/local/bin/replaced", "not a program\n");
    let script = "cp /usr/bin/sleep /srv/asleep; cp /usr/bin/echo /usr/local/bin/replaced; chmod 755 /usr/local/bin/replaced\n\
                  cp /usr/bin/echo /srv/one; ln /srv/one /srv/other; /srv/asleep 8758 & exec 3<>/usr/local/bin/replaced; exit 0";
    let started = "{ /srv/asleep 0 && replaced it runs && /srv/one one && /srv/other other; }";
    world.module("m").script("10.sh", script).any("after/10-start", &format!("{started} >/srv/told\n"));
    world.master();
    world.disco(&["dance"]).succeeds();
    world.run(&["cat", "/srv/told"]).succeeds().stdout_is("it runs\none\nother\n");
}

#[test]
fn files_on_other_mounts_of_the_node_are_merged_there() {
    let Some(world) = World::new() else { return };
    world
        .sh("mkdir /srv/mnt && mount -t tmpfs mnt /srv/mnt && echo old >/srv/mnt/f && echo x >/srv/mnt/gone")
        .succeeds();
    world
        .module("m")
        .script("10.sh", "cat /srv/mnt/f; echo new >/srv/mnt/f; rm /srv/mnt/gone; echo n >/srv/mnt/n");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("old\n").stdout_has("/srv/mnt/gone : Deleted");
    world.run(&["cat", "/srv/mnt/f"]).succeeds().stdout_is("old\n");
    world.disco(&["dance"]).succeeds();
    world
        .sh("cat /srv/mnt/f /srv/mnt/n; ls /srv/mnt; umount /srv/mnt; ls /srv/mnt")
        .succeeds()
        .stdout_is("new\nn\nf\nn\n");
}

/// What an administrator does to the live root while the script, which has done its own already, still runs.
const MEANWHILE: [(&str, &str); 7] = [
    ("echo mine >a", "echo edited >a"),
    ("rm a", "echo edited >a"),
    ("echo mine >new", "echo theirs >new"),
    ("echo mine >dir/d", "mv dir dir2; ln -s dir2 dir"),
    ("chmod 600 a", "chmod 640 a"),
    ("rm -r full", "echo more >full/more"),
    ("ln -sfn dir link", "ln -sfn b link"),
];

#[test]
fn what_was_changed_on_the_node_meanwhile_is_not_overwritten() {
    let Some(world) = World::new() else { return };
    for (script, meanwhile) in MEANWHILE {
        world.sh(&format!("rm -rf /srv/t; {BEFORE}")).succeeds();
        world.module("m").script("10.sh", &format!("cd /srv/t; {script}; sleep 8759; true"));
        world.publish();
        world.setting("disco/server/uri", "/tmp/master");
        let dance = world.spawn(&["disco", "dance"]);
        let sleeper = || world.processes().iter().find(|p| p.ends_with("sleep 8759")).cloned();
        world.wait_until("the step runs", || sleeper().is_some());
        world.sh(&format!("cd /srv/t; {meanwhile}")).succeeds();
        let list = || world.run(&["bash", "-c", LIST, "list", "/srv/t"]).succeeds().stdout.clone();
        let edited = list();
        let pid = sleeper().expect("it sleeps").split(' ').next().unwrap_or_default().to_owned();
        world.run(&["kill", &pid]).succeeds();
        let out = dance.wait();
        assert_ne!(out.status, Some(0), "{script}, {meanwhile}\n{out}");
        out.stderr_has("/srv/t/").stderr_has("on the live root");
        assert_eq!(list(), edited, "{script}, {meanwhile}\n{out}");
    }
}

/// What a script does after its look at /etc/x and /etc/d, what an administrator does between the two, and what is told.
const BETWEEN: [(&str, &str, &str); 5] = [
    (
        "echo mine >>/etc/x",
        "echo edited >>/etc/x",
        "/etc/x has changed on the live root since the sandbox saw it: size 2 bytes, now 9; modified at ",
    ),
    (
        "echo mine >>/etc/x",
        "cp -p /etc/x /etc/y; mv /etc/y /etc/x",
        "/etc/x has changed on the live root since the sandbox saw it: the file that it saw, now another object",
    ),
    (
        "echo mine >>/etc/x",
        "chmod 600 /etc/x",
        "/etc/x has changed on the live root since the sandbox saw it: mode 0644, now 0600",
    ),
    (
        "rm /etc/x",
        "chown 1:2 /etc/x",
        "/etc/x has changed on the live root since the sandbox saw it: owner 0:0, now 1:2",
    ),
    (
        "echo mine >/etc/d/new",
        "mv /etc/d /etc/d2; mkdir /etc/d",
        "/etc/d has changed on the live root since the sandbox saw it: the directory that it saw, now another object",
    ),
];

#[test]
fn what_was_changed_between_a_scripts_look_and_its_change_is_not_overwritten() {
    let Some(world) = World::new() else { return };
    for (change, between, told) in BETWEEN {
        world.sh("umask 022; rm -rf /etc/x /etc/d /etc/d2; echo a >/etc/x; mkdir /etc/d").succeeds();
        world.module("m").script("10.sh", &format!("cat /etc/x; ls -ld /etc/d; sleep 8758; {change}"));
        world.publish();
        world.setting("disco/server/uri", "/tmp/master");
        let dance = world.spawn(&["disco", "dance"]);
        let sleeper = || world.processes().iter().find(|p| p.ends_with("sleep 8758")).cloned();
        world.wait_until("the script has looked", || sleeper().is_some());
        world.sh(between).succeeds();
        let list = || world.sh("ls -Rli --full-time /etc/x /etc/d; cat /etc/x").succeeds().stdout.clone();
        let edited = list();
        let pid = sleeper().expect("it sleeps").split(' ').next().unwrap_or_default().to_owned();
        world.run(&["kill", &pid]).succeeds();
        let out = dance.wait();
        assert_ne!(out.status, Some(0), "{between}\n{out}");
        out.stderr_has(told);
        assert_eq!(list(), edited, "{between}\n{out}");
    }
}
