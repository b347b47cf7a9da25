//! How a mounted sandbox begins and ends, and what is there when it has ended.

use super::{files_of_disco, holder, node};

#[test]
fn nothing_is_left_of_an_unmounted_sandbox_but_its_record() {
    let Some(world) = node() else { return };
    world.write_with_mode("/etc/init.d/x", "755", "#!/bin/sh\n");
    world.disco(&["try", "true"]).succeeds();
    let (processes, mounts, manifest) = (world.processes(), world.mounts(), world.manifest());
    for _ in 0..2 {
        world.disco(&["fs", "mount"]).succeeds();
        let files = files_of_disco(&world);
        assert!(files.iter().any(|path| path == "./mount/socket"), "{files:?}");
        world
            .sh("stat -c '%a %n' /var/disco/mount /var/disco/mount/socket")
            .stdout_is("700 /var/disco/mount\n600 /var/disco/mount/socket\n");
        assert_eq!(world.mounts(), mounts, "its mount is seen outside");
        world.command(&["disco", "shell"]).stdin("echo x >/etc/x; service x stop").run().succeeds();
        world.disco(&["fs", "unmount"]).succeeds().stderr_has("Unmounted: 1 change and 1 action dropped");
        world.only_has(&processes);
        assert_eq!((world.mounts(), world.manifest().since(&manifest)), (mounts.clone(), vec![]));
        assert_eq!(
            files_of_disco(&world),
            [".", "./modules", "./mount", "./mount/lock", "./parameters", "./scratch"]
        );
    }
    let runs = world.disco(&["runs"]).succeeds().stdout.clone();
    assert_eq!((runs.matches("shown").count(), runs.matches("unfinished").count()), (5, 0), "{runs}");
    let none = world.disco(&["fs", "unmount"]);
    none.exits(1).stderr_is("error: no sandbox is mounted\nhint: `disco fs mount` mounts one\n");
    world.disco(&["fs", "diff"]).exits(1).stderr_has("no sandbox is mounted");
    world.disco(&["fs", "status"]).exits(1).stdout_is("no sandbox is mounted\n");
    // And a shell has a sandbox of its own again.
    world
        .command(&["disco", "shell"])
        .stdin("echo x >/etc/x")
        .run()
        .succeeds()
        .stdout_has("/etc/x : Created");
}

#[test]
fn an_unmount_ends_the_shell_that_is_open() {
    let Some(world) = node() else { return };
    let processes = world.processes();
    world.disco(&["fs", "mount"]).succeeds();
    let shell = world.spawn(&["sh", "-c", "echo 'echo x >/etc/x; sleep 8763; echo never' | disco shell"]);
    world.wait_until("the shell works", || world.processes().iter().any(|p| p.ends_with("sleep 8763")));
    world.disco(&["fs", "unmount"]).succeeds().stderr_has("1 change and 0 actions dropped");
    let ended = shell.wait();
    ended.exits(1).stdout_is("").stderr_has("error: the sandbox was unmounted meanwhile");
    world.only_has(&processes);
}

#[test]
fn of_a_killed_holder_nothing_is_left_and_everybody_says_so() {
    let Some(world) = node() else { return };
    let (processes, mounts) = (world.processes(), world.mounts());
    for again in ["mount", "unmount"] {
        world.disco(&["fs", "mount"]).succeeds();
        let shell = world.spawn(&["sh", "-c", "echo 'echo x >/etc/x; sleep 8764' | disco shell"]);
        world.wait_until("the shell works", || world.processes().iter().any(|p| p.ends_with("sleep 8764")));
        world.run(&["kill", "-KILL", &holder(&world)]).succeeds();
        shell.wait().exits(1).stderr_has("the mounted sandbox is gone");
        world.only_has(&processes);
        assert_eq!(world.mounts(), mounts);
        let gone = "the mounted sandbox is gone: the process that held it was killed";
        world.disco(&["fs", "status"]).exits(1).stdout_has(gone);
        world
            .disco(&["fs", "status", "--format", "json"])
            .exits(1)
            .stdout_is("{\"schema\":1,\"state\":\"gone\"}\n");
        world.disco(&["fs", "diff"]).exits(1).stderr_has(gone).stderr_has("hint: `disco fs mount`");
        let own = world.command(&["disco", "shell"]).stdin("cat /etc/x; echo y >/etc/y").run();
        own.succeeds().stderr_has("warning: the mounted sandbox is gone").stdout_has("/etc/y : Created");
        match again {
            "mount" => {
                world.disco(&["fs", "mount"]).succeeds();
                world
                    .command(&["disco", "shell"])
                    .stdin("cat /etc/x")
                    .run()
                    .stderr_has("/etc/x: No such file");
                world.disco(&["fs", "unmount"]).succeeds();
            }
            _ => {
                world.disco(&["fs", "unmount"]).exits(1).stderr_has(gone);
                world.disco(&["fs", "unmount"]).exits(1).stderr_has("no sandbox is mounted");
            }
        }
        world.sh("ls -A /var/disco/scratch; ls -A /var/disco/mount").stdout_is("lock\n");
    }
}

#[test]
fn a_second_mount_finds_the_first_also_at_the_same_moment() {
    let Some(world) = node() else { return };
    world.disco(&["fs", "mount"]).succeeds();
    let first = holder(&world);
    let second = world.disco(&["fs", "mount"]);
    second
        .succeeds()
        .stderr_has("A sandbox is mounted already, since ")
        .stderr_has(&format!("by pid {first}\n"));
    world.disco(&["fs", "init"]).succeeds().stderr_is("");
    // What a run sweeps is not what is mounted.
    world.disco(&["try", "true"]).succeeds().stderr_lacks("Removed what a killed run had left");
    assert_eq!(holder(&world), first);
    world.disco(&["fs", "unmount"]).succeeds();
    for _ in 0..3 {
        let many = world.sh("for i in 1 2 3 4; do disco fs mount & all+=($!); done; for one in ${all[@]}; do wait $one || exit; done");
        many.succeeds();
        assert_eq!(many.stderr.matches("Mounted a sandbox").count(), 1, "{many}");
        assert_eq!(many.stderr.matches("mounted already").count(), 3, "{many}");
        world.disco(&["fs", "unmount"]).succeeds();
    }
    world.sh("ls -A /var/disco/scratch").stdout_is("");
}

#[test]
fn a_mount_that_cannot_be_says_why_and_leaves_nothing() {
    let Some(world) = node() else { return };
    let processes = world.processes();
    world.sh("mknod /dev/none c 1 3; rm -f /dev/fuse").succeeds();
    let refused = world.disco(&["fs", "mount"]);
    refused
        .exits(77)
        .stderr_has("error: cannot open /dev/fuse")
        .stderr_has("hint: a sandbox needs root, /dev/fuse");
    world.only_has(&processes);
    world.sh("ls -A /var/disco/scratch; ls -A /var/disco/mount").stdout_is("lock\n");
    world.disco(&["fs", "status"]).exits(1).stdout_has("no sandbox is mounted");
    world.disco(&["runs"]).succeeds().stdout_has("not started: cannot open /dev/fuse");
    world.disco(&["fs", "mount", "--network", "some"]).exits(78);
    world.disco(&["__hold"]).exits(70);
}

#[test]
fn a_signal_unmounts_and_the_holder_has_nothing_of_who_started_it() {
    let Some(world) = node() else { return };
    let processes = world.processes();
    let mounted =
        world.command(&["bash", "-c", "cd /tmp; exec 7</etc/passwd; export SECRET=x; disco fs mount"]).run();
    mounted.succeeds();
    let pid = holder(&world);
    let facts = world.sh(&format!(
        "cd /proc/{pid}; readlink cwd; cut -d ' ' -f 6,7 stat; tr '\\0' '\\n' <environ; readlink fd/0 fd/1 fd/2; ls -l fd | grep -c -e passwd -e pipe:"
    ));
    facts.stdout_is(&format!("/\n{pid} 0\n/dev/null\n/dev/null\n/dev/null\n0\n"));
    world.run(&["kill", "-TERM", &pid]).succeeds();
    world.only_has(&processes);
    world.disco(&["fs", "status"]).exits(1).stdout_has("no sandbox is mounted");
    world.disco(&["runs"]).succeeds().stdout_has("interrupted by signal 15");
    world.sh("ls -A /var/disco/scratch").stdout_is("");
}

#[test]
fn a_home_of_a_long_path_does_and_its_socket_is_roots() {
    let Some(world) = node() else { return };
    let home = format!("/var/{}/{}", "h".repeat(90), "o".repeat(90));
    world.run(&["mkdir", "-p", &home]).succeeds();
    world.disco(&["fs", "mount", "--home", &home]).succeeds();
    let shell = world.command(&["disco", "shell", "--home", &home]).stdin("echo x >/etc/x").run();
    shell.succeeds();
    world.disco(&["fs", "diff", "--home", &home]).succeeds().stdout_has("/etc/x : Created");
    world.disco(&["fs", "status"]).exits(1);
    let socket = format!("{home}/mount/socket");
    world.sh(&format!("chmod 711 {home}/mount; chmod 666 {socket}")).succeeds();
    let ask = |user: &str| {
        let program = format!(
            "import os, socket
os.chdir('{home}/mount')
os.setuid({user})
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect('socket')
try:
    s.send(b'\"Status\"')
    print(s.recv(1000)[:9])
except (BrokenPipeError, ConnectionResetError):
    print(b'')"
        );
        world.run(&["python3", "-c", &program]).succeeds().stdout.clone()
    };
    assert_eq!([ask("0"), ask("65534")], ["b'{\"Status\"'\n", "b''\n"]);
    world.disco(&["fs", "unmount", "--home", &home]).succeeds();
}

#[test]
fn a_holder_that_nobody_can_reach_ends() {
    let Some(world) = node() else { return };
    let processes = world.processes();
    // As a script does that gives disco a home for a while, and forgets to unmount.
    world.sh("disco fs mount --home /tmp/home && rm -rf /tmp/home").succeeds();
    world.only_has(&processes);
    assert!(!world.exists("/tmp/home"), "it was made again");
    world.disco(&["fs", "mount"]).succeeds();
    world.sh("touch /var/disco/mount/other; rm /var/disco/mount/other; disco fs status").succeeds();
    world.run(&["rm", "/var/disco/mount/socket"]).succeeds();
    world.only_has(&processes);
    world.sh("ls -A /var/disco/scratch").stdout_is("");
    world.disco(&["runs"]).succeeds().stdout_has("the socket of the mounted sandbox was removed");
}

#[test]
fn a_signal_to_the_shells_disco_ends_the_shell_alone() {
    let Some(world) = node() else { return };
    world.disco(&["fs", "mount"]).succeeds();
    // One of them is started by another.
    let inside = || world.processes().iter().filter(|process| process.ends_with(" __enter")).count();
    world.wait_until("all of its inside is there", || inside() == 3);
    let processes = world.processes();
    world.write("/tmp/typed", "echo x >/etc/x; sleep 8765");
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let shell = world.spawn(&["sh", "-c", "exec disco shell </tmp/typed"]);
        world.wait_until("the shell works", || world.processes().iter().any(|p| p.ends_with("sleep 8765")));
        shell.signal(signal);
        assert_eq!(shell.wait().signal_or_status(), status, "{signal}");
        world.only_has(&processes);
    }
    world.disco(&["fs", "diff"]).succeeds().stdout_has("/etc/x : Created");
}

#[test]
fn with_its_inside_killed_the_differences_are_still_there() {
    let Some(world) = node() else { return };
    let processes = world.processes();
    world.disco(&["fs", "mount"]).succeeds();
    world.command(&["disco", "shell"]).stdin("echo x >/etc/x").run().succeeds();
    world.sh("kill -KILL $(pgrep -f '__enter$')").succeeds();
    world.disco(&["fs", "diff"]).succeeds().stdout_has("/etc/x : Created");
    let shell = world.command(&["disco", "shell"]).stdin("echo never").run();
    shell.exits(74).stdout_is("").stderr_has("error: ");
    world
        .disco(&["fs", "unmount"])
        .exits(77)
        .stderr_has("error: cannot end the inside of the sandbox: it ended with");
    world.only_has(&processes);
    world.disco(&["fs", "unmount"]).exits(1).stderr_has("no sandbox is mounted");
    world.sh("ls -A /var/disco/scratch").stdout_is("");
}
