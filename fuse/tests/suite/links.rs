//! Hard links of the lower stay links, whichever name is changed first.

use crate::world::World;
use disco_fuse::{LayerKind, read_layer};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn three(lower: &Path) {
    fs::create_dir(lower.join("d")).unwrap();
    fs::write(lower.join("a"), "x").unwrap();
    fs::hard_link(lower.join("a"), lower.join("d/b")).unwrap();
    fs::hard_link(lower.join("a"), lower.join("c")).unwrap();
}

fn state(world: &World, path: &str) -> (u64, u64, String) {
    let stat = fs::metadata(world.at(path)).unwrap();
    (stat.ino(), stat.nlink(), fs::read_to_string(world.at(path)).unwrap())
}

#[test]
fn a_change_through_one_name_shows_through_all() {
    let world = World::new(three);
    let before = state(&world, "d/b");
    assert_eq!(before.1, 3);
    world.run("echo -n y >>a");
    for path in ["a", "d/b", "c"] {
        assert_eq!(state(&world, path), (before.0, 3, "xy".into()), "{path}");
    }
    let names: Vec<_> = read_layer(fs::File::open(world.upper()).unwrap().as_fd()).unwrap();
    let files: Vec<_> = names.iter().filter(|e| e.kind == LayerKind::Other).map(|e| &e.path).collect();
    assert_eq!(files, [Path::new("a"), Path::new("c"), Path::new("d/b")]);
    world.finish();
}

#[test]
fn a_link_made_for_a_change_elsewhere_leaves_the_directory_its_time() {
    let world = World::new(|lower| {
        three(lower);
        let old =
            std::process::Command::new("touch").args(["-d", "@1000000000"]).arg(lower.join("d")).status();
        assert!(old.unwrap().success());
    });
    world.run("stat d/b >/dev/null; echo -n y >>a");
    assert!(world.upper().join("d/b").exists());
    assert_eq!(fs::metadata(world.upper().join("d")).unwrap().mtime(), 1_000_000_000);
    world.finish();
}

#[test]
fn names_looked_up_before_are_in_the_layer_even_if_the_kernel_forgot_them() {
    let world = World::new(three);
    world.run("stat d/b >/dev/null; echo 2 >/proc/sys/vm/drop_caches; echo -n y >>a");
    let copy = fs::metadata(world.upper().join("d/b")).unwrap();
    assert_eq!((copy.len(), copy.ino()), (2, fs::metadata(world.upper().join("a")).unwrap().ino()));
    world.finish();
}

#[test]
fn the_count_follows_every_name_that_comes_and_goes() {
    let world = World::new(three);
    world.run("rm d/b");
    assert_eq!(state(&world, "a").1, 2);
    world.run("ln a e");
    assert_eq!(state(&world, "c"), (state(&world, "a").0, 3, "x".into()));
    world.run("mv c f; rm a; echo -n z >>e; rm e");
    assert_eq!(state(&world, "f"), (state(&world, "f").0, 1, "xz".into()));
    world.run("rm f");
    assert_eq!(fs::read_dir(world.scratch.join("work/index")).unwrap().count(), 0);
    world.finish();
}

#[test]
fn an_open_file_that_lost_every_name_counts_none() {
    let world = World::new(|lower| {
        three(lower);
        fs::write(lower.join("single"), "s").unwrap();
    });
    for names in [vec!["a", "d/b", "c"], vec!["single"]] {
        let file = fs::File::open(world.at(names[0])).unwrap();
        for name in &names {
            fs::remove_file(world.at(name)).unwrap();
        }
        assert_eq!(file.metadata().unwrap().nlink(), 0, "{names:?}");
    }
    world.finish();
}

#[test]
fn an_open_file_that_lost_its_name_gets_another_one_while_it_has_more() {
    let world = World::new(three);
    // Of its names only this one is known again.
    world.run("echo -n z >>a; echo 2 >/proc/sys/vm/drop_caches");
    let file = fs::File::options().read(true).write(true).open(world.at("a")).unwrap();
    fs::remove_file(world.at("a")).unwrap();
    let flags = rustix::fs::AtFlags::EMPTY_PATH;
    rustix::fs::linkat(&file, "", rustix::fs::CWD, world.at("e"), flags).unwrap();
    world.run("echo -n y >>e");
    assert_eq!(state(&world, "d/b"), (state(&world, "e").0, 3, "xzy".into()));
    drop(file);
    world.finish();
}

#[test]
fn an_open_file_sees_what_is_written_through_another_name() {
    use std::os::unix::fs::FileExt;
    let world = World::new(three);
    let file = fs::File::open(world.at("d/b")).unwrap();
    world.run("echo -n yz >>c");
    let mut data = [0; 3];
    file.read_exact_at(&mut data, 0).unwrap();
    assert_eq!(&data, b"xyz");
    drop(file);
    world.finish();
}

/// What `script` does in a tree, seen in three ways: in the mount, in the layer laid over a copy of the lower,
/// which is looked at before anything else looks a name up, and in a plain copy.
fn is_the_same_everywhere(script: &str) {
    use crate::layer::{apply, copy};
    use crate::tree::{Times, differences, tree};
    let world = World::new(|lower| {
        three(lower);
        let more = "mkdir -p far/er gone; for n in d/e far/f far/er/g gone/h; do ln a $n; done
                    ln -s nowhere link; ln link far/link; mkfifo far/fifo; ln far/fifo fifo
                    find . -exec touch -h -d @1000000000 {} +";
        assert!(
            std::process::Command::new("/bin/sh")
                .args(["-ec", more])
                .current_dir(lower)
                .status()
                .is_ok_and(|s| s.success())
        );
    });
    let (merged, plain) = (world.outside().join("merged"), world.outside().join("plain"));
    copy(&world.lower, &merged);
    copy(&world.lower, &plain);
    world.run(script);
    apply(&world.settled_upper(), &merged);
    let done = std::process::Command::new("/bin/bash").args(["-ec", script]).current_dir(&plain).status();
    assert!(done.unwrap().success(), "{script}");
    let times = Times::Since(1_500_000_000);
    let [mut shown, mut merged, mut plain] = [&world.mount, &merged, &plain].map(|root| tree(root, times));
    for tree in [&mut shown, &mut merged, &mut plain] {
        tree.get_mut(Path::new("")).unwrap().mtime = (0, 0);
    }
    assert_eq!(differences(&plain, &shown), Vec::<String>::new(), "the mount after {script}");
    assert_eq!(differences(&plain, &merged), Vec::<String>::new(), "the layer after {script}");
    world.finish();
}

#[test]
fn names_that_were_never_looked_up_are_in_the_layer() {
    for script in [
        "echo y >>a",
        "chmod 600 far/er/g",
        "chown 1:2 d/b; setfattr -n user.k -v v far/f",
        "rm c; echo y >>a",
        "rm a c; truncate -s 0 far/f",
        "mv far/er/g renamed; echo y >>renamed",
        "mv a d/c; rm d/b",
        "rm -rf far; echo y >>a",
        "rm -rf gone; mkdir gone; echo y >>gone/new; echo y >>a",
        "mv far near; echo y >>a",
        "echo y >>a; mv far near; echo y >>near/f",
        "mv far/er d/er; mkdir far/er; echo new >far/er/g; echo y >>c",
        "mv gone other; ln -s d gone; echo y >>a",
        "rm gone/h; ln a gone/h; rm far/f",
        "exec 3<a; rm a; chmod 640 /proc/self/fd/3; exec 3<&-",
        "echo new >n; mv n c; echo y >>a",
        "mv --exchange far d 2>/dev/null || { mv far x; mv d far; mv x d; }; echo y >>c",
        "touch -h -d @1100000000 link; chmod 600 fifo",
        "ln far/er/g hard",
    ] {
        is_the_same_everywhere(script);
    }
}

#[test]
fn links_do_not_lead_into_another_mount() {
    use nix::mount::{MsFlags, mount};
    let world = World::new(|lower| {
        three(lower);
        fs::create_dir_all(lower.join("far/mnt")).unwrap();
        fs::hard_link(lower.join("a"), lower.join("far/f")).unwrap();
        let none: Option<&str> = None;
        mount(Some("inner"), &lower.join("far/mnt"), Some("tmpfs"), MsFlags::empty(), none).unwrap();
        fs::write(lower.join("far/mnt/x"), "inner").unwrap();
        fs::hard_link(lower.join("far/mnt/x"), lower.join("far/mnt/y")).unwrap();
    });
    world.run("echo y >>d/b; echo z >>far/mnt/y");
    let read = |path: &str| fs::read_to_string(world.upper().join(path)).unwrap();
    assert_eq!([read("a"), read("c"), read("far/f")], ["xy\n", "xy\n", "xy\n"]);
    assert_eq!([read("far/mnt/x"), read("far/mnt/y")], ["innerz\n", "innerz\n"]);
    world.finish();
}
