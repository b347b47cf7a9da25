//! `disco fs`: the sandbox that stays, what joins it and what does not, and how it ends.

mod ends;
mod joins;

use crate::world::World;

/// A node with disco's own folder and the seed's names of its commands, and no sandbox mounted.
fn node() -> Option<World> {
    let world = World::new()?;
    let names = "disco-fs-mount disco-fs-init disco-fs-diff disco-fs-status disco-fs-unmount disco-sh-shell";
    world
        .sh(&format!(
            "mkdir /var/disco; touch /var/there; for name in {names}; do ln -s $(command -v disco) /usr/local/bin/$name; done"
        ))
        .succeeds();
    Some(world)
}

/// Everything below disco's home but the records, as paths.
fn files_of_disco(world: &World) -> Vec<String> {
    let found = world.sh("cd /var/disco; find . -path ./runs -prune -o -print").succeeds().stdout.clone();
    let mut found: Vec<String> = found.lines().map(str::to_owned).collect();
    found.sort();
    found
}

/// The pid of the holder.
fn holder(world: &World) -> String {
    let json = world.disco(&["fs", "status", "--format", "json"]).succeeds().stdout.clone();
    let status: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    status["pid"].to_string()
}

#[test]
fn the_seeds_interactive_part_has_its_report() {
    let Some(world) = node() else { return };
    let before = world.manifest();
    let noop = |name: &str, typed: &str| world.command(&[name]).env("NOOP", "true").stdin(typed).run();
    noop("disco-fs-mount", "").succeeds().stdout_is("").stderr_has("info: Mounted a sandbox, run ");
    noop("disco-fs-init", "").succeeds().stdout_is("").stderr_is("");
    noop("disco-fs-diff", "").succeeds().stdout_is("");
    let typed = "rm -f /etc/passwd\n\
        grep -v root /etc/shadow | tee tmpfile >/dev/null\n\
        mv -f tmpfile /etc/shadow\n\
        echo LOL | tee /var/lib/p0wnt\n\
        touch /usr/bin/myhotbash\n\
        service postgresql stop\n";
    let shell = noop("disco-sh-shell", typed);
    shell.succeeds().stdout_is("LOL\nwarning: Would execute : service postgresql stop\n");
    shell.stderr_has("`disco fs diff` shows").stderr_has("`disco fs unmount` drops it");

    let shadow = world.read("/etc/shadow");
    let kept: String = shadow.split_inclusive('\n').filter(|line| !line.contains("root")).collect();
    let md5 = |text: &str| {
        let sum = world.command(&["md5sum"]).stdin(text).run().succeeds().stdout.clone();
        sum.split(' ').next().expect("a sum").to_owned()
    };
    let device = world.run(&["stat", "-c", "%D", "/etc"]).succeeds().stdout.trim().to_owned();
    let passwd = world.read("/etc/passwd");
    let (lines, gone) = (passwd.lines().count(), passwd.replace('\n', "\n< "));
    let created = |path: &str, kind: &str, text: &str| {
        format!(
            "info: File: file: {path} : Created : type=[{kind}] device=[{device}] mode=[81a4] selinux=[?] md5=[{}] perms=[root:root 644]\n",
            md5(text)
        )
    };
    let diff = noop("disco-fs-diff", "");
    // With the users gone from the view, it has no name for an owner, only a number.
    let by_number = |text: &str| text.replace("perms=[root:root 644]", "perms=[root:0 644]");
    diff.succeeds()
        .stdout_has("warning: Would execute : service postgresql stop\ninfo: File: file: ")
        .stdout_has(&format!(
            "info: File: file: /etc/passwd : Deleted\n1,{lines}d0\n< {}",
            gone.trim_end_matches("< ")
        ))
        .stdout_has(&by_number(&created("/usr/bin/myhotbash", "regular empty file", "")))
        .stdout_has(&by_number(&created("/var/lib/p0wnt", "regular file", "LOL\n")))
        .stdout_has("0a1\n> LOL\n")
        .stdout_has(&format!("/etc/shadow : Modified : md5=[{} => {}]", md5(&shadow), md5(&kept)))
        .stdout_lacks("< root:$")
        .stdout_lacks("1d0\n");
    // Root at a terminal is shown what only root can read, and the rest is the same.
    let asked = "disco fs diff --show-secrets --color never";
    let shown =
        world.command(&["script", "-qec", asked, "/dev/null"]).run().succeeds().stdout.replace('\r', "");
    let withheld = "content withheld: only root can read it; --show-secrets shows it on a terminal\n";
    let root = shadow.lines().find(|line| line.contains("root")).expect("root has a password");
    assert_eq!(shown, diff.stdout.replacen(withheld, &format!("1d0\n< {root}\n"), 1), "{diff}");
    assert_eq!(world.manifest().since(&before), [""; 0]);
    assert_eq!(diff.stdout, world.disco(&["fs", "diff"]).succeeds().stdout, "it is another the second time");
    noop("disco-fs-status", "").succeeds().stdout_has("1 action on the running system");
    noop("disco-fs-unmount", "").succeeds().stderr_has("Unmounted: 4 changes and 1 action dropped");
    assert_eq!(world.manifest().since(&before), [""; 0]);
}
