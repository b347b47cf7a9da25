//! A node with a real systemd as its first process: what a step asks of it in NOOP changes nothing there, is answered as
//! it would answer, and is told; nothing in the sandbox reaches it; a live dance acts on it, after the merge.
//!
//! Longer than other files: what looks, effects and attempts say of one node is to be read together.

use crate::world::World;

/// A node with services: `canary` runs and is enabled, `idle` is neither, `broken` has failed, `hidden` is masked.
fn node() -> Option<World> {
    let world = World::with_systemd()?;
    let unit = |exec: &str| {
        format!(
            "[Unit]\nDescription=A test\n[Service]\nExecStart={exec}\n[Install]\nWantedBy=multi-user.target\n"
        )
    };
    let lives = "/bin/sh -c 'cp /etc/canary.conf /run/canary.seen; exec sleep 1000000'";
    world.write("/etc/canary.conf", "old\n");
    world.write("/etc/systemd/system/canary.service", &unit(lives));
    world.write("/etc/systemd/system/idle.service", &unit("sleep 1000001"));
    world.write("/etc/systemd/system/broken.service", &unit("/bin/false"));
    // What `systemctl` and `service` are, out of reach of any shim.
    world.sh("mkdir /opt/real; cp /usr/bin/systemctl /usr/sbin/service /opt/real/").succeeds();
    world
        .sh("systemctl daemon-reload; systemctl enable --quiet --now canary; systemctl start broken; systemctl mask --quiet hidden")
        .succeeds();
    world.wait_until("the service has failed", || {
        world.run(&["systemctl", "is-failed", "--quiet", "broken"]).status == Some(0)
    });
    world.wait_until("the service runs", || world.exists("/run/canary.seen"));
    Some(world)
}

/// All that a command could have changed in systemd: units, their processes and invocations, jobs, links, and what the
/// manager itself has told its journal. And the node's files.
struct State {
    manager: String,
    files: crate::world::Manifest,
}

impl State {
    fn of(world: &World) -> State {
        // A look at a unit loads it, and an idle one is dropped again: what is neither up nor failed does not count.
        let script = "systemctl list-units --plain --no-legend --state=active,activating,deactivating,failed |
              awk '{print $1}' | xargs systemctl show -p Id -p ActiveState -p SubState -p MainPID -p InvocationID \
              -p UnitFileState -p NRestarts -p Job -p NeedDaemonReload -p StateChangeTimestampMonotonic --
            systemctl list-jobs --no-legend; systemctl get-default; systemctl show -p Environment
            find /etc/systemd /run/systemd/system* /run/systemd/transient* -printf '%p %l %T@\\n' 2>/dev/null
            journalctl --quiet --output=cat --no-pager _PID=1";
        let manager = world.sh(&format!("{{ {script}; }} 2>&1")).stdout.clone();
        assert!(manager.contains("Id=dbus.service"), "there is nothing to compare: {manager:.400}");
        State { manager, files: world.manifest() }
    }

    #[track_caller]
    fn is_unchanged(&self, world: &World) {
        let now = State::of(world);
        let before: Vec<&str> = self.manager.lines().collect();
        let after: Vec<&str> = now.manager.lines().collect();
        let gone: Vec<&&str> = before.iter().filter(|line| !after.contains(line)).collect();
        let new: Vec<&&str> = after.iter().filter(|line| !before.contains(line)).collect();
        assert!(before == after, "systemd has done something: gone {gone:#?}, new {new:#?}");
        assert_eq!(now.files.since(&self.files), [""; 0], "files have changed");
    }
}

/// Runs each line and shows it, what it printed, and its status.
fn transcript(lines: &[&str]) -> String {
    let run =
        |line: &&str| format!("echo '$ {}'; {line} 2>&1; echo \"status $?\"\n", line.replace('\'', "'\\''"));
    lines.iter().map(run).collect()
}

/// The transcript of what ran in a sandbox, without what disco itself told.
fn told_inside(stdout: &str) -> String {
    let own = |line: &&str| !line.starts_with("warning: ") && !line.starts_with("info: ");
    stdout.lines().filter(own).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_node_has_a_systemd_of_its_own_that_a_change_shows_on() {
    let Some(world) = node() else { return };
    world.run(&["cat", "/proc/1/comm"]).succeeds().stdout_is("systemd\n");
    for kind in ["mnt", "pid", "net", "uts", "ipc", "cgroup"] {
        let inside = std::fs::read_link(format!("/proc/{}/ns/{kind}", world.pid())).unwrap();
        let ours = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(inside, ours, "the node shares the {kind} namespace of the test");
    }
    for line in ["systemctl restart canary", "systemctl enable idle"] {
        let before = State::of(&world);
        world.sh(line).succeeds();
        assert_ne!(State::of(&world).manager, before.manager, "{line} is not seen");
    }
    let before = world.manifest();
    world.write("/etc/x", "x\n");
    assert_eq!(world.manifest().since(&before).len(), 1);
    assert!(
        !std::path::Path::new("/etc/systemd-node").exists()
            && !std::path::Path::new("/etc/canary.conf").exists()
    );
}

#[test]
fn looks_are_answered_as_systemd_answers() {
    let Some(world) = node() else { return };
    let lines = [
        "systemctl is-active canary",
        "systemctl is-active idle",
        "systemctl is-active broken",
        "systemctl is-active nothing",
        "systemctl is-active canary idle",
        "systemctl --quiet is-active canary",
        "systemctl is-failed broken",
        "systemctl is-failed canary",
        "systemctl is-enabled canary",
        "systemctl is-enabled idle",
        "systemctl is-enabled hidden",
        "systemctl is-enabled nothing",
        "systemctl is-system-running",
        "systemctl show -p MainPID -p ActiveState -p InvocationID canary",
        "systemctl show --property=MainPID --value canary.service",
        "systemctl show -p LoadState nothing",
        "systemctl list-units --no-legend --plain 'canary*' 'idle*' 'broken*'",
        "systemctl list-units --type=service --state=running --no-legend --plain",
        "systemctl list-unit-files --no-legend",
        "systemctl cat canary",
        "systemctl get-default",
        "/bin/systemctl is-active canary",
        "systemctl status --no-pager --lines=0 nothing",
        "systemctl status --no-pager nothing canary >/dev/null",
        "systemctl status --no-pager canary | head -n 2",
        "systemctl status --no-pager canary >/dev/null",
        "systemctl status --no-pager idle >/dev/null",
        "service canary status >/dev/null",
        "service idle status >/dev/null",
        "service nothing status >/dev/null",
    ];
    let script = transcript(&lines);
    let outside = world.sh(&script).stdout.clone();
    for known in [
        "$ systemctl is-active canary\nactive\nstatus 0\n",
        "$ systemctl is-active idle\ninactive\nstatus 3\n",
        "$ systemctl status --no-pager idle >/dev/null\nstatus 3\n",
        "$ systemctl is-enabled hidden\nmasked\nstatus 1\n",
        "$ service nothing status >/dev/null\nstatus 4\n",
    ] {
        assert!(outside.contains(known), "systemd itself does not say {known:?}:\n{outside}");
    }
    let before = State::of(&world);
    let inside = world.disco(&["try", "--", "bash", "-c", &script]);
    assert_eq!(told_inside(&inside.stdout), outside, "\n{inside}");
    before.is_unchanged(&world);
}

/// What acts on systemd: each is told as it is, and succeeds for the script.
const EFFECTS: [&str; 22] = [
    "systemctl stop canary",
    "systemctl start idle",
    "systemctl restart canary.service",
    "systemctl reload-or-restart canary",
    "systemctl try-restart canary",
    "systemctl --no-block stop canary",
    "systemctl kill canary",
    "systemctl kill -s HUP canary",
    "systemctl reset-failed",
    "systemctl daemon-reload",
    "systemctl daemon-reexec",
    "systemctl isolate rescue.target",
    "systemctl set-property --runtime canary CPUWeight=50",
    "systemctl set-environment LEAK=1",
    "systemctl reboot",
    "systemctl poweroff",
    "service canary stop",
    "service canary restart",
    "deb-systemd-invoke restart canary.service",
    "reboot",
    "shutdown -h now",
    "telinit 6",
];

#[test]
fn effects_in_noop_change_nothing_and_are_told() {
    let Some(world) = node() else { return };
    let script =
        EFFECTS.map(|line| format!("{line} >/dev/null 2>&1 || echo \"failed $? {line}\"\n")).concat();
    world.module("m").script("10.sh", &script);
    world
        .module("n")
        .script("10.sh", "env -i /usr/bin/systemctl stop canary; (cd /; sh -c 'exec /sbin/reboot')");
    world.master();
    let before = State::of(&world);
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_lacks("failed ").reports_no_difference();
    for line in EFFECTS {
        noop.stdout_has(&format!("warning: Would execute : {line}\n"));
    }
    noop.stdout_has("info: Processing n\nwarning: Would execute : /usr/bin/systemctl stop canary\nwarning: Would execute : /sbin/reboot\n");
    before.is_unchanged(&world);
    assert_eq!(State::of(&world).manager, before.manager);
    world.run(&["disco", "shell"]).succeeds();
    let typed = world.command(&["disco", "shell"]).stdin("systemctl stop canary\nservice idle start\n").run();
    typed.succeeds().stdout_has("Would execute : systemctl stop canary").stdout_has("service idle start");
    before.is_unchanged(&world);
}

#[test]
fn enabling_and_masking_edit_the_links_of_the_scratchpad() {
    let Some(world) = node() else { return };
    let before = State::of(&world);
    let script = transcript(&[
        "systemctl --quiet enable idle",
        "readlink /etc/systemd/system/multi-user.target.wants/idle.service",
        "systemctl is-enabled idle",
        "systemctl --quiet disable canary",
        "systemctl is-enabled canary",
        "systemctl --quiet mask rsync",
        "systemctl is-enabled rsync",
        "systemctl --quiet unmask hidden",
        "systemctl is-enabled hidden",
        "systemctl enable nothing",
    ]);
    let tried = world.disco(&["try", "--", "bash", "-c", &script]);
    tried.stdout_has(
        "$ readlink /etc/systemd/system/multi-user.target.wants/idle.service\n/etc/systemd/system/idle.service\nstatus 0\n",
    );
    tried.stdout_has("$ systemctl is-enabled idle\nenabled\nstatus 0\n");
    tried.stdout_has("$ systemctl is-enabled canary\ndisabled\nstatus 1\n");
    tried.stdout_has("$ systemctl is-enabled rsync\nmasked\nstatus 1\n");
    tried
        .stdout_has("hidden.service: No such file or directory\nstatus 1\n")
        .stdout_has("nothing.service does not exist.\nstatus 1\n");
    let changes = tried.changes();
    for change in [
        "/etc/systemd/system/multi-user.target.wants/idle.service Created",
        "/etc/systemd/system/multi-user.target.wants/canary.service Deleted",
        "/etc/systemd/system/hidden.service Deleted",
    ] {
        assert!(changes.iter().any(|line| line == change), "{change} is missing\n{tried}");
    }
    before.is_unchanged(&world);
    let with_now = world.disco(&["try", "--", "systemctl", "enable", "--now", "--quiet", "idle"]);
    with_now.succeeds().stdout_has("wants/idle.service : Created").stdout_has("Would execute : systemctl ");
    before.is_unchanged(&world);
}

#[test]
fn what_was_pretended_is_answered_so() {
    let Some(world) = node() else { return };
    let before = State::of(&world);
    let script = transcript(&[
        "systemctl stop canary",
        "systemctl is-active canary",
        "systemctl status --no-pager canary >/dev/null",
        "service canary status >/dev/null",
        "systemctl show -p ActiveState --value canary",
        "systemctl start idle",
        "systemctl is-active idle",
        "service idle status >/dev/null",
        "systemctl restart canary",
        "systemctl is-active canary",
        "systemctl --quiet is-active broken",
    ]);
    let tried = world.disco(&["try", "--", "bash", "-c", &script]);
    let told = told_inside(&tried.stdout);
    for (line, expected) in [
        ("systemctl stop canary", "status 0"),
        ("systemctl is-active canary", "inactive\nstatus 3"),
        ("systemctl status --no-pager canary >/dev/null", "status 3"),
        ("service canary status >/dev/null", "status 3"),
        ("systemctl show -p ActiveState --value canary", "inactive\nstatus 0"),
        ("systemctl is-active idle", "active\nstatus 0"),
        ("service idle status >/dev/null", "status 0"),
        ("systemctl --quiet is-active broken", "status 3"),
    ] {
        assert!(told.contains(&format!("$ {line}\n{expected}\n")), "{line} should say {expected}\n{told}");
    }
    assert!(
        told.contains("$ systemctl is-active canary\nactive\nstatus 0\n"),
        "a restart is no start\n{told}"
    );
    before.is_unchanged(&world);
}

#[test]
fn what_systemd_refuses_is_refused_and_nothing_is_told_of_it() {
    let Some(world) = node() else { return };
    let lines = [
        "systemctl stop nothing",
        "systemctl start nothing",
        "systemctl restart nothing.service",
        "systemctl reload nothing",
        "service nothing restart",
        "systemctl start hidden",
        "systemctl frobnicate canary",
        "systemctl --frobnicate",
    ];
    let script = transcript(&lines);
    let outside = world.sh(&script).stdout.clone();
    assert!(
        outside.contains(
            "$ systemctl stop nothing\nFailed to stop nothing.service: Unit nothing.service not loaded.\nstatus 5\n"
        ),
        "{outside}"
    );
    let before = State::of(&world);
    let inside = world.disco(&["try", "--", "bash", "-c", &script]);
    assert_eq!(told_inside(&inside.stdout), outside, "\n{inside}");
    inside.stdout_lacks("Would execute");
    before.is_unchanged(&world);
}

#[test]
fn a_live_dance_merges_first_then_acts() {
    let Some(world) = node() else { return };
    let pid = |unit: &str| world.run(&["systemctl", "show", "-p", "MainPID", "--value", unit]).stdout.clone();
    let old = pid("canary");
    let script = "set -e; echo new >/etc/canary.conf; systemctl restart canary
        systemctl enable --quiet idle; systemctl start idle";
    world.module("m").script("10.sh", script);
    world.master();
    world
        .disco(&["dance", "--noop"])
        .succeeds()
        .stdout_has("warning: Would execute : systemctl restart canary\n");
    assert_eq!((pid("canary"), world.read("/run/canary.seen")), (old.clone(), "old\n".into()));
    let live = world.disco(&["dance"]);
    live.succeeds().stderr_has("info: Executed : systemctl restart canary : done\n");
    assert_ne!(pid("canary"), old);
    world.wait_until("the service has its new file", || world.read("/run/canary.seen") == "new\n");
    world.run(&["systemctl", "is-enabled", "idle"]).succeeds();
    world.run(&["systemctl", "is-active", "idle"]).succeeds();

    let before = State::of(&world);
    world.module("m").script("10.sh", "systemctl stop canary; systemctl disable idle; false");
    world.publish();
    world.disco(&["dance"]).exits(1);
    before.is_unchanged(&world);
}

/// A packet to a socket, by perl: what any program can do, without a library of systemd's. Name, type, path, what it sends.
const SOCKETS: [(&str, &str, &str, &str); 7] = [
    ("dbus", "STREAM", "/run/dbus/system_bus_socket", "\\0AUTH EXTERNAL 30\\r\\n"),
    ("private", "STREAM", "/run/systemd/private", "\\0AUTH EXTERNAL 30\\r\\n"),
    ("journal", "DGRAM", "/run/systemd/journal/socket", "MESSAGE=leak by journal\\n"),
    ("stdout", "STREAM", "/run/systemd/journal/stdout", "leak\\n\\n6\\n0\\n0\\n0\\n0\\nleak by stdout\\n"),
    ("dev-log", "DGRAM", "/run/systemd/journal/dev-log", "<13>leak: by dev-log"),
    ("notify", "DGRAM", "/run/systemd/notify", "STATUS=leak by notify"),
    ("userdb", "STREAM", "/run/systemd/userdb/io.systemd.DynamicUser", "leak"),
];

fn send((name, kind, path, text): (&str, &str, &str, &str)) -> String {
    format!(
        "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_{kind}, 0) or die; connect(S, pack_sockaddr_un(\"{path}\")) or exit 9; \
         defined(syswrite(S, \"{text}\")) or exit 8'; echo \"{name} $?\"\n"
    )
}

/// What else talks to systemd: programs of its own, the real systemctl, FIFOs, signals. What each prints is its own affair.
const TALK: &str = "
    exec >/dev/null 2>&1 </dev/null
    logger leak by logger; logger --socket /run/systemd/journal/dev-log leak by logger
    echo leak by cat | systemd-cat; echo leak by cat | systemd-cat -t leak
    busctl --system call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StopUnit ss canary.service replace
    dbus-send --system --print-reply --dest=org.freedesktop.systemd1 /org/freedesktop/systemd1 \
      org.freedesktop.systemd1.Manager.StopUnit string:canary.service string:replace
    NOTIFY_SOCKET=/run/systemd/notify systemd-notify --status=leak --pid=1
    /opt/real/systemctl stop canary; /opt/real/systemctl --force stop canary; /opt/real/service canary stop
    SYSTEMD_OFFLINE=0 /opt/real/systemctl start idle; SYSTEMD_IGNORE_CHROOT=1 /opt/real/systemctl stop canary
    systemd-run --unit=leak true; systemd-run --scope --unit=leak2 true
    timedatectl set-timezone Europe/Berlin; hostnamectl hostname leak; loginctl terminate-user root; loginctl lock-sessions
    journalctl --rotate; journalctl --flush; systemd-tmpfiles --create; systemd-inhibit true
    timeout 1 sh -c 'echo leak >/run/initctl'; timeout 1 sh -c 'echo leak >/dev/initctl'
    kill -TERM 1; kill -s RTMIN+5 1; pkill -x systemd-journal; pkill -HUP systemd
    true";

#[test]
fn nothing_in_the_sandbox_reaches_systemd() {
    let Some(world) = node() else { return };
    let sends: String = SOCKETS.map(send).concat();
    let all = |status: &str| SOCKETS.map(|(name, ..)| format!("{name} {status}\n")).concat();
    // The master tells its log of each fetch, and disco that of each run.
    let journal = || {
        world
            .sh("journalctl --sync; journalctl --quiet --no-pager | grep --invert-match --extended-regexp ' (rsyncd|disco)\\['")
            .stdout
            .clone()
    };

    let before = State::of(&world);
    let names =
        world.sh("busctl --system --no-pager list --unique --acquired --no-legend | wc -l").stdout.clone();
    let quiet = journal();
    assert!(!quiet.contains("leak"), "{quiet}");
    let tried = world.disco(&["try", "--", "bash", "-c", &sends]);
    assert_eq!(told_inside(&tried.stdout), all("9"), "a socket can be reached\n{tried}");
    world.disco(&["try", "--", "bash", "-c", TALK]).succeeds();
    world.module("m").script("10.sh", &format!("{sends}{TALK}"));
    world.module("n").script("10.sh", "false");
    world.master();
    world.disco(&["dance", "--noop"]).exits(1);
    world.disco(&["dance"]).exits(1);
    before.is_unchanged(&world);
    let now = journal();
    assert_eq!(now.strip_prefix(&quiet), Some(""), "the journal has more lines");
    assert_eq!(
        world.sh("busctl --system --no-pager list --unique --acquired --no-legend | wc -l").stdout.clone(),
        names
    );
    world.run(&["systemctl", "is-active", "canary"]).succeeds();

    // The same outside: the attempts are real, and this test would see them.
    world.sh(&sends).succeeds().stdout_is(&all("0"));
    world
        .sh("logger leak by logger; echo leak by cat | systemd-cat; systemd-run --unit=leak true")
        .succeeds();
    let told = journal();
    for line in
        ["leak by journal", "leak by stdout", "by dev-log", "leak by logger", "leak by cat", "leak.service"]
    {
        assert!(told.contains(line), "{line} is not in the journal:\n{told}");
    }
    world.sh("/opt/real/systemctl stop canary").succeeds();
    world.run(&["systemctl", "is-active", "canary"]).exits(3);
}

#[test]
fn attempts_to_reach_systemd_are_told() {
    let Some(world) = node() else { return };
    let script = SOCKETS.map(send).concat();
    let tried = world.disco(&["try", "--", "bash", "-c", &format!("{{ {script} }} >/dev/null 2>&1")]);
    let told = format!("{}{}", tried.stdout, tried.stderr);
    for (_, _, path, _) in SOCKETS {
        assert!(
            told.contains(&format!("warning: Stopped : connect : {path} : ")),
            "{path} is not told\n{tried}"
        );
    }
}

#[test]
fn packages_with_units_change_nothing_in_noop_and_run_after_a_live_dance() {
    let Some(world) = node() else { return };
    let install = |packages: &str| {
        let options = "--yes --quiet --quiet --no-install-recommends";
        format!("set -e; DEBIAN_FRONTEND=noninteractive apt-get install {options} {packages}")
    };
    world.module("m").script("10.sh", &install("cron nginx-light"));
    world.master();
    let before = State::of(&world);
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has("/etc/systemd/system/multi-user.target.wants/cron.service : Created");
    for asked in ["cron.service", "nginx.service"] {
        assert!(
            noop.stdout
                .lines()
                .any(|line| line.starts_with("warning: Would execute : ") && line.contains(asked)),
            "{asked} would not be started\n{noop}"
        );
    }
    before.is_unchanged(&world);
    assert_eq!(world.sh("pgrep -x 'cron|nginx'").status, Some(1));
    world.run(&["dpkg", "-s", "cron"]).exits(1);

    world.module("m").script("10.sh", &install("cron"));
    world.publish();
    world.disco(&["dance"]).succeeds();
    world.run(&["systemctl", "is-active", "cron"]).succeeds();
    world.run(&["systemctl", "is-enabled", "cron"]).succeeds();
    let before = State::of(&world);
    let purged = world.disco(&["try", "--", "apt-get", "purge", "--yes", "--quiet", "--quiet", "cron"]);
    purged.succeeds().stdout_has("Would execute : ").stdout_has("/usr/sbin/cron : Deleted");
    before.is_unchanged(&world);
    world.run(&["systemctl", "is-active", "cron"]).succeeds();
}
