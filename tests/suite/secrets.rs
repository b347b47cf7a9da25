//! Secrets are planted in parameters, files and disco's environment, steps say them in every form, and every byte that is shown
//! or recorded is searched for them.

use std::sync::OnceLock;

use crate::world::{NODE, Output, World};

const PASSWORD: &str = "S3cr3t pa+ss/w\u{f6}rd\"$x'end";
const TOKEN: &str = "tok3n-0123456789";
const KEY: &str = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S\n-----END KEY-----";
const PRIVATE: &str = "file-secret-0123456789-abcdef";
const LAID: &str = "laid-secret-of-the-module";
const MADE: &str = "made-by-a-step-0123456789";
const HASH: &str = "$6$saltsalt$0123456789abcdefghijklmnopqrstuvwxyz";
const OF_DISCO: &str = "in-the-environment-of-disco";

/// All of them, line by line.
fn planted() -> Vec<&'static str> {
    let key = KEY.lines().filter(|line| !line.starts_with('-'));
    [PASSWORD, TOKEN, PRIVATE, LAID, MADE, HASH, OF_DISCO].into_iter().chain(key).collect()
}

const PRINTS: &str = r#"
P=$(cat /var/disco/parameters/$DISCO_NODE/parameters/app/password)
echo "it is $P."
echo "$P" >&2
printf %s "${P:0:7}"; sleep 0.2; echo "${P:7}"
printf %s "$P" | base64
printf %s "x$P" | base64
printf %s "some text of 61 characters, so that the secret is on two lines $P" | base64
printf %s "xx$P" | base64 | tr +/ -_
printf '%q\n' "$P"
python3 -c 'import json, re, sys, urllib.parse as u, shlex
p = sys.argv[1]
print(json.dumps({"p": p})); print(json.dumps(json.dumps(p)))
print(u.quote(p), u.quote_plus(p), re.sub("%..", lambda e: e[0].lower(), u.quote(p, safe="")), shlex.quote(p))' "$P"
set -x; : "$P"; set +x
K=/var/disco/parameters/$DISCO_NODE/parameters/app/private_key
cat $K; base64 $K; python3 -c 'import json; print(json.dumps(open("'$K'").read()))'
cat /etc/app.key; base64 /etc/app.key; sed 's/^/> /' /etc/app.key
grep root /etc/shadow; cut -d: -f2 /etc/shadow | head -1
(umask 077; echo made-by-a-step-0123456789 >/etc/made.key); cat /etc/made.key
python3 -c 'print("y" * 65530, end="")'; echo "$P"
"#;

const WRITES: &str = r#"
P=$(cat /var/disco/parameters/$DISCO_NODE/parameters/app/password)
T=$(cat /var/disco/parameters/$DISCO_NODE/parameters/app/token)
printf 'user=x\npassword=%s\n' "$P" >/etc/app.conf
install -m 644 /etc/app.key /etc/copied.txt
echo y >"/etc/named-$T"; ln -s "/srv/$T" /etc/linked
echo "root2:$(cut -d: -f2 /etc/shadow | head -1):19000::::::" >>/etc/shadow
service "app-$T" restart; logger "$P"
curl -s "http://192.0.2.1/$T"; echo x >"/srv/fifo-$T"; chmod 600 /etc/late
(umask 077; echo "password laid-secret-of-the-module" >/etc/laid)
"#;

fn node() -> Option<World> {
    let world = World::new()?;
    for (name, value) in [("app/password", PASSWORD), ("app/token", TOKEN), ("app/private_key", KEY)] {
        world.parameter(name, value);
    }
    world.write_with_mode("/etc/app.key", "600", &format!("a\n{PRIVATE}\n"));
    world.write("/etc/app.conf", "user=x\npassword=the-old-one-of-before\n");
    world.write("/etc/late", "public before\n");
    world.run(&["mkfifo", &format!("/srv/fifo-{TOKEN}")]).succeeds();
    world.sh(&format!("sed -i '1s,.*,root:{HASH}:19000:0:99999:7:::,' /etc/shadow")).succeeds();
    world
        .module("app")
        .template("etc/app/t.conf", "echo pw=$(cat /var/disco/parameters/$DISCO_NODE/parameters/app/token)")
        .template("etc/app/u.conf.tera", "pw={{ params.app.password }}\n")
        .script("10-prints.sh", PRINTS)
        .script("20-writes.sh", WRITES);
    world.master();
    Some(world)
}

fn disco(world: &World, args: &[&str]) -> Output {
    world.command(&[&["disco"], args].concat()).env("APP_TOKEN", OF_DISCO).env("COLUMNS", "80").run()
}

/// Every form of a text that must not be found.
fn forms(secret: &str) -> Vec<String> {
    let python = r#"
import base64, json, re, shlex, sys, urllib.parse as u
s = sys.argv[1]; b = s.encode()
print(s); print(json.dumps(s)[1:-1]); print(json.dumps(s, ensure_ascii=False)[1:-1]); print(shlex.quote(s))
for safe in "", "/":
    print(u.quote(s, safe=safe)); print(u.quote_plus(s, safe=safe)); print(re.sub("%..", lambda e: e[0].lower(), u.quote(s, safe=safe)))
for before in range(3):
    # Without the digits that others share in.
    digits = base64.b64encode(b"\0" * before + b).decode().rstrip("=")[[0, 2, 3][before]:-1]
    print(digits); print(digits.translate(str.maketrans("+/", "-_")))
"#;
    let printed =
        std::process::Command::new("python3").args(["-c", python, secret]).output().expect("python3 starts");
    let mut forms: Vec<_> = String::from_utf8_lossy(&printed.stdout).lines().map(str::to_owned).collect();
    assert!(forms.len() >= 12, "{printed:?}");
    forms.sort();
    forms.dedup();
    forms
}

/// Fails where a secret is in the text, or in one that base64 or a pipe has wrapped.
fn search(what: &str, text: &str) {
    let joined = text.replace(['\n', '\r'], "");
    static FORMS: OnceLock<Vec<String>> = OnceLock::new();
    for form in FORMS.get_or_init(|| planted().into_iter().flat_map(forms).collect()) {
        for text in [text, &joined] {
            let Some(at) = text.find(form.as_str()) else { continue };
            let part = at.saturating_sub(60)..(at + form.len() + 20).min(text.len());
            let around = String::from_utf8_lossy(&text.as_bytes()[part]);
            panic!("{what} tells {form:?}:\n…{around}…");
        }
    }
}

fn search_output(what: &str, out: &Output) {
    search(&format!("standard output of {what}"), &out.stdout);
    search(&format!("standard error of {what}"), &out.stderr);
}

/// Everything below the records, uncompressed; without the times that stand before lines, which would part what is wrapped.
fn search_records(world: &World, what: &str) {
    let all = world.sh("cd /var/disco/runs; find . -type f | while read f; do echo; echo \"== $f\"; zcat -f \"$f\" | sed -E 's/^[0-9.]+ (out|err) //'; done");
    assert!(all.succeeds().stdout.contains("changes.jsonl.gz"), "{all}");
    search(&format!("the records after {what}"), &all.stdout);
}

#[test]
fn no_form_of_a_secret_is_shown_or_recorded() {
    let Some(world) = node() else { return };
    // Known before any step has opened or been given them; it is the first module.
    world.module("a").script("10.sh", &format!("echo '{HASH}'; echo {OF_DISCO}"));
    world.publish();
    let told = |args: &[&str], has: &[&str]| {
        let out = disco(&world, args);
        search_output(&args.join(" "), out.succeeds());
        for text in has {
            assert!(format!("{}{}", out.stdout, out.stderr).contains(text), "{args:?} {text:?}\n{out}");
        }
    };
    let marks = [
        "[secret: env APP_TOKEN]",
        "/srv/fifo-[secret: app/token]",
        "[secret: app/password]",
        "[secret: app/token]",
        "[secret: /etc/app.key]",
        "[secret: /etc/shadow]",
    ];
    told(&["dance", "--noop"], &marks);
    told(
        &["dance", "--noop", "--diff", "unified", "--plan", "/tmp/plan"],
        &[
            "-password=[secret: app/password, another value]\n+password=[secret: app/password]\n",
            "content withheld: only root can read it",
        ],
    );
    search_records(&world, "a dry run");
    told(&["dance", "--noop", "--format", "pretty"], &marks);
    told(&["dance", "--noop", "--format", "json"], &marks);
    for form in ["text", "json"] {
        told(&["plan", "show", "/tmp/plan", "--format", form], &["[secret: app/token]"]);
    }
    for args in [
        &["report"][..],
        &["report", "--format", "json"],
        &["runs"],
        &["param", "dump"],
        &["param", "dump", "--origin"],
    ] {
        told(args, &[]);
    }
    told(&["dance"], &marks);
    assert!(world.read("/etc/app.conf").contains(PASSWORD), "what merges is what was written");
    assert!(world.read(&format!("/etc/named-{TOKEN}")).contains('y'));
    for form in ["text", "json"] {
        told(&["merge-log", "--format", form], &["[secret: app/token]", "[secret: app/password]"]);
    }
    told(&["undo"], &["/etc/named-[secret: app:token]"]);
    search_records(&world, "an undo");
    assert!(!world.exists(&format!("/etc/named-{TOKEN}")));
    told(&["apply", "/tmp/plan"], &["[secret: app/token]"]);
    search_records(&world, "a plan");
}

#[test]
fn what_fails_and_what_is_tried_tells_no_secret_either() {
    let Some(world) = node() else { return };
    world
        .module("fails")
        .template("etc/x.tera", "{{ throw(message=params.app.password) }}")
        .any("on-change", "/etc/app.conf : reload-app tok3n-0123456789\n");
    world.module("looks").any("validate/10.sh", "cat /etc/app.key /etc/made.key; exit 3\n");
    world.publish();
    for format in ["classic", "pretty", "json"] {
        let out = disco(&world, &["dance", "--noop", "--format", format]);
        search_output(format, out.exits(1));
    }
    world.remove_module("fails");
    world.publish();
    let out = disco(&world, &["dance"]);
    search_output("a validator", out.exits(1).stdout_has("[secret: /etc/made.key]"));
    let tried = disco(
        &world,
        &["try", "--", "sh", "-c", &format!("cat /etc/app.key >/etc/y; chmod 644 /etc/y; : {TOKEN}; exit 3")],
    );
    search_output("try", tried.exits(3).stdout_has("> [secret: /etc/app.key]"));
    world.disco(&["fs", "mount"]).succeeds();
    let shell = world
        .command(&["disco", "shell"])
        .stdin(&format!("cat /etc/app.key >/etc/y\nchmod 644 /etc/y\necho {TOKEN} >/etc/z\nlogger {TOKEN}\n"))
        .run();
    // What a shell says itself is its user's.
    shell.stdout_has("warning: Would execute : logger '[secret: app/token]'\n");
    for format in ["classic", "json"] {
        let diff = disco(&world, &["fs", "diff", "--format", format]);
        search_output(
            "fs diff",
            diff.succeeds().stdout_has("[secret: /etc/app.key]").stdout_has("[secret: app/token]"),
        );
    }
    search_output("unmount", world.disco(&["fs", "unmount"]).succeeds());
    search_records(&world, "all of it");
}

#[test]
fn root_at_a_terminal_is_shown_secrets_and_no_record_of_that_holds_one() {
    let Some(world) = node() else { return };
    let piped = world.disco(&["dance", "--noop", "--show-secrets"]);
    piped.exits(64).stdout_is("").stderr_has("error: --show-secrets shows them on a terminal alone");
    let shown = world
        .command(&["script", "-qec", "disco dance --noop --show-secrets --format classic", "/dev/null"])
        .run();
    shown.succeeds().stdout_has(&format!("it is {PASSWORD}.")).stdout_has(&format!("> password {LAID}"));
    shown.stdout_has(&format!("> root2:{HASH}:19000::::::")).stdout_has("< password=the-old-one-of-before");
    search_records(&world, "showing them");

    // Nor does anything that monitors and the system's log are told of such runs.
    let log = world.spawn(&["python3", "-c", SYSLOG]);
    world.wait_until("a log listens", || world.sh("[ -S /dev/log ]").status == Some(0));
    for (name, told) in [("acts", " outcome=undone "), ("bad", " outcome=not-started ")] {
        let line = if name == "acts" { format!("/etc/app.conf : exit 3; : {TOKEN}\n") } else { TOKEN.into() };
        world.module(name).any("on-change", &line);
        world.publish();
        let args = "disco dance --show-secrets --format classic";
        let shown = world.command(&["script", "-qec", args, "/dev/null"]).run();
        assert_ne!(shown.stdout_has(TOKEN).status, Some(0));
        // The module's own actions say theirs.
        let log = world.sh("grep ' disco\\[' /var/log/told").stdout.clone();
        assert!(log.contains(told), "{log}");
        search("the system's log", &log);
        search("last-run.json", &world.read("/var/disco/last-run.json"));
        search_records(&world, name);
    }
    let script = "exec 8>>/var/disco/lock; flock 8; echo $0 >/var/disco/lock; echo >/tmp/held; sleep 20";
    let holder = world.spawn(&["bash", "-c", script, TOKEN]);
    world.wait_until("it is held", || world.exists("/tmp/held"));
    let args = ["script", "-qec", "disco dance --show-secrets --format classic", "/dev/null"];
    assert_ne!(world.command(&args).run().stdout_has(TOKEN).status, Some(0));
    holder.signal("KILL");
    println!("{}", holder.wait());
    let log_of_all = world.sh("grep ' disco\\[' /var/log/told").stdout.clone();
    assert!(log_of_all.contains(" did not run: ") && log_of_all.contains("not-run"), "{log_of_all}");
    search("the system's log of a run that did not begin", &log_of_all);
    log.signal("KILL");
    println!("{}", log.wait());
}

/// Keeps what the system's log is told.
const SYSLOG: &str = r#"
import os, socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out = open("/var/log/told", "ab", buffering=0)
log.bind("/dev/log")
while True: out.write(log.recv(65536) + b"\n")
"#;

#[test]
fn a_module_and_a_node_mark_parameters_of_their_own() {
    let Some(world) = World::new() else { return };
    world.parameter("license/id", "license-0123");
    world.parameter("app/word", "word-0123456");
    world.parameter("app/other", "other-0123456");
    world.parameter("app/password", "no-secret-here");
    world.parameter("disco/client/secrets", "license/** !app/password");
    world.module("m").parameter("disco/client/secrets", "app/word").script(
        "10.sh",
        "cat $(find /var/disco/parameters/$DISCO_NODE/parameters/{app,license} -type f | sort)",
    );
    world.master();
    world.setting("disco/client/secrets", "app/other");
    let out = world.disco(&["dance", "--noop"]);
    out.succeeds()
        .stdout_has("[secret: app/other]\nno-secret-here\n[secret: app/word]\n[secret: license/id]\n");
    let dump = world.disco(&["param", "dump", NODE]);
    dump.succeeds()
        .stdout_has("license/id = [secret]")
        .stdout_has("app/word = [secret]")
        .stdout_has("app/password = no-secret-here");
    world
        .disco(&["param", "get", &format!("{NODE}/parameters/app/word")])
        .succeeds()
        .stdout_is("word-0123456\n");
}
