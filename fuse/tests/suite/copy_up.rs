//! What a copy in the upper keeps of the object of the lower.

use crate::tree::{Times, differences, tree, xattrs};
use crate::world::World;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

fn sh(directory: &Path, script: &str) {
    let done = std::process::Command::new("/bin/bash").args(["-ec", script]).current_dir(directory).status();
    assert!(done.unwrap().success(), "{script}");
}

#[test]
fn a_sparse_file_stays_sparse() {
    let world = World::new(|lower| {
        let file = File::create(lower.join("sparse")).unwrap();
        file.set_len(256 << 20).unwrap();
        file.write_at(b"middle", 100 << 20).unwrap();
    });
    let file = File::options().append(true).open(world.at("sparse")).unwrap();
    (&file).write_all(b"end").unwrap();
    file.sync_all().unwrap();
    let copy = fs::metadata(world.upper().join("sparse")).unwrap();
    assert_eq!(copy.len(), (256 << 20) + 3);
    assert!(copy.blocks() < 1000, "{} blocks", copy.blocks());
    let mut middle = [0; 6];
    File::open(world.at("sparse")).unwrap().read_exact_at(&mut middle, 100 << 20).unwrap();
    assert_eq!(&middle, b"middle");
    drop(file);
    world.finish();
}

#[test]
fn everything_about_an_object_survives_a_change_of_its_times() {
    let fill = |lower: &Path| {
        sh(
            lower,
            "mkdir -m 2751 d; echo x >d/f; ln -s nowhere d/s; mkfifo -m 610 d/p; mknod d/c c 1 3
             python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"d/sock\")'
             cp /bin/true d/cap; setcap cap_net_raw+ep d/cap; cp /bin/true d/suid; chmod 6755 d/suid
             setfacl -m u:7:rwx,g:8:r d/f; setfacl -d -m u:9:rx d; setfattr -n user.a -v b d/f
             setfattr -h -n trusted.t -v u d/s; setfattr -n security.s -v v d/p
             chown 5:6 d/f; chown -h 7:8 d/s d/p; : >d/e; touch -d @1000000000.123456789 -h d/* d .",
        );
    };
    let world = World::new(fill);
    let before = tree(&world.lower, Times::Since(2_000_000_000));
    assert_eq!(differences(&before, &tree(&world.mount, Times::Since(2_000_000_000))), Vec::<String>::new());
    // Setting the same times again brings everything up and changes nothing.
    sh(&world.mount, "touch -d @1000000000.123456789 -h d/* d .");
    assert_eq!(differences(&before, &tree(&world.mount, Times::Since(2_000_000_000))), Vec::<String>::new());
    assert_eq!(fs::read_dir(world.upper().join("d")).unwrap().count(), 8, "not all were copied up");
    assert!(xattrs(&world.upper().join("d/cap")).contains_key(std::ffi::OsStr::new("security.capability")));
    world.finish();
}

#[test]
fn a_change_of_one_file_leaves_the_times_of_the_directories_above() {
    let world = World::new(|lower| sh(lower, "mkdir -p a/b; echo x >a/b/f; touch -d @1000000000 a/b a ."));
    sh(&world.mount, "echo y >>a/b/f");
    for path in ["", "a", "a/b"] {
        assert_eq!(fs::metadata(world.at(path)).unwrap().mtime(), 1_000_000_000, "{path:?}");
        let upper = fs::metadata(world.upper().join(path)).unwrap();
        assert_eq!(upper.mtime(), 1_000_000_000, "{path:?} in the upper");
    }
    sh(&world.mount, ": >a/b/g");
    assert_ne!(fs::metadata(world.at("a/b")).unwrap().mtime(), 1_000_000_000);
    world.finish();
}

#[test]
fn an_object_keeps_its_number_when_it_is_copied_up_and_forgotten() {
    let world = World::new(|lower| sh(lower, "mkdir d; echo x >d/f"));
    let number = |path| fs::symlink_metadata(world.at(path)).unwrap().ino();
    let before = (number("d"), number("d/f"));
    sh(&world.mount, "echo y >>d/f");
    assert_eq!((number("d"), number("d/f")), before);
    sh(&world.mount, "echo 2 >/proc/sys/vm/drop_caches");
    assert_eq!((number("d"), number("d/f")), before);
    world.finish();
}

#[test]
fn the_base_is_what_the_lower_was() {
    let world = World::new(|lower| sh(lower, "echo x >changed; echo x >gone; echo x >left; echo x >old"));
    sh(&world.mount, "echo y >>changed; rm gone; cat left; : >new; mv old moved");
    let size = |path: &str| world.overlay.base(Path::new(path)).map(|stat| stat.size);
    assert_eq!([size("changed"), size("gone"), size("left"), size("new")], [Some(2), Some(2), None, None]);
    assert_eq!([size("old"), size("moved")], [Some(2), None]);
    world.finish();
}

#[test]
fn renaming_a_directory_of_the_lower_takes_everything_along() {
    let fill = |lower: &Path| {
        sh(
            lower,
            "mkdir -p d/e/f; echo x >d/e/f/g; ln d/e/f/g d/h; ln d/h outside; echo y >d/e/gone
             setfattr -n user.a -v b d/e; chown 3:4 d/e; touch -d @1000000000 d/e/f/g d/e/f d/e d",
        );
    };
    let world = World::new(fill);
    sh(&world.mount, "rm d/e/gone; touch -d @1000000000 d/e; mv d moved");
    let expected = tempfile::tempdir().unwrap();
    fill(expected.path());
    sh(expected.path(), "rm d/e/gone; touch -d @1000000000 d/e; mv d moved");
    let times = Times::Since(1_500_000_000);
    let mut shown = tree(&world.mount, times);
    let mut wanted = tree(expected.path(), times);
    // The roots are made by others.
    shown.remove(Path::new(""));
    wanted.remove(Path::new(""));
    assert_eq!(differences(&shown, &wanted), Vec::<String>::new());
    sh(&world.mount, "mkdir d; test -z \"$(ls -A d)\"; echo z >>outside; test $(wc -l <moved/h) = 2");
    world.finish();
}
