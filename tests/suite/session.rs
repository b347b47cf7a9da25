//! `disco try` and `disco shell`: a command or a shell in a sandbox of its own.

use crate::world::World;

/// A node that disco's own folder and the shell's old name are there on.
fn node() -> Option<World> {
    let world = World::new()?;
    world
        .sh("mkdir /var/disco; touch /var/there; ln -s $(command -v disco) /usr/local/bin/disco-sh-shell")
        .succeeds();
    Some(world)
}

#[test]
fn the_seeds_shell_session_gives_its_report_and_changes_nothing() {
    let Some(world) = node() else { return };
    world.write("/var/lib/there", "one\n");
    let before = world.manifest();
    let typed = "rm -f /etc/passwd\n\
        grep -v root /etc/shadow | tee tmpfile >/dev/null\n\
        mv -f tmpfile /etc/shadow\n\
        echo LOL | tee /var/lib/p0wnt\n\
        touch /bin/myhotbash\n\
        service postgresql stop\n";
    let shell = world.command(&["disco-sh-shell"]).env("NOOP", "true").stdin(typed).run();
    shell.succeeds().stdout_has("LOL\n").stdout_has("info: File: file: /etc/passwd : Deleted\n1,");
    shell
        .stdout_has("< root:x:0:0:root:")
        .stdout_has("/usr/bin/myhotbash : Created : type=[regular empty file]");
    shell.stdout_has("/etc/shadow : Modified : md5=[").stdout_has("> LOL\n");
    shell.stdout_has("warning: Would execute : service postgresql stop\n");
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

#[test]
fn try_has_the_commands_streams_and_exit_status() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    let tried = world
        .command(&["disco", "try", "--", "bash", "-c", "cat; echo told >&2; echo x >/etc/x; exit 7"])
        .stdin("typed")
        .run();
    tried.exits(7).stdout_has("typedinfo: File: file: /etc/x : Created").stderr_has("told\n");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    world.disco(&["try", "--", "no-such-program"]).exits(127).stderr_has("no-such-program");
    world.disco(&["try"]).exits(64);
    world.disco(&["report"]).succeeds().stdout_has("report: try: exec\nreport: no-such-program : ");
}

#[test]
fn the_files_behind_the_callers_streams_are_out_of_reach() {
    let Some(world) = node() else { return };
    world.write("/srv/file", "kept\n");
    world.sh("mkdir /srv/folder").succeeds();
    let look = "stat -c '%n %a %U' /dev/null /dev/tty /srv/file /srv/folder; cat /srv/file; ls /srv/folder";
    let before = world.sh(look).succeeds().stdout.clone();
    let reach = "for fd in 0 1 2; do
            echo leak >>/proc/self/fd/$fd; cd /proc/self/fd/$fd && touch leak; cd /
            chmod 600 /proc/self/fd/$fd; chown 1 /proc/self/fd/$fd; truncate -s 0 /proc/self/fd/$fd
        done 2>/dev/null; true";
    world.write("/srv/reach.sh", reach);
    for streams in
        ["</srv/file", "</srv/folder", "</dev/null", "0>>/srv/file", "</srv/file >>/dev/null 2>>/dev/null"]
    {
        world.sh(&format!("disco try -- bash /srv/reach.sh {streams}")).succeeds();
        assert_eq!(world.sh(look).succeeds().stdout, before, "{streams}");
    }
    // What it writes is in the file, in its order; and nothing else has become of it.
    world
        .sh("disco try -- bash -c 'echo 1; echo 2 >&2; echo 3; chmod 600 /dev/stdout' >/srv/out 2>&1")
        .succeeds();
    world.sh("stat -c %a /srv/out; head -n 3 /srv/out").succeeds().stdout_is("644\n1\n2\n3\n");
    // Whoever reads on finds what the command has left.
    world.write("/srv/lines", "1\n2\n3\n");
    world
        .sh("(disco try -- bash -c 'read line; echo got $line' 2>/dev/null; cat) </srv/lines")
        .succeeds()
        .stdout_is("got 1\n2\n3\n");
    world.sh("(disco try -- true; cat) </srv/lines").succeeds().stdout_is("1\n2\n3\n");
    // So is it in a sandbox that is there already.
    world.disco(&["fs", "mount"]).succeeds();
    world.sh("disco shell </srv/reach.sh").succeeds();
    world.sh("echo 'chmod 600 /proc/self/fd/1' | disco shell >>/srv/file").succeeds();
    world.disco(&["fs", "unmount"]).succeeds();
    world.sh("stat -c %a /srv/file; head -n 1 /srv/file").stdout_is("644\nkept\n");
}

#[test]
fn try_commits_what_succeeded_and_then_acts() {
    let Some(world) = node() else { return };
    world.service("postgresql");
    let before = world.manifest();
    world.disco(&["try", "--commit", "--", "bash", "-c", "echo x >/etc/x; false"]).exits(1);
    assert_eq!(world.manifest().since(&before), [""; 0]);
    let script = "echo x >/etc/x; service postgresql stop";
    world.disco(&["try", "--commit", "--", "bash", "-c", script]).succeeds().stderr_has("Merged 1 change");
    assert_eq!(world.read("/etc/x"), "x\n");
    assert!(!world.service_runs("postgresql"));
}

#[test]
fn a_shell_merges_when_it_is_told_to_and_never_in_noop() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    world
        .command(&["disco", "shell", "--merge"])
        .env("NOOP", "true")
        .stdin("echo x >/etc/x")
        .run()
        .succeeds();
    assert_eq!(world.manifest().since(&before), [""; 0]);
    world.command(&["disco", "shell", "--merge"]).stdin("echo x >/etc/x; false").run().succeeds();
    assert_eq!(world.read("/etc/x"), "x\n");
}

#[test]
fn at_a_terminal_the_shell_has_one_of_its_own() {
    let Some(world) = node() else { return };
    let typed = "tty; ps -o tty= -p $$; stty -a | head -1; exit\n";
    let command = "stty rows 33 cols 99; disco shell --diff none";
    let shell = world.command(&["script", "-qec", command, "/dev/null"]).stdin(typed).run();
    shell.succeeds().stdout_has("/dev/pts/0").stdout_has("rows 33; columns 99");
}

#[test]
fn a_limit_that_a_command_passes_is_named_and_the_callers_own_scripts_have_no_lines() {
    let Some(world) = World::new() else { return };
    let out = world
        .command(&[
            "disco",
            "try",
            "--",
            "python3",
            "-c",
            "x = bytearray(400 << 20); x[::4096] = b'1' * len(x[::4096]); import time; time.sleep(2)",
        ])
        .env("DISCO_CLIENT_STEP_MEMORY", "100")
        .run();
    assert_ne!(out.status, Some(0), "{out}");
    out.stderr_has("more than 100 MiB of memory (setting client/step_memory)");
    world.write("/tmp/caller.sh", "true\ntrue\ndisco try -- curl -m 1 http://192.0.2.7/\ntrue\n");
    let called = world.sh("bash /tmp/caller.sh");
    called
        .stdout_has("Stopped : connect : 192.0.2.7 port 80 (tcp) : refused, by curl")
        .stdout_lacks(", line");
}
