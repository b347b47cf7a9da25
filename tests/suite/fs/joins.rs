//! What joins the mounted sandbox, what it finds there, and what stays out.

use super::{holder, node};

#[test]
fn what_one_shell_changes_the_next_one_finds() {
    let Some(world) = node() else { return };
    for service in ["x", "y"] {
        world.write_with_mode(&format!("/etc/init.d/{service}"), "755", "#!/bin/sh\n");
    }
    let before = world.manifest();
    world.disco(&["fs", "mount"]).succeeds();
    let first = world.command(&["disco", "shell"]).stdin("echo one >/etc/one; service x stop; exit 3").run();
    first.succeeds();
    let typed = "cat /etc/one; echo two >>/etc/one; echo three >/etc/three; service y stop";
    let second = world.command(&["disco", "shell", "--noop"]).stdin(typed).run();
    second.succeeds().stdout_is("one\nwarning: Would execute : service y stop\n");
    let diff = world.disco(&["fs", "diff", "--diff", "none"]);
    assert_eq!(diff.succeeds().changes(), ["/etc/one Created", "/etc/three Created"]);
    let json = world.disco(&["fs", "diff", "--format", "json"]).succeeds().stdout.clone();
    let line: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(line["changes"][0]["content"]["after"], "one\ntwo\n", "{json}");
    assert_eq!((&line["schema"], line["actions"].as_array().map(Vec::len)), (&1.into(), Some(2)));
    let status: serde_json::Value =
        serde_json::from_str(&world.disco(&["fs", "status", "--format", "json"]).succeeds().stdout)
            .expect("it is JSON");
    let figures = [&status["state"], &status["changes"], &status["actions"], &status["shells"]];
    assert_eq!(figures.map(ToString::to_string), ["\"mounted\"", "2", "2", "2"]);
    assert_eq!(status["joined"], serde_json::Value::Null);
    assert!(status["scratchpad"].as_u64() > Some(0), "{status}");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    // Each shell has its own record, with what it changed itself.
    let runs = world.disco(&["runs"]).succeeds().stdout.clone();
    let ends: Vec<&str> = runs.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(ends, ["unfinished", "shown", "shown"], "{runs}");
    world.disco(&["report"]).succeeds().stdout_has("report: shell: exec\nreport: /bin/bash : ");
}

#[test]
fn a_dance_and_the_mounted_sandbox_do_not_see_each_other() {
    let Some(world) = node() else { return };
    world.disco(&["fs", "mount"]).succeeds();
    world.command(&["disco", "shell"]).stdin("echo x >/etc/x; echo mine >/etc/y").run().succeeds();
    let script =
        "cat /etc/x 2>&1; ls -A /var/disco /var/disco/scratch /var/disco/mount 2>&1; echo dance >/etc/y";
    world.module("m").script("10.sh", script);
    world.master();
    let danced = world.disco(&["dance"]);
    danced.succeeds().stdout_has("/etc/x: No such file").stdout_lacks("socket").stdout_lacks("layer");
    assert_eq!(danced.changes(), ["/etc/y Created"], "{danced}");
    assert_eq!((world.read("/etc/y"), world.exists("/etc/x")), ("dance\n".to_owned(), false));
    // It is a view of the node as that is now: what it has not changed itself shows through.
    world.write("/etc/later", "later\n");
    let typed = "cat /etc/x /etc/y /etc/later; ls -A /var/disco; ls -A /var/disco/scratch";
    let shell = world.command(&["disco", "shell"]).stdin(typed).run();
    shell.succeeds().stdout_has("x\nmine\nlater\nmodules\nparameters\n").stdout_lacks("layer");
    // One with a merge, and one command, have a sandbox of their own.
    world.command(&["disco", "shell", "--merge"]).stdin("cat /etc/x; echo z >/etc/z").run().succeeds();
    assert_eq!((world.read("/etc/z"), world.exists("/etc/x")), ("z\n".to_owned(), false));
    world.disco(&["try", "--", "test", "-e", "/etc/x"]).exits(1);
}

#[test]
fn the_differences_can_be_looked_at_while_a_shell_works() {
    let Some(world) = node() else { return };
    world.disco(&["fs", "mount"]).succeeds();
    let busy = "echo x >/etc/x; service x stop; cd /etc; while :; do mkdir d; touch d/{1..99}; rm -r d; done";
    let shell = world.spawn(&["sh", "-c", "echo \"$0\" | exec disco shell", busy]);
    world.wait_until("the shell has begun", || {
        world.disco(&["fs", "diff"]).succeeds().stdout.contains("/etc/x : Created")
    });
    for _ in 0..20 {
        world.disco(&["fs", "diff"]).succeeds().stdout_has("/etc/x : Created");
        world.disco(&["fs", "status"]).succeeds().stdout_has("; 1 shell so far");
    }
    let second = world.command(&["disco", "shell"]).stdin("echo never").run();
    second.exits(75).stdout_is("").stderr_has("has a shell in the mounted sandbox since ");
    let pid = world.sh("pgrep -x disco | xargs ps -o pid=,args= -p | grep 'disco shell' | awk '{print $1}'");
    second.stderr_has(&format!("error: pid {} has", pid.stdout.trim()));
    // The shell goes with the disco that it has outside, whatever happens to that; the sandbox stays.
    world.run(&["kill", "-KILL", pid.stdout.trim()]).succeeds();
    shell.wait().exits(137);
    world.wait_until("the shell has left", || {
        world.disco(&["fs", "status"]).succeeds().stdout.contains("joined      nobody")
    });
    world.command(&["disco", "shell"]).stdin("cat /etc/x").run().succeeds().stdout_is("x\n");
    assert_eq!(world.sh("pgrep -x bash -a").stdout.matches("/bin/bash").count(), 0, "the shell is left");
}

#[test]
fn at_a_terminal_the_shell_has_one_of_the_sandboxs_own() {
    let Some(world) = node() else { return };
    world.disco(&["fs", "mount"]).succeeds();
    // Ctrl-C is typed when there is something that it ends.
    let typed = "echo 'tty; ps -o tty= -p $$; stty -a | head -1; touch /etc/x; sleep 8762'
        until pgrep -fx 'sleep 8762' >/dev/null; do sleep 0.05; done
        printf '\\003'; echo 'echo after $?; exit'";
    let command = "stty rows 33 cols 99; disco shell; stty -a | grep -o ' icanon'";
    let shell = world.sh(&format!("{{ {typed}; }} | script -qec \"{command}\" /dev/null"));
    shell.succeeds().stdout_has("after 130");
    shell.succeeds().stdout_has("/dev/pts/0").stdout_has("rows 33; columns 99").stdout_has(" icanon");
    let diff = world.disco(&["fs", "diff"]);
    diff.succeeds().stdout_has("/etc/x : Created").stdout_has("/root/.bash_history : ");
}

#[test]
fn what_changes_on_the_node_meanwhile_shows_through() {
    let Some(world) = node() else { return };
    world.write("/etc/overwritten", "a\n");
    world.write("/etc/replaced", "a\n");
    world.write("/etc/removed", "a\n");
    world.write("/etc/mine", "a\n");
    world.write("/etc/folder/one", "");
    world.disco(&["fs", "mount"]).succeeds();
    let typed = "cd /etc; cat overwritten replaced removed mine; cat made 2>/dev/null; ls folder";
    let look = || world.command(&["disco", "shell"]).stdin(typed).run().succeeds().stdout.clone();
    assert_eq!(look(), "a\na\na\na\none\n");
    world.command(&["disco", "shell"]).stdin("echo mine >/etc/mine").run().succeeds();
    let meanwhile = "cd /etc; echo b >overwritten; echo b >new; mv new replaced; rm removed; echo b >made; echo b >mine; touch folder/two";
    world.sh(meanwhile).succeeds();
    assert_eq!(look(), "b\nb\nmine\nb\none\ntwo\n");
    let diff = world.disco(&["fs", "diff"]);
    diff.succeeds().stdout_has("1c1\n< b\n---\n> mine\n");
    assert_eq!(diff.changes(), ["/etc/mine Modified"]);
}

#[test]
fn the_network_is_the_mounted_sandboxs() {
    let Some(world) = node() else { return };
    world.disco(&["fs", "mount", "--network", "host"]).succeeds();
    let refused = world.command(&["disco", "shell", "--network", "none"]).stdin("echo never").run();
    refused.exits(64).stdout_is("").stderr_has("the mounted sandbox has the network host");
    world.disco(&["fs", "mount", "--network", "none"]).exits(64);
    let inside =
        world.command(&["disco", "shell", "--network", "host"]).stdin("readlink /proc/self/ns/net").run();
    inside.succeeds();
    assert_eq!(inside.stdout, world.run(&["readlink", "/proc/self/ns/net"]).stdout);
    assert!(holder(&world).parse::<u32>().is_ok());
}
