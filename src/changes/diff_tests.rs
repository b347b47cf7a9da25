//! Tests against diff(1) and patch(1) themselves.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn tool(program: &str, args: &[&str], before: &str, after: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), before).unwrap();
    std::fs::write(dir.path().join("b"), after).unwrap();
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C").current_dir(dir.path()).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.code().unwrap() < 2, "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What patch(1) makes of `before` with our difference in `b`.
fn patched(before: &str, difference: &str, form: &str) -> String {
    if difference.is_empty() {
        return before.to_owned();
    }
    // --force: an emptied file stays; posix: nothing is guessed
    tool("patch", &["--quiet", "--force", "--posix", form, "-o", "-", "a", "b"], before, difference)
}

#[test]
fn the_seeds_differences_are_printed_to_the_letter() {
    let cfg = "HOST=localhost.localdomain\nKEY_VALUE=LOLTHISKEYMEANSNOTHING\n";
    assert_eq!(normal("", cfg), "0a1,2\n> HOST=localhost.localdomain\n> KEY_VALUE=LOLTHISKEYMEANSNOTHING\n");
    assert_eq!(normal("a\nb\n", ""), "1,2d0\n< a\n< b\n");
    assert_eq!(normal("root\nbin\n", "bin\n"), "1d0\n< root\n");
    assert_eq!(normal("", "LOL\n"), "0a1\n> LOL\n");
    assert_eq!(stat("a\nb\n", "a\nc\nd\n"), "+2 -1");
}

#[test]
fn the_normal_form_is_that_of_diff() {
    for (before, after) in [
        ("", "one"),
        ("one", ""),
        ("one\n", "one"),
        ("one", "one\n"),
        ("a\nb", "a\nc"),
        ("a\nb\nc\n", "a\nx\nc\n"),
        ("a\nb\nc\nd\ne\n", "b\nc\nX\nY\ne\nf\n"),
        ("a\na\na\n", "a\na\na\na\n"),
        ("{\n\n}\n{\n\n}\n", "{\n\n}\n{\n\n}\n{\n\n}\n"),
        ("x\ny\nx\ny\n", "x\ny\n"),
        ("a\n\nb\n\nc\n", "a\n\nnew\n\nb\n\nc\n"),
        ("a\r\nb\n", "a\nb\n"),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "1\n2\n3\n4\n5\nsix\n7\n8\n9\n10\n11\n12\n13\n"),
        ("f() {\n  a\n}\n\ng() {\n  b\n}\n", "f() {\n  a\n}\n\nh() {\n  c\n}\n\ng() {\n  b\n}\n"),
    ] {
        assert_eq!(normal(before, after), tool("diff", &["a", "b"], before, after), "{before:?} {after:?}");
        let expected = tool("diff", &["-u", "--label", "x", "--label", "y", "a", "b"], before, after);
        assert_eq!(unified(before, after, "x", "y"), expected, "{before:?} {after:?}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![Just("a"), Just("b"), Just("c"), Just(""), Just("< d"), Just("---")];
    (prop::collection::vec(line, 0..25), any::<bool>()).prop_map(|(lines, newline)| {
        let mut text = lines.join("\n");
        if newline && !lines.is_empty() {
            text.push('\n');
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_difference_leads_to_the_text_after(before in text(), after in text()) {
        // patch(1) takes an empty result for a file to delete; the table above has that case
        prop_assume!(!after.is_empty() && !before.is_empty());
        prop_assert_eq!(patched(&before, &normal(&before, &after), "--normal"), after.clone());
        prop_assert_eq!(patched(&before, &unified(&before, &after, "a", "a"), "--unified"), after.clone());
        prop_assert_eq!(normal(&before, &after).is_empty(), before == after);
    }

    #[test]
    fn the_same_script_is_printed_alike(text in text(), at in 0_usize..25, lines in 1_usize..4, remove in any::<bool>()) {
        // One run that came or went has one shortest script up to sliding, which is where diff(1) must be followed.
        prop_assume!(text.ends_with('\n'));
        let all: Vec<&str> = text.split_inclusive('\n').collect();
        let at = at.min(all.len());
        let mut other = all.clone();
        if remove {
            other.drain(at..(at + lines).min(all.len()));
        } else {
            let again: Vec<&str> = all.iter().cycle().skip(at / 2).take(lines).copied().collect();
            other.splice(at..at, again);
        }
        let other = other.concat();
        prop_assert_eq!(normal(&text, &other), tool("diff", &["-d", "a", "b"], &text, &other));
    }
}
