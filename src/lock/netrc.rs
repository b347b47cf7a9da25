//! Passwords in a file, as curl and ftp read them: `machine HOST login USER password PASSWORD`. Pure.

/// The password of a user on a host; an entry `default` is for every host.
pub fn password(text: &str, host: &str, user: &str) -> Option<String> {
    let mut words = words(text).into_iter();
    let (mut here, mut login, mut password): (bool, Option<String>, Option<String>) = (false, None, None);
    let fits = |here: bool, login: &Option<String>| here && login.as_ref().is_none_or(|login| login == user);
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" => {
                if fits(here, &login) && password.is_some() {
                    return password;
                }
                here = word == "default" || words.next().is_some_and(|name| name.eq_ignore_ascii_case(host));
                (login, password) = (None, None);
            }
            "login" => login = words.next(),
            "password" => password = words.next(),
            "account" => drop(words.next()),
            // What follows a macro is commands, up to an empty line; nobody has them in a file for passwords.
            _ => {}
        }
    }
    password.filter(|_| fits(here, &login))
}

/// The words: with blanks between, or in double quotes with `\` before a quote; `#` at the beginning of a line is a comment.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut chars = line.chars().peekable();
        while let Some(first) = chars.next() {
            if first.is_whitespace() {
                continue;
            }
            let quoted = first == '"';
            let mut word = String::new();
            if !quoted {
                word.push(first);
            }
            while let Some(c) = chars.next() {
                match c {
                    '"' if quoted => break,
                    '\\' if quoted => word.extend(chars.next()),
                    c if c.is_whitespace() && !quoted => break,
                    c => word.push(c),
                }
            }
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "# mine\nmachine a.example login eve password e\nmachine a.example\n  login bob\n  password \"b \\\"c\"\n\
                        machine b.example password any\ndefault login eve password d\n";

    #[test]
    fn the_entry_of_host_and_user_counts() {
        for (host, user, expected) in [
            ("a.example", "eve", Some("e")),
            ("A.EXAMPLE", "bob", Some("b \"c")),
            ("b.example", "whoever", Some("any")),
            ("c.example", "eve", Some("d")),
            ("c.example", "bob", None),
        ] {
            assert_eq!(password(FILE, host, user).as_deref(), expected, "{host} {user}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "\\PC{0,200}") {
            password(&text, "h", "u");
        }

        #[test]
        fn what_was_quoted_is_read(secret in "[ -~]{0,30}") {
            let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("machine h login u password \"{quoted}\"\n");
            prop_assert_eq!(password(&text, "h", "u"), Some(secret));
        }
    }
}
