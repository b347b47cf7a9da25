//! How the program ends: unmounted, by signals, killed; and who may mount the same directories meanwhile.

use super::{PROGRAM, Place, SOON, said, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

fn signalled(place: &Place, signal: Signal) {
    kill(Pid::from_raw(place.server()), signal).unwrap();
}

/// Runs a command of a few words, which must end by itself within five seconds.
fn soon(place: &Place, command: &str) -> Output {
    let output = Command::new("timeout")
        .args(["--signal=KILL", "5", "bash", "-c", command])
        .current_dir(place.at(""))
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(137), "{command} hangs");
    assert_ne!(output.status.code(), None, "{command} hangs");
    output
}

#[test]
fn a_signal_unmounts_and_those_inside_may_finish() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let place = Place::new();
        place.mounted("", "mount");
        let mut inside = fs::File::create(place.at("mount/open")).unwrap();
        signalled(&place, signal);
        within(SOON, "still mounted", || place.line("mount").is_none());
        assert!(!place.at("mount/file").exists());
        inside.write_all(b"late").unwrap();
        assert_eq!(place.servers().len(), 1, "it serves who is inside");
        drop(inside);
        place.ended();
        assert_eq!(fs::read_to_string(place.at("upper/open")).unwrap(), "late");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    place.mounted("", "mount");
    let mut inside = fs::File::create(place.at("mount/open")).unwrap();
    signalled(&place, Signal::SIGTERM);
    within(SOON, "still mounted", || place.line("mount").is_none());
    within(SOON, "it goes on", || {
        place.servers().iter().for_each(|pid| kill(Pid::from_raw(*pid), Signal::SIGTERM).unwrap_or(()));
        place.servers().is_empty()
    });
    // The kernel may take it, but has nobody to give it to.
    assert!(inside.write_all(b"x").and_then(|()| inside.sync_all()).is_err());
}

#[test]
fn a_signal_leaves_what_others_have_mounted_over_it() {
    let place = Place::new();
    place.mounted("", "mount");
    let none: Option<&str> = None;
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("over"), &place.at("mount"), Some("tmpfs"), flags, none).unwrap();
    signalled(&place, Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(place.line("mount").unwrap().contains(" tmpfs over "), "{:?}", place.line("mount"));
    crate::world::unmount(&place.at("mount"));
    place.unmount("mount");
}

#[test]
fn nothing_hangs_when_it_is_killed() {
    let place = Place::new();
    place.mounted("", "mount");
    let mut open = fs::File::open(place.at("mount/file")).unwrap();
    let reader = Command::new("bash")
        .args(["-c", "while cat file >/dev/null && ls -l >/dev/null; do :; done"])
        .current_dir(place.at("mount"))
        .stderr(Stdio::null())
        .spawn();
    let mut reader = reader.unwrap();
    signalled(&place, Signal::SIGKILL);
    within(SOON, "the kernel still waits for it", || place.servers().is_empty());
    within(SOON, "a reader hangs", || reader.try_wait().unwrap().is_some());
    let gone = |error: std::io::Error| {
        assert!(matches!(error.raw_os_error(), Some(libc::ENOTCONN | libc::ECONNABORTED)), "{error}");
    };
    gone(fs::metadata(place.at("mount/other")).unwrap_err());
    // What the kernel has in memory can be read on; what it must ask for cannot.
    if let Err(error) = open.read_to_end(&mut Vec::new()) {
        gone(error);
    }
    for command in ["ls mount", "cat mount/absent", "echo x >mount/new", "stat mount/file2", "rm mount/file"]
    {
        assert!(!soon(&place, command).status.success(), "{command}");
    }
    let options = "lowerdir=lower,upperdir=upper,workdir=work";
    let again = place.program(&["-o", options, "mount"]);
    let text = said(&again);
    assert_eq!(again.status.code(), Some(1), "{text}");
    assert!(text.contains("umount --lazy"), "{text}");
    assert!(soon(&place, "umount --lazy mount").status.success());
    assert_eq!(place.line("mount"), None);
}

#[test]
fn nobody_else_gets_its_directories() {
    let place = Place::new();
    place.mounted("", "mount");
    for name in ["upper2", "work2"] {
        fs::create_dir(place.at(name)).unwrap();
    }
    for (upper, work, taken) in [("upper", "work2", "upperdir"), ("upper2", "work", "workdir")] {
        let options = format!("lowerdir=lower,upperdir={upper},workdir={work}");
        let output = place.program(&["-o", &options, "lower"]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let expected = format!("error: {taken} {} is in use", place.at(&taken.replace("dir", "")).display());
        assert!(text.contains(&expected) && text.contains("\nhint: "), "{text}");
        assert_eq!(place.line("lower"), None);
    }
    place.unmount("mount");
}

#[test]
fn in_the_foreground_it_ends_with_its_mount() {
    let place = Place::new();
    let mut program = Command::new(PROGRAM)
        .args(["-f", "-o", "lowerdir=lower,upperdir=upper,workdir=work", "mount"])
        .current_dir(place.at(""))
        .spawn()
        .unwrap();
    within(SOON, "not mounted", || place.at("mount/file").exists());
    assert_eq!(program.try_wait().unwrap(), None);
    crate::world::unmount(&place.at("mount"));
    within(SOON, "it goes on", || program.try_wait().unwrap().is_some());
    assert_eq!(program.wait().unwrap().code(), Some(0));
}

#[test]
fn in_the_background_it_keeps_nothing_of_its_caller() {
    let place = Place::new();
    let options = "lowerdir=lower,upperdir=upper,workdir=work";
    // Both streams and a lock of the caller's: whoever reads them to the end must find one.
    let script =
        format!("exec 9<>lock; flock 9; cd upper; {PROGRAM} -o {} ../mount", options.replace('=', "=../"));
    let output = soon(&place, &script);
    assert!(output.status.success(), "{}", said(&output));
    assert!(soon(&place, "flock --nonblock lock true").status.success(), "the lock is still held");
    let server = place.server();
    assert_eq!(fs::read_link(format!("/proc/{server}/cwd")).unwrap().to_str(), Some("/"));
    for stream in 0..3 {
        let stream = fs::read_link(format!("/proc/{server}/fd/{stream}")).unwrap();
        assert_eq!(stream.to_str(), Some("/dev/null"));
    }
    let limits = fs::read_to_string(format!("/proc/{server}/limits")).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = files.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{files}");
    place.unmount("mount");
}
