//! `--root DIR`: a dance on another root than the node's own. The root is changed as the node would be; the node is not.

use serde_json::Value;

use crate::world::{NODE, World};

/// A root that has a shell and some tools, accounts and a name of its own, and nothing else: no /var, /dev, /proc, /sys.
const SMALL: &str = r#"set -e; umask 022; root=$0; mkdir -p $root/usr/bin $root/usr/lib $root/etc $root/lib64
    ln -s usr/bin $root/bin; ln -s usr/lib $root/lib
    for tool in bash cat chown chmod mkdir rm ls grep stat sed hostname setfattr; do
        real=$(readlink -f "$(command -v $tool)"); cp "$real" $root/usr/bin/$tool
        ldd "$real" | grep -o '/[^ ]*' | while read -r library; do
            mkdir -p "$root$(dirname "$library")"; cp -n "$library" "$root$library"; done
    done
    printf '# a comment\nimage-1\n' >$root/etc/hostname
    printf 'root:x:0:0::/root:/bin/bash\nimager:x:4321:4321::/:/bin/bash\n' >$root/etc/passwd
    printf 'root:x:0:\npictures:x:4321:\n' >$root/etc/group
    printf 'ID=imageos\nPRETTY_NAME="Image OS 7"\n' >$root/usr/lib/os-release; ln -s /usr/lib/os-release $root/etc/os-release"#;

/// All that is below a root: types, modes, owners, targets, content.
const LIST: &str =
    r#"cd "$0"; { find . -printf '%p %y %m %U:%G %l\n'; find . -type f -exec md5sum {} +; } | LC_ALL=C sort"#;

pub(crate) fn small(world: &World, root: &str) {
    world.run(&["bash", "-c", SMALL, root]).succeeds();
}

/// A whole copy-on-write root of the node, whose services do not run.
fn whole(world: &World, root: &str) {
    world
        .sh(&format!(
            "mkdir -p {root} /tmp/whole && mount -t tmpfs whole /tmp/whole && mkdir /tmp/whole/u /tmp/whole/w \
             && mount -t overlay -o lowerdir=/,upperdir=/tmp/whole/u,workdir=/tmp/whole/w whole {root}"
        ))
        .succeeds();
}

fn list(world: &World, root: &str) -> String {
    world.run(&["bash", "-c", LIST, root]).succeeds().stdout.clone()
}

/// What the node's parameters say is said to that other node too.
fn same_parameters(world: &World, node: &str) {
    world.sh(&format!("cd /tmp/master/parameters && cp -a {NODE} {node}")).succeeds();
}

fn last_record(world: &World) -> Value {
    let text = world.sh("cat /var/disco/runs/$(ls /var/disco/runs | tail -n 1)/record.json");
    serde_json::from_str(&text.succeeds().stdout).expect("a record is JSON")
}

#[test]
fn a_small_root_gets_all_that_a_module_says_and_nothing_of_discos_own() {
    let Some(world) = World::new() else { return };
    let root = "/tmp/image";
    small(&world, root);
    world.parameter("colour", "green");
    world
        .module("m")
        .file("etc/plain", 0o604, "plain\n")
        .template(
            "etc/bash.cfg",
            "echo $(cat /var/disco/parameters/$(hostname)/parameters/colour) on $(hostname)",
        )
        .template(
            "etc/tera.cfg.tera",
            "{{ params.colour }} {{ hostname }} {{ facts.os_release.pretty_name }}\n",
        )
        .script(
            "10.sh",
            "set -e; cat /etc/hostname; echo $DISCO_NODE $DISCO_HOME; chown 4321:4321 /etc/plain",
        )
        .script(
            "20.sh",
            "ls -d /dev/null /proc/self /sys/kernel; rm /usr/bin/sed; mkdir -p /srv/new; ls /var/disco",
        );
    world.master();
    same_parameters(&world, "image-1");
    let (host, before) = (world.manifest(), list(&world, root));
    let noop = world.disco(&["dance", "--noop", "--root", root]);
    noop.succeeds().stdout_has("image-1 /var/disco\n").stdout_has("perms=[pictures:imager 604]");
    noop.stdout_has("/dev/null\n/proc/self\n/sys/kernel\nmodules\nparameters\n");
    assert_eq!(
        noop.changes(),
        [
            "/etc/bash.cfg Created",
            "/etc/plain Created",
            "/etc/tera.cfg Created",
            "/srv/new Created",
            "/usr/bin/sed Deleted"
        ]
    );
    assert_eq!(list(&world, root), before, "NOOP changed the root");
    assert_eq!(last_record(&world)["root"], root);
    world.disco(&["dance", "--root", root]).succeeds().stdout_is(&noop.stdout);
    assert_eq!(world.read("/tmp/image/etc/bash.cfg"), "green on image-1\n");
    assert_eq!(world.read("/tmp/image/etc/tera.cfg"), "green image-1 Image OS 7\n");
    world.run(&["stat", "-c", "%u:%g %a", "/tmp/image/etc/plain"]).stdout_is("4321:4321 604\n");
    for path in ["var", "dev", "proc", "sys"] {
        assert!(!world.exists(&format!("{root}/{path}")), "{path} was made for the sandbox and merged");
    }
    assert!(world.exists("/tmp/image/srv/new"));
    let after = list(&world, root);
    let again = world.disco(&["dance", "--root", root]);
    again.exits(0);
    assert_eq!(again.changes(), [""; 0], "{again}");
    assert_eq!(list(&world, root), after, "a dance without differences wrote");
    assert_eq!(world.manifest().since(&host), [""; 0], "the node was changed");
    assert_eq!(world.sh("hostname").stdout, format!("{NODE}\n"));
}

#[test]
fn what_a_module_makes_in_a_folder_that_the_root_lacks_is_merged_with_the_folder() {
    let Some(world) = World::new() else { return };
    small(&world, "/tmp/image");
    world.module("m").script("10.sh", "set -e; mkdir -p /var/lib; echo x >/var/lib/x; ! mkdir /var/disco/y");
    world.master();
    let dance = ["dance", "--node", NODE, "--root", "/tmp/image"];
    let out = world.sh(&format!("umask 077; disco {}", dance.join(" ")));
    assert_eq!(out.succeeds().changes(), ["/var/lib/x Created"]);
    world
        .sh("cd /tmp/image/var && find . -printf '%p %m\n' | sort")
        .stdout_is(". 755\n./lib 755\n./lib/x 644\n");
    world.disco(&dance).succeeds().reports_no_difference();
}

#[test]
fn a_whole_root_becomes_what_the_node_itself_becomes() {
    let Some(world) = World::new() else { return };
    whole(&world, "/tmp/image");
    world.example();
    world.assign(&["sshd-hardening", "admin-user", "motd"]);
    world.module("acts").script("10.sh", "service ssh restart");
    world.parameter("admin_user/name", "operator-1");
    world.parameter("admin_user/key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample operator-1");
    world.master();
    // The numbers of the file systems differ, and so do the words for what is done with actions, and nothing else.
    let told = |args: &[&str]| {
        let text = world.disco(args).succeeds().stdout.clone();
        let lines = text.lines().map(|line| match (line.find("device=["), line.find("mode=[")) {
            (Some(from), Some(to)) => format!("{}{}", &line[..from], &line[to..]),
            _ => line.replace("Not executed", "Would execute"),
        });
        lines.collect::<Vec<_>>()
    };
    let host = world.manifest();
    let of_root = told(&["dance", "--noop", "--root", "/tmp/image"]);
    assert_eq!(of_root, told(&["dance", "--noop"]));
    assert!(of_root.iter().any(|line| line.starts_with("warning: Would execute : ")), "{of_root:?}");
    world.disco(&["dance", "--root", "/tmp/image"]).succeeds();
    assert_eq!(world.manifest().since(&host), [""; 0], "the node was changed");
    world.disco(&["dance"]).succeeds();
    let changed = "etc/passwd etc/group etc/shadow etc/ssh/sshd_config.d/50-disco.conf etc/motd home";
    let look = |root: &str| {
        let script = format!(
            "cd {root} && {{ find {changed} -printf '%p %y %m %U:%G %l\n'; find {changed} -type f -exec md5sum {{}} +; }} | sort"
        );
        world.sh(&script).succeeds().stdout.clone()
    };
    assert_eq!(look("/tmp/image"), look("/"));
}

#[test]
fn the_services_of_the_node_are_left_alone_and_are_no_answer_for_another_root() {
    let Some(world) = World::new() else { return };
    world.service("victim");
    whole(&world, "/tmp/image");
    let script = "service victim status && echo it-runs; service victim stop; echo x >/etc/x";
    world.module("m").script("10.sh", script);
    world.master();
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("it-runs\n");
    let told = "Not executed : service victim stop\n";
    world
        .disco(&["dance", "--noop", "--root", "/tmp/image"])
        .succeeds()
        .stdout_lacks("it-runs")
        .stdout_has(&format!("warning: {told}"))
        .stderr_has("NOOP on /tmp/image: 1 change pending, nothing merged; 1 action not executed there");
    let live = world.disco(&["dance", "--root", "/tmp/image", "--detailed-exitcodes"]);
    live.exits(2).stderr_has(&format!("info: {told}")).stderr_lacks("Executed :");
    live.stderr_has("warning: 1 action not executed: nothing runs on another root than this node's own\n");
    assert!(world.service_runs("victim") && world.exists("/tmp/image/etc/x") && !world.exists("/etc/x"));
    let record = last_record(&world);
    assert_eq!((&record["actions"][0]["outcome"], &record["root"]), (&Value::Null, &"/tmp/image".into()));
    world.disco(&["dance", "--root", "/tmp/image", "--detailed-exitcodes"]).exits(0);
    let json = world.disco(&["dance", "--root", "/tmp/image", "--format", "json"]);
    json.succeeds()
        .stdout_has(r#""event":"planned","run":""#)
        .stdout_has(r#","root":"/tmp/image","modules":1}"#);
    json.stdout_has(r#""event":"not-executed","actions":1,"why":""#)
        .stdout_has(r#","root":"/tmp/image","mode":"live""#);
    world.disco(&["try", "--commit", "--root", "/tmp/image", "--", "rm", "/etc/x"]).succeeds();
    assert!(!world.exists("/tmp/image/etc/x"));
}

#[test]
fn the_name_of_the_node_is_said_or_the_roots_own_or_the_hosts() {
    let Some(world) = World::new() else { return };
    small(&world, "/tmp/image");
    world.module("m").script("10.sh", "echo $(hostname) is $DISCO_NODE; cat /proc/sys/kernel/hostname");
    world.master();
    for node in ["image-1", "said", "configured"] {
        same_parameters(&world, node);
    }
    let dance = |args: &[&str], says: &str| {
        let out = world.disco(&[&["dance", "--noop", "--root", "/tmp/image"], args].concat());
        out.succeeds().stdout_has(&format!("\n{says} is {says}\n{says}\n"));
    };
    dance(&[], "image-1");
    dance(&["--node", "said"], "said");
    world.setting("disco/client/node", "configured");
    dance(&[], "image-1");
    world.write("/tmp/image/etc/hostname", "no good name\n");
    dance(&[], "configured");
    world.sh("rm /tmp/image/etc/hostname /var/disco/parameters/disco/client/node").succeeds();
    dance(&[], NODE);
}

#[test]
fn a_root_may_be_named_in_any_way_and_a_bad_one_is_refused_before_anything() {
    let Some(world) = World::new() else { return };
    small(&world, "/tmp/image");
    world.module("m").script("10.sh", "echo x >/etc/x").script("20.sh", "echo on $(cat /etc/hostname)");
    world.master();
    world
        .sh("ln -s /tmp/image /tmp/link; mkdir -p /tmp/empty /var/disco/scratch/mine /srv/odd; ln -s / /tmp/slash
            cp -a /tmp/image/. /srv/odd; ln -s /tmp/image /srv/odd/dev; echo >/tmp/file")
        .succeeds();
    let node = ["--node", NODE];
    for (folder, root) in
        [("/tmp", "image"), ("/tmp", "./image/"), ("/", "/tmp/link"), ("/srv", "../tmp/./image")]
    {
        let script = format!("cd {folder} && disco dance --noop --node {NODE} --root {root}");
        world.sh(&script).succeeds().stderr_has("NOOP on /tmp/image: 1 change pending");
    }
    for root in ["/", "//", "/tmp/slash", "/tmp/.."] {
        world
            .disco(&["dance", "--noop", "--root", root])
            .succeeds()
            .stderr_has("NOOP: 1 change and 0 actions");
    }
    let runs = world.sh("ls /var/disco/runs").stdout.clone();
    let before = world.manifest();
    for (root, message) in [
        ("/tmp/nothing", "the root /tmp/nothing: there is no such folder"),
        ("/tmp/file", "the root /tmp/file: there is no such folder"),
        ("/tmp/empty", "/tmp/empty has no /bin/bash: is it a root?"),
        ("/var/disco", "the root /var/disco is in /var/disco, where disco keeps its own files"),
        ("/var/disco/scratch/mine", "is in /var/disco, where disco keeps its own files"),
        ("/srv/odd", "/srv/odd/dev is no folder, and the sandbox mounts on it"),
    ] {
        let out = world.disco(&[&["dance", "--root", root], &node[..]].concat());
        out.exits(78).stdout_is("").stderr_has(message);
    }
    assert_eq!(world.sh("ls /var/disco/runs").stdout, runs, "what is refused is no run");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    world.sh(&format!("DISCO_ROOT=/tmp/image disco dance --node {NODE}")).succeeds();
    assert!(world.exists("/tmp/image/etc/x") && !world.exists("/etc/x"));
}

#[test]
fn a_root_that_cannot_be_changed_is_refused_with_the_path() {
    let Some(world) = World::new() else { return };
    small(&world, "/tmp/image");
    world.sh("mount --bind /tmp/image /tmp/image && mount -o remount,bind,ro /tmp/image").succeeds();
    world.module("m").script("10.sh", "echo x >/etc/x; rm /etc/group");
    world.master();
    let before = list(&world, "/tmp/image");
    let dance = ["dance", "--node", NODE, "--root", "/tmp/image"];
    world.disco(&[&dance[..], &["--noop"]].concat()).succeeds().stdout_has("/etc/x : Created");
    world
        .disco(&dance)
        .exits(1)
        .stderr_has("/etc/group and 1 more cannot be changed: the file system at /tmp/image is read-only");
    assert_eq!(list(&world, "/tmp/image"), before);

    // One that cannot hold what the scratchpad can.
    world.sh("mkdir /tmp/poor && mount -t ramfs poor /tmp/poor").succeeds();
    small(&world, "/tmp/poor");
    world.module("m").script("10.sh", "echo a >/etc/a; echo x >/etc/x; setfattr -n user.k -v v /etc/x");
    world.publish();
    let before = list(&world, "/tmp/poor");
    let poor = world.disco(&["dance", "--node", NODE, "--root", "/tmp/poor"]);
    poor.exits(1).stderr_has("could not stage /etc/x").stderr_has("/tmp/poor/");
    assert_eq!(list(&world, "/tmp/poor"), before);
}

#[test]
fn mounts_below_a_root_are_of_it_and_links_do_not_lead_out_of_it() {
    let Some(world) = World::new() else { return };
    small(&world, "/tmp/image");
    world
        .sh("cd /tmp/image; mkdir -p data srv/disco; mount -t tmpfs data data; echo old >data/f
            mkdir real; ln -s /real var; ln -s ../srv/disco real/disco; ln -s /real/out etc/through; mkdir /real")
        .succeeds();
    world.module("m").script(
        "10.sh",
        "set -e; cat /data/f; echo new >/data/f; echo out >/etc/through; ls /var/disco/modules; ls /srv/disco",
    );
    world.master();
    let host = world.manifest();
    let out = world.disco(&["dance", "--node", NODE, "--root", "/tmp/image"]);
    out.succeeds().stdout_has("old\nm\nmodules\nparameters\n");
    assert_eq!(out.changes(), ["/data/f Modified", "/real/out Created"]);
    world.sh("cd /tmp/image; cat data/f real/out; ls -A srv/disco").stdout_is("new\nout\n");
    assert_eq!(world.manifest().since(&host), [""; 0], "the node was changed");
}

#[test]
fn a_root_around_discos_own_folders_does_not_show_or_change_them() {
    let Some(world) = World::new() else { return };
    small(&world, "/srv/image");
    world.module("m").script(
        "10.sh",
        "ls -A /srv/home /srv/store; echo x >/srv/x; echo x >/srv/home/x; echo x >/srv/store/x; ls $DISCO_HOME",
    );
    world.master();
    world
        .sh("mkdir /srv/image/srv; cp -a /var/disco /srv/image/srv/home; mkdir /srv/image/srv/store")
        .succeeds();
    world.setting("disco/client/storage", "/srv/image/srv/store");
    let out = world
        .command(&["disco", "dance", "--node", NODE, "--home", "/srv/image/srv/home", "--root", "/srv/image"])
        .env("DISCO_CLIENT_STORAGE", "/srv/image/srv/store")
        .run();
    out.succeeds().stdout_has("/srv/home:\n\n/srv/store:\nmodules\nparameters\n");
    assert_eq!(out.changes(), ["/srv/x Created"]);
    world
        .sh("cd /srv/image; cat srv/x; ls -A srv/store; ls srv/image 2>&1; ls srv")
        .stdout_has("home\nstore\nx\n");
    assert!(!world.exists("/srv/image/srv/home/x") && !world.exists("/srv/image/srv/image"));
}

#[test]
fn live_runs_on_one_root_exclude_each_other_and_no_others() {
    let Some(world) = World::new() else { return };
    small(&world, "/tmp/image");
    small(&world, "/tmp/other");
    world.sh("ln -s image /tmp/link; touch /etc/quick /tmp/other/etc/quick").succeeds();
    world.module("m").script("10.sh", "[ -e /etc/quick ] || read -r -t 6543 <> <(:)");
    world.master();
    let first = world.spawn(&["disco", "dance", "--node", NODE, "--root", "/tmp/image"]);
    world.wait_until("the step runs", || world.processes().iter().any(|p| p.ends_with("/m/scripts/10.sh")));
    world.disco(&["dance", "--node", NODE, "--root", "/tmp/link"]).exits(75).stderr_has(first.pid());
    world.disco(&["dance"]).succeeds();
    world.disco(&["dance", "--node", NODE, "--root", "/tmp/other"]).succeeds();
    first.signal("TERM");
    assert_ne!(first.wait().signal_or_status(), 0);
    world.write("/tmp/image/etc/quick", "");
    world.disco(&["dance", "--node", NODE, "--root", "/tmp/image"]).succeeds();
}
