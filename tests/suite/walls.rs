//! The walls of the sandbox, attacked from inside by somebody who knows how it is made.

use crate::world::World;

/// Runs a script in a NOOP dance that must neither fail nor change the node; what it printed is returned.
#[track_caller]
fn attack(world: &World, script: &str) -> String {
    world.module("attack").script("10.sh", script);
    world.publish();
    let before = world.manifest();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds();
    assert_eq!(world.manifest().since(&before), [""; 0], "it leaked\n{out}");
    out.stdout.clone()
}

/// Asks the supervisor as a shim would, but what no shim asks.
const ASK: &str = r#"import json, socket, sys
def ask(name, program, *argv):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("/dev/disco")
    s.send(json.dumps(dict(name=name, program=program, argv=[name, *argv], directory="/")).encode())
    print(name, s.recv(1 << 17))
ask("runlevel", "/usr/bin/touch", "/etc/leak")
ask("runlevel", "/usr/bin/touch")
ask("systemctl", "/usr/bin/touch", "cat", "/etc/leak")
ask("systemctl", "../../usr/bin/touch", "cat", "/etc/leak")
ask("touch", "/usr/bin/touch", "/etc/leak")
ask("service", "/etc/init.d/victim", "victim", "status")
"#;

#[test]
fn a_step_cannot_make_the_supervisor_run_a_program_of_its_choice() {
    let Some(world) = World::new() else { return };
    world.write_with_mode("/etc/init.d/victim", "755", "#!/bin/sh\n[ \"$1\" = status ] || touch /etc/leak\n");
    world.master();
    attack(&world, &format!("python3 -c '{ASK}'"));
    for look in [
        "service ../../usr/bin/touch status /etc/leak",
        "service ../../usr/bin/touch status",
        "service victim stop --list",
        "service victim stop --query",
        "rc-service victim stop --list",
        "systemctl -p status stop victim",
        "systemctl --host=127.0.0.1 status victim",
    ] {
        attack(&world, &format!("{look}\ntrue"));
    }
}

#[test]
fn the_hosts_device_nodes_and_disco_itself_keep_their_modes() {
    let Some(world) = World::new() else { return };
    world.master();
    let look = "stat -c '%n %a %U %Y' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty \
                /usr/local/bin/disco; getfattr -d /usr/local/bin/disco";
    let before = world.sh(look).succeeds().stdout.clone();
    let said = attack(
        &world,
        "for f in /dev/null /dev/zero /dev/full /dev/urandom /dev/tty /proc/1/exe /proc/keys; do
            chmod 600 $f; chown 1:1 $f; touch -d 2001-01-01 $f; setfattr -n user.leak -v x $f
            chattr +i $f; rm -f $f; done 2>/dev/null
        echo still >/dev/null && head -c 3 /dev/zero | wc -c; head -c 4 /proc/1/exe && echo opened; true",
    );
    assert!(said.contains("\n3\n") && !said.contains("opened"), "{said}");
    world.sh(look).succeeds().stdout_is(&before);
}

#[test]
fn a_step_sees_no_descriptor_of_disco_or_of_whoever_started_it() {
    let Some(world) = World::new() else { return };
    world.module("m").script(
        "10.sh",
        "ls /proc/1/fd; for fd in /proc/[0-9]*/fd/*; do readlink $fd; done | grep -v -e pipe: -e ^/proc/ | sort -u
        for fd in 4 5 6 7 8 9; do cat <&$fd; done 2>/dev/null; cd /proc/self/fd/9 2>/dev/null && touch leak; true",
    );
    world.master();
    let out = world.sh("exec 9</srv 8</etc/shadow; export SECRET=leak; disco dance --noop");
    out.succeeds().stdout_lacks("socket:").stdout_lacks("root:").stdout_lacks("/srv");
    assert!(!world.exists("/srv/leak"));
}

#[test]
fn capabilities_that_lead_around_the_walls_are_not_there() {
    let Some(world) = World::new() else { return };
    world.master();
    let said = attack(&world, "grep CapEff /proc/self/status; grep CapBnd /proc/self/status");
    // CAP_DAC_READ_SEARCH (2: open_by_handle_at), CAP_SYS_PTRACE (19), CAP_SYS_ADMIN (21), CAP_SYS_RESOURCE (24: core dumps).
    let forbidden: u64 = 1 << 2 | 1 << 19 | 1 << 21 | 1 << 24;
    for line in said.lines().filter(|line| line.starts_with("Cap")) {
        let held = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
        assert_eq!(held & forbidden, 0, "{line}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("Cap")).count(), 2, "{said}");
}

#[test]
fn a_step_that_clears_dev_does_not_take_the_shims_from_the_next() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.module("a").script("10.sh", "rm -rf /dev/* 2>/dev/null; mv /dev/disco /dev/x; true");
    world.module("b").requires("after a").script("10.sh", "service postgresql stop");
    world.master();
    world
        .disco(&["dance", "--noop"])
        .succeeds()
        .stdout_has("info: Processing b\nwarning: Would execute : service postgresql stop\n");
    assert!(world.service_runs("postgresql"));
}

#[test]
fn discos_folders_may_be_links_and_are_hidden_where_they_are() {
    let Some(world) = World::new() else { return };
    world
        .sh("mv /var/disco /srv/home && ln -s /srv/home /var/disco && mkdir /srv/store /srv/home/runs")
        .succeeds();
    world.sh("ln -s /srv/store /var/disco/scratch; echo secret >/srv/home/runs/secret").succeeds();
    world.module("m").script(
        "10.sh",
        "cat /srv/home/runs/* /var/disco/runs/*; ls -A /srv/store; echo x >/srv/store/x; echo x >/srv/home/x
        echo x >/etc/x; cat $0 | head -c 3",
    );
    world.master();
    let out = world.disco(&["dance"]);
    out.succeeds().stdout_lacks("secret").stdout_has("cat");
    assert_eq!(out.changes(), ["/etc/x Created"]);
    assert!(!world.exists("/srv/store/x") && !world.exists("/srv/home/x"));
}

#[test]
fn no_user_namespace_no_keyring_and_no_other_socket_family() {
    let Some(world) = World::new() else { return };
    // The thread's own keyring: had the wall a hole, the key would end with the script.
    let python = "import ctypes, errno, socket\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        def call(name, *arguments):\n\
        \x20   result = libc.syscall(*arguments)\n\
        \x20   print(name, errno.errorcode.get(ctypes.get_errno()) if result == -1 else result)\n\
        call('add_key', 248, b'user', b'disco-test', b'x', 1, -1)\n\
        call('io_uring_setup', 425, 1, 0)\n\
        call('clone3', 435, 0, 0)\n\
        try:\n\
        \x20   socket.socket(40, 1)\n\
        except OSError as error:\n\
        \x20   print('vsock', errno.errorcode[error.errno])\n\
        socket.socket(socket.AF_UNIX); socket.socket(socket.AF_INET); print('plain sockets')\n";
    world.module("m").script("10.sh", "unshare -U true; echo unshare $?").script(
        "20.sh",
        &format!("cat >/tmp/calls.py <<'END'\n{python}END\npython3 /tmp/calls.py; rm /tmp/calls.py"),
    );
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has("unshare 1\n").stdout_has("add_key ENOSYS\nio_uring_setup ENOSYS\n");
    noop.stdout_has("clone3 ENOSYS\nvsock EAFNOSUPPORT\nplain sockets\n");
}
