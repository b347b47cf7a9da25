//! Programs served in place of others, and what happens to the real files meanwhile.

use crate::world::World;
use disco_fuse::Shim;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

fn world() -> World {
    let fill = |lower: &Path| {
        fs::create_dir_all(lower.join("usr/bin")).unwrap();
        for name in ["systemctl", "other"] {
            fs::write(lower.join("usr/bin").join(name), "#!/bin/sh\necho real\n").unwrap();
            fs::set_permissions(lower.join("usr/bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink("systemctl", lower.join("usr/bin/reboot")).unwrap();
    };
    World::with_shims(fill, |directory| {
        let program = directory.join("shim");
        // No script: its interpreter would read the real file.
        fs::copy("/usr/bin/whoami", &program).unwrap();
        let shim = |path: &str| Shim { path: PathBuf::from(path), program: File::open(&program).unwrap() };
        vec![shim("/usr/bin/systemctl"), shim("/usr/bin/reboot"), shim("/usr/bin/absent")]
    })
}

fn program_is_untouched(world: &World) {
    assert_eq!(fs::read(world.outside().join("shim")).unwrap(), fs::read("/usr/bin/whoami").unwrap());
}

#[test]
fn a_shim_is_served_where_the_name_exists() {
    let world = world();
    assert_eq!(world.run("usr/bin/systemctl; usr/bin/reboot; usr/bin/other"), "root\nroot\nreal\n");
    assert_eq!(world.run("ls -A usr/bin | sort | tr '\\n' ' '"), "other reboot systemctl ");
    assert!(!world.at("usr/bin/absent").exists());
    let stat = fs::metadata(world.at("usr/bin/systemctl")).unwrap();
    assert_eq!((stat.len(), stat.mode(), stat.uid()), (20, 0o100_755, 0));
    assert_eq!(
        world.run("find usr/bin -printf '%p %y\n' | sort"),
        "usr/bin d\nusr/bin/other f\nusr/bin/reboot f\nusr/bin/systemctl f\n"
    );
    assert_eq!(fs::read_dir(world.upper()).unwrap().count(), 0, "looking changed something");
    world.finish();
}

#[test]
fn dpkg_replaces_the_real_file() {
    let world = world();
    world.run("usr/bin/systemctl; cd usr/bin; printf '#!/bin/sh\necho new\n' >systemctl.dpkg-new; chmod 755 systemctl.dpkg-new; ln systemctl systemctl.dpkg-tmp; mv -f systemctl.dpkg-new systemctl; rm systemctl.dpkg-tmp");
    assert_eq!(fs::read(world.upper().join("usr/bin/systemctl")).unwrap(), b"#!/bin/sh\necho new\n");
    assert_eq!(world.run("usr/bin/systemctl"), "new\n", "after a replacement the real file is served");
    program_is_untouched(&world);
    world.finish();
}

#[test]
fn a_link_to_a_shim_is_a_link_to_the_real_file() {
    let world = world();
    assert_eq!(
        world.run("usr/bin/systemctl; ln usr/bin/systemctl copy; ./copy; usr/bin/systemctl"),
        "root\nreal\nroot\n"
    );
    world.finish();
}

#[test]
fn changes_concern_the_real_file() {
    for (script, content) in [
        ("echo more >>usr/bin/systemctl", "#!/bin/sh\necho real\nmore\n"),
        ("echo all >usr/bin/systemctl", "all\n"),
        ("truncate -s 9 usr/bin/systemctl", "#!/bin/sh"),
        (
            "mv usr/bin/systemctl usr/bin/systemctl.distrib; cp usr/bin/systemctl.distrib usr/bin/systemctl",
            "#!/bin/sh\necho real\n",
        ),
    ] {
        let world = world();
        world.run(&format!("usr/bin/systemctl >/dev/null; {script}"));
        assert_eq!(fs::read_to_string(world.upper().join("usr/bin/systemctl")).unwrap(), content, "{script}");
        assert_eq!(fs::read_to_string(world.at("usr/bin/systemctl")).unwrap(), content, "{script}");
        program_is_untouched(&world);
        world.finish();
    }
}

#[test]
fn mode_and_owner_go_to_the_real_file_and_the_shim_stays() {
    let world = world();
    world.run(
        "chmod 700 usr/bin/systemctl; chown 3:4 usr/bin/systemctl; setfattr -n user.a -v b usr/bin/systemctl",
    );
    let stat = fs::metadata(world.upper().join("usr/bin/systemctl")).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o700, 3, 4));
    assert_eq!(world.run("usr/bin/systemctl; stat -c '%a %u' usr/bin/systemctl"), "root\n700 3\n");
    program_is_untouched(&world);
    world.finish();
}

#[test]
fn what_is_removed_is_gone() {
    let world = world();
    world.run("usr/bin/systemctl; rm usr/bin/systemctl usr/bin/reboot; ! usr/bin/systemctl 2>/dev/null; rm usr/bin/other; rmdir usr/bin");
    assert!(world.overlay.base(Path::new("usr/bin/systemctl")).is_some());
    program_is_untouched(&world);
    world.finish();
}
