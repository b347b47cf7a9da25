//! Masters that hang, talk nonsense, or change while they are fetched: the fetch fails by name, in time, and nothing runs.

use std::time::{Duration, Instant};

use crate::world::World;

/// A host that accepts, says the first text, hears something, says the second, and then nothing more.
const SERVER: &str = r#"import socket, sys, threading, time
first, second, then = [text.encode().decode("unicode_escape").encode("latin-1") for text in sys.argv[1:4]]
listening = socket.create_server(("127.0.0.1", 1873))
def serve(connection):
    connection.sendall(first)
    connection.recv(4096)
    connection.sendall(second)
    if then == b"hang":
        time.sleep(8747)
    connection.close()
while True:
    threading.Thread(target=serve, args=[listening.accept()[0]], daemon=True).start()"#;

#[test]
fn a_host_that_is_no_master_is_answered_in_time() {
    let Some(world) = World::new() else { return };
    world.write("/tmp/server.py", SERVER);
    world.setting("disco/client/fetch_timeout", "2");
    world.run(&["mkdir", "-p", "/var/disco/scratch"]).succeeds();
    let before = world.manifest();
    // What the host says at first, what after it has heard something, whether it hangs then; and what disco says.
    for (first, second, then, says) in [
        ("", "", "hang", "the master was silent for too long"),
        ("@RSYNCD: 31.0\\n", "", "hang", "the master was silent for too long"),
        ("@RSYNCD: 31.0\\n", "@RSYNCD: OK\\n", "hang", "the master was silent for too long"),
        ("@RSYNCD: 31.0\\n", "@RSYNCD: OK\\n", "close", "no rsync daemon answered, or it went away"),
        ("HTTP/1.1 400 Bad Request\\r\\n\\r\\n", "", "close", "no rsync daemon answered, or it went away"),
        // A checksum seed, then lengths that no file list has.
        (
            "@RSYNCD: 31.0\\n",
            "@RSYNCD: OK\\n\\x01\\x02\\x03\\x04\\xff\\xff\\xff\\x07\\xff\\xff\\xff\\xff",
            "close",
            "rsync said: ",
        ),
        ("@RSYNCD: 31.0\\n@ERROR: \\x1b[31mgo away\\n", "", "close", "rsync said: "),
    ] {
        let server = world.spawn(&["python3", "/tmp/server.py", first, second, then]);
        world.wait_until("it listens", || world.sh("ss -tln | grep -q :1873").status == Some(0));
        let started = Instant::now();
        let out = world.disco(&["dance", "--server", "rsync://127.0.0.1:1873"]);
        println!("{first} {second} {then}");
        out.exits(69)
            .stdout_is("")
            .stderr_has("error: cannot fetch the parameters of localhost.localdomain from ");
        out.stderr_has(says).stderr_has("\nhint: ").stderr_lacks("\x1b");
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        server.signal("KILL");
        assert_eq!(server.wait().signal_or_status(), 137);
    }
    assert_eq!(world.manifest().since(&before), [""; 0]);
    world.sh("ls -A /var/disco/scratch").stdout_is("");
}

#[test]
fn a_module_that_changes_while_it_is_fetched_is_fetched_whole_or_not_at_all() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .script("10.sh", "touch /etc/ran")
        .any("files/srv/a-large", "")
        .any("files/srv/b-next", "next");
    world.master();
    // One MiB a second: so much is there to send when the first bytes have arrived.
    world.setting("disco/client/cmds/rsync", "rsync --bwlimit=1024");
    let folder = "/tmp/master/modules/m/files/srv";
    // What happens to the module meanwhile, the exit status, and what is said.
    for (change, status, says) in [
        (format!("truncate -s 0 {folder}/a-large"), 69, "only a part arrived"),
        (format!("rm {folder}/b-next"), 69, "only a part arrived"),
        (format!("head -c 9M /dev/urandom >>{folder}/a-large"), 0, "merged"),
    ] {
        world
            .sh(&format!("head -c 3M /dev/urandom >{folder}/a-large; echo next >{folder}/b-next"))
            .succeeds();
        let size = world.sh(&format!("stat -c %s {folder}/a-large")).stdout.clone();
        let before = world.manifest();
        let dance = world.spawn(&["disco", "dance"]);
        let arriving = "find /var/disco/scratch -name '.a-large.*' -size +1k | grep -q .";
        world.wait_until("it arrives", || world.sh(arriving).status == Some(0));
        world.sh(&change).succeeds();
        let out = dance.wait();
        println!("{change}");
        out.exits(status).stderr_has(says);
        if status == 0 {
            world.sh("stat -c %s /srv/a-large").stdout_is(&size);
            continue;
        }
        out.stderr_has("error: cannot fetch module m from ").stderr_has("\nhint: ").stdout_is("");
        assert_eq!(world.manifest().since(&before), [""; 0], "{change}");
        world
            .sh("ls -A /var/disco/scratch /var/disco/modules")
            .stdout_is("/var/disco/modules:\n\n/var/disco/scratch:\n");
    }
}
