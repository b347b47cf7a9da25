//! Plans: what a dry run keeps in a file is what `disco plan show` says of it, and what `disco apply` merges, on the same
//! node or on an identical one; a live root that has changed since is refused.

use crate::world::World;

const FILE: &str = "/srv/m.plan";

/// A node with one module, its fetched copy included.
fn node(before: &str, script: &str) -> Option<World> {
    let world = World::new()?;
    world.sh(&format!("umask 022; mkdir -p /srv/t; cd /srv/t; {before}")).succeeds();
    world.module("m").script("10.sh", &format!("set -e; cd /srv/t; {script}"));
    world.publish();
    world.setting("disco/server/uri", "/tmp/master");
    Some(world)
}

fn plan(world: &World) {
    world.disco(&["dance", "--noop", "--plan", FILE]).succeeds().stderr_has("Plan : /srv/m.plan : sha256 ");
}

/// The digest that everybody finds: sha256sum, and disco.
fn digest(world: &World) -> String {
    let sum = world.run(&["sha256sum", FILE]).succeeds().stdout[..64].to_owned();
    world.disco(&["plan", "show", FILE]).succeeds().stdout_has(&format!("sha256 {sum}\n"));
    sum
}

#[test]
fn a_plan_is_shown_applied_and_then_there_is_nothing_to_do() {
    let script = "echo new >a; rm gone; mkdir d; echo x >d/x; service cron restart";
    let Some(world) = node("echo old >a; echo x >gone", script) else { return };
    world.service("cron");
    let before = world.manifest();
    let noop = world.disco(&["dance", "--noop", "--plan", FILE]);
    noop.succeeds();
    let sum = digest(&world);
    noop.stderr_has(&sum);
    assert_eq!(world.sh(&format!("stat -c %a {FILE}")).stdout, "600\n");
    let names = world.run(&["tar", "tf", FILE]).succeeds().stdout.clone();
    assert!(
        names.starts_with(
            "disco-plan.json\nchanges.jsonl\nexpected.jsonl\nobjects.jsonl\nscripts.jsonl\ndata/"
        ),
        "{names}"
    );
    world
        .sh(&format!("mkdir /tmp/x; tar xf {FILE} -C /tmp/x; cd /tmp/x; sha256sum -c SHA256SUMS"))
        .succeeds();
    let shown = world.disco(&["plan", "show", FILE]);
    let told: String =
        noop.stdout.split_inclusive('\n').filter(|line| !line.starts_with("info: Processing")).collect();
    let asked = "warning: Would execute : service cron restart\n";
    shown.succeeds().stdout_has(asked).stdout_has(&told.replace(asked, ""));
    assert_eq!(world.manifest().since(&before).len(), 1, "a plan is one file");
    let told = world.disco(&["dance", "--noop", "--format", "json", "--plan", FILE]);
    let sum = digest(&world);
    told.succeeds().stdout_has(&format!(r#""event":"saved","file":"{FILE}","digest":"{sum}","size":"#));
    let json = world.disco(&["plan", "show", FILE, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.succeeds().stdout).expect("it is JSON");
    assert_eq!((&json["digest"], &json["changes"][0]["path"]), (&sum.into(), &"/srv/t/a".into()));
    assert_eq!(json["schedule"]["after"][0]["effect"]["argv"][2], "restart");
    let sum = digest(&world);

    world.module("m").script("10.sh", "exit 1");
    world.publish();
    let applied = world.disco(&["apply", FILE, "--digest", &sum]);
    applied.succeeds().stderr_has("Merged 4 changes").stderr_has("Executed : service cron restart");
    world.sh("cat /srv/t/a /srv/t/d/x; ls /srv/t").succeeds().stdout_is("new\nx\na\nd\n");
    world.disco(&["runs"]).succeeds().stdout_has("merged");
    world.disco(&["report"]).succeeds();

    let between = world.manifest();
    world.disco(&["apply", FILE]).succeeds().stderr_has("nothing to do").stderr_lacks("Executed");
    assert_eq!(world.manifest().since(&between), [""; 0]);

    // It is a run like any other.
    world.disco(&["undo"]).succeeds();
    world.sh("cat /srv/t/a /srv/t/gone; ls /srv/t").succeeds().stdout_is("old\nx\na\ngone\n");
    world.disco(&["apply", FILE]).succeeds().stderr_has("Merged 4 changes");
}

#[test]
fn what_has_changed_since_is_refused_and_all_of_it_is_named() {
    let before = "mkdir d full; for f in a b c d/f full/f; do echo $f >$f; done; ln -s a link";
    let script = "echo 2 >>a; chmod 600 b; rm c; echo 2 >d/new; rm -r full; ln -sfn b link; echo 1 >free";
    let Some(world) = node(before, script) else { return };
    plan(&world);
    let edited =
        "echo edited >a; chmod 640 b; rm c; touch full/more; chmod 750 d; ln -sfn c link; echo 0 >free";
    world.sh(&format!("cd /srv/t; {edited}")).succeeds();
    let now = world.manifest();
    let refused = world.disco(&["apply", FILE]);
    refused.exits(1).stderr_has("nothing is merged").stderr_has("hint: ");
    for line in [
        "/srv/t/a has changed: size 2 bytes, now 7 bytes",
        "/srv/t/b has changed: mode 0644, now 0640",
        "/srv/t/d has changed: mode 0755, now 0750",
        "/srv/t/free has appeared",
        "/srv/t/full/more has appeared",
        "/srv/t/link has changed: target a, now c",
    ] {
        refused.stderr_has(&format!("  {line}\n"));
    }
    refused.stderr_lacks("/srv/t/c ");
    assert_eq!(world.manifest().since(&now), [""; 0], "{refused}");

    world.disco(&["apply", FILE, "--on-conflict", "theirs=/srv/t/a mine"]).succeeds();
    world
        .sh("cd /srv/t; cat a free d/new; stat -c %a b; readlink link; ls")
        .succeeds()
        .stdout_is("edited\n1\n2\n600\nb\na\nb\nd\nfree\nlink\n");
}

#[test]
fn a_directory_on_the_way_that_leads_elsewhere_is_refused() {
    let Some(world) = node("mkdir d; echo x >d/x", "echo y >d/x") else { return };
    plan(&world);
    world.sh("cd /srv/t; mv d e; ln -s e d").succeeds();
    world
        .disco(&["apply", FILE])
        .exits(1)
        .stderr_has("  /srv/t/d has changed: a directory, now a symbolic link\n");
    world.sh("cat /srv/t/e/x").stdout_is("x\n");
}

/// All that can differ.
const KINDS: &str = r#"
    echo 1 >f; chown 12:34 f; chmod 4751 f; touch -d 2001-02-03 f
    mkdir -p new/deep; echo z >new/deep/z; chmod 1770 new; setfacl -d -m u:daemon:rwx new; touch -d 2002-02-02 new/deep
    ln f new/f2; ln kept new/kept2; echo more >>twin1
    ln -s nowhere dangling; chown -h 5:6 dangling; ln -sfn new link
    mkfifo -m 640 fifo; mknod null c 1 3; chmod 666 null
    setfattr -n user.k -v v f; setfacl -m u:daemon:rw b; setcap cap_net_raw=+p caps
    truncate -s 3M sparse; printf end | dd of=sparse bs=1 seek=3145725 conv=notrunc status=none; : >empty; truncate -s 0 zero; truncate -s 2M hole
    printf x >"$(printf 'b\377d')"; printf y >$'new\nline'; : >-rf; : >$(printf 'n%.0s' {1..255})
    rm -r full; mkdir -m 750 full; echo new >full/h
    rm -r tofile; echo file >tofile; rm todir; mkdir todir; echo in >todir/in; rm b2
    chmod 700 dir; mv moved renamed
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")' || true
"#;
const BEFORE: &str = r#"
    echo k >kept; echo t >twin1; ln twin1 twin2; echo b >b; echo b2 >b2; cp /usr/bin/true caps; ln -s b link; echo z >zero
    mkdir -p full/sub dir tofile moved; echo g >full/g; echo s >full/sub/s; echo t >tofile/t; echo d >todir; echo m >moved/m
"#;

/// All that is at a path, times of directories apart, with the sizes on the disk and which names are one file.
const LIST: &str = r#"cd /srv/t && getfacl -R -p . 2>/dev/null; getfattr -h -R -d -m - . ;
    find . ! -type d -printf '%p|%y|%m|%U:%G|%s|%b|%n|%l|%T@\n' | sort;
    find . -type d -printf '%p|%m|%U:%G\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; getcap -r .
    find . -samefile f | sort; find . -samefile kept | sort; find . -samefile twin1 | sort; ls -l null"#;

#[test]
fn a_plan_leaves_what_a_live_run_leaves_on_this_node_and_on_an_identical_one() {
    let before = format!("{BEFORE} touch -d 2000-01-01 * */*;");
    let (Some(one), Some(other), Some(live)) =
        (node(&before, KINDS), node(&before, KINDS), node(&before, KINDS))
    else {
        return;
    };
    plan(&one);
    digest(&one);
    let archive = one.run(&["base64", "-w0", FILE]).succeeds().stdout.clone();
    other.command(&["bash", "-c", &format!("base64 -d >{FILE}")]).stdin(&archive).run().succeeds();
    live.disco(&["dance"]).succeeds();
    one.disco(&["apply", FILE]).succeeds();
    other.disco(&["apply", FILE]).succeeds();
    // Times of what a script writes are those of its run.
    let timeless = |world: &World| {
        let list = world.sh(LIST).succeeds().stdout.clone();
        let without = |line: &str| {
            line.rsplit_once('|')
                .filter(|(_, time)| !time.starts_with("98") && time.contains('.'))
                .map_or(line, |(rest, _)| rest)
                .to_owned()
        };
        list.lines().map(without).collect::<Vec<_>>()
    };
    assert!(live.exists("/srv/t/renamed/m") && !live.exists("/srv/t/full/g"));
    let wanted = timeless(&live);
    assert_eq!(timeless(&one), wanted);
    assert_eq!(timeless(&other), wanted);
    assert_eq!(one.sh(LIST).stdout, other.sh(LIST).stdout, "one plan, one tree, times included");
    other.disco(&["apply", FILE]).succeeds().stderr_has("nothing to do");
}

#[test]
fn a_log_that_grows_meanwhile_has_the_lines_of_both_and_those_of_the_plan_once() {
    let script = "echo new >a; echo mine >>/var/log/it.log";
    let Some(world) = node("echo old >a; echo first >/var/log/it.log", script) else { return };
    plan(&world);
    world.sh("echo theirs >>/var/log/it.log").succeeds();
    world.disco(&["apply", FILE]).succeeds();
    world.sh("echo later >>/var/log/it.log").succeeds();
    world.disco(&["apply", FILE]).succeeds().stderr_has("nothing to do");
    assert_eq!(world.read("/var/log/it.log"), "first\ntheirs\nmine\nlater\n");
}

#[test]
fn what_modules_want_after_a_merge_is_shown_and_done_where_the_plan_is_applied() {
    let wish = |check: &str| {
        let world = World::new()?;
        world.write("/srv/a", "a\n");
        let module = world.module("m").script("10.sh", "echo b >/srv/a");
        let module = module.any("after/10.sh", "echo after $DISCO_MODULE >>/srv/done\n");
        let module = module.any("check/10.sh", &format!("echo check >>/srv/done\n{check}\n"));
        drop(module.any("on-change", "/srv/a : echo change >>/srv/done\n"));
        world.publish();
        world.setting("disco/server/uri", "/tmp/master");
        Some(world)
    };
    let (Some(one), Some(other)) = (wish("exit 0"), World::new()) else { return };
    plan(&one);
    assert!(!one.exists("/srv/done"));
    let shown = one.disco(&["plan", "show", FILE]);
    let lines = "warning: Would execute : echo change >>/srv/done\nwarning: Would execute : m/after/10.sh\n\
        warning: Would execute : m/check/10.sh\n";
    shown.succeeds().stdout_has(lines).stdout_has("\nscript   m after/10.sh\n  echo after $DISCO_MODULE");
    let archive = one.run(&["base64", "-w0", FILE]).succeeds().stdout.clone();
    other.write("/srv/a", "a\n");
    other.command(&["bash", "-c", &format!("base64 -d >{FILE}")]).stdin(&archive).run().succeeds();
    for world in [&one, &other] {
        world.disco(&["apply", FILE]).succeeds().stderr_has("Executed : m/check/10.sh : done");
        assert_eq!(world.read("/srv/done"), "change\nafter m\ncheck\n");
    }
    let Some(world) = wish("exit 5") else { return };
    plan(&world);
    world.disco(&["apply", FILE]).exits(1).stderr_has("the merge was taken back");
    assert_eq!(world.read("/srv/a"), "a\n");
}

#[test]
fn a_plan_is_of_one_node_unless_it_is_said_otherwise() {
    let Some(world) = node("echo a >a", "echo b >a") else { return };
    plan(&world);
    let refused = world.disco(&["--node", "web2", "apply", FILE]);
    refused.exits(65).stderr_has("the plan is of the node localhost.localdomain, and this is web2");
    refused.stderr_has("--any-node");
    let wrong = "0".repeat(64);
    world.disco(&["apply", FILE, "--digest", &wrong]).exits(65).stderr_has("has another digest: ");
    world.disco(&["apply", FILE, "--digest", "12"]).exits(64);
    assert_eq!(world.read("/srv/t/a"), "a\n");
    world.disco(&["--node", "web2", "apply", "--any-node", FILE]).succeeds().stderr_has("Merged 1 change");
    assert_eq!(world.read("/srv/t/a"), "b\n");
}

#[test]
fn a_plan_is_kept_by_a_dry_run_that_succeeds_and_replaces_nothing_but_a_plan() {
    let Some(world) = node("echo a >a", "echo b >a; exit 3") else { return };
    world.disco(&["dance", "--plan", FILE]).exits(64).stderr_has("--noop");
    assert_eq!(world.read("/srv/t/a"), "a\n");
    world
        .disco(&["dance", "--noop", "--plan", FILE])
        .exits(1)
        .stderr_has("No plan is written to /srv/m.plan");
    assert!(!world.exists(FILE));
    world.remove_module("m");
    world.module("m").script("10.sh", "echo c >/srv/t/a");
    world.publish();
    world.write("/srv/other", "text\n");
    world
        .disco(&["dance", "--noop", "--plan", "/srv/other"])
        .exits(73)
        .stderr_has("is there, and is no plan");
    assert_eq!(world.read("/srv/other"), "text\n");
    world.disco(&["dance", "--noop", "--plan", "/nowhere/x"]).exits(74);
    plan(&world);
    plan(&world);
    world.disco(&["apply", "/srv/other"]).exits(65).stderr_has("is no plan of disco's");
    world.disco(&["plan", "show", "/srv/none"]).exits(74);
    world.sh("ls -A /srv | grep -v -e ^t$ -e ^other$ -e ^m.plan$").exits(1);
    world
        .sh(&format!(
            "chmod 644 {FILE}; chmod 755 /srv; setpriv --reuid 65534 --clear-groups disco plan show {FILE}"
        ))
        .succeeds();
}

#[test]
fn a_command_that_is_tried_can_be_kept_as_a_plan() {
    let Some(world) = World::new() else { return };
    world.write("/srv/a", "a\n");
    let tried = world.disco(&["try", "--plan", FILE, "--", "bash", "-c", "echo b >/srv/a; exit 4"]);
    tried.exits(4).stderr_has("No plan is written");
    world.disco(&["try", "--commit", "--plan", FILE, "--", "true"]).exits(64);
    world.disco(&["try", "--plan", FILE, "--", "sed", "-i", "s/a/b/", "/srv/a"]).succeeds();
    assert_eq!(world.read("/srv/a"), "a\n");
    world.disco(&["apply", FILE]).succeeds().stderr_has("Merged 1 change");
    assert_eq!(world.read("/srv/a"), "b\n");
}

#[test]
fn a_large_plan_is_written_and_merged_piece_by_piece() {
    const PEAK: &str = "import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True, stdout=2); \
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let peaks = |megabytes: u32| {
        let script = format!("head -c {megabytes}M /dev/urandom >big");
        let world = node("true", &script)?;
        let peak = |words: &[&str]| {
            let out = world.run(&[&["python3", "-c", PEAK, "disco"], words].concat());
            out.succeeds().stdout.trim().parse::<u64>().expect("a number of KiB")
        };
        let peaks = [
            peak(&["dance", "--noop", "--plan", FILE]),
            peak(&["plan", "show", FILE]),
            peak(&["apply", FILE]),
        ];
        assert_eq!(world.sh("stat -c %s /srv/t/big").stdout, format!("{}\n", u64::from(megabytes) << 20));
        println!("{megabytes} MiB: {peaks:?} KiB");
        Some(peaks)
    };
    let (Some(small), Some(large)) = (peaks(1), peaks(48)) else { return };
    for (small, large) in small.into_iter().zip(large) {
        assert!(large < small + (16 << 10), "a plan of 48 MiB takes {large} KiB, one of 1 MiB {small} KiB");
    }
}
