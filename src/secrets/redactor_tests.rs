//! Every form, values that overlap, lines that are wrapped or cut.

use proptest::prelude::*;

use super::*;

fn redactor(secrets: &[(&str, &str)]) -> Redactor {
    Redactor::new(secrets.iter().map(|(name, value)| (*name, value.as_bytes()))).unwrap()
}

#[test]
fn every_form_is_found_and_its_name_told() {
    let secret = "pa ss/wörd\"$'\\x";
    let redactor = redactor(&[("app/password", secret), ("b", "0123456789abcdef")]);
    let one_word = self::redactor(&[("b", "0123/456+789abcdef")]);
    for form in [
        "pa ss/wörd\"$'\\x",
        // base64, with 0, 1 and 2 bytes before it
        "cGEgc3Mvd8O2cmQiJCdceA==",
        "eHBhIHNzL3fDtnJkIiQnXHg=",
        "eHhwYSBzcy93w7ZyZCIkJ1x4",
        // jq @uri, python quote, quote_plus, lower-case
        "pa%20ss%2Fw%C3%B6rd%22%24%27%5Cx",
        "pa%20ss/w%C3%B6rd%22%24%27%5Cx",
        "pa+ss%2Fw%C3%B6rd%22%24%27%5Cx",
        "pa%20ss%2fw%c3%b6rd%22%24%27%5cx",
        // JSON, twice
        r#"pa ss/wörd\"$'\\x"#,
        r#"pa ss\/w\u00f6rd\"$'\\x"#,
        r#"pa ss/wörd\\\"$'\\\\x"#,
        // printf %q, in quotes, $''
        r#"pa\ ss/wörd\"\$\'\\x"#,
        r#"'pa ss/wörd"$'\''\x'"#,
        r#"$'pa ss/w\303\266rd"$\'\\x'"#,
        r#"'pa ss/wörd"$'"'"'\x'"#,
    ] {
        let line = format!("a {form} z");
        let hidden = redactor.text(&line).into_owned();
        let quotes = form.starts_with(['\'', '$']);
        assert!(hidden.starts_with("a ") && hidden.ends_with(if quotes { "' z" } else { " z" }), "{hidden}");
        assert!(hidden.contains("[secret: app/password]") && hidden.len() < 40, "{form}: {hidden}");
    }
    assert_eq!(one_word.text("0123%2F456%2b789abcdef."), "[secret: b].", "in a set that has no space");
    assert_eq!(redactor.text("x0123456789abcdefx, 0123456789abcde"), "x[secret: b]x, 0123456789abcde");
    assert!(matches!(redactor.text("nothing\nat \\ all %20\n"), Cow::Borrowed(_)));
}

#[test]
fn what_goes_on_in_the_next_line_is_hidden_also_by_one_that_knows_more() {
    let (value, more) = ("0123456789abcdefghijklmnopqrstuvwxyz", ["aaaaaaaa", "bbbbbbbb", "zzzzzzzz"]);
    let before = redactor(&[("a", value)]);
    let known = std::iter::once(("a", value)).chain(more.map(|more| ("more", more))).collect::<Vec<_>>();
    // MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6 on two lines
    for after in [redactor(&known), redactor(&known[..1])] {
        let mut carry = Carry::default();
        assert_eq!(before.line(&mut carry, "MDEyMzQ1Njc4OWFiY2RlZmdo"), "[secret: a]");
        assert_eq!(after.line(&mut carry, "aWprbG1ub3BxcnN0dXZ3eHl6"), "[secret: a]");
    }
    let mut carry = Carry::default();
    redactor(&known).line(&mut carry, "MDEyMzQ1Njc4OWFiY2RlZmdo");
    assert_eq!(before.line(&mut carry, "aWprbG1ub3BxcnN0dXZ3eHl6"), "[secret: a]");
}

#[test]
fn values_that_overlap_leave_nothing_of_either() {
    let redactor = redactor(&[("a", "abcdefgh"), ("b", "efghijklmn"), ("c", "abcdefghXYZ")]);
    assert_eq!(redactor.text("-abcdefghijklmn-abcdefghXYZ-"), "-[secret: a]-[secret: c]-");
}

#[test]
fn the_lines_of_a_value_are_hidden_where_they_are() {
    let redactor = redactor(&[("key", "BEGIN\nshort\nEND of it"), ("line", "0123456789\nabcdefghij")]);
    let hidden = redactor.text("x\nBEGIN\nshort\nEND of it, then\nshort\n");
    assert_eq!(hidden, "x\nBEGIN\n[secret: key]\n[secret: key], then\nshort\n");
    assert_eq!(redactor.text(r#"{"key":"BEGIN\nshort\nEND of it"}"#), r#"{"key":"[secret: key]"}"#);
    assert_eq!(
        redactor.text("BEGIN\nshort\nend"),
        "BEGIN\n[secret: key]\nend",
        "as long as it goes on alike"
    );
    assert_eq!(redactor.text("no\nshort\nend"), "no\nshort\nend");
}

fn base64(bytes: &[u8]) -> String {
    let mut encoder = std::process::Command::new("base64");
    let mut child = encoder
        .arg("-w0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn wrapped(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line) + "\n").collect()
}

#[test]
fn wrapped_base64_is_followed_from_line_to_line() {
    let secret = "correct horse battery staple 0123456789 correct horse battery staple, and more of it";
    let redactor = redactor(&[("pass", secret)]);
    for before in (0..100).step_by(7) {
        let text = format!("{}{secret}{}", "v".repeat(before), "w".repeat(100));
        let encoded = base64(text.as_bytes());
        for width in [64, 76] {
            let lines = wrapped(&encoded, width);
            let hidden = redactor.text(&lines);
            assert_eq!(hidden.lines().count(), lines.lines().count());
            // What is left is what the rest was made of: and of the secret no six digits in a row.
            let left: String = hidden.lines().map(|line| line.replace("[secret: pass]", " ")).collect();
            let form = base64(format!("{}{secret}", "v".repeat(before % 3)).as_bytes());
            let told = form.as_bytes()[8..form.len() - 4]
                .windows(8)
                .any(|part| left.as_bytes().windows(8).any(|other| other == part));
            assert!(!told, "{before} {width}\n{hidden}");
        }
    }
}

proptest! {
    #[test]
    fn a_long_line_in_pieces_hides_what_a_whole_one_hides(
        before in 0usize..200, cut in 0usize..120, form in 0usize..3,
        secret in "[a-zA-Z0-9/+?! ]{8,60}",
    ) {
        let redactor = redactor(&[("s", &secret)]);
        let shown = match form {
            0 => secret.clone(),
            1 => String::from_utf8(forms::base64(secret.as_bytes())[0].clone()).unwrap(),
            _ => String::from_utf8(forms::base64(secret.as_bytes())[2].clone()).unwrap(),
        };
        let line = format!("{}{}{shown}{}", ".".repeat(PIECE), "-".repeat(before), "_".repeat(20));
        // Somewhere in the secret, or beside it.
        let cut = (PIECE + before + cut).min(line.len());
        let mut carry = Carry::default();
        let first = redactor.line(&mut carry, &line[..cut]).into_owned();
        let second = redactor.line(&mut carry, &line[cut..]);
        let hidden = first + &second;
        prop_assert!(!hidden.contains(&shown), "{}", &hidden[PIECE..]);
        prop_assert!(hidden.contains("[secret: s]"), "{}", &hidden[PIECE..]);
        let left = hidden[PIECE..].replace("[secret: s]", "");
        let left = left.trim_start_matches('-').trim_end_matches('_');
        prop_assert!(left.len() < SIGN + 1, "{left:?} of {shown:?}");
    }

    #[test]
    fn whatever_is_around_it_a_secret_is_not_told(
        text in "[ -~äö\\\\%+'\"]{0,40}", after in "[ -~äö\\\\%+'\"]{0,40}", secret in "[ -~ä]{8,50}",
    ) {
        let redactor = redactor(&[("s", &secret)]);
        let hidden = redactor.text(&format!("{text}{secret}{after}")).into_owned();
        prop_assert!(!hidden.replace("[secret: s]", "\n").contains(&secret), "{hidden}");
    }

    #[test]
    fn text_without_secrets_stays_as_it_is(text in "([ -~]{0,80}\n){0,5}") {
        let redactor = redactor(&[("s", "äöü-äöü-äöü")]);
        prop_assert_eq!(redactor.text(&text), text.as_str());
    }
}
