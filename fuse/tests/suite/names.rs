//! Names: any bytes, any length, and what renames do with them.

use crate::world::World;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

#[test]
fn names_of_any_bytes_and_of_full_length() {
    let long = "n".repeat(255);
    let raw = OsStr::from_bytes(b"\xff\xfe new\nline \x01");
    let world = World::new(|lower| {
        for name in [OsStr::new(&long), raw, OsStr::new(".wh.f"), OsStr::new("f")] {
            fs::write(lower.join(name), "x").unwrap();
        }
    });
    for name in [OsStr::new(&long), raw, OsStr::new(".wh.f")] {
        let path = world.mount.join(name);
        assert_eq!(fs::read(&path).unwrap(), b"x");
        fs::write(&path, "y").unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        fs::remove_dir(&path).unwrap();
    }
    assert_eq!(fs::read_dir(&world.mount).unwrap().count(), 1, "nothing is reserved, nothing is left");
    let error = fs::write(world.mount.join("n".repeat(256)), "").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
    world.finish();
}

#[test]
fn renames_that_keep_and_renames_that_exchange() {
    let world = World::new(|lower| {
        fs::create_dir_all(lower.join("d/e")).unwrap();
        fs::write(lower.join("d/e/f"), "deep").unwrap();
        fs::write(lower.join("file"), "file").unwrap();
    });
    let rename = |from: &str, to: &str, flags| renameat_with(CWD, world.at(from), CWD, world.at(to), flags);
    assert_eq!(rename("file", "d", RenameFlags::NOREPLACE), Err(rustix::io::Errno::EXIST));
    rename("file", "d", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(world.at("d")).unwrap(), b"file");
    assert_eq!(fs::read(world.at("file/e/f")).unwrap(), b"deep");
    rename("file/e", "other", RenameFlags::NOREPLACE).unwrap();
    assert_eq!(fs::read_dir(world.at("file")).unwrap().count(), 0);
    assert_eq!(rename("file", "file/into", RenameFlags::empty()), Err(rustix::io::Errno::INVAL));
    assert_eq!(rename("other", "file", RenameFlags::empty()), Ok(()));
    assert_eq!(fs::read(world.at("file/f")).unwrap(), b"deep");
    world.finish();
}

#[test]
fn what_was_removed_does_not_come_back_in_what_replaces_it() {
    let world = World::new(|lower| {
        fs::create_dir_all(lower.join("d/e")).unwrap();
        fs::write(lower.join("d/f"), "x").unwrap();
    });
    world.run(
        "rm -r d; mkdir d; test -z \"$(ls -A d)\"; rmdir d; mkdir n; : >n/g; mv n d; ls -A d | grep -qx g",
    );
    world.run("rm -r d; : >d; test -f d; rm d; mkdir d; mkdir d/e; rmdir d/e; rmdir d; test ! -e d");
    world.finish();
}

#[test]
fn a_large_directory_can_be_removed_while_it_is_read() {
    let world = World::new(|lower| {
        fs::create_dir(lower.join("d")).unwrap();
        for number in 0..3000 {
            fs::write(lower.join(format!("d/lower-{number}")), "").unwrap();
        }
    });
    world.run("for i in $(seq 500); do : >d/upper-$i; done");
    let mut seen = 0;
    for entry in fs::read_dir(world.at("d")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 3500);
    fs::remove_dir(world.at("d")).unwrap();
    world.finish();
}

#[test]
fn a_directory_of_the_lower_moves_without_being_copied_and_everything_in_it_can_change() {
    let fill = "mkdir -p a/b/c other; for n in 1 2 3 4; do echo $n >a/b/c/$n; done; ln a/b/c/1 other/one; echo x >a/b/f";
    let world = World::new(|lower| {
        let done = std::process::Command::new("/bin/bash").args(["-ec", fill]).current_dir(lower).status();
        assert!(done.unwrap().success());
    });
    world.run("exec 3<a/b/c/2; mv a/b moved; cat <&3; ls moved/c; mv moved/c other/c; mv moved a/b; test ! -e a/b/c");
    let copied = || {
        world.overlay.upper_dir().try_clone_to_owned().map(|_| {
            let entries = disco_fuse::read_layer(world.overlay.upper_dir()).unwrap();
            let files = entries.iter().filter(|entry| entry.kind == disco_fuse::LayerKind::Other);
            files.map(|entry| entry.path.display().to_string()).collect::<Vec<_>>()
        })
    };
    assert_eq!(copied().unwrap(), Vec::<String>::new(), "nothing was copied");
    world.run("rm other/c/3; echo more >>other/c/4; echo more >>other/one; mkdir a/b/c; echo new >a/b/c/2; cat other/c/1");
    assert_eq!(
        world.run("cat other/c/[124] a/b/c/2; ls other/c a/b/c"),
        "1\nmore\n2\n4\nmore\nnew\na/b/c:\n2\n\nother/c:\n1\n2\n4\n"
    );
    let upper = world.settled_upper();
    assert_eq!(world.run("cat other/c/[124] a/b/c/2 a/b/f"), "1\nmore\n2\n4\nmore\nnew\nx\n");
    assert_eq!(std::fs::read_to_string(upper.join("other/c/1")).unwrap(), "1\nmore\n");
    assert_eq!(std::fs::read_to_string(upper.join("a/b/f")).unwrap(), "x\n");
    world.finish();
}

#[test]
fn a_rename_can_leave_the_whiteout_of_other_overlays() {
    let world = World::new(|lower| std::fs::write(lower.join("f"), "x").unwrap());
    world.run("python3 -c 'import ctypes; libc = ctypes.CDLL(None); assert libc.renameat2(-100, b\"f\", -100, b\"g\", 4) == 0'");
    assert_eq!(world.run("stat -c '%F %t %T' f; cat g"), "character special file 0 0\nx");
    world.finish();
}
