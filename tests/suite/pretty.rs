//! The calm view through a real terminal, and what a pipe gets instead: nothing but text.

use crate::world::{Output, World};

/// A node with a module that says something on both streams, changes a file and asks for a service; and a silent one.
fn node() -> Option<World> {
    let world = World::new()?;
    world
        .module("loud")
        .script(
            "10-long-name-of-a-step.sh",
            "echo out; echo err >&2; printf 'x\\033[2Jy\\n'; echo x >/etc/loud",
        )
        .script("20.sh", "service postgresql stop");
    world.module("silent").script("10.sh", ":");
    world.master();
    Some(world)
}

/// What the command does at a terminal of that many columns.
fn at_terminal(world: &World, columns: usize, command: &str, environment: &[(&str, &str)]) -> Output {
    let command = format!("stty cols {columns} rows 24; {command}");
    let mut script = world.command(&["script", "-qec", &command, "/dev/null"]).env("TERM", "xterm");
    for (name, value) in environment {
        script = script.env(name, value);
    }
    script.run()
}

/// Without the codes of colours, which take no room.
fn without_colors(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| match piece.find(|c: char| !c.is_ascii_digit() && c != ';') {
        Some(at) if piece[at..].starts_with('m') => text + &piece[at + 1..],
        _ => text + "\x1b[" + piece,
    })
}

/// Everything that was ever drawn on one line of the screen, with what was drawn over.
fn drawn(out: &Output) -> Vec<String> {
    let text = without_colors(&out.stdout).replace("\x1b[2K", "\r");
    text.split(['\n', '\r']).map(str::to_owned).collect()
}

/// The lines that are there in the end.
fn screen(out: &Output) -> Vec<String> {
    let text = without_colors(&out.stdout).replace("\r\n", "\n");
    let last = |line: &str| line.rsplit("\x1b[2K").next().unwrap_or_default().trim_end().to_owned();
    text.lines().map(last).collect()
}

#[test]
fn a_terminal_gets_the_calm_view_and_a_pipe_the_text_of_before() {
    let Some(world) = node() else { return };
    let out = at_terminal(&world, 80, "disco dance --noop", &[]);
    let lines = screen(out.succeeds());
    let from = lines.iter().position(|line| line == "• loud").unwrap_or_else(|| panic!("{lines:#?}"));
    let starts = [
        "• loud",
        "  │ out",
        "  │ x\\u{1b}[2Jy",
        "  ↻ would run: service postgresql stop",
        "✓ loud  1 change, 1 action  approximate: service  ",
        "  + /etc/loud  created, root:root 644, 1 line",
        "    +x",
        "✓ silent  no changes  ",
        "Before the merge:",
        "  ↻ service postgresql stop",
        "",
        "✓ NOOP: 1 change in 1 of 2 modules, 1 action pending; nothing was changed.",
        "  Run again without --noop to apply.",
        "  This report is approximate: service.",
        "  Took ",
    ];
    let told: Vec<&String> = lines[from..].iter().filter(|line| *line != "  ┃ err").collect();
    assert!(lines.iter().any(|line| line == "  ┃ err"), "{lines:#?}");
    assert_eq!(told.len(), starts.len(), "{lines:#?}");
    for (line, start) in told.iter().zip(starts) {
        assert!(line.starts_with(start) && line.is_empty() == start.is_empty(), "{line:?} {start:?}");
    }
    out.stdout_has("\x1b[32m✓\x1b[0m").stdout_has(" 0:00  1/2 loud · 10-long-name-of-a-step.sh");

    let classic = world.disco(&["dance", "--noop"]);
    classic.succeeds().stdout_has("info: Processing loud\nout\nx\x1b[2Jy\nwarning: Would execute : ");
    assert_eq!(classic.stdout, world.disco(&["dance", "--noop", "--format", "classic"]).succeeds().stdout);
    let colored = at_terminal(&world, 80, "disco dance --noop --format classic", &[]);
    colored.succeeds().stdout_has("\x1b[0;36;40minfo:\x1b[0m Processing loud\r\nout\r\n");
    colored.stdout_lacks("\x1b[2K").stdout_lacks("✓");
}

#[test]
fn a_pipe_gets_no_codes_of_a_terminal() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo out; echo x >/etc/x; exit 3");
    world.master();
    let out = world.command(&["disco", "dance", "--format", "pretty"]).env("TERM", "xterm").run();
    out.exits(1).stdout_has("  │ out\n").stdout_has("✗ m  failed, 10.sh: exit status 3; 1 change until then");
    out.stderr_has(
        "✗ 1 of 1 module failed; nothing was merged, this node is as before.\n  m: 10.sh: exit status 3\n",
    );
    for text in [&out.stdout, &out.stderr] {
        assert!(!text.contains(['\x1b', '\r']), "{out}");
    }
    let piped = at_terminal(&world, 80, "disco dance --noop --format pretty | cat", &[]);
    assert!(
        !piped.stdout_has("✗ m  failed").stdout.contains("\x1b[2K"),
        "a pager would be drawn over\n{piped}"
    );
    let out = world.disco(&["dance", "--noop", "--format", "pretty", "--color", "always"]);
    out.exits(1).stdout_has("\x1b[31m✗\x1b[0m");
    assert!(!without_colors(&out.stdout).contains(['\x1b', '\r']), "only colours\n{out}");
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let out = at_terminal(&world, 80, "disco dance --noop", &[environment]);
        out.exits(1).stdout_has("✗ m  failed");
        assert_eq!(without_colors(&out.stdout), out.stdout, "{environment:?}\n{out}");
    }
    let dumb = at_terminal(&world, 80, "disco dance --noop", &[("TERM", "dumb")]);
    assert!(!dumb.stdout.contains('\x1b'), "no status line either\n{dumb}");
    let ascii = at_terminal(&world, 80, "disco dance --noop", &[("LC_ALL", "C")]);
    assert!(ascii.exits(1).stdout.is_ascii(), "{ascii}");
    let lines = screen(&ascii);
    assert!(
        lines.iter().any(|line| line == "  | out")
            && lines.iter().any(|line| line.starts_with("!! m  failed"))
    );
}

#[test]
fn the_status_line_is_never_wider_than_the_terminal() {
    let Some(world) = node() else { return };
    for columns in [0, 12, 20, 40, 133] {
        let out = at_terminal(&world, columns, "disco dance --noop", &[]);
        let spins = |line: &&String| line.starts_with(|c| "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".contains(c));
        let drawn = drawn(out.succeeds());
        let widest = drawn.iter().filter(spins).map(|line| line.chars().count()).max().unwrap_or(0);
        let room = if columns == 0 { 80 } else { columns };
        assert!(widest <= room - 2 && widest >= 10, "{columns}: {widest}\n{drawn:#?}");
    }
}

#[test]
fn control_c_leaves_the_terminal_as_it_was_and_says_that_nothing_is_merged() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "echo x >/etc/from-step; sleep 8764");
    world.master();
    let before = world.manifest();
    // Whoever types waits for the step; the node has no other `sleep 8764`.
    let typed = "until pgrep -f '^sleep 8764$' >/dev/null; do sleep 0.05; done; printf '\\003'";
    let script = format!("({typed}) | script -qec 'stty cols 80; disco dance' /dev/null");
    let out = world.command(&["bash", "-c", &script]).env("TERM", "xterm").run();
    assert_eq!(out.signal_or_status(), 130, "{out}");
    let lines = screen(&out);
    let last = lines.last().unwrap();
    let expected = "✗ Interrupted by signal 2 in m, 10.sh, after ";
    assert!(last.starts_with(expected), "{last:?}\n{out}");
    assert!(last.ends_with(": nothing was merged, this node is as before."), "{last:?}");
    out.stdout_has("1/1 m · 10.sh^C");
    assert!(!out.stdout.contains("\x1b[?25l"), "the cursor is never hidden\n{out}");
    assert!(out.stdout.ends_with('\n'), "{out}");
    assert_eq!(world.manifest().since(&before), [""; 0]);
}

#[test]
fn control_c_after_the_merge_is_seen_at_once_and_says_that_it_is_merged() {
    let Some(world) = World::new() else { return };
    let waits = "#!/bin/sh\ntouch /tmp/runs; until [ -e /tmp/go ]; do sleep 0.05; done\n";
    world.write_with_mode("/etc/init.d/slow", "755", waits);
    world.module("m").script("10.sh", "echo x >/etc/from-step; service slow restart");
    world.master();
    let typed = "until [ -e /tmp/runs ]; do sleep 0.05; done; printf '\\003'
        until grep -q 'asked to stop' /tmp/shown; do sleep 0.05; done; touch /tmp/go";
    let script = format!("({typed}) | script -qefc 'stty cols 80; exec disco dance' /tmp/shown");
    let out = world.command(&["bash", "-c", &script]).env("TERM", "xterm").run();
    let lines = screen(out.succeeds());
    let end = &lines[lines.len() - 5..];
    assert_eq!(
        end[..4],
        [
            "",
            "✓ Merged 1 change; 1 action run.",
            "  This report is approximate: service.",
            "  The signal to stop came after the merge had begun, so it was completed."
        ]
    );
    assert_eq!(world.read("/etc/from-step"), "x\n");
}

/// A step that tears what it can: half lines, lines that draw over themselves, codes, two streams at once, very many.
const NOISY: &str = r#"
printf half; sleep 0.05; printf ' line\n'
printf '10%%\r50%%\r100%%\n'
printf '\033[2J\033[H\033]0;title\007\033[31mcodes\n'
printf 'no newline at the end of this' >&2; echo >&2
(for i in $(seq 5000); do echo "out $i of the lines"; done) &
(for i in $(seq 5000); do echo "err $i of the lines" >&2; done) &
wait
seq -f 'many %.0f' 30000
printf 'last without a newline'
"#;

#[test]
fn noisy_steps_tear_no_line() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", NOISY).script("20.sh", "echo second");
    world.master();
    let out = at_terminal(&world, 60, "disco dance --noop", &[]);
    let lines = screen(out.succeeds());
    let from = lines.iter().position(|line| line == "• m").expect("the module's head");
    let (mut out_at, mut err_at, mut many) = (0, 0, 0);
    for line in &lines[from + 1..] {
        let (sign, text) = match line.trim_start().split_once(' ') {
            Some((sign @ ("│" | "┃"), text)) => (sign, text),
            _ => break,
        };
        let number =
            |start: &str, end: &str| text.strip_prefix(start)?.strip_suffix(end)?.parse::<u32>().ok();
        if let Some(n) = number("out ", " of the lines") {
            assert_eq!((sign, n), ("│", out_at + 1));
            out_at = n;
        } else if let Some(n) = number("err ", " of the lines") {
            assert_eq!((sign, n), ("┃", err_at + 1));
            err_at = n;
        } else if let Some(n) = number("many ", "") {
            assert_eq!((sign, n), ("│", many + 1));
            many = n;
        } else {
            let whole = [
                "half line",
                "10%\\r50%\\r100%",
                "\\u{1b}[2J\\u{1b}[H\\u{1b}]0;title\\u{7}\\u{1b}[31mcodes",
                "no newline at the end of this",
                "last without a newline",
                "second",
            ];
            assert!(whole.contains(&text), "torn: {line:?}");
        }
    }
    assert_eq!((out_at, err_at, many), (5000, 5000, 30000), "{:#?}", &lines[from..from + 20]);
    let spins: Vec<String> =
        drawn(&out).into_iter().filter(|line| line.starts_with(|c| "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".contains(c))).collect();
    assert!(spins.iter().any(|line| line.contains("1/1 m · 10.sh (1/2) · many ")), "{:#?}", spins.last());
    assert!(spins.iter().all(|line| !line.contains("\u{1b}") && line.chars().count() <= 58));
}

#[test]
fn quiet_is_errors_and_one_line_and_verbose_is_what_steps_cost() {
    let Some(world) = World::new() else { return };
    world
        .module("good")
        .script("10.sh", "echo said; echo err >&2; echo x >/etc/good; service postgresql stop");
    world.module("silent").script("10.sh", ":").script("20.sh", ":");
    world.master();
    let quiet = world.disco(&["dance", "--noop", "--quiet"]);
    quiet.succeeds().stdout_is("");
    assert_eq!(quiet.stderr.lines().count(), 1, "{quiet}");
    quiet.stderr_has("NOOP: 1 change and 1 action pending, nothing merged");
    let on_terminal = at_terminal(&world, 80, "disco dance --noop --quiet", &[]);
    let lines: Vec<String> =
        screen(on_terminal.succeeds()).into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    on_terminal.stdout_has("1/2 good - 10.sh (1/1)").stdout_lacks("said");
    let verbose = world.disco(&["dance", "--noop", "--verbose"]);
    verbose
        .succeeds()
        .stderr_has("info: Step 1 of 2 : 10.sh : 20")
        .stderr_has("info: silent: 20.sh: done after 0.")
        .stderr_has("info: good: 10.sh: done after 0.")
        .stderr_has(" s, CPU ")
        .stderr_has(", approximate: service\n")
        .stderr_has("info: Phase : diff : 0.")
        .stderr_has("info: Phase : plan : 0.");
    assert_eq!(
        verbose.stdout,
        world.disco(&["dance", "--noop"]).succeeds().stdout,
        "it is for standard error"
    );
    world.module("bad").script("10.sh", "echo why >&2; exit 3");
    world.assign(&["good", "silent", "bad"]);
    world.publish();
    let quiet = world.disco(&["dance", "--quiet"]);
    quiet.exits(1).stdout_is("").stderr_has("error: bad: 10.sh: exit status 3\n");
    assert_eq!(quiet.stderr.lines().count(), 2, "{quiet}");
}
