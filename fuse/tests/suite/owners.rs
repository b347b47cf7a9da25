//! Owners, modes and masks of what is made, and what loses its set-id bits.

use crate::world::World;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn mode(world: &World, path: &str) -> (u32, u32, u32) {
    let stat = fs::symlink_metadata(world.at(path)).unwrap();
    (stat.uid(), stat.gid(), stat.mode() & 0o7777)
}

const AS: &str = "setpriv --reuid 1234 --regid 5678 --clear-groups";

#[test]
fn new_objects_belong_to_their_maker_and_respect_the_mask() {
    let world = World::new(|lower| {
        fs::create_dir(lower.join("d")).unwrap();
        fs::set_permissions(lower.join("d"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(lower.join("bsd")).unwrap();
        fs::set_permissions(lower.join("bsd"), fs::Permissions::from_mode(0o2777)).unwrap();
        std::os::unix::fs::chown(lower.join("bsd"), None, Some(42)).unwrap();
    });
    for (mask, file, directory) in [("000", 0o666, 0o777), ("022", 0o644, 0o755), ("077", 0o600, 0o700)] {
        world.run(&format!("umask {mask}; {AS} sh -c 'for d in d bsd; do : >$d/f; mkdir $d/d; mkfifo $d/p; ln -s x $d/s; done'"));
        assert_eq!(mode(&world, "d/f"), (1234, 5678, file));
        assert_eq!(mode(&world, "d/p"), (1234, 5678, file));
        assert_eq!(mode(&world, "d/s"), (1234, 5678, 0o777));
        assert_eq!(mode(&world, "d/d"), (1234, 5678, directory));
        assert_eq!(mode(&world, "bsd/f"), (1234, 42, file));
        assert_eq!(mode(&world, "bsd/s"), (1234, 42, 0o777));
        assert_eq!(mode(&world, "bsd/d"), (1234, 42, directory | 0o2000));
        world.run("rm -r d/* bsd/*");
    }
    world.finish();
}

#[test]
fn a_default_acl_rules_instead_of_the_mask() {
    let world = World::new(|lower| fs::create_dir(lower.join("d")).unwrap());
    world.run("setfacl -d -m u::rwx,u:77:rwx,g::rx,o::r d; umask 077; : >d/f; mkdir d/d; mkdir p; cp -a d/. p 2>/dev/null || :");
    let acl = world.run("getfacl -cn d/f; getfacl -cn d/d");
    let native = tempfile::tempdir().unwrap();
    let script = "mkdir d; setfacl -d -m u::rwx,u:77:rwx,g::rx,o::r d; umask 077; : >d/f; mkdir d/d; getfacl -cn d/f; getfacl -cn d/d";
    let output = std::process::Command::new("bash").args(["-ec", script]).current_dir(native.path()).output();
    assert_eq!(acl, String::from_utf8(output.unwrap().stdout).unwrap());
    assert!(acl.contains("user:77:rwx"), "{acl}");
    world.finish();
}

#[test]
fn a_directory_inherits_group_and_list_whether_the_lower_had_its_name_or_not() {
    let world = World::new(|lower| fs::create_dir_all(lower.join("d/old")).unwrap());
    world.run("chgrp 42 d; chmod 2777 d; setfacl -d -m u:7:rwx,g::r,o::- d; rmdir d/old; mkdir d/old d/new");
    assert_eq!(mode(&world, "d/new"), (0, 42, 0o2770));
    assert_eq!(mode(&world, "d/old"), mode(&world, "d/new"));
    world.finish();
}

#[test]
fn the_kernel_enforces_permissions_and_lists() {
    let world = World::new(|lower| {
        for name in ["secret", "shared"] {
            fs::write(lower.join(name), "x").unwrap();
            fs::set_permissions(lower.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::set_permissions(lower, fs::Permissions::from_mode(0o755)).unwrap();
    });
    // The directories above the mount are closed to others: the test enters first and drops its rights then.
    world.run(&format!("setfacl -m u:1234:r shared; {AS} cat shared; ! {AS} cat secret 2>/dev/null; ! {AS} sh -c ': >>shared' 2>/dev/null; ! {AS} rm -f secret 2>/dev/null"));
    world.finish();
}

#[test]
fn set_id_bits_and_capabilities_go_when_others_write_or_the_owner_changes() {
    let world = World::new(|lower| {
        for name in ["write", "truncate", "open", "allocate", "range", "chown", "root"] {
            fs::write(lower.join(name), "xx").unwrap();
            std::os::unix::fs::chown(lower.join(name), Some(1234), Some(5678)).unwrap();
            fs::set_permissions(lower.join(name), fs::Permissions::from_mode(0o6777)).unwrap();
        }
        fs::write(lower.join("capable"), "x").unwrap();
        let set =
            std::process::Command::new("setcap").arg("cap_net_raw+ep").arg(lower.join("capable")).status();
        assert!(set.unwrap().success());
    });
    world.run(&format!("{AS} sh -c 'echo y >>write; truncate -s 1 truncate; : >open'; chown 1:1 chown; echo y >>root; echo y >>capable"));
    world.run(&format!("{AS} fallocate -l 5000 allocate"));
    let (from, to) =
        (fs::File::open(world.at("write")), fs::File::options().write(true).open(world.at("range")));
    // This thread alone.
    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(1234));
    let copied = rustix::fs::copy_file_range(from.unwrap(), None, to.unwrap(), None, 1);
    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(0));
    assert_eq!(copied, Ok(1));
    for path in ["write", "truncate", "open", "allocate", "range", "chown", "root"] {
        let left = if path == "root" { 0o6777 } else { 0o777 };
        assert_eq!(mode(&world, path).2, left, "{path}");
        let upper = fs::metadata(world.upper().join(path)).unwrap();
        assert_eq!(upper.mode() & 0o7777, left, "{path} in the upper");
    }
    assert_eq!(world.run("getcap capable"), "");
    world.finish();
}

#[test]
fn a_sticky_directory_protects_the_files_of_others() {
    let world = World::new(|lower| {
        fs::create_dir(lower.join("tmp")).unwrap();
        fs::set_permissions(lower.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(lower.join("tmp/root"), "").unwrap();
    });
    world.run(&format!("! {AS} rm -f tmp/root 2>/dev/null; {AS} sh -c ': >tmp/own; rm tmp/own'"));
    world.finish();
}

#[test]
fn times_are_set_one_by_one() {
    let world = World::new(|lower| fs::write(lower.join("f"), "x").unwrap());
    world.run("touch -d @1000.5 f; touch -m -d @2000.25 f");
    let stat = fs::metadata(world.at("f")).unwrap();
    assert_eq!(
        (stat.atime(), stat.atime_nsec(), stat.mtime(), stat.mtime_nsec()),
        (1000, 500_000_000, 2000, 250_000_000)
    );
    world.run("touch -a f");
    let stat = fs::metadata(world.at("f")).unwrap();
    assert!(stat.atime() > 1_000_000 && stat.mtime() == 2000);
    world.finish();
}
