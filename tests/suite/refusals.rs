//! What keeps a merge from being made is found before anything is made, and told with the way out: no room, a read-only file
//! system, a mark. The node is as before, and so is each file system.

use crate::world::{Output, World};

/// What the node has there: names, types, modes, owners, sizes, hashes.
const LIST: &str = "cd / && find srv boot etc/t -exec stat -c '%n %F %a %u:%g %s' {} + 2>/dev/null; find srv boot etc/t -type f -exec md5sum {} + 2>/dev/null";

/// A dance with that script is refused, and nothing has changed anywhere.
#[track_caller]
fn refused(world: &World, script: &str) -> Output {
    world.module("m").script("10.sh", script);
    world.publish();
    world.setting("disco/server/uri", "/tmp/master");
    let list = || world.sh(LIST).stdout.clone();
    let before = list();
    let out = world.disco(&["dance"]);
    out.exits(1).stderr_has("hint: nothing is merged; put that in order, and run it again\n");
    assert_eq!(list(), before, "{out}");
    out
}

#[test]
fn a_file_system_without_room_or_inodes_is_named_with_the_figures() {
    let Some(world) = World::new() else { return };
    world
        .sh("mkdir -p /srv/small /srv/few && mount -t tmpfs -o size=1M small /srv/small && \
             mount -t tmpfs -o nr_inodes=20 few /srv/few && echo old >/srv/small/f && echo old >/srv/few/f")
        .succeeds();
    let out = refused(
        &world,
        "echo new >/etc/t; head -c 3000000 /dev/zero >/srv/small/large; echo new >/srv/small/f; for i in {1..40}; do echo >/srv/few/$i; done",
    );
    out.stderr_has("error: 2 things are in the way of the merge:\n")
        .stderr_has("  the file system at /srv/small has too little room: 3002 KiB needed, ")
        .stderr_has(" free (the largest is /srv/small/large); make room there\n")
        .stderr_has("  the file system at /srv/few has too little room: 42 objects needed, ");
    // A sparse file takes what it holds.
    world.module("m").script("10.sh", "truncate -s 100M /srv/small/sparse; echo end >>/srv/small/sparse");
    world.publish();
    world.disco(&["dance"]).succeeds();
    world
        .sh("[ $(stat -c %s /srv/small/sparse) = 104857604 ] && [ $(stat -c %b /srv/small/sparse) -lt 100 ]")
        .succeeds();
}

#[test]
fn a_read_only_boot_and_a_marked_file_are_told_together() {
    let Some(world) = World::new() else { return };
    world
        .sh("mkdir -p /boot /srv/ext /srv/marked && mount -t tmpfs boot /boot && echo old >/boot/vmlinuz && mount -o remount,ro /boot && \
             touch /etc/t && mount -t tmpfs marked /srv/marked && echo old >/srv/marked/f && chattr +i /srv/marked/f")
        .succeeds();
    // The sandbox has its own of both, and lets them be written.
    let out = refused(
        &world,
        "echo new >/boot/vmlinuz; echo new >/boot/initrd; echo new >/srv/marked/f.new; mv /srv/marked/f.new /srv/marked/f; echo new >/etc/t",
    );
    out.stderr_has("/boot/initrd and 1 more cannot be changed: the file system at /boot is read-only (`mount -o remount,rw /boot`")
        .stderr_has("/srv/marked/f cannot be changed: it is marked as immutable or append-only (`lsattr -d` shows it, `chattr -i -a`");
    world.sh("mount -o remount,rw /boot; chattr -i /srv/marked/f").succeeds();
    world.disco(&["dance"]).succeeds();
    world.sh("cat /boot/vmlinuz /boot/initrd /srv/marked/f /etc/t").stdout_is("new\nnew\nnew\nnew\n");
}

#[test]
fn what_vfat_cannot_hold_is_refused_and_the_rest_is_merged() {
    let Some(world) = World::new() else { return };
    let mounted = world.sh(
        "mknod /dev/loop-control c 10 237; for i in {0..63}; do mknod /dev/loop$i b 7 $i; done; truncate -s 4M /tmp/fat && \
         mkfs.vfat /tmp/fat && mkdir -p /srv/fat && mount -o loop,fmask=0022,dmask=0022 -t vfat /tmp/fat /srv/fat",
    );
    if mounted.status != Some(0) {
        println!("skipped: this machine mounts no vfat: {}", mounted.stderr.trim());
        return;
    }
    let out = refused(
        &world,
        "echo x >/srv/fat/ok; ln -s ok /srv/fat/link; echo x >/srv/fat/own; chown 1 /srv/fat/own; echo x >/srv/fat/key; chmod 600 /srv/fat/key",
    );
    out.stderr_has("/srv/fat/link cannot be merged: the vfat at /srv/fat cannot hold symbolic links\n")
        .stderr_has("/srv/fat/own cannot be merged: the vfat at /srv/fat cannot hold its owner 1:0: all is 0:0's there\n")
        .stderr_has("/srv/fat/key cannot be merged: the vfat at /srv/fat cannot hold its mode 0600: it would be 0755\n");
    world.module("m").script("10.sh", "umask 022; mkdir /srv/fat/EFI; echo x >/srv/fat/EFI/ok");
    world.publish();
    world.disco(&["dance"]).succeeds();
    world.run(&["cat", "/srv/fat/EFI/ok"]).stdout_is("x\n");
    world.disco(&["dance"]).succeeds().reports_no_difference();
}
