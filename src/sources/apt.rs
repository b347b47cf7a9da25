//! What apt's files name: sources.list(5) in both its forms, lists of mirrors (apt-transport-mirror(1)), and the proxies of
//! apt.conf(5). Pure.

use super::Found;

/// The one-line form: `deb [options] URI suite component…`.
pub(super) fn list(text: &str, found: &mut Found) {
    for line in text.lines().map(without_comment).filter(|line| !line.is_empty()) {
        let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        // Options are in brackets, with spaces between.
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        match (kind, rest.split_whitespace().next()) {
            ("deb" | "deb-src", Some(uri)) => found.uri(uri),
            _ => found.odd.push(format!("{line:?} is no source")),
        }
    }
}

fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(line, _)| line).trim()
}

/// The form of stanzas: `Types:`, `URIs:`, `Enabled:`, with further lines that begin with a space.
pub(super) fn deb822(text: &str, found: &mut Found) {
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]).filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            of_stanza(&std::mem::take(&mut stanza), found);
        } else if line.starts_with([' ', '\t']) {
            match stanza.last_mut() {
                Some((_, value)) => *value = format!("{value} {}", line.trim()),
                None => found.odd.push(format!("{line:?} goes on from nothing")),
            }
        } else {
            match line.split_once(':') {
                Some((field, value)) => {
                    stanza.push((field.trim().to_ascii_lowercase(), value.trim().to_owned()))
                }
                None => found.odd.push(format!("{line:?} is no field")),
            }
        }
    }
}

fn of_stanza(stanza: &[(String, String)], found: &mut Found) {
    let field = |name: &str| stanza.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let no = ["no", "false", "without", "off", "disable", "0"];
    if field("enabled").is_some_and(|value| no.contains(&value.to_ascii_lowercase().as_str())) {
        return;
    }
    field("uris").unwrap_or_default().split_whitespace().for_each(|uri| found.uri(uri));
}

/// A list of mirrors: an address a line, then what is said of it after a tab.
pub(super) fn mirrors(text: &str, found: &mut Found) {
    for line in text.lines().map(without_comment) {
        if let Some(uri) = line.split_whitespace().next() {
            found.uri(uri);
        }
    }
}

/// The proxies in apt's configuration: `Acquire::http::Proxy "…";`, nested or not, for all hosts or for one.
pub(super) fn configuration(text: &str, found: &mut Found) {
    let (mut scopes, mut statement): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for token in tokens(text) {
        match token {
            Token::Word(word) => statement.push(word),
            Token::Open => {
                scopes.push(statement.first().cloned().unwrap_or_default());
                statement.clear();
            }
            Token::Close => {
                scopes.pop();
                statement.clear();
            }
            Token::End => {
                if let [name, value] = statement.as_slice() {
                    let name = scopes.iter().chain([name]).map(String::as_str).collect::<Vec<_>>().join("::");
                    let parts: Vec<String> = name.split("::").map(str::to_ascii_lowercase).collect();
                    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                    if let ["acquire", _, "proxy"] | ["acquire", _, "proxy", _] = parts.as_slice() {
                        found.proxy(value);
                    }
                }
                statement.clear();
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A name or a value, without its quotes.
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return tokens };
        // `#clear` and `#include` are passed over with the comments: they name no proxy themselves.
        let skipped = match first {
            _ if rest.starts_with("/*") => Some(rest.split_once("*/").map_or("", |(_, after)| after)),
            _ if rest.starts_with("//") || first == '#' => {
                Some(rest.split_once('\n').map_or("", |(_, after)| after))
            }
            _ => None,
        };
        if let Some(after) = skipped {
            rest = after;
            continue;
        }
        let (token, length) = match first {
            '{' => (Token::Open, 1),
            '}' => (Token::Close, 1),
            ';' => (Token::End, 1),
            '"' => {
                let value = rest[1..].split('"').next().unwrap_or_default();
                (Token::Word(value.to_owned()), (value.len() + 2).min(rest.len()))
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"');
                let length = rest.find(ends).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
        };
        tokens.push(token);
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::told;

    #[test]
    fn one_line_sources() {
        for (text, hosts) in [
            ("deb http://a.example/debian stable main", "a.example"),
            ("  deb-src\thttps://a.example/ ./ # why", "a.example"),
            ("deb [arch=amd64 signed-by=/k.asc] http://a.example:81/ x main", "a.example:81"),
            ("deb [ a=b ] cdrom:[Debian 12]/ x main\n# deb http://b/ x\n\n", ""),
            ("deb http://a/ x\nrpm http://b/ x\ndeb\ndeb http://c/ x", "a c !2"),
            ("deb [unclosed http://a/ x", "!1"),
        ] {
            assert_eq!(told(list, text), hosts, "{text}");
        }
    }

    #[test]
    fn stanzas() {
        for (text, hosts) in [
            ("Types: deb\nURIs: http://a.example/debian\nSuites: x\n", "a.example"),
            ("types: deb deb-src\nuris: http://a http://b\n  https://c\n#d\n\thttp://e", "a b c e"),
            ("Types: deb\nURIs: http://a\nEnabled: no\n\nURIs: http://b\nEnabled: yes", "b"),
            ("Signed-By:\n -----BEGIN-----\n .\n a:b\nURIs: http://a", "a"),
            ("URIs: mirror+file:/etc/m\nnonsense\n", "@/etc/m !1"),
            (" lost\n", "!1"),
            ("", ""),
        ] {
            assert_eq!(told(deb822, text), hosts, "{text}");
        }
    }

    #[test]
    fn lists_of_mirrors() {
        assert_eq!(told(mirrors, "http://a/debian\tpriority:1\n# no\n\nhttps://b/\n"), "a b");
    }

    #[test]
    fn proxies_of_the_configuration() {
        for (text, hosts) in [
            ("Acquire::http::Proxy \"http://p:3142\";", "p:3142"),
            ("acquire::HTTPS::proxy \"http://p:3142/\";", "p:3142"),
            (
                "Acquire { http { Proxy \"http://p:1\"; Timeout \"3\"; }; https::Proxy \"http://q:2\"; };",
                "p:1 q:2",
            ),
            ("Acquire::http::Proxy::deb.example \"http://p:1\"; Acquire::http::Proxy::x \"DIRECT\";", "p:1"),
            (
                "// Acquire::http::Proxy \"http://no:1\";\n/* Acquire::http::Proxy \"http://no:2\"; */\n# x\n",
                "",
            ),
            ("APT::Proxy \"http://no:1\"; Acquire::Retries \"3\"; Acquire::http::Proxy \"false\";", ""),
            ("Acquire::http::Proxy p:1;", "p:1"),
            ("DPkg::Post-Invoke { \"a; b { http://c\"; };\nAcquire::http::Proxy \"http://p:1\";", "p:1"),
            ("Acquire::http::Proxy \"http://p:1", ""),
            ("}}};;\"", ""),
        ] {
            assert_eq!(told(configuration, text), hosts, "{text}");
        }
    }
}
