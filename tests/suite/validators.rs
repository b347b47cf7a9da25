//! Validators: what they see is what a merge would make, what they do is gone with them, and one that fails keeps the run from
//! being merged.

use serde_json::Value;

use crate::world::{Output, World};

/// A server's own check of its configuration, with a key of its own that is gone afterwards.
const SSHD: &str = r#"set -eu
install -d -m 755 /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /run/sshd/key
/usr/sbin/sshd -t -f /etc/ssh/sshd_config -h /run/sshd/key
"#;

fn is_sshd_there(world: &World) -> bool {
    world.exists("/usr/sbin/sshd") || {
        println!("skipped: no sshd here");
        false
    }
}

#[test]
fn a_bad_configuration_never_reaches_the_disk() {
    let Some(world) = World::new() else { return };
    if !is_sshd_there(&world) {
        return;
    }
    world.write("/etc/ssh/sshd_config", "MaxAuthTries 6\n");
    let config = |text: &str| {
        world.module("sshd").file("etc/ssh/sshd_config", 0o644, text).any("validate/10-sshd", SSHD);
        world.publish();
    };
    world.module("other").script("10.sh", "echo new >/etc/other");
    world.master();
    config("MaxAuthTries banana\n");
    let before = world.manifest();
    let told = |out: &Output| out.stdout.replace("NOOP", "live");
    let noop = world.disco(&["dance", "--noop"]);
    let live = world.disco(&["dance"]);
    for out in [&noop, &live] {
        out.exits(1)
            .stderr_has("error: sshd: validate/10-sshd: exit status 255\n")
            .stderr_has("MaxAuthTries")
            .stderr_has(": 1 of 1 validator failed: nothing merged;")
            .stdout_has("info: Validating sshd\n")
            .stdout_lacks("/run/sshd");
    }
    assert_eq!(told(&noop), told(&live), "NOOP says another thing than live");
    world.disco(&["dance", "--noop", "--plan", "/root/bad.plan"]).exits(1);
    assert_eq!(world.manifest().since(&before), [""; 0], "something was merged, or kept to be merged");
    assert!(!world.exists("/run/sshd"));

    config("MaxAuthTries 3\n");
    world
        .disco(&["dance", "--noop"])
        .succeeds()
        .stdout_has("info: Validating sshd\n")
        .stdout_lacks("/run/sshd");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    world.disco(&["dance"]).succeeds();
    assert_eq!(world.read("/etc/ssh/sshd_config"), "MaxAuthTries 3\n");
    assert!(world.exists("/etc/other") && !world.exists("/run/sshd"));
}

/// All that a module can do to names and what is behind them.
const CHANGE: &str = r#"set -e
cd /etc/tree
echo more >>pair-a
ln both-a both-new
rm alone-a; chmod 600 alone-b
rm gone; rm -r gone.d
rm -r opaque; mkdir opaque; echo new >opaque/new
mv moved elsewhere; echo in >elsewhere/sub/in; rm elsewhere/old
mv elsewhere/deep deeper
rm was-file; mkdir was-file; echo x >was-file/x
rm -r was-dir; ln -s pair-a was-dir
chown 12:34 mode; chmod 4750 mode
setfattr -n user.note -v new mode
mkfifo pipe
truncate -s 1M sparse
printf '\377' >"$(printf 'odd\n\377name')"
echo under >/mnt/other/changed; rm /mnt/other/gone
useradd --create-home --shell /bin/sh validated
"#;

/// Everything below these folders, in words that are the same wherever it is the same; and who the users are.
const DESCRIBE: &str = r#"set -e
for top in /etc/tree /mnt/other /home/validated; do
    cd $top
    find . -mindepth 1 -type d -print0 | sort -z | xargs -0r stat -c '%N %F %a %u:%g'
    find . ! -type d -print0 | sort -z | xargs -0 stat -c '%N %F %a %u:%g links %h %s'
    find . -type f -print0 | sort -z | xargs -0 md5sum
    # The names of one object stand together.
    find . -type f -links +1 -printf '%i %p\n' | sort |
        awk '{ names[$1] = names[$1] " " $2 } END { for (i in names) print names[i] }' | sort
    getfattr -R -h -d -m '^user' . 2>/dev/null
done
getent passwd validated; id validated; ls -A /home
"#;

#[test]
fn a_validator_sees_what_the_modules_have_left_and_then_the_node_has() {
    let Some(world) = World::new() else { return };
    world
        // A file system of its own: who moves a file with several names has all of its file system searched for them.
        .sh(r#"set -e
            mkdir /etc/tree; mount -t tmpfs tmpfs /etc/tree
            mkdir -p /etc/tree/{gone.d/in,opaque/sub,moved/sub,moved/deep/down,was-dir} /mnt/other; cd /etc/tree
            mount -t tmpfs tmpfs /mnt/other; echo o >/mnt/other/changed; echo g >/mnt/other/gone; echo k >/mnt/other/kept
            for f in pair-a both-a alone-a gone gone.d/in/x opaque/old opaque/sub/x moved/old moved/sub/x \
                moved/deep/down/y was-file was-dir/z mode; do echo "$f" >"$f"; done
            ln pair-a pair-b; ln both-a both-b; ln alone-a alone-b; ln moved/sub/x linked-from-outside"#)
        .succeeds();
    world.module("a").script("10.sh", CHANGE);
    world
        .module("b")
        .requires("a")
        .script("10.sh", "echo of b >>/etc/tree/opaque/new; rm /etc/tree/both-b")
        .script("20-describe", DESCRIBE)
        .any("validate/10-describe", DESCRIBE);
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds();
    let (modules, validators) = noop.stdout.split_once("info: Validating b\n").expect("there is a validator");
    let (_, of_step) = modules.split_once("info: Processing b\n").expect("b runs");
    let of_step = &of_step[..of_step.find("info: File: file: ").expect("b changes something")];
    assert!(of_step.contains("\n ./both-a ./both-new\n") && of_step.lines().count() > 50, "{of_step}");
    assert_eq!(validators, of_step);
    world.disco(&["dance"]).succeeds();
    // What undo needs is beside the tree, on the same file system.
    world.sh("rm -rf /etc/tree/.disco-undo /mnt/other/.disco-undo").succeeds();
    world.command(&["bash", "-c", DESCRIBE]).run().succeeds().stdout_is(of_step);
}

#[test]
fn nothing_that_a_validator_does_is_kept() {
    let Some(world) = World::new() else { return };
    world.sh("mkdir -p /etc/kept.d/in; echo old >/etc/kept.d/in/x; echo old >/etc/kept; ln /etc/kept /etc/kept-too; mkfifo /etc/was-pipe").succeeds();
    let wild = r#"set -e
        echo wild >/etc/wild; echo wild >/etc/new; rm /etc/kept; mv /etc/kept.d /etc/moved.d; chmod 700 /usr/local
        ln /etc/kept-too /etc/third; useradd wild; mkdir -p /opt/wild/{a,b}; echo x >/var/log/wild; rm -rf /home
        echo b >>/etc/hosts; timeout 5 bash -c 'echo x >/etc/was-pipe'; service ssh restart; systemctl reload ssh || true; sysctl -qw kernel.domainname=wild || true"#;
    // The next one, of the same module and of another, finds nothing of it.
    let calm = r#"[ "$(cat /etc/new)" = new ] && [ ! -e /etc/wild ] && [ -e /etc/kept.d/in/x ] && [ -d /home ] &&
        [ "$(stat -c %h /etc/kept)" = 2 ] && [ "$(cat /proc/sys/kernel/domainname)" != wild ] && ! id wild 2>/dev/null"#;
    world
        .module("a")
        .script("10.sh", "echo new >/etc/new; rm /etc/was-pipe; echo file >/etc/was-pipe")
        .any("validate/10-wild", wild)
        .any("validate/20-calm", calm)
        .any("validate/.hidden", "exit 7")
        .any("validate/20-calm~", "exit 7");
    world.module("b").requires("a").any("validate/10-calm", calm);
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    noop.succeeds();
    assert_eq!(noop.changes(), ["/etc/new Created", "/etc/was-pipe Modified"], "{noop}");
    noop.stdout_has("warning: Stopped : service : ssh restart : pretended, line 4\n")
        .stdout_lacks("Would execute")
        .stderr_has("NOOP: 2 changes and 0 actions pending");
    let before = world.manifest();
    let live = world.disco(&["dance"]);
    live.succeeds().stderr_has("merged: 2 changes, 0 actions executed");
    assert_eq!(live.changes(), noop.changes());
    let merged = world.manifest();
    let since = merged.since(&before);
    assert!(since.len() == 2 && since[0].starts_with("/etc/new: file 4 bytes"), "{since:?}");
    assert!(since[1].starts_with("/etc/was-pipe: fifo") && since[1].contains("=> file 5 bytes"), "{since:?}");
    let record: Value =
        serde_json::from_str(&world.disco(&["report", "--format", "json"]).succeeds().stdout).unwrap();
    let validators = record["validators"].as_array().unwrap();
    let named: Vec<_> =
        validators.iter().map(|one| format!("{} {} {}", one["module"], one["kind"], one["script"])).collect();
    assert_eq!(
        named,
        [r#""a" "validator" "10-wild""#, r#""a" "validator" "20-calm""#, r#""b" "validator" "10-calm""#]
    );
    assert!(record["actions"].as_array().unwrap().is_empty() && record["truth"] == "exact", "{record}");
    assert!(validators[0]["actions"].as_array().unwrap().is_empty());
    assert!(validators[0]["cost"]["time_real"].as_f64().unwrap() > 0.0);
}

#[test]
fn all_validators_are_run_in_the_order_of_the_plan_and_the_failures_shown() {
    let Some(world) = World::new() else { return };
    world.service("web");
    world.setting("disco/client/step_timeout", "1");
    world
        .module("z-first")
        .script("10.sh", "echo z >/etc/z; service web stop; sysctl -qw kernel.domainname=set || true")
        .any("validate/20-b", "echo 'z 20'; exit 3")
        .any("validate/10-a", "echo 'z 10'; echo last words >&2; kill -9 $$");
    world
        .module("a-second")
        .requires("z-first")
        .any("validate/10-slow", "echo 'a 10'; exec sleep 60")
        .any(
            "validate/20-env",
            r#"echo "a 20 $DISCO_MODULE $DISCO_NODE $DISCO_MODULE_DIR $DISCO_HOME $PWD"; cat "$DISCO_MODULE_DIR/validate/30-state" >/dev/null"#,
        )
        // What the modules have asked of the running system is as if it were done.
        .any("validate/30-state", "cat /proc/sys/kernel/domainname; service web status; echo web $?; echo unread >/dev/sda; true");
    world.master();
    let before = world.manifest();
    let out = world.disco(&["dance"]);
    out.exits(1);
    let (_, told) = out.stdout.split_once("info: Validating z-first\n").expect("they are run");
    assert_eq!(
        told.lines().filter(|line| !line.starts_with("warning: ")).collect::<Vec<_>>(),
        [
            "z 10",
            "z 20",
            "info: Validating a-second",
            "a 10",
            "a 20 a-second localhost.localdomain /var/disco/modules/a-second /var/disco /",
            "set",
            "web is not running.",
            "web 3",
        ],
        "{out}"
    );
    out.stderr_has("error: z-first: validate/10-a: killed by signal 9\n")
        .stderr_has("error: z-first: validate/20-b: exit status 3\n")
        .stderr_has("error: a-second: validate/10-slow: still running after 1 s, ended\n")
        .stderr_has("3 of 5 validators failed: nothing merged");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    let report = world.disco(&["report"]);
    report
        .succeeds()
        .stdout_has("report: a-second: validate\nreport: 10-slow : \n")
        .stdout_has("report: exit: 124\n");
    let run = world.sh("zcat /var/disco/runs/*/output/z-first/validate-000-10-a.log.gz");
    run.succeeds().stdout_has("last words");

    let pretty = world.disco(&["dance", "--format", "pretty"]);
    pretty
        .exits(1)
        .stderr_has("3 of 5 validators failed; nothing was merged, this node is as before.")
        .stderr_has("z-first: validate/10-a: killed by signal 9\n")
        .stderr_has("last words")
        .stderr_has("exit status 1: a validator failed");

    // Each failed module is enough.
    world.module("a-second").script("10.sh", "exit 1");
    world.publish();
    let out = world.disco(&["dance"]);
    out.exits(1).stdout_lacks("Validating").stderr_has("failed in 1 of 2 modules: nothing merged");
    world.disco(&["dance", "--only", "z-first"]).exits(1).stderr_has("2 of 2 validators failed");
}

#[test]
fn programs_are_told_of_them() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .script("10.sh", "echo new >/etc/new")
        .any("validate/10-good", "echo said")
        .any("validate/20-bad", "service ssh stop; exit 9");
    world.master();
    let out = world.disco(&["dance", "--noop", "--format", "json"]);
    out.exits(1).stderr_has("m: validate/20-bad: exit status 9");
    let events: Vec<Value> = out.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let from = events.iter().position(|event| event["event"] == "validating").unwrap();
    let told = |at: usize, fields: &[&str]| {
        fields.iter().map(|field| events[from + at][field].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told(0, &["module"]), r#""m""#);
    assert_eq!(told(1, &["event", "step", "text"]), r#""line" "validate/10-good" "said""#);
    assert_eq!(
        told(2, &["event", "step", "outcome"]),
        r#""validated" "validate/10-good" {"outcome":"done"}"#
    );
    assert_eq!(
        told(3, &["event", "step", "call", "answer"]),
        r#""tried" "validate/20-bad" "service" "pretended""#
    );
    assert_eq!(
        told(4, &["event", "step", "outcome"]),
        r#""validated" "validate/20-bad" {"outcome":"exited","status":9}"#
    );
    let last = events.last().unwrap();
    let said = ["outcome", "modules_failed", "validators_failed", "changes", "actions", "exit"];
    assert_eq!(said.map(|field| last[field].to_string()), ["\"failed\"", "0", "1", "1", "0", "1"]);
}

#[test]
fn a_signal_during_a_validator_leaves_nothing_and_merges_nothing() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .script("10.sh", "echo new >/etc/new")
        .any("validate/10-slow", "echo x >/etc/x; setsid sleep 8762 & exec sleep 8761");
    world.master();
    let (before, processes, mounts) = (world.manifest(), world.processes(), world.mounts());
    for (signal, status) in [("TERM", 143), ("KILL", 137)] {
        let dance = world.spawn(&["disco", "dance"]);
        world.wait_until("it runs", || world.processes().iter().any(|p| p.ends_with("sleep 8761")));
        dance.signal(signal);
        let out = dance.wait();
        assert_eq!(out.signal_or_status(), status, "{signal}\n{out}");
        world.only_has(&processes);
        assert_eq!(world.mounts(), mounts, "{signal} leaves a mount");
        assert_eq!(world.manifest().since(&before), [""; 0], "{signal}");
    }
    world.module("m").any("validate/10-slow", "true");
    world.publish();
    world.disco(&["dance"]).succeeds().stdout_has("/etc/new : Created");
    world.run(&["ls", "-A", "/var/disco/scratch"]).stdout_is("");
}

#[test]
fn another_root_is_validated_in_itself() {
    let Some(world) = World::new() else { return };
    world.sh("mkdir -p /tmp/image/{etc,tmp,usr} && cp -a --parents /bin /lib* /tmp/image/ 2>/dev/null; for d in bin sbin lib lib64; do [ ! -d /usr/$d ] || mount --bind --mkdir /usr/$d /tmp/image/usr/$d; done; echo image >/tmp/image/etc/is").succeeds();
    world.module("m").script("10.sh", "echo new >/etc/new").any(
        "validate/10-check",
        "[ $(cat /etc/is /etc/new | tr -d '\\n') = imagenew ] && echo dirt >/etc/dirt && exit 4",
    );
    world.master();
    world
        .disco(&["dance", "--root", "/tmp/image"])
        .exits(1)
        .stderr_has("m: validate/10-check: exit status 4");
    assert!(!world.exists("/tmp/image/etc/new") && !world.exists("/tmp/image/etc/dirt"));
    world.module("m").any("validate/10-check", "echo dirt >/etc/dirt");
    world.publish();
    world.disco(&["dance", "--root", "/tmp/image"]).succeeds();
    assert!(
        world.exists("/tmp/image/etc/new")
            && !world.exists("/tmp/image/etc/dirt")
            && !world.exists("/etc/new")
    );
}
