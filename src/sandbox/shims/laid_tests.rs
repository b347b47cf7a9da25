//! What was pretended, over what the real programs print.

use super::*;
use crate::actions::{Deed, Mount};

fn after(deeds: &[Deed]) -> Pretended {
    let mut state = Pretended::default();
    deeds.iter().for_each(|deed| state.apply(deed));
    state
}

fn service(name: &str, runs: bool) -> Deed {
    Deed::Service { name: name.into(), runs }
}

fn seen(stdout: &str, status: i32) -> Seen {
    Seen { stdout: stdout.into(), stderr: Vec::new(), status }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn whether_units_are_active() {
    let state = after(&[service("a", false), service("b", true)]);
    for (line, host, expected) in [
        ("is-active a.service", ("active\n", 0), ("inactive\n", 3)),
        ("is-active b.service", ("inactive\n", 3), ("active\n", 0)),
        ("is-active c.service", ("failed\n", 3), ("failed\n", 3)),
        (
            "is-active a.service b.service c.service",
            ("active\ninactive\nfailed\n", 0),
            ("inactive\nactive\nfailed\n", 0),
        ),
        ("is-active a.service c.service", ("active\nfailed\n", 0), ("inactive\nfailed\n", 3)),
        ("is-active -q a.service", ("", 0), ("", 3)),
        ("is-active -q b.service", ("", 3), ("", 0)),
        ("is-failed a.service", ("failed\n", 0), ("inactive\n", 1)),
        ("is-failed b.service", ("failed\n", 0), ("active\n", 1)),
    ] {
        let all = words(line);
        let named: Vec<String> = all.iter().filter(|word| word.ends_with(".service")).cloned().collect();
        let told = units(&all[0], &named, &[], &all, seen(host.0, host.1), &state);
        assert_eq!((text(&told.stdout).as_str(), told.status), expected, "{line}");
    }
}

const STATUS: &str = "\u{25cf} a.service - A test
     Loaded: loaded (/etc/systemd/system/a.service; enabled)
     Active: active (running) since Fri
   Main PID: 812 (a)
     CGroup: /system.slice/a.service
             \u{2514}\u{2500}812 a
";

#[test]
fn the_status_of_units() {
    let named = words("a.service");
    let told = |state: &Pretended, host: Seen, facts: &[Option<String>]| {
        let told = units("status", &named, facts, &words("status a.service"), host, state);
        (text(&told.stdout), text(&told.stderr), told.status)
    };
    let stopped = after(&[service("a", false)]);
    let (out, _, status) = told(&stopped, seen(STATUS, 0), &[]);
    assert!(out.contains("     Active: inactive (dead)\n") && !out.contains("812"), "{out}");
    assert_eq!(status, 3);
    let started = after(&[service("a", true)]);
    assert_eq!(told(&started, seen("\u{25cb} a.service\n     Active: inactive (dead)\n", 3), &[]).2, 0);
    assert_eq!(told(&after(&[service("b", false)]), seen(STATUS, 0), &[]), (STATUS.into(), String::new(), 0));
    // Of one that only the sandbox has.
    let unknown = Seen { stderr: b"Unit a.service could not be found.\n".to_vec(), ..seen("", 4) };
    let (out, err, status) = told(&started, unknown.clone(), &[Some("known".into())]);
    assert!(out.contains("Active: active (running)") && err.is_empty() && status == 0, "{out}{err}");
    assert_eq!(told(&Pretended::default(), unknown, &[None]).2, 4);
}

#[test]
fn properties_and_lists_of_units() {
    let state = after(&[service("a", false)]);
    let named = words("a.service");
    for (line, host, expected) in [
        (
            "show -p ActiveState -p MainPID a",
            "ActiveState=active\nMainPID=812\nId=a\n",
            "ActiveState=inactive\nMainPID=0\nId=a\n",
        ),
        ("show -p ActiveState --value a", "active\n", "inactive\n"),
        ("show --property=SubState --value a", "running\n", "dead\n"),
        ("show -p Id --value a", "a\n", "a\n"),
        (
            "list-units",
            "  a.service   loaded active running A test\n  b.service   loaded active running B\n",
            "  a.service   loaded inactive dead    A test\n  b.service   loaded active running B\n",
        ),
    ] {
        let all = words(line);
        let told = units(&all[0], &named, &[], &all, seen(host, 0), &state);
        assert_eq!(text(&told.stdout), expected, "{line}");
    }
}

#[test]
fn processes_have_the_numbers_that_the_step_knows() {
    let state = after(&[Deed::Ended(70)]);
    let numbers =
        || Numbers { inside: [(500, 40_001), (501, 40_002)].into(), asker: Some(501), state: &state };
    for (over, host, expected) in [
        (
            lines as fn(Seen, &Numbers<'_>) -> Seen,
            ("12 init\n500 sleep 5\n501 pgrep\n70 x\n", 0),
            ("12 init\n40001 sleep 5\n", 0),
        ),
        (lines, ("501\n70\n", 0), ("", 1)),
        (lines, ("", 1), ("", 1)),
        (super::numbers, ("12 500 501 70\n", 0), ("12 40001\n", 0)),
        (super::numbers, ("70\n", 0), ("", 1)),
        (super::numbers, (" 12 500", 0), (" 12 40001", 0)),
        (
            table,
            (
                "UID   PID  PPID CMD\nroot   12     1 init\nroot  500    12 sleep 5\nroot  501   500 ps\nroot   70     1 x\nroot   71   500 y\n",
                0,
            ),
            ("UID   PID  PPID CMD\nroot   12     1 init\nroot 40001    12 sleep 5\nroot   71 40001 y\n", 0),
        ),
        (table, ("12\n500\n", 0), ("12\n500\n", 0)),
    ] {
        let told = over(seen(host.0, host.1), &numbers());
        assert_eq!((text(&told.stdout).as_str(), told.status), expected, "{host:?}");
    }
}

#[test]
fn mounts_and_modules() {
    let mount =
        Mount { source: "/dev/a".into(), target: "/mnt".into(), kind: "ext4".into(), options: "rw".into() };
    let state = after(&[
        Deed::Mounted(mount),
        Deed::Unmounted("/srv".into()),
        Deed::Module { name: "dummy".into(), loaded: true },
        Deed::Module { name: "loop".into(), loaded: false },
    ]);
    let host = "/dev/b on /srv type ext4 (rw)\nproc on /proc type proc (rw)\n";
    assert_eq!(
        text(&mounts(seen(host, 0), &state).stdout),
        "proc on /proc type proc (rw)\n/dev/a on /mnt type ext4 (rw)\n"
    );
    let host = "Module                  Size  Used by\nloop                   40960  0\next4                  999424  1\n";
    let told = text(&modules(seen(host, 0), &state).stdout);
    assert_eq!(
        told,
        "Module                  Size  Used by\next4                  999424  1\ndummy                      0  0\n"
    );
    for (line, target, expected) in [
        ("mountpoint /mnt", "/mnt", Some(("/mnt is a mountpoint\n", 0))),
        ("mountpoint -q /mnt", "/mnt", Some(("", 0))),
        ("mountpoint /srv", "/srv", Some(("/srv is not a mountpoint\n", 32))),
        ("mountpoint /proc", "/proc", None),
        ("findmnt /srv", "/srv", Some(("", 1))),
        ("findmnt -n -o SOURCE /mnt", "/mnt", Some(("/dev/a\n", 0))),
        ("findmnt /mnt", "/mnt", Some(("TARGET SOURCE FSTYPE OPTIONS\n/mnt   /dev/a ext4   rw\n", 0))),
    ] {
        let all = words(line);
        let told = mount_point(&all[0], &all[1..], target, &state);
        let told = told.map(|told| (text(&told.stdout), told.status));
        assert_eq!(told, expected.map(|(out, status)| (out.to_owned(), status)), "{line}");
    }
}

#[test]
fn the_hosts_name_may_be_short() {
    assert_eq!(host_name(&[], "box.example"), "box.example");
    assert_eq!(host_name(&words("-s"), "box.example"), "box");
}
