//! What watches a node is told how runs end: a file in disco's home, one for Prometheus, the journal, syslog. Live and NOOP
//! apart, and a NOOP run with nothing to do apart from one with something.

use serde_json::Value;

use crate::world::{NODE, Packages, World};

const LAST: &str = "/var/disco/last-run.json";

fn last(world: &World) -> Value {
    serde_json::from_str(&world.read(LAST)).expect("it is JSON")
}

/// A module that makes a file; the script fails where the node has `/etc/broken`.
fn node() -> Option<World> {
    let world = World::new()?;
    world.module("web").script("10.sh", "[ ! -e /etc/broken ] || exit 3; echo x >/etc/web");
    world.master();
    Some(world)
}

#[test]
fn live_and_noop_runs_are_kept_apart_and_told_in_one_word() {
    let Some(world) = node() else { return };
    world.write("/etc/broken", "");
    world.disco(&["dance", "--noop"]).exits(1);
    let first = last(&world);
    assert_eq!((&first["live"], &first["noop"]["standing"]), (&Value::Null, &"failed".into()));
    assert_eq!((&first["noop"]["last_success"], &first["noop"]["exit"]), (&Value::Null, &1.into()));
    world.disco(&["dance"]).exits(1);
    world.run(&["rm", "/etc/broken"]).succeeds();
    let failed = last(&world)["live"].clone();
    assert_eq!((&failed["standing"], &failed["success"]), (&"failed".into(), &false.into()));

    let out = world.disco(&["dance", "--noop", "--detailed-exitcodes"]);
    out.exits(2).stderr_has("NOOP: 1 change and 0 actions pending, nothing merged");
    let pending = last(&world);
    assert_eq!(pending["live"], failed, "a NOOP run has changed the state of the last live run");
    let noop = &pending["noop"];
    assert_eq!((&noop["standing"], &noop["exit"]), (&"changes-pending".into(), &2.into()));
    assert_eq!((&noop["changes"], &noop["mode"]), (&1.into(), &"noop".into()));
    assert_eq!(noop["last_success"], noop["ended"]);

    world.disco(&["dance", "--detailed-exitcodes"]).exits(2);
    let live = last(&world)["live"].clone();
    assert_eq!((&live["standing"], &live["changes"]), (&"changed".into(), &1.into()));
    assert_eq!(last(&world)["noop"], *noop, "a live run has changed the state of the last NOOP run");
    assert_eq!(live["modules"]["each"]["web"]["steps"], 1);

    let out = world.disco(&["dance", "--noop", "--detailed-exitcodes"]);
    out.exits(0).stderr_has(": NOOP: nothing pending; exact");
    assert_eq!(last(&world)["noop"]["standing"], "nothing-pending");
    let json = world.disco(&["dance", "--noop", "--format", "json"]);
    json.succeeds().stdout_has(r#""standing":"nothing-pending""#);
    world.disco(&["dance"]).succeeds();
    assert_eq!(last(&world)["live"]["standing"], "unchanged");
    // Whoever watches is not root.
    world.sh(&format!("setpriv --reuid 65534 --clear-groups cat {LAST}")).succeeds().stdout_has("unchanged");
}

#[test]
fn undo_apply_confirm_recover_and_merges_of_try_are_told_and_images_are_not() {
    let Some(world) = node() else { return };
    let command = |live: &Value| format!("{} {}", live["command"], live["standing"]).replace('"', "");
    let live = || last(&world)["live"].clone();
    world.disco(&["dance", "--noop", "--plan", "/root/plan"]).succeeds();
    world.disco(&["apply", "/root/plan"]).succeeds();
    assert_eq!(command(&live()), "apply changed");
    let applied = live();
    world.disco(&["undo", "--noop"]).succeeds();
    assert_eq!(live(), applied, "a NOOP undo has changed the state of the last live run");
    assert_eq!(last(&world)["noop"]["undoes"], applied["run"]);
    world.disco(&["undo"]).succeeds();
    assert_eq!((command(&live()), &live()["undoes"]), ("undo changed".to_owned(), &applied["run"]));

    world.disco(&["dance", "--confirm", "600"]).succeeds();
    assert_eq!(command(&live()), "dance unconfirmed");
    world.disco(&["confirm"]).succeeds();
    assert_eq!(command(&live()), "confirm changed");
    world.disco(&["undo"]).succeeds();
    world.disco(&["dance", "--confirm", "1"]).succeeds();
    world.wait_until("it is taken back", || command(&live()) == "confirm undone");
    world.disco(&["try", "--commit", "--", "touch", "/etc/tried"]).succeeds();
    assert_eq!(command(&live()), "try changed");
    let tried = live();
    world.disco(&["try", "--", "touch", "/etc/not"]).succeeds();
    assert_eq!(live(), tried);

    world.disco(&["undo"]).succeeds();
    world.disco(&["dance", "--confirm", "2"]).succeeds();
    world.sh("pkill -KILL -f '[_]_confirm'; sleep 2.5; test -e /etc/web").succeeds();
    world.disco(&["recover"]).succeeds();
    assert_eq!(command(&live()), "recover undone");

    crate::root::small(&world, "/srv/image");
    let before = last(&world);
    world
        .disco(&["dance", "--root", "/srv/image", "--node", NODE])
        .succeeds()
        .stderr_has("merged into /srv/image");
    assert_eq!(last(&world), before, "what is done to an image is no state of this node");
}

#[test]
fn prometheus_reads_the_textfile() {
    let Some(world) = node() else { return };
    let Some(packages) = Packages::of("prometheus") else { return };
    world.put_packages(&packages, "/root/packages");
    world.sh("dpkg -x /root/packages/prometheus_*.deb /opt/prometheus").succeeds();
    world.setting("disco/client/textfile", "/srv/disco.prom");
    let checked = |file: &str| {
        let out = world.sh(&format!("/opt/prometheus/usr/bin/promtool check metrics <{file} 2>&1"));
        out.succeeds().stdout_is("");
        world.read(file)
    };
    world.disco(&["dance", "--noop"]).succeeds();
    let noop = checked("/srv/disco.prom");
    assert!(noop.contains("disco_run_standing{mode=\"noop\",standing=\"changes-pending\"} 1\n"), "{noop}");
    assert!(!noop.contains("mode=\"live\""), "{noop}");
    world.disco(&["dance"]).succeeds();
    let both = checked("/srv/disco.prom");
    for sample in [
        "disco_run_success{mode=\"live\"} 1\n",
        "disco_run_changes{mode=\"live\"} 1\n",
        "disco_run_changes{mode=\"noop\"} 1\n",
        "disco_module_duration_seconds{mode=\"live\",module=\"web\"} ",
    ] {
        assert!(both.contains(sample), "{sample}{both}");
    }
    world.write("/etc/broken", "");
    world.disco(&["dance", "--textfile", "/srv/other.prom"]).exits(1);
    assert!(checked("/srv/other.prom").contains("disco_run_success{mode=\"live\"} 0\n"));
    assert_eq!(world.read("/srv/disco.prom"), both, "the flag is stronger than the setting");
    // The check itself fails for what is none.
    world.sh("echo 'disco_x_total{a=\"b\" 1' | /opt/prometheus/usr/bin/promtool check metrics").exits(1);
    let out = world.sh("ls -A /srv; stat -c %a /srv/disco.prom");
    out.stdout_is("disco.prom\nother.prom\n644\n");
}

#[test]
fn what_cannot_be_told_is_a_warning_and_changes_nothing_of_the_run() {
    let Some(world) = node() else { return };
    world.setting("disco/client/log", "journal");
    let out = world.disco(&["dance", "--textfile", "/none/disco.prom"]);
    out.succeeds()
        .stderr_has("warning: monitors are not told: cannot ")
        .stderr_has("/none")
        .stderr_has("warning: the system's log is not told: /run/systemd/journal/socket: ");
    assert!(world.exists("/etc/web"));
    assert_eq!(last(&world)["live"]["standing"], "changed");
    // A node without a log is none that has lost something.
    world.setting("disco/client/log", "auto");
    world.disco(&["dance"]).succeeds().stderr_lacks("warning");
    world.sh("rm /var/disco/last-run.json; mkdir /var/disco/last-run.json").succeeds();
    world.disco(&["dance"]).succeeds().stderr_has("warning: monitors are not told: ");
}

#[test]
fn syslog_is_told_by_dev_log() {
    let Some(world) = node() else { return };
    let Some(busybox) = Packages::of("busybox-syslogd") else { return };
    let Some(rsyslog) = Packages::of("rsyslog") else { return };
    world.put_packages(&busybox, "/root/busybox");
    world.put_packages(&rsyslog, "/root/rsyslog");
    world.sh("dpkg -x /root/busybox/busybox_*.deb /opt/busybox").succeeds();
    world.sh("for deb in /root/rsyslog/*.deb; do dpkg -x $deb /opt/rsyslog; done").succeeds();
    world.write(
        "/etc/rsyslog-test.conf",
        "module(load=\"imuxsock\")\n*.* action(type=\"omfile\" file=\"/var/log/rsyslog\")\n",
    );
    let rsyslog = "lib=$(echo /opt/rsyslog/usr/lib/*-linux-gnu); LD_LIBRARY_PATH=$lib:$(echo /opt/rsyslog/lib/*-linux-gnu) \
        exec /opt/rsyslog/usr/sbin/rsyslogd -n -M $lib/rsyslog -i /run/rsyslogd.pid -f /etc/rsyslog-test.conf";
    for (daemon, file) in [
        ("exec /opt/busybox/bin/busybox syslogd -n -O /var/log/busybox", "/var/log/busybox"),
        (rsyslog, "/var/log/rsyslog"),
    ] {
        world.sh("rm -f /dev/log").succeeds();
        let daemon = world.spawn(&["bash", "-c", daemon]);
        world.wait_until("syslog listens", || world.sh("[ -S /dev/log ]").status == Some(0));
        world.disco(&["dance", "--noop"]).succeeds();
        let told = || world.sh(&format!("grep ' disco\\[' {file} || :")).stdout.clone();
        world.wait_until("syslog is told", || told().contains("NOOP, 1 change and 0 actions pending [run="));
        assert!(told().contains(" mode=noop outcome=changes-pending exit=0 changes=1 "), "{}", told());
        daemon.signal("TERM");
        println!("{}", daemon.wait());
    }
}

#[test]
fn the_journal_has_the_fields() {
    let Some(world) = World::with_systemd() else { return };
    world.module("web").script("10.sh", "echo x >/etc/web");
    world.master();
    let entry = |query: &str| -> Value {
        let all = || {
            let out = world.sh(&format!("journalctl --quiet -o json -t disco {query} | tail -n 1"));
            out.stdout.clone()
        };
        world.wait_until("the journal is told", || !all().is_empty());
        serde_json::from_str(&all()).expect("it is JSON")
    };
    world.disco(&["dance", "--noop"]).succeeds();
    let noop = entry("DISCO_MODE=noop");
    for (field, value) in [
        ("PRIORITY", "5"),
        ("SYSLOG_IDENTIFIER", "disco"),
        ("DISCO_OUTCOME", "changes-pending"),
        ("DISCO_CHANGES", "1"),
        ("DISCO_EXIT", "0"),
        ("DISCO_COMMAND", "dance"),
    ] {
        assert_eq!(noop[field], value, "{field} {noop}");
    }
    let run = noop["DISCO_RUN"].as_str().expect("it names the run");
    world.disco(&["runs"]).succeeds().stdout_has(run);
    let message = noop["MESSAGE"].as_str().expect("it has words");
    assert_eq!(message, format!("Run {run} (dance): NOOP, 1 change and 0 actions pending"));
    world.disco(&["dance"]).succeeds();
    assert_eq!(entry("DISCO_MODE=live")["DISCO_OUTCOME"], "changed");
    world.disco(&["dance", "--noop"]).succeeds();
    let nothing = entry("DISCO_OUTCOME=nothing-pending");
    assert_eq!((&nothing["PRIORITY"], &nothing["DISCO_CHANGES"]), (&"6".into(), &"0".into()));
    world.disco(&["undo"]).succeeds();
    assert_eq!(
        entry("DISCO_COMMAND=undo")["DISCO_UNDOES"],
        entry("DISCO_OUTCOME=changed DISCO_COMMAND=dance")["DISCO_RUN"]
    );
    // A run that could not begin is told too.
    world.disco(&["dance", "--server", "rsync://127.0.0.1:9"]).exits(69);
    assert_eq!(entry("DISCO_EXIT=69")["PRIORITY"], "3");
    world.setting("disco/client/log", "none");
    let count = || world.sh("journalctl --quiet -o json -t disco | wc -l").stdout.clone();
    let before = count();
    world.disco(&["dance", "--noop"]).succeeds();
    world.sh("journalctl --sync").succeeds();
    assert_eq!(count(), before);
}

#[test]
fn what_a_killed_run_had_half_written_for_monitors_goes() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "true");
    world.master();
    world.disco(&["dance"]).succeeds();
    for next in [&["recover"][..], &["dance", "--noop"]] {
        world.write("/var/disco/.disco-aBc123~", "{");
        world.disco(next).succeeds();
        assert!(!world.exists("/var/disco/.disco-aBc123~"), "{next:?}");
    }
}
