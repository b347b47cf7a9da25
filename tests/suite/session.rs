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
