//! Classes of paths that change whenever anything does: one line in the texts for people, all of them in JSON, and merged.

use serde_json::Value;

use crate::world::{Packages, World};

const FOLDED: &str =
    "info: Noise : 3 more in 2 classes of noise: backups, package manager; --all lists them\n";

/// A node with a module that changes three paths of noise, one that is no noise for its rights, and others.
fn node() -> Option<World> {
    let world = World::new()?;
    world.sh("mkdir -p /var/log/apt").succeeds();
    let script = "echo old >/etc/passwd-; echo log >/var/log/apt/noise.log; echo log >>/var/log/dpkg.log
        echo set >/var/cache/apt/set; chmod 4755 /var/cache/apt/set
        echo typed >/root/.bash_history; echo x >/etc/real";
    world.module("m").script("10.sh", script);
    world.master();
    Some(world)
}

/// The classes that the changes of a JSON line have.
fn classes(changes: &Value) -> Vec<(String, Option<String>)> {
    let one = |change: &Value| {
        let path = change["path"].as_str().expect("a path").to_owned();
        (path, change["noise"].as_str().map(str::to_owned))
    };
    changes.as_array().expect("a list").iter().map(one).collect()
}

#[test]
fn noise_is_one_line_and_merged_all_the_same() {
    let Some(world) = node() else { return };
    let folded = world.disco(&["dance", "--noop"]);
    folded
        .succeeds()
        .stdout_has(FOLDED)
        .stdout_has("/etc/real : Created")
        .stdout_has("/root/.bash_history : ");
    folded.stdout_has("/var/cache/apt/set : Created").stdout_lacks("/etc/passwd-").stdout_lacks("/var/log");
    folded.stderr_has("NOOP: 6 changes (3 of noise) and 0 actions pending, nothing merged");
    let all = world.disco(&["dance", "--noop", "--all"]);
    all.succeeds()
        .stdout_lacks("Noise")
        .stdout_has("file: /etc/passwd- : ")
        .stdout_has("/var/log/dpkg.log : ");
    let pretty = world.disco(&["dance", "--noop", "--format", "pretty"]);
    pretty.succeeds().stdout_has("✓ m  6 changes (3 of noise)").stdout_has("… 3 more in 2 classes of noise");
    pretty.stdout_has("NOOP: 6 changes (3 of noise)").stdout_lacks("/etc/passwd-");
    let json = world.disco(&["dance", "--noop", "--format", "json"]);
    let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changed = lines.iter().find(|line| line["event"] == "changed").expect("it is told");
    let of = |class: &str| Some(class.to_owned());
    assert_eq!(
        classes(&changed["changes"]),
        [
            ("/etc/passwd-".to_owned(), of("backups")),
            ("/etc/real".to_owned(), None),
            ("/root/.bash_history".to_owned(), None),
            ("/var/cache/apt/set".to_owned(), None),
            ("/var/log/apt/noise.log".to_owned(), of("package-manager")),
            ("/var/log/dpkg.log".to_owned(), of("package-manager")),
        ]
    );
    assert_eq!(lines.last().expect("a summary")["noise"], 3);

    world.setting("disco/client/noise", "-backups mine=/etc/real !/var/log/dpkg.log");
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has("file: /etc/passwd- : ").stdout_lacks("/etc/real");
    out.stdout_has("2 more in 2 classes of noise: mine, package manager;").stdout_has("/var/log/dpkg.log : ");
    world.setting("disco/client/noise", "off");
    assert_eq!(world.disco(&["dance", "--noop"]).succeeds().stdout, all.stdout);

    world.setting("disco/client/noise", "");
    world.disco(&["dance"]).succeeds().stdout_has(FOLDED).stderr_has("merged: 6 changes (3 of noise)");
    assert_eq!(world.read("/etc/passwd-"), "old\n");
    assert_eq!(world.read("/var/log/apt/noise.log"), "log\n");
}

#[test]
fn a_plan_and_a_mounted_sandbox_are_shown_the_same_way() {
    let Some(world) = node() else { return };
    world.disco(&["dance", "--noop", "--plan", "/srv/plan"]).succeeds();
    let plan = world.disco(&["plan", "show", "/srv/plan"]);
    plan.succeeds().stdout_has(FOLDED).stdout_has("holds    6 changes (3 of noise), 0 actions\n");
    world.disco(&["plan", "show", "/srv/plan", "--all"]).succeeds().stdout_has("file: /etc/passwd- : ");
    let json = world.disco(&["plan", "show", "/srv/plan", "--format", "json"]);
    let line: Value = serde_json::from_str(&json.succeeds().stdout).expect("it is JSON");
    assert_eq!(classes(&line["changes"]).iter().filter(|(_, class)| class.is_some()).count(), 3);

    world.disco(&["fs", "mount"]).succeeds();
    let commands = "echo old >/etc/passwd-\necho x >/etc/real\n";
    world.command(&["disco", "shell"]).stdin(commands).run().succeeds();
    let diff = world.disco(&["fs", "diff"]);
    diff.succeeds()
        .stdout_has("1 more in 1 class of noise: backups; --all")
        .stdout_has("/etc/real : Created");
    world
        .disco(&["fs", "diff", "--all"])
        .succeeds()
        .stdout_has("file: /etc/passwd- : ")
        .stdout_lacks("Noise");
    let json = world.disco(&["fs", "diff", "--format", "json"]);
    let line: Value = serde_json::from_str(&json.succeeds().stdout).expect("it is JSON");
    assert_eq!(classes(&line["changes"])[0], ("/etc/passwd-".to_owned(), Some("backups".to_owned())));
    world.disco(&["fs", "unmount"]).succeeds();
    let tried = world.disco(&["try", "--", "sh", "-c", "echo old >/etc/passwd-"]);
    tried.succeeds().stdout_is("info: Noise : 1 more in 1 class of noise: backups; --all lists them\n");
}

#[test]
fn of_a_real_package_locks_and_logs_are_noise_and_its_files_are_not() {
    let Some(world) = World::new() else { return };
    let Some(packages) = Packages::of("memcached") else { return };
    // man-db's index would read every manual page of the machine.
    world.sh("rm -f /var/lib/man-db/auto-update").succeeds();
    world.put_packages(&packages, "/root/packages");
    world.module("m").script("10.sh", "dpkg -i /root/packages/*.deb >/dev/null 2>&1");
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds().stdout_has(" of noise: ").stdout_has("file: /usr/bin/memcached : ");
    out.stdout_has("file: /etc/passwd : ").stdout_has("file: /var/lib/dpkg/status : ");
    for path in ["/etc/passwd-", "/etc/shadow-", "/var/lib/dpkg/status-old", "/var/log/dpkg.log"] {
        out.stdout_lacks(&format!("file: {path} : "));
    }
    world.disco(&["dance", "--noop", "--all"]).succeeds().stdout_has("file: /var/log/dpkg.log : ");
}
