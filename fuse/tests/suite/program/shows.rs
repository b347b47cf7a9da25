//! What a mount shows, by its options, and what is said where there is none.

use super::{Place, said};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn it_is_served_when_the_program_returns() {
    let place = Place::new();
    place.mounted("", "mount");
    assert_eq!(fs::read_to_string(place.at("mount/file")).unwrap(), "lower");
    fs::write(place.at("mount/file"), "changed").unwrap();
    fs::write(place.at("mount/new"), "new").unwrap();
    assert_eq!(fs::read_to_string(place.at("upper/file")).unwrap(), "changed");
    assert_eq!(fs::read_to_string(place.at("upper/new")).unwrap(), "new");
    assert_eq!(fs::read_to_string(place.at("lower/file")).unwrap(), "lower");
    let line = place.line("mount").unwrap();
    assert!(line.contains(" rw,nodev,relatime ") && line.contains(" fuse.disco-overlayfs "), "{line}");
    place.unmount("mount");
    assert!(!place.at("mount/file").exists());
}

#[test]
fn without_an_upper_nothing_can_be_changed() {
    let place = Place::new();
    let output = place.program(&["-o", "rw,lowerdir=lower", "mount"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(place.at("mount/file")).unwrap(), "lower");
    for error in [
        fs::write(place.at("mount/file"), "").unwrap_err(),
        fs::write(place.at("mount/new"), "").unwrap_err(),
        fs::remove_file(place.at("mount/file")).unwrap_err(),
    ] {
        assert_eq!(error.raw_os_error(), Some(libc::EROFS));
    }
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let own = place.at("").display().to_string();
    assert_eq!(mounts.lines().filter(|line| line.contains(&own)).count(), 1, "{mounts}");
    place.unmount("mount");
}

#[test]
fn devices_work_where_that_is_asked_for() {
    for (option, expected) in [(",dev", Ok(())), ("", Err(libc::EACCES)), (",dev,nodev", Err(libc::EACCES))] {
        let place = Place::new();
        let made =
            std::process::Command::new("mknod").arg(place.at("lower/zero")).args(["c", "1", "5"]).status();
        assert!(made.unwrap().success());
        place.mounted(option, "mount");
        assert!(fs::metadata(place.at("mount/zero")).unwrap().file_type().is_char_device());
        let mut byte = [1];
        let read = fs::File::open(place.at("mount/zero")).and_then(|mut file| file.read_exact(&mut byte));
        assert_eq!(read.map_err(|error| error.raw_os_error().unwrap()), expected, "{option}");
        assert_eq!(byte[0] == 0, expected.is_ok());
        place.unmount("mount");
    }
}

#[test]
fn flags_and_names_reach_the_kernel() {
    let place = Place::new();
    let options = "lowerdir=lower,upperdir=upper,workdir=work,nosuid,noexec,noatime,ro";
    // As mount(8) calls it: a source before the mountpoint, options behind.
    let output = place.program(&["somewhere", "mount", "-o", options]);
    assert!(output.status.success(), "{}", said(&output));
    let line = place.line("mount").unwrap();
    assert!(line.contains(" ro,nosuid,nodev,noexec,noatime "), "{line}");
    assert!(line.contains(" fuse.disco-overlayfs somewhere ro,"), "{line}");
    place.unmount("mount");
    let place = Place::new();
    place.mounted(",fsname=a,allow_other,default_permissions", "mount");
    assert!(place.line("mount").unwrap().contains(" fuse.disco-overlayfs a rw,"));
    place.unmount("mount");
}

#[test]
fn a_remount_changes_the_flags() {
    let place = Place::new();
    place.mounted("", "mount");
    for (options, expected, written) in
        [("remount,ro", " ro,nodev,", Err(libc::EROFS)), ("remount,rw,noexec", " rw,nodev,noexec,", Ok(()))]
    {
        let output = place.program(&["mount", "-o", options]);
        assert!(output.status.success(), "{}", said(&output));
        let line = place.line("mount").unwrap();
        assert!(line.contains(expected), "{line}");
        let done = fs::write(place.at("mount/new"), "").map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(done, written, "{options}");
    }
    place.unmount("mount");
    let output = place.program(&["mount", "-o", "remount,ro"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("error: nothing of disco-overlayfs is mounted on "), "{}", said(&output));
}

#[test]
fn paths_may_have_commas_colons_and_blanks() {
    let place = Place::new();
    for name in ["a:b,c d", "u:1,2", "w:1,2", "m,: 1"] {
        fs::create_dir(place.at(name)).unwrap();
    }
    fs::write(place.at("a:b,c d/file"), "found").unwrap();
    let options = r"lowerdir=a\:b\,c d,upperdir=u:1\,2,workdir=w\:1\,2";
    let output = place.program(&["-o", options, "m,: 1"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(place.at("m,: 1/file")).unwrap(), "found");
    place.unmount("m,: 1");
}

#[test]
fn a_later_mount_goes_on_where_the_one_before_ended() {
    let place = Place::new();
    fs::create_dir(place.at("lower/directory")).unwrap();
    fs::write(place.at("work/mine"), "kept").unwrap();
    place.mounted("", "mount");
    fs::write(place.at("mount/new"), "new").unwrap();
    fs::remove_file(place.at("mount/file")).unwrap();
    fs::rename(place.at("mount/directory"), place.at("mount/moved")).unwrap();
    place.unmount("mount");
    // What is changed now is shown as it was left: over the same lower, and as a lower itself.
    let again = "lowerdir=lower,upperdir=upper,workdir=work";
    for options in [again, "lowerdir=upper:lower", again] {
        let output = place.program(&["-o", options, "mount"]);
        assert!(output.status.success(), "{}", said(&output));
        let mut names: Vec<_> =
            fs::read_dir(place.at("mount")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["moved", "new"], "{options}");
        place.unmount("mount");
    }
    assert_eq!(fs::read_to_string(place.at("work/mine")).unwrap(), "kept");
    assert!(place.at("lower/file").exists() && place.at("lower/directory").exists());
}

#[test]
fn it_can_be_mounted_over_its_own_lower() {
    let place = Place::new();
    place.mounted("", "lower");
    assert_eq!(fs::read_to_string(place.at("lower/file")).unwrap(), "lower");
    fs::write(place.at("lower/new"), "new").unwrap();
    place.unmount("lower");
    assert!(!place.at("lower/new").exists());
    assert_eq!(fs::read_to_string(place.at("upper/new")).unwrap(), "new");
}

#[test]
fn it_can_be_mounted_inside_its_own_lower_with_the_upper_there_too() {
    let place = Place::new();
    for name in ["mount", "upper", "work"] {
        fs::create_dir(place.at("lower").join(name)).unwrap();
    }
    let options = "lowerdir=lower,upperdir=lower/upper,workdir=lower/work";
    let output = place.program(&["-o", options, "lower/mount"]);
    assert!(output.status.success(), "{}", said(&output));
    fs::write(place.at("lower/mount/new"), "new").unwrap();
    // All of it can be walked: the mount is not in itself, nor are its changes.
    let found = std::process::Command::new("timeout")
        .args(["5", "find", "."])
        .current_dir(place.at("lower/mount"))
        .output()
        .unwrap();
    let listed = said(&found);
    assert!(found.status.success(), "{listed}");
    assert!(listed.contains("./new") && !listed.contains("./upper/new"), "{listed}");
    assert!(!listed.contains("./mount/"), "{listed}");
    place.unmount("lower/mount");
}

#[test]
fn the_kernel_reads_further_ahead() {
    let place = Place::new();
    place.mounted("", "mount");
    let device = fs::metadata(place.at("mount")).unwrap().dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let value = fs::read_to_string(format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb")).unwrap();
    let sys = nix::sys::statvfs::statvfs("/sys").unwrap().flags();
    let expected = if sys.contains(nix::sys::statvfs::FsFlags::ST_RDONLY) { "128\n" } else { "1024\n" };
    assert_eq!(value, expected);
    place.unmount("mount");
}

#[test]
fn what_is_wrong_is_said_with_the_way_out() {
    let place = Place::new();
    fs::write(place.at("plain"), "").unwrap();
    let whole = "lowerdir=lower,upperdir=upper,workdir=work";
    let with = |more: &str| format!("{whole},{more}");
    for (options, mountpoint, expected) in [
        ("lowerdir=none".to_owned(), "mount", "error: cannot use lowerdir none: No such file"),
        (whole.to_owned(), "none", "error: cannot use mountpoint none: No such file"),
        (whole.to_owned(), "plain", "is not a directory"),
        (with("upperdir=/proc"), "mount", "is not on the file system of upperdir"),
        (with("workdir=lower"), "mount", "is inside workdir"),
        (with("uidmapping=0:1:1"), "mount", "error: option uidmapping is not supported"),
        (with("gidmapping=0:1:1"), "mount", "error: option gidmapping is not supported"),
        (with("squash_to_root"), "mount", "error: option squash_to_root is not supported"),
        (with("lowerdri=x"), "mount", "error: option lowerdri is unknown"),
        ("upperdir=upper,workdir=work".to_owned(), "mount", "error: lowerdir is missing"),
        (
            "lowerdir=lower,upperdir=upper".to_owned(),
            "mount",
            "error: upperdir is given, but workdir is missing",
        ),
    ] {
        let output = place.program(&["-o", &options, mountpoint]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{options}: {text}");
        assert!(text.contains(expected) && text.contains("\nhint: "), "{options}: {text}");
        assert!(output.stdout.is_empty() && place.line("mount").is_none());
    }
    for (arguments, expected) in [
        (&["--bogus"][..], "unexpected argument '--bogus'"),
        (&[], "MOUNTPOINT"),
        (&["-d", "-o", whole, "mount"], "error: option debug is not supported"),
    ] {
        let output = place.program(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    assert!(place.servers().is_empty());
}

#[test]
fn help_version_and_manual_are_results() {
    let place = Place::new();
    for (argument, expected) in [
        ("--help", "Examples:\n"),
        ("-h", "lowerdir=DIR[:DIR...]"),
        ("--version", concat!("disco-overlayfs ", env!("CARGO_PKG_VERSION"), "\n")),
        ("-V", "disco-overlayfs "),
        ("--man", ".TH disco-overlayfs 8"),
    ] {
        let output = place.program(&[argument]);
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(said(&output).contains(expected), "{argument}: {}", said(&output));
    }
}
