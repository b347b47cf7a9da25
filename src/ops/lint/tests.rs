//! Modules with one thing wrong each, and the example's, with nothing.

use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// The findings as `FILE:LINE severity message`, files below the folder.
fn found(dir: &Path, names: &[&str], shellcheck: Shellcheck) -> Vec<String> {
    let names: Vec<ModuleName> = names.iter().map(|name| ModuleName::new(*name).unwrap()).collect();
    let linted = lint(dir, &names, shellcheck).unwrap();
    let shown = |finding: &Finding| {
        let file = finding.file.strip_prefix(dir).unwrap().display().to_string();
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{file}{line} {} {}", finding.severity.as_str(), finding.message)
    };
    linted.findings.iter().map(shown).collect()
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (files, expected) in [
        (&[("a/requires", "after b\n"), ("b/requires", "# none\n")][..], &[][..]),
        (
            &[("a/requires", "\nafter gone\nneeds a\nafter ../x\n"), ("b b/requires", "")],
            &[
                "a/requires:2 error there is no module gone beside this one",
                "a/requires:3 error \"needs a\" is not `after MODULE`",
                "a/requires:4 error module name \"../x\": ",
                "b b error module name \"b b\": ",
            ],
        ),
        (&[("a/requires", "b\nafter b"), ("b/x", "")], &["a/requires:2 warning line 1 says this already"]),
        (
            &[("a/requires", "after b"), ("b/requires", "#\nafter c"), ("c/requires", "before b\nafter a")],
            &[
                "c/requires:2 error modules require each other in a circle, each before the next: a -> c -> b -> a",
            ],
        ),
        (
            &[("a/requires", "after a"), ("b/requires", "before c"), ("c/requires", "before b")],
            &[
                "a/requires:1 error modules require each other in a circle, each before the next: a -> a",
                "b/requires:1 error modules require each other in a circle, each before the next: b -> c -> b",
            ],
        ),
        (
            &[
                ("a/templates/etc/x.tera", "{{ params.x }}\n{% if x %}\n"),
                ("a/templates/y.tera", "{{ params.none.y }}"),
            ],
            &["a/templates/etc/x.tera:"],
        ),
        (
            &[("a/templates/etc/x.tera", "\n\n{{ hostname | nofilter }}")],
            &["a/templates/etc/x.tera:3 error "],
        ),
        (
            &[
                ("a/scripts/1.sh", "echo a\nfi\n"),
                ("a/scripts/2.sh", "echo fine"),
                ("a/templates/x", "\necho \"x\n"),
            ],
            &[
                "a/scripts/1.sh:2 error syntax error near unexpected token `fi'",
                "a/templates/x:2 error unexpected EOF while looking for matching `\"'",
            ],
        ),
        (&[("a/script/1.sh", "fi")], &["a/script warning disco reads none of this; a module's folders are "]),
        (&[("a/scripts/sub/1.sh", "")], &["a/scripts/sub error module a: "]),
        (&[("a/parameters/x y", "")], &["a/parameters error "]),
        (
            &[
                ("a/validate/10-x", "fi\n"),
                ("a/after/sub/x", ""),
                ("a/check/10", "echo \"x"),
                ("a/check/10~", "fi"),
            ],
            &[
                "a/after/sub error module a: ",
                "a/check/10:1 error unexpected EOF",
                "a/validate/10-x:1 error syntax error near",
            ],
        ),
        (
            &[(
                "a/on-change",
                "# x\n/etc/x : true\n/etc/x\netc/x : true\n/etc/x : if true\n/etc/x/ : true # fi\n",
            )],
            &[
                "a/on-change:3 error \"/etc/x\" is not `GLOB… : COMMAND`",
                "a/on-change:4 error \"etc/x\" is no pattern of paths: it must start with '/'",
                "a/on-change:5 error syntax error: unexpected end of file",
                "a/on-change:6 warning no path ends with a slash: /etc/x/ is a pattern of none",
            ],
        ),
        (&[(".git/x", ""), ("a~/requires", "x y z"), ("README", ""), ("a/README.md", "")], &[]),
    ] {
        let dir = folder(files);
        let found = found(dir.path(), &[], Shellcheck::Never);
        let same = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        assert!(same, "{files:?}: {found:#?} {expected:#?}");
    }
}

#[test]
fn the_named_modules_alone_are_checked() {
    let dir =
        folder(&[("a/requires", "after b"), ("b/requires", "after"), ("b/scripts/x", "fi"), ("c c/x", "")]);
    assert_eq!(found(dir.path(), &["a"], Shellcheck::Never), [""; 0]);
    assert_eq!(found(dir.path(), &["b"], Shellcheck::Never).len(), 2);
    assert_eq!(found(dir.path(), &["z"], Shellcheck::Never), [" error there is no module z"]);
}

#[test]
fn nothing_of_a_module_is_run() {
    let dir = folder(&[]);
    let mark = dir.path().join("mark");
    let script = format!("touch {0}\nx=$(touch {0})\n", mark.display());
    let command = format!("/etc/x : touch {0}; x=$(touch {0})\n", mark.display());
    fs::create_dir_all(dir.path().join("a/scripts")).unwrap();
    fs::write(dir.path().join("a/scripts/1.sh"), script).unwrap();
    fs::write(dir.path().join("a/on-change"), command).unwrap();
    assert_eq!(found(dir.path(), &[], Shellcheck::Never), [""; 0]);
    assert!(!mark.exists());
}

#[test]
fn what_shellcheck_says_is_a_warning() {
    let dir = folder(&[("a/scripts/1.sh", "\ncd nowhere\n"), ("a/scripts/2.sh", "fi\n")]);
    let linted = lint(dir.path(), &[], Shellcheck::IfThere).unwrap();
    // Of a script that bash cannot read, bash's word is enough.
    assert_eq!(linted.count(Severity::Error), 1);
    assert_eq!(linted.count(Severity::Warning), usize::from(!linted.lacks_shellcheck), "{linted:?}");
    if !linted.lacks_shellcheck {
        let said = found(dir.path(), &[], Shellcheck::IfThere);
        assert!(said[0].starts_with("a/scripts/1.sh:2 warning SC2164: "), "{said:?}");
    }
    assert_eq!(found(dir.path(), &[], Shellcheck::Never).len(), 1);
}

#[test]
fn the_examples_modules_have_no_error() {
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/modules-example/modules"));
    assert_eq!(found(example, &[], Shellcheck::Never), [""; 0]);
}
