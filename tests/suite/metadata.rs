//! All metadata of what is merged, row by row: a script leaves a folder in a dance as it leaves it on another node without
//! disco. All rows are one dance.

use crate::world::World;

/// What is below a folder, with all that a merge must bring; the time of what ends in `.timed`, the blocks of what ends in
/// `.sparse`. Not how many names a file has: one that the merge took away is kept for an undo, and counts.
const LIST: &str = r#"cd "$1" && {
    find . \( -type d -printf '%p %y %m %U:%G\n' \) -o -printf '%p %y %m %U:%G %s %l\n'
    find . -type f -exec md5sum {} +
    find . \( -type c -o -type b \) -exec stat -c '%n device %t:%T' {} +
    find . -name '*.timed' -printf '%p %T@\n'
    find . -name '*.sparse' -printf '%p %b blocks\n'
    getfattr -Rhd -m - -e hex . | awk '/^# file: / {f = substr($0, 9); next} NF && !/^trusted.overlay/ {print f, $0}'
    getcap -r .
    find . ! -type d -links +1 -printf '%i %p\n' | sort -k2 | awk '{if ($1 in n) print n[$1], "is", $2; else n[$1] = $2}'
    } 2>/dev/null | LC_ALL=C sort"#;

/// Name; what is there before; what the script does.
const ROWS: &[(&str, &str, &str)] = &[
    ("owner", "echo a >a", "chown 1234:4321 a; echo b >b; chown 5:6 b; ln -s a l; chown -h 7:8 l"),
    (
        "mode",
        "echo a >a; mkdir d",
        "chmod 4711 a; cp a b; chmod 2755 b; chmod 3777 d; mkdir -m 2750 e; echo c >c; chmod 000 c; chown 3:4 b; chmod 6755 b",
    ),
    ("mode-alone", "echo a >a; chmod 600 a", "chmod 644 a"),
    (
        "xattrs",
        "echo a >a; setfattr -n user.old -v 1 a",
        "setfattr -x user.old a; setfattr -n user.new -v 2 a; echo b >b; setfattr -n user.b -v $'\\x01\\xff' b; mkdir d; setfattr -n user.d -v x d",
    ),
    (
        "acl",
        "echo a >a; setfacl -m u:daemon:rw a; mkdir d",
        "setfacl -m g:mail:r a; echo b >b; setfacl -m u:1234:rwx,m::r b; setfacl -d -m u:daemon:rwx d; echo in >d/in",
    ),
    (
        "default-acl-of-the-parent",
        "mkdir d; setfacl -d -m u:daemon:rwx,g:mail:rx d",
        "echo a >d/inherits; echo b >d/plain; setfacl -b d/plain; chmod 640 d/plain; mkdir d/sub d/bare; setfacl -b d/bare; mv d/inherits d/moved; ln -s x d/l",
    ),
    (
        "default-acl-taken-away",
        "mkdir d; setfacl -d -m u:daemon:rwx d",
        "echo a >d/before; setfacl -k d; echo b >d/after",
    ),
    (
        "capabilities",
        "cp /usr/bin/true a; setcap cap_net_raw=ep a; cp /usr/bin/true b",
        "setcap cap_net_bind_service=+ep b; cp -a a copy; echo >>a; cp /usr/bin/true n; chown 5 n; setcap cap_chown=p n",
    ),
    (
        "times",
        "echo a >a.timed; mkdir d",
        "echo more >>a.timed; touch -d '2001-02-03 04:05:06.123456789' a.timed; echo b >b.timed; touch -d @-5 b.timed; mkdir d/new.timed; echo x >d/new.timed/x; touch -d '2031-01-01 00:00:00.000000001' d/new.timed; ln -s x l.timed; touch -h -d @5.000000005 l.timed",
    ),
    ("hard-links-new", "mkdir d", "echo a >a; ln a b; ln a d/c; mkfifo p; ln p q; ln -s x l; ln l m"),
    ("hard-links-written-through", "echo a >a; ln a b; mkdir d; ln a d/c", "echo more >>b"),
    ("hard-links-one-replaced", "echo a >a; ln a b; ln a c", "echo new >n; mv n b"),
    ("hard-links-joined-and-parted", "echo a >a; ln a b; echo c >c", "ln -f c b; rm a"),
    ("hard-links-chmod-through", "echo a >a; ln a b", "chmod 600 b; chown 9:9 a"),
    (
        "sparse",
        ":",
        "truncate -s 4M a.sparse; printf x | dd of=b.sparse bs=1 seek=1M conv=notrunc status=none; : >empty",
    ),
    ("large", ":", "head -c 2M /dev/zero | tr '\\0' x >large; : >empty"),
    ("special", "mkfifo -m 600 old", "mkfifo -m 640 p; chown 3:4 p; rm old; mkfifo -m 666 old"),
    (
        "types",
        "echo f >f-d; echo f >f-l; mkdir d-f d-l l-d-target; echo in >d-f/in; echo in >d-l/in; ln -s nowhere l-f; ln -s l-d-target l-d; mkfifo p-f; echo f >f-p",
        "rm f-d; mkdir f-d; echo in >f-d/in; rm f-l; ln -s f-d f-l; rm -r d-f; echo f >d-f; rm -r d-l; ln -s f-d d-l; rm l-f; echo f >l-f; rm l-d; mkdir l-d; rm p-f; echo f >p-f; rm f-p; mkfifo f-p",
    ),
    (
        "renamed-folders",
        "p=a; for i in {1..30}; do p=$p/d$i; done; mkdir -p $p; echo end >$p/end; ln $p/end linked; setfattr -n user.k -v v a/d1; mkdir -p b/c; echo x >b/c/x",
        "mv a moved; echo more >moved/more; mv b/c moved/d1/c; mv moved/d1/c/x moved/d1/c/y; rmdir b",
    ),
    (
        "linked-parents",
        "mkdir real; ln -s real link; ln -s link/.. up; echo x >real/x",
        "echo y >link/y; rm link/x; echo z >up/real/z; echo w >$PWD/link/../w",
    ),
    (
        "names",
        ":",
        r#"echo 1 >$'new\nline'; echo 2 >$(printf 'b\377\376d'); echo 3 >$(printf 'n%.0s' {1..255}); echo 4 >' '; echo 5 >'*'; echo 6 >-rf; mkdir $'d\n'; echo 7 >$'d\n/\t'; ln -s $'to\n\377' l; echo 8 >.disco-undo; echo 9 >.wh.x"#,
    ),
    ("a-running-program", "cp /usr/bin/sleep prog", "cp /usr/bin/true new; mv new prog"),
];

#[test]
fn every_row_is_merged_with_all_its_metadata() {
    let (Some(dancing), Some(plain)) = (World::new(), World::new()) else { return };
    let script = |at: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        let rows = ROWS
            .iter()
            .map(|row| format!("(mkdir -p /srv/t/{0}; cd /srv/t/{0}; {1}\n) || exit", row.0, at(row)));
        format!("umask 022; set -e\n{}\n", rows.collect::<Vec<_>>().join("\n"))
    };
    for world in [&dancing, &plain] {
        // A small file system of its own: the overlay looks through all of it for the names of a file.
        world.sh("mkdir /srv/t && mount -t tmpfs rows /srv/t").succeeds();
        world.write("/tmp/before", &script(|row| row.1));
        world.sh("bash -e /tmp/before").succeeds();
    }
    let running = dancing.spawn(&["/srv/t/a-running-program/prog", "8755"]);
    plain.write("/tmp/script", &script(|row| row.2));
    plain.sh("bash -e /tmp/script").succeeds();
    dancing.module("m").script("10.sh", &script(|row| row.2));
    dancing.master();
    let out = dancing.disco(&["dance"]);
    out.succeeds();
    for (name, ..) in ROWS {
        let list = |world: &World| {
            world.run(&["bash", "-c", LIST, "list", &format!("/srv/t/{name}")]).succeeds().stdout.clone()
        };
        assert_eq!(list(&dancing), list(&plain), "{name}");
    }
    assert!(dancing.processes().iter().any(|line| line.ends_with("prog 8755")), "the old program goes on");
    running.signal("TERM");
    drop(running.wait());
}

#[test]
fn what_is_on_other_file_systems_keeps_its_metadata_and_links_do_not_cross() {
    let Some(world) = World::new() else { return };
    world
        .sh("mkdir -p /boot /srv/a /srv/b && mount -t tmpfs boot /boot && mount --bind /srv/a /srv/b && echo k >/boot/k && echo x >/srv/a/x")
        .succeeds();
    world.module("m").script(
        "10.sh",
        "umask 022; set -e; mkdir /boot/grub; echo c >/boot/grub/cfg; ln /boot/grub/cfg /boot/cfg; setfattr -n user.k -v v /boot/cfg
         chown 3:4 /boot/grub; touch -d @5.5 /boot/cfg; echo new >/boot/k; mv /boot/k /boot/k2; chmod 711 /boot
         ln /boot/cfg /srv/cfg 2>/dev/null && exit 1; echo y >/srv/b/y; echo y >/srv/b/x; mv /srv/b/x /srv/b/x2",
    );
    world.master();
    world.disco(&["dance"]).succeeds();
    world
        .sh("stat -c '%n %a %u:%g %h %.Y' /boot /boot/grub /boot/grub/cfg; cat /boot/cfg /boot/k2; getfattr --absolute-names -n user.k --only-values /boot/cfg; \
             echo; ls /boot /srv/a; cat /srv/a/x2 /srv/a/y")
        .succeeds()
        .stdout_has("/boot 711 0:0 ")
        .stdout_has("/boot/grub 755 3:4 ")
        .stdout_has("/boot/grub/cfg 644 0:0 2 5.500000000\nc\nnew\nv\n")
        .stdout_has("/srv/a:\nx2\ny\ny\ny\n");
}
