//! What a step tries by system calls, without any command that a shim stands for: told by name, stopped, and never made.

use crate::world::World;

/// Python that makes system calls, from a file of the module.
const CALLS: &str = r#"import ctypes, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    done = libc.syscall(*arguments)
    return done if done != -1 else -ctypes.get_errno()
for what in sys.argv[1:]:
    if what == "hostname": socket.sethostname("elsewhere")
    elif what == "mount": print("mount", libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, b"size=1m"))
    elif what == "umount": print("umount", libc.umount2(b"/mnt", 0))
    elif what == "reboot": print("reboot", call(169, 0xfee1dead, 672274793, 0x01234567, 0))
    elif what == "module": print("delete_module", call(176, b"no_such_module", 0))
    elif what == "clock": print("clock", call(227, 0, (ctypes.c_long * 2)(12345, 0)))
    elif what == "keys": print("add_key", call(248, b"user", b"disco-test", b"x", 1, -1))
    elif what == "ring": print("io_uring_setup", call(425, 1, 0))
    elif what == "fsopen": print("fsopen", call(430, b"tmpfs", 0))
    elif what == "vsock":
        try: socket.socket(40, 1)
        except OSError as error: print("vsock", error.errno)
    elif what == "connect":
        for address in [("192.0.2.7", 443), ("127.0.0.1", 5432)]:
            for _ in range(3):
                try: socket.create_connection(address, 1)
                except OSError: pass
    elif what == "send":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for send in [lambda: s.sendto(b"x", ("192.0.2.8", 53)), lambda: s.sendmsg([b"x"], [], 0, ("192.0.2.9", 53))]:
            try: send()
            except OSError: pass
    elif what == "own":
        # A server of the step's own is no attempt.
        server = socket.create_server(("127.0.0.1", 8080))
        socket.create_connection(("127.0.0.1", 8080)).close()
    elif what.startswith("kill"):
        os.kill(int(what[4:]), signal.SIGTERM)
    elif what.startswith("renice"):
        os.setpriority(os.PRIO_PROCESS, int(what[6:]), 5)
"#;

fn with_calls(world: &World, script: &str) {
    world.module("m").file("tmp/calls.py", 0o644, CALLS).script("10.sh", script);
}

#[test]
fn what_has_a_command_is_an_action_and_is_pretended() {
    let Some(world) = World::new() else { return };
    let victim = world.sh("sleep 1000 >/dev/null 2>&1 & echo $!").succeeds().stdout.trim().to_owned();
    world.write("/run/victim.pid", &format!("{victim}\n"));
    with_calls(
        &world,
        "exec 2>/dev/null\nkill -HUP $(cat /run/victim.pid) && echo killed\n\
         kill -0 $(cat /run/victim.pid) && echo there\n\
         setpriv --reuid 65534 --regid 65534 --clear-groups bash -c 'kill -0 '$(cat /run/victim.pid) || echo not theirs\n\
         kill -TERM 4194000 || echo nobody\nsleep 100 & kill $!; wait $!; echo own $?\n\
         python3 /tmp/calls.py hostname mount umount reboot module clock\n",
    );
    world.master();
    let before = world.manifest();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds()
        .stdout_has("killed\n")
        .stdout_has("there\n")
        .stdout_has("not theirs\n")
        .stdout_has("nobody\n")
        .stdout_has("own 143\n");
    noop.stdout_has("mount 0\n").stdout_has("umount 0\n").stdout_has("reboot 0\n").stdout_has("clock 0\n");
    for command in [
        &*format!("kill -HUP {victim}"),
        "hostname elsewhere",
        "mount -t tmpfs -o size=1m tmpfs /mnt",
        "umount /mnt",
        "reboot",
        "rmmod no_such_module",
        "date -s @12345",
    ] {
        noop.stdout_has(&format!("warning: Would execute : {command}\n"));
    }
    noop.stdout_lacks("4194000").stderr_has("approximate: clock_settime, delete_module, kill, mount, ");
    assert_eq!(world.manifest().since(&before), [""; 0], "{noop}");
    world.sh(&format!("kill -0 {victim} && [ $(hostname) = localhost.localdomain ]")).succeeds();
    let record = world.sh("cat /var/disco/runs/*/record.json").succeeds().stdout.clone();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let action = &record["actions"][0];
    assert_eq!((&action["kind"], &action["line"]), (&"process".into(), &2.into()), "{action}");
    assert_eq!(action["target"], format!("process {victim} (sleep)"));
    assert_eq!(record["actions"].as_array().unwrap().len(), 7, "{record}");
}

#[test]
fn a_live_run_records_the_same_and_does_it_after_the_merge() {
    let Some(world) = World::new() else { return };
    let victim = world.sh("sleep 1000 >/dev/null 2>&1 & echo $!").succeeds().stdout.trim().to_owned();
    with_calls(
        &world,
        &format!(
            "python3 /tmp/calls.py kill{victim}\necho x >/etc/x\nwhile kill -0 {victim}; do sleep 0.1; done; pgrep -x sleep | grep -x {victim} || echo gone\n"
        ),
    );
    world.master();
    let command = format!("kill -TERM {victim}");
    let asked = format!("warning: Would execute : {command}\n");
    world.disco(&["dance", "--noop"]).succeeds().stdout_has(&asked);
    world.sh(&format!("kill -0 {victim}")).succeeds();
    let live = world.disco(&["dance"]);
    live.succeeds()
        .stdout_has("gone\n")
        .stderr_has(&format!("info: Deferred : {command}\n"))
        .stderr_has(&format!("Executed : {command} : done\n"));
    world.sh(&format!("! kill -0 {victim}")).succeeds();
}

#[test]
fn what_has_none_is_told_once_with_a_count_also_where_the_script_is_silent() {
    let Some(world) = World::new() else { return };
    world.sh("mkfifo /run/initctl; mknod /srv/disk b 7 99; mkdir -p /run/dbus").succeeds();
    let _bus = world.spawn(&["python3", "-c", "import socket, time\ns = socket.socket(socket.AF_UNIX); s.bind('/run/dbus/bus'); s.listen()\na = socket.socket(socket.AF_UNIX); a.bind('\\0host-name'); a.listen()\ntime.sleep(60)"]);
    world.wait_until("the bus is there", || world.exists("/run/dbus/bus"));
    with_calls(
        &world,
        "exec >/dev/null 2>&1\npython3 /tmp/calls.py connect send own\npython3 /tmp/calls.py keys ring fsopen vsock\n\
         echo x >/run/initctl\necho x >/srv/disk\necho x >/dev/kmsg\nunshare -U true\nnsenter -t 1 -m true\n\
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/dbus/bus\")'\n\
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"\\0host-name\")'\n\
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/none\")'\ntrue\n",
    );
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    for attempt in [
        "connect : 192.0.2.7 port 443 (tcp) : refused, by python3, line 2, 3 times",
        "connect : 127.0.0.1 port 5432 (tcp) : refused, by python3, line 2, 3 times",
        "sendto : 192.0.2.8 port 53 (udp) : refused, by python3, line 2",
        "sendmsg : 192.0.2.9 port 53 (udp) : refused, by python3, line 2",
        "add_key : user disco-test : refused, by python3, line 3",
        "io_uring_setup : ",
        "fsopen : tmpfs : refused, by python3, line 3",
        "socket : family vsock : refused, by python3, line 3",
        "open : /run/initctl : refused, by bash, line 4",
        "open : /srv/disk : refused, by bash, line 5",
        "open : /dev/kmsg : pretended, by bash",
        "unshare : new namespaces: user : refused, by unshare, line 7",
        "connect : /run/dbus/bus : refused, by python3, line 9",
        "connect : @host-name : refused, by python3, line 10",
    ] {
        noop.succeeds().stdout_has(&format!("warning: Stopped : {attempt}"));
    }
    noop.stdout_lacks("port 8080").stdout_lacks("connect : /run/none");
    let json = world.disco(&["dance", "--noop", "--format", "json"]);
    json.succeeds().stdout_has(r#""call":"connect","target":"192.0.2.7 port 443 (tcp)","answer":"refused","program":"python3","line":2,"count":3"#);
    let live = world.disco(&["dance"]);
    let told = |out: &str| {
        out.lines().filter(|line| line.contains("Stopped")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(told(&noop.stdout), told(&live.succeeds().stdout));
}

#[test]
fn numbers_of_a_pid_file_are_never_those_of_the_sandbox() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .script("10.sh", "echo first $BASHPID; for i in {1..300}; do (:); done; (echo last $BASHPID)");
    world.master();
    let highest: u32 =
        world.sh("ls /proc | grep -x '[0-9]*' | sort -n | tail -1").stdout.trim().parse().unwrap();
    let out = world.disco(&["dance", "--noop"]);
    let numbers: Vec<u32> = out
        .succeeds()
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("first ").or(line.strip_prefix("last ")))
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(
        numbers.len() == 2 && numbers.iter().all(|number| *number > highest + 10_000),
        "{numbers:?} {highest}"
    );
}

/// Becomes a program under a filter with a listener, which the kernel then gives nobody else.
const LISTENER: &str = r#"import ctypes, fcntl, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(allow)
program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(buffer))
listener = libc.syscall(317, 1, 8, program)
assert listener >= 0, ctypes.get_errno()
fcntl.fcntl(listener, fcntl.F_SETFD, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn where_nobody_can_hear_the_walls_hold_and_the_report_says_so() {
    let Some(world) = World::new() else { return };
    let victim = world.sh("sleep 1000 >/dev/null 2>&1 & echo $!").succeeds().stdout.trim().to_owned();
    with_calls(
        &world,
        &format!(
            "echo x >/etc/x; kill {victim} || echo no; python3 /tmp/calls.py keys vsock ring; unshare -U true || echo no"
        ),
    );
    world.master();
    world.write("/tmp/listener.py", LISTENER);
    let before = world.manifest();
    let out = world.sh("python3 /tmp/listener.py disco dance --noop");
    out.succeeds().stdout_has("no\nadd_key -38\nvsock 97\nio_uring_setup -38\nno\n").stdout_lacks("Stopped");
    out.stderr_has("approximate: calls that nobody could report");
    assert_eq!(out.changes(), ["/etc/x Created", "/tmp/calls.py Created"]);
    assert_eq!(world.manifest().since(&before), [""; 0], "{out}");
    world.sh(&format!("kill -0 {victim}")).succeeds();
}
