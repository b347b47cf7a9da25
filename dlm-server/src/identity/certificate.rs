//! The host's name: in its certificate, or as a trusted proxy says it. Pure.

use disco_dlm::model::HostName;

/// What a client has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Nothing.
    None,
    /// A good certificate of this name, in lower case.
    Named(HostName),
    /// A good certificate without a name that a host can have.
    Nameless,
}

/// A verified certificate's, by the one rule that all of disco's servers have.
pub fn of_host(shown: disco_listen::Certificate) -> Certificate {
    match shown {
        disco_listen::Certificate::None => Certificate::None,
        disco_listen::Certificate::Nameless => Certificate::Nameless,
        disco_listen::Certificate::Named(name) => {
            HostName::new(name).map_or(Certificate::Nameless, Certificate::Named)
        }
    }
}

/// The name in what a proxy says: the name alone, or a subject as RFC 4514 writes it, or `/CN=NAME`. A subject with several
/// names, or in a form in which a value could look like another attribute, names nobody.
pub fn of_header(value: &str) -> Certificate {
    let value = value.trim();
    match value {
        "" | "(null)" => Certificate::None,
        plain if !plain.contains('=') => named(plain),
        slashed if slashed.starts_with('/') => slashed
            .strip_prefix("/CN=")
            .filter(|name| !name.contains('/'))
            .map_or(Certificate::Nameless, named),
        subject => common_name(subject).map_or(Certificate::Nameless, |name| named(&name)),
    }
}

fn named(name: &str) -> Certificate {
    of_host(disco_listen::Certificate::named(name))
}

/// The one CN of a subject (RFC 4514); `None` where there is none, or more than one, or anything that is not plain.
fn common_name(subject: &str) -> Option<String> {
    let mut names = vec![];
    for attribute in attributes(subject)? {
        let (kind, value) = attribute.split_once('=')?;
        if kind.trim().eq_ignore_ascii_case("cn") {
            names.push(unescaped(value.trim())?);
        }
    }
    let [name] = &names[..] else { return None };
    Some(name.clone())
}

/// The attributes of a subject, cut at commas and pluses that are not escaped.
fn attributes(subject: &str) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut escaped) = (vec![], 0, false);
    for (at, c) in subject.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // The old form, in which quotes hide commas.
            '"' => return None,
            ',' | '+' | ';' => {
                parts.push(&subject[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&subject[from..]);
    (!escaped).then_some(parts)
}

/// A value without its backslashes; `None` where bytes are in hex, which no host name needs.
fn unescaped(value: &str) -> Option<String> {
    let (mut text, mut chars) = (String::new(), value.chars());
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next().filter(|c| !c.is_ascii_hexdigit())? } else { c };
        text.push(c);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_says() {
        let table = [
            ("web1", "web1"),
            (" WEB1.example.com ", "web1.example.com"),
            ("CN=Web1", "web1"),
            ("CN=web1,O=Example,C=DE", "web1"),
            ("O=Example, cn = web1", "web1"),
            ("/CN=web1", "web1"),
            // In these, a part that somebody else chose could pass for the name, or another may cut it there.
            ("CN=web\\,1", "nameless"),
            ("CN=web 1", "nameless"),
            ("/O=Example/CN=web1", "nameless"),
            ("/CN=web1/O=Example", "nameless"),
            ("CN=web1,CN=web2", "nameless"),
            ("O=\"x,CN=web2\"", "nameless"),
            ("O=x\\,CN=web2", "nameless"),
            ("CN=web1\\", "nameless"),
            ("CN=\\77eb1", "nameless"),
            ("CN=", "nameless"),
            ("O=Example", "nameless"),
            ("CN=web1,junk", "nameless"),
            ("", "none"),
            ("(null)", "none"),
        ];
        for (said, expected) in table {
            let found = match of_header(said) {
                Certificate::None => String::from("none"),
                Certificate::Nameless => String::from("nameless"),
                Certificate::Named(name) => name.to_string(),
            };
            assert_eq!(found, expected, "{said:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_said_panics(said in ".{0,60}") {
            of_header(&said);
        }

        #[test]
        fn an_escaped_value_never_passes_for_a_name(value in "[a-zA-Z=,+ ]{0,20}") {
            let escaped: String =
                value.chars().flat_map(|c| if c.is_alphanumeric() { vec![c] } else { vec!['\\', c] }).collect();
            proptest::prop_assert_eq!(of_header(&format!("O={escaped},CN=web1")), of_header("web1"));
        }
    }
}
