//! The rules of the house, read from its source: which way it flows, who may use the overlay, how files open and how long
//! they are.

use std::fs;
use std::path::Path;

/// The floors from the ground up. Modules of one floor do not see each other.
const FLOORS: [&[&str]; 7] = [
    &["model"],
    &["sys"],
    &[
        "secrets", "settings", "fetch", "modules", "plan", "plans", "render", "params", "changes", "merge",
        "actions", "lock", "pki", "runs", "sources", "monitors", "reports", "uploads", "schedule",
    ],
    &["sandbox"],
    &["step"],
    &["ops"],
    &["cli", "agent", "dlm"],
];
/// The one module that may use the crate of the overlay.
const OVERLAY_USER: &str = "sandbox";
/// These see everything: they are the map and the door.
const EXEMPT: [&str; 2] = ["lib", "main"];
/// Not part of the program: compiled for tests alone, where parts may meet that do not see each other in the house.
const TESTS_ALONE: [&str; 1] = ["layered"];
/// The most lines of a file, its tests apart.
const LONGEST: usize = 400;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The top-level module that a source file belongs to, given its path below `src/`.
fn module_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// The text without comments and string literals, so that only code counts. Knows `//`, `/* */`, strings, raw strings
/// and characters, as far as this project writes them.
fn code_only(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut i = 0;
    while i < bytes.len() {
        let rest = |n: usize| bytes.get(i + n).copied();
        match bytes[i] {
            '/' if rest(1) == Some('/') => {
                while i < bytes.len() && bytes[i] != '\n' {
                    i += 1;
                }
            }
            '/' if rest(1) == Some('*') => {
                i += 2;
                while i < bytes.len() && !(bytes[i] == '*' && bytes.get(i + 1) == Some(&'/')) {
                    i += 1;
                }
                i += 2;
            }
            'r' if matches!(rest(1), Some('"' | '#'))
                && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') =>
            {
                let hashes = bytes[i + 1..].iter().take_while(|c| **c == '#').count();
                if bytes.get(i + 1 + hashes) != Some(&'"') {
                    code.push('r');
                    i += 1;
                    continue;
                }
                let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                i += 2 + hashes;
                while i < bytes.len() && !bytes[i..].starts_with(&end) {
                    i += 1;
                }
                i += end.len();
            }
            '"' => {
                i += 1;
                while i < bytes.len() && bytes[i] != '"' {
                    i += if bytes[i] == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            '\'' if rest(1) == Some('\\') => {
                i += 3;
                while i < bytes.len() && bytes[i] != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if rest(2) == Some('\'') => i += 3,
            c => {
                code.push(c);
                i += 1;
            }
        }
    }
    code
}

/// The first path segments after `crate::`, groups like `crate::{model::x, sys}` included.
fn crate_uses(code: &str) -> Vec<String> {
    let mut found = vec![];
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = code[at + "crate::".len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_segments(group)),
            None => found.push(segment(rest)),
        }
    }
    // `super::` from the top of a module reaches its siblings as `crate::` does; nothing here needs it.
    found
}

/// The first segment of each path in a `{…}` group, of which the opening brace is gone.
fn first_segments(group: &str) -> Vec<String> {
    let (mut depth, mut expect, mut found) = (0, true, vec![]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expect = true,
            c if c.is_whitespace() => {}
            _ if expect && depth == 0 => {
                found.push(segment(&group[at..]));
                expect = false;
            }
            _ => {}
        }
    }
    found
}

fn segment(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether a file holds nothing but tests, by its name.
fn is_tests_only(path: &str) -> bool {
    TESTS_ALONE.contains(&module_of(path)) || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// What is wrong with one file of `src/`, given its path below it.
fn violations(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let code = code_only(text);
    let mut wrong = vec![];
    if !text.starts_with("//!") {
        wrong.push(format!("{path}: does not open with `//!`, what it is and what it is not"));
    }
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    let tests_only = is_tests_only(path);
    if lines > LONGEST && !tests_only {
        wrong.push(format!("{path}: {lines} lines, tests apart; split it before {LONGEST}"));
    }
    if EXEMPT.contains(&module) || TESTS_ALONE.contains(&module) {
        return wrong;
    }
    if module != OVERLAY_USER && code.contains("disco_fuse") {
        wrong.push(format!("{path}: only `{OVERLAY_USER}` may use disco_fuse"));
    }
    let Some(own) = floor(module) else {
        wrong.push(format!("{path}: `{module}` has no floor; give it one in tests/suite/floors.rs"));
        return wrong;
    };
    if code.contains("super::super::") {
        wrong.push(format!("{path}: `super::super::` hides which floor it reaches; write `crate::…`"));
    }
    for used in crate_uses(&code) {
        if used == module {
            continue;
        }
        if tests_only && TESTS_ALONE.contains(&used.as_str()) {
            continue;
        }
        match floor(&used) {
            Some(other) if other < own => {}
            Some(other) => {
                wrong.push(format!("{path}: `{module}` (floor {own}) uses `{used}` (floor {other})"))
            }
            None => wrong.push(format!("{path}: uses `crate::{used}`, which has no floor")),
        }
    }
    wrong
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.expect("the source can be read").into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let name =
                path.strip_prefix(folder).expect("it is below").to_str().expect("a plain name").to_owned();
            (name, fs::read_to_string(&path).expect("a source file is text"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_module_uses_only_floors_below_its_own() {
    let sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(sources.len() > 5, "the source is not where it was");
    let wrong: Vec<String> = sources.iter().flat_map(|(path, text)| violations(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let map = include_str!("../../src/lib.rs");
    for module in TESTS_ALONE {
        let declared = map.contains(&format!("mod {module};"));
        assert!(
            !declared || map.contains(&format!("#[cfg(test)]\nmod {module};")),
            "{module} is for tests alone"
        );
    }
}

#[test]
fn the_overlay_knows_nothing_of_disco() {
    for (path, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuse/src"))) {
        let code = code_only(&text);
        for word in ["disco::", "extern crate disco"] {
            assert!(!code.contains(word), "fuse/src/{path} uses {word}");
        }
        assert!(text.starts_with("//!"), "fuse/src/{path} does not open with `//!`");
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        assert!(
            lines <= LONGEST || path.ends_with("tests.rs"),
            "fuse/src/{path}: {lines} lines, tests apart"
        );
    }
}

/// What the rules of locks may not name outside of tests: whatever could make two equal questions have two answers.
const IMPURE: [&str; 11] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "rand",
];

#[test]
fn the_rules_of_locks_are_pure_and_flow_one_way() {
    let sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dlm/src")));
    assert!(sources.len() > 10, "the source is not where it was");
    for (path, text) in sources {
        assert!(text.starts_with("//!"), "dlm/src/{path} does not open with `//!`");
        if path.ends_with("tests.rs") || path == "lib.rs" {
            continue;
        }
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        assert!(lines <= LONGEST, "dlm/src/{path}: {lines} lines, tests apart");
        let code = code_only(&text);
        for word in IMPURE.iter().chain(&["disco::", "disco_fuse"]) {
            assert!(!code.contains(word), "dlm/src/{path} uses {word}");
        }
        let above: &[&str] = match module_of(&path) {
            "model" => &["rules", "check"],
            "rules" => &["check"],
            _ => &[],
        };
        for used in crate_uses(&code) {
            assert!(!above.contains(&used.as_str()), "dlm/src/{path} uses `crate::{used}`");
        }
    }
}

/// What holds of any file holds of the crates beside the house, too.
#[test]
fn files_of_the_servers_are_short_and_say_what_they_are() {
    for folder in ["/dlm-server/src", "/agent/src", "/listen/src"] {
        let sources = sources(Path::new(&format!("{}{folder}", env!("CARGO_MANIFEST_DIR"))));
        assert!(sources.len() > 10, "the source is not where it was");
        for (path, text) in sources {
            assert!(text.starts_with("//!"), "{folder}/{path} does not open with `//!`");
            let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
            let tests = is_tests_only(&path) || path.starts_with("stage");
            assert!(tests || lines <= LONGEST, "{folder}/{path}: {lines} lines, tests apart");
        }
    }
}

/// The rule must be able to fail: each of these texts breaks it.
#[test]
fn violations_are_found() {
    for (path, text, expected) in [
        ("model/x.rs", "//! x\nuse crate::sys::fs;\n", "`model` (floor 0) uses `sys` (floor 1)"),
        ("fetch.rs", "//! x\nuse crate::plan::order;\n", "`fetch` (floor 2) uses `plan` (floor 2)"),
        (
            "fetch.rs",
            "//! x\nuse crate::{model::names, merge};\n",
            "`fetch` (floor 2) uses `merge` (floor 2)",
        ),
        ("fetch.rs", "//! x\nuse crate::{\n    model::{a, plan},\n    ops,\n};\n", "uses `ops` (floor 5)"),
        ("merge/apply.rs", "//! x\nfn f() { crate::sandbox::open() }\n", "uses `sandbox` (floor 3)"),
        (
            "merge/apply.rs",
            "//! x\nfn f<'a>(s: &'a str) { let c = '\"'; crate::cli::out(c) }\n",
            "uses `cli` (floor 6)",
        ),
        ("step.rs", "//! x\nuse disco_fuse::Overlay;\n", "only `sandbox` may use disco_fuse"),
        ("cli/a.rs", "//! x\nuse crate::dlm::x;\n", "`cli` (floor 6) uses `dlm` (floor 6)"),
        ("util.rs", "//! x\n", "`util` has no floor"),
        ("ops/x.rs", "//! x\nuse crate::helpers::y;\n", "`crate::helpers`, which has no floor"),
        ("ops/a/b.rs", "//! x\nuse super::super::cli;\n", "hides which floor"),
        ("merge/apply.rs", "//! x\nuse crate::layered::x;\n", "uses `crate::layered`, which has no floor"),
        ("merge/tests.rs", "//! x\nuse crate::changes::x;\n", "`merge` (floor 2) uses `changes` (floor 2)"),
        ("sys/fs.rs", "use std::fs;\n", "does not open with `//!`"),
    ] {
        let found = violations(path, text);
        assert!(found.iter().any(|line| line.contains(expected)), "{text:?}: {found:?}");
    }
    let long = format!("//! x\n{}", "// y\n".repeat(LONGEST));
    assert_eq!(violations("sys/x.rs", &long).len(), 1);
    let tests_do_not_count = format!("//! x\n#[cfg(test)]\n{}", "// y\n".repeat(LONGEST));
    assert_eq!(violations("sys/x.rs", &tests_do_not_count), Vec::<String>::new());
    assert_eq!(violations("sys/x/tests.rs", &long), Vec::<String>::new());
}

#[test]
fn what_is_allowed_is_not_called_a_violation() {
    for (path, text) in [
        ("fetch.rs", "//! x\nuse crate::model::names::ModuleName;\nuse crate::sys::process;\n"),
        ("sandbox/mod.rs", "//! x\nuse crate::{model, sys, actions};\nuse disco_fuse::Overlay;\n"),
        (
            "model/x.rs",
            "//! see crate::cli\n/// crate::ops\nuse crate::model::y;\nconst A: &str = \"crate::sys\";\n",
        ),
        ("model/x.rs", "//! x\nconst A: &str = r#\"a \" crate::sys\"#; /* crate::ops */\n"),
        ("model/x.rs", "//! x\npub(crate) fn f() {}\nuse my_crate::sys;\n"),
        ("merge/tests.rs", "//! x\nuse crate::layered::x;\n"),
        ("lib.rs", "//! x\nuse crate::cli;\n"),
        ("main.rs", "//! x\nuse disco::cli;\n"),
    ] {
        assert_eq!(violations(path, text), Vec::<String>::new(), "{text:?}");
    }
}
