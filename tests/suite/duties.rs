//! What a live dance does on the node around its merge: stops with the old files, restarts with the new ones, once; and what
//! becomes of files and services where that fails.

use crate::world::World;

/// An init script that tells `/var/log/NAME` what it is asked and which `/etc/NAME.conf` it sees. It does not start with a
/// configuration that says `bad`.
const TELLS: &str = r#"#!/bin/sh
echo "$1 $(cat /etc/@NAME@.conf 2>/dev/null)" >>/var/log/@NAME@
pidfile=/run/@NAME@.pid
case "$1" in
start)
  ! grep -q bad /etc/@NAME@.conf || { echo "bad configuration" >&2; exit 1; }
  start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile $pidfile --exec /usr/bin/sleep -- 1000000
  cp /etc/@NAME@.conf /run/@NAME@.seen ;;
stop) start-stop-daemon --stop --quiet --oknodo --retry 5 --remove-pidfile --pidfile $pidfile ;;
restart) "$0" stop && "$0" start ;;
reload) cp /etc/@NAME@.conf /run/@NAME@.seen ;;
status) start-stop-daemon --status --pidfile $pidfile ;;
esac
"#;

/// Such a service, with the configuration `old`, running.
fn service(world: &World, name: &str) {
    world.write_with_mode(&format!("/etc/init.d/{name}"), "755", &TELLS.replace("@NAME@", name));
    world.write(&format!("/etc/{name}.conf"), "old\n");
    world.run(&["service", name, "start"]).succeeds();
    world.wait_until("the service runs", || world.service_runs(name));
    forget(world, name);
}

fn forget(world: &World, name: &str) {
    world.sh(&format!(": >/var/log/{name}")).succeeds();
}

/// What the service was asked, and the configuration that it saw then; questions for its status apart.
fn asked(world: &World, name: &str) -> String {
    let lines = world.read(&format!("/var/log/{name}"));
    let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with("status ")).collect();
    lines.join(", ")
}

/// Whether the service runs, and with which configuration.
fn runs_with(world: &World, name: &str) -> String {
    match world.service_runs(name) {
        true => world.read(&format!("/run/{name}.seen")).trim().to_owned(),
        false => "does not run".to_owned(),
    }
}

#[test]
fn a_stop_sees_the_old_file_and_a_start_the_new_one() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    service(&world, "db");
    world
        .module("m")
        .script(
            "10.sh",
            "service web stop; echo new >/etc/web.conf; service web start; echo gone >/etc/db.conf",
        )
        .script("20.sh", "service db stop");
    world.master();
    let noop = world.disco(&["dance", "--noop", "--format", "pretty"]);
    noop.succeeds().stdout_has(
        "Before the merge:\n  ↻ service web stop\n  ↻ service db stop\nAfter the merge:\n  ↻ service web start\n",
    );
    assert_eq!((asked(&world, "web"), asked(&world, "db")), (String::new(), String::new()));
    let live = world.disco(&["dance"]);
    live.succeeds().stderr_has("info: Executed : service web stop : done\ninfo: Executed : service db stop : done\ninfo: Merged 2 changes\ninfo: Executed : service web start : done\n");
    assert_eq!(
        (asked(&world, "web").as_str(), asked(&world, "db").as_str()),
        ("stop old, start new", "stop old")
    );
    assert_eq!((runs_with(&world, "web").as_str(), world.service_runs("db")), ("new", false));
}

#[test]
fn a_service_is_restarted_once_for_all_modules_that_ask() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    world.module("a").script("10.sh", "echo new >/etc/web.conf; service web restart; service web reload");
    world.module("b").requires("after a").script("10.sh", "echo newer >/etc/web.conf; service web restart");
    world.module("b").any("on-change", "/etc/web.* : service web reload\n");
    world.master();
    let live = world.disco(&["dance"]);
    live.succeeds()
        .stderr_has("info: Executed : service web restart : done\n")
        .stderr_has(" 1 action executed");
    assert_eq!(asked(&world, "web"), "restart newer, stop newer, start newer");
    world.disco(&["dance"]).succeeds();
}

#[test]
fn a_failing_action_or_check_brings_back_the_old_file_and_the_old_service() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    service(&world, "idle");
    world.run(&["service", "idle", "stop"]).succeeds();
    // The network's settings of a node are its network namespace's own.
    world.sh("mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net").succeeds();
    world.setting("disco/server/uri", "/tmp/master");
    world.setting("disco/client/step_timeout", "5");
    let restarts = "echo NEW >/etc/web.conf; echo new >/etc/added; service web restart; service idle start; sysctl -w net.ipv4.ip_forward=1";
    for (config, check, reason, told) in [
        ("bad", "true", "service web restart: exit status 1", "bad configuration"),
        // Of other lengths: rsync takes a file of the same length and second for the same.
        ("newer", "cat /run/web.seen; false", "m/check/10-web: exit status 1", "newer"),
        ("newest", "sleep 60", "m/check/10-web: still running after 5 s, ended", "Brought back"),
    ] {
        forget(&world, "web");
        world.sh("sysctl -qw net.ipv4.ip_forward=0").succeeds();
        let pid = world.service_pid("web");
        world.module("m").script("10.sh", &restarts.replace("NEW", config)).any("check/10-web", check);
        world.publish();
        let before = world.manifest();
        let live = world.disco(&["dance"]);
        live.exits(1)
            .stderr_has(&format!("error: Undone : the merge was taken back : {reason}\n"))
            .stderr_has(told);
        live.stderr_has("info: Brought back : service web restart : done\n");
        let since = world.manifest().since(&before);
        assert!(since.iter().all(|line| line.contains("/var/log/")), "{since:#?}\n{live}");
        assert!(!world.exists("/etc/added"));
        assert_eq!(runs_with(&world, "web"), "old", "{live}");
        assert!(!world.service_runs("idle"), "{live}");
        assert_ne!(world.service_pid("web"), pid);
        world.run(&["sysctl", "-n", "net.ipv4.ip_forward"]).succeeds().stdout_is("0\n");
        assert!(asked(&world, "web").ends_with("start old"), "{}", asked(&world, "web"));
        let record = world.disco(&["report", "--format", "json"]).succeeds().stdout.clone();
        let record: serde_json::Value = serde_json::from_str(&record).expect("a record is JSON");
        assert_eq!(
            (&record["outcome"]["ended"], &record["outcome"]["reason"]),
            (&"undone".into(), &reason.into())
        );
    }
}

#[test]
fn a_failing_stop_merges_nothing_and_starts_again_what_was_stopped() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    service(&world, "db");
    world.sh("sed -i 's/^stop)/stop) exit 7;/' /etc/init.d/db").succeeds();
    world
        .module("m")
        .script("10.sh", "service web stop; service db stop; echo new >/etc/web.conf; service web start");
    world.master();
    let before = world.manifest();
    let live = world.disco(&["dance"]);
    live.exits(1).stderr_has("Executed : service db stop : exit status 7\n").stderr_lacks("Merged");
    live.stderr_has("not merged: an action before the merge failed: service db stop: exit status 7");
    assert_eq!(asked(&world, "web"), "stop old, start old");
    assert_eq!((runs_with(&world, "web").as_str(), world.service_runs("db")), ("old", true));
    let since = world.manifest().since(&before);
    assert!(since.iter().all(|line| line.contains("/var/log/")), "{since:#?}");
    world.sh("ls -A /var/disco/journal").stdout_is("");
}

#[test]
fn what_a_failure_leaves_merged_stays_with_keep_and_what_is_owed_is_paid_by_the_next_run() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "[ -e /etc/x ] || { echo x >/etc/x; echo y >/etc/y; }");
    let on_change = "/etc/x /etc/z : [ -e /run/may ] && echo first >>/run/told\n\
                     # both of these have changed\n/etc/y : echo second >>/run/told; echo $DISCO_MODULE >>/run/told\n/etc/{x,y} : echo second >>/run/told; echo $DISCO_MODULE >>/run/told\n\
                     /etc/unchanged : echo never >>/run/told\n";
    world.module("m").any("on-change", on_change);
    world.master();
    world.setting("disco/client/on_action_failure", "keep");
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds().stdout_has(
        "warning: Would execute : [ -e /run/may ] && echo first >>/run/told\n\
         warning: Would execute : echo second >>/run/told; echo $DISCO_MODULE >>/run/told\n",
    );
    noop.stdout_lacks("never");
    assert!(!world.exists("/var/disco/pending.json"));
    world.disco(&["dance"]).exits(1).stderr_has("an action failed and later ones were not run");
    assert!(world.exists("/etc/x") && !world.exists("/run/told"));
    let pending = world.read("/var/disco/pending.json");
    assert_eq!(pending.matches("\"command\"").count(), 2, "{pending}");
    // Nothing changes any more, and they are owed all the same; a NOOP run says so and pays nothing.
    world.write("/run/may", "");
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("Would execute : [ -e /run/may ]");
    world.disco(&["dance"]).succeeds().stderr_has(" 2 actions executed");
    world.run(&["cat", "/run/told"]).succeeds().stdout_is("first\nsecond\nm\n");
    assert!(!world.exists("/var/disco/pending.json"));
    world.disco(&["dance"]).succeeds().stderr_lacks("Executed");

    // What is undone owes nothing.
    world.setting("disco/client/on_action_failure", "undo");
    world.sh("rm /etc/x /run/may /run/told").succeeds();
    world.disco(&["dance"]).exits(1).stderr_has("Undone");
    assert!(!world.exists("/etc/x") && !world.exists("/var/disco/pending.json"));
}

#[test]
fn scripts_for_the_live_system_run_on_it_and_a_reboot_only_if_it_is_allowed() {
    let Some(world) = World::new() else { return };
    world.write_with_mode("/usr/local/sbin/shutdown", "755", "#!/bin/sh\necho \"down $*\" >>/run/told\n");
    world
        .module("m")
        .script("10.sh", "shutdown -r now; echo x >/etc/x")
        .any(
            "after/10-api",
            "echo \"$DISCO_NODE $DISCO_MODULE ${DISCO_MODULE_DIR} $(cat /etc/x)\" >>/run/told\n",
        )
        .any("check/10-x", "echo checked >>/run/told\n");
    world.master();
    let told = "warning: Would execute : m/after/10-api\nwarning: Would execute : m/check/10-x\nwarning: Not executed : shutdown -r now : disco/client/allow_reboot is false\n";
    world.disco(&["dance", "--noop"]).succeeds().stdout_has(told);
    let live = world.disco(&["dance"]);
    live.succeeds()
        .stderr_has("warning: Not executed : shutdown -r now : disco/client/allow_reboot is false\n");
    let script = "localhost.localdomain m /var/disco/modules/m x\n";
    world.run(&["cat", "/run/told"]).succeeds().stdout_is(&format!("{script}checked\n"));
    world.sh("cat /var/disco/runs/*/live/m/check/10-x").succeeds().stdout_is("echo checked >>/run/told\n");

    world.setting("disco/client/allow_reboot", "true");
    world.sh("rm /run/told").succeeds();
    world.disco(&["dance"]).succeeds().stderr_has("Executed : shutdown -r now : done\n");
    world.run(&["cat", "/run/told"]).succeeds().stdout_is(&format!("{script}checked\ndown -r now\n"));
}

#[test]
fn json_has_the_schedule_and_what_became_of_it() {
    let Some(world) = World::new() else { return };
    world.service("web");
    world.module("m").script("10.sh", "service web stop; echo x >/etc/x").any("check/10-x", "false");
    world.master();
    let events = |args: &[&str]| -> Vec<serde_json::Value> {
        let out = world.disco(args).stdout.clone();
        out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    };
    let of = |events: &[serde_json::Value], name: &str| -> Vec<serde_json::Value> {
        events.iter().filter(|event| event["event"] == name).cloned().collect()
    };
    let noop = events(&["dance", "--noop", "--format", "json"]);
    let scheduled = &of(&noop, "scheduled")[0];
    assert_eq!(scheduled["before"][0]["command"], "service web stop");
    assert_eq!(scheduled["before"][0]["service"], serde_json::json!({"service": "web", "verb": "stop"}));
    assert_eq!(
        (&scheduled["after"][0]["origin"], &scheduled["after"][0]["number"]),
        (&"check".into(), &1.into())
    );
    let live = events(&["dance", "--format", "json"]);
    let executed = of(&live, "executed");
    assert_eq!((&executed[0]["action"]["seq"], &executed[0]["duty"]["number"]), (&0.into(), &0.into()));
    assert_eq!(
        (&executed[1]["action"], &executed[1]["duty"]["script"]),
        (&serde_json::Value::Null, &"10-x".into())
    );
    assert_eq!(of(&live, "undone").len(), 1);
    assert_eq!(of(&live, "brought-back")[0]["command"], "service web start");
    assert_eq!(live.last().unwrap()["outcome"], "undone");
    assert!(world.service_runs("web"));
}

/// Starts a live dance, waits until a process of that command line is there, and kills disco and then that process.
fn killed_at(world: &World, sleeps: &str) {
    let dance = world.spawn(&["disco", "dance"]);
    let sleeper = || world.processes().iter().find(|line| line.ends_with(sleeps)).cloned();
    world.wait_until("it is where it is to be killed", || sleeper().is_some());
    dance.signal("KILL");
    assert_eq!(dance.wait().signal_or_status(), 137);
    let pid = sleeper().expect("it sleeps").split(' ').next().unwrap_or_default().to_owned();
    world.run(&["kill", &pid]).succeeds();
}

#[test]
fn a_run_that_is_killed_among_its_actions_goes_on_where_it_was() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    world
        .module("m")
        .script("10.sh", "echo new >/etc/web.conf; service web restart")
        .any("on-change", "/etc/web.conf : echo changed >>/run/told\n")
        .any("after/10-wait", "echo began >>/run/told; [ -e /run/again ] || sleep 8757\n")
        .any("check/10-web", "test -e /run/healthy\n");
    world.master();
    killed_at(&world, "sleep 8757");
    world.write("/run/again", "");
    world.write("/run/healthy", "");
    let next = world.disco(&["dance", "--server", "/none"]);
    next.exits(69)
        .stderr_has("Executed : m/after/10-wait : done\n")
        .stderr_has("Executed : m/check/10-web : done\n");
    next.stderr_lacks("Executed : service web restart").stderr_lacks("Executed : echo changed");
    assert_eq!(asked(&world, "web"), "restart new, stop new, start new");
    world.run(&["cat", "/run/told"]).succeeds().stdout_is("changed\nbegan\nbegan\n");
    assert!(!world.exists("/var/disco/pending.json"));
    world.sh("ls -A /var/disco/journal").stdout_is("");

    // The same, and then the health check fails: nothing of it stays.
    world.sh("rm /run/again /run/healthy; echo old >/etc/web.conf; service web restart").succeeds();
    forget(&world, "web");
    killed_at(&world, "sleep 8757");
    world.write("/run/again", "");
    let next = world.disco(&["dance", "--server", "/none"]);
    next.exits(69).stderr_has("Undone : the merge was taken back : m/check/10-web: exit status 1\n");
    assert_eq!((world.read("/etc/web.conf").as_str(), runs_with(&world, "web").as_str()), ("old\n", "old"));
    let last = world.disco(&["report", "--format", "json"]).stdout.clone();
    let record: serde_json::Value = serde_json::from_str(&last).expect("a record is JSON");
    assert!(record["outcome"].is_object(), "{record}");
}

#[test]
fn a_run_that_is_killed_after_a_stop_and_before_its_merge_is_forgotten_and_the_service_started() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    service(&world, "db");
    world.sh("sed -i 's/^stop)/stop) sleep 8756;/' /etc/init.d/db").succeeds();
    let script =
        "service web stop; service db stop; echo new >/etc/web.conf; service web start; service db start";
    world.module("m").script("10.sh", script).any("on-change", "/etc/web.conf : true\n");
    world.master();
    killed_at(&world, "sleep 8756");
    assert!(!world.service_runs("web"));
    let next = world.disco(&["dance", "--server", "/none"]);
    next.exits(69).stderr_has("Brought back : service web start : done\n");
    assert_eq!((world.read("/etc/web.conf").as_str(), runs_with(&world, "web").as_str()), ("old\n", "old"));
    assert!(world.service_runs("db") && !world.exists("/var/disco/pending.json"));
    world.sh("ls -A /var/disco/journal").stdout_is("");
}

#[test]
fn a_plan_does_what_it_has_shown_around_its_merge() {
    let Some(world) = World::new() else { return };
    service(&world, "web");
    world
        .module("m")
        .script("10.sh", "echo new >/etc/web.conf; service web stop; service web start")
        .any("on-change", "/etc/web.conf : echo changed >>/run/told\n")
        .any("after/10-api", "echo told >>/run/told\n")
        .any("check/10-web", "echo $DISCO_MODULE >>/run/told; cat /run/web.seen\n");
    world.master();
    world.disco(&["dance", "--noop", "--plan", "/srv/m.plan"]).succeeds();
    // Nothing of the run that made it is needed, nor of its modules.
    world.sh("rm -rf /var/disco/runs /var/disco/modules").succeeds();
    assert!(!world.exists("/run/told") && asked(&world, "web").is_empty());
    let applied = world.disco(&["apply", "/srv/m.plan"]);
    applied.succeeds().stderr_has("Executed : m/check/10-web : done\n");
    assert_eq!(asked(&world, "web"), "stop old, start new");
    world.run(&["cat", "/run/told"]).succeeds().stdout_is("changed\ntold\nm\n");
    assert!(!world.exists("/var/disco/pending.json"));
}

#[test]
fn a_service_that_is_new_need_not_be_stopped_before_it_is_there() {
    let Some(world) = World::new() else { return };
    let lays =
        format!("cat >/etc/init.d/web <<'E'\n{}E\nchmod 755 /etc/init.d/web", TELLS.replace("@NAME@", "web"));
    world.module("m").script("10.sh", &format!("set -e; {lays}; service web start; service web stop"));
    world.master();
    let live = world.disco(&["dance"]);
    live.succeeds()
        .stderr_has("web does not run: there is nothing to stop\ninfo: Executed : service web stop : done\n");
    assert!(world.exists("/etc/init.d/web") && !world.exists("/var/log/web") && !world.service_runs("web"));
}
