//! Addresses that this node sends something to, checked where they come in: what is secret goes nowhere in clear.

/// Where it goes to; `None` for an empty text. It needs encryption, but on this node itself, and has no login in it, which would be
/// shown. Only one that is `whole`, and not the start of others, may have a query and a slash at its end.
pub fn address(text: &str, whole: bool) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = if whole { text } else { text.trim_end_matches('/') };
    let allowed = || Err("use https://HOST[:PORT][/PATH]".to_owned());
    let Some((scheme, rest)) = text.split_once("://") else { return allowed() };
    let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(
            "leave the login out, which would be shown to everybody: name the user by itself".to_owned()
        );
    }
    let fits = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c);
    if authority.is_empty() || authority.starts_with(':') || !rest.chars().all(fits) {
        return allowed();
    }
    if !whole && after.contains('?') {
        return Err("leave out what follows the ?".to_owned());
    }
    let host = match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    };
    match scheme {
        "https" => Ok(Some(text.to_owned())),
        "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(Some(text.to_owned())),
        "http" => Err("use https://: http:// is for this node itself (localhost) alone".to_owned()),
        _ => allowed(),
    }
}

#[cfg(test)]
mod tests {
    use super::address;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_checked_where_they_come_in() {
        for (text, whole, expected) in [
            ("", false, Some(None)),
            ("https://foreman.example.com/", false, Some(Some("https://foreman.example.com"))),
            ("https://f:8443/below/", false, Some(Some("https://f:8443/below"))),
            ("https://f/?x=1", false, None),
            ("https://h/hook/?x=1", true, Some(Some("https://h/hook/?x=1"))),
            ("http://127.0.0.1:80/x", true, Some(Some("http://127.0.0.1:80/x"))),
            ("http://[::1]:80", true, Some(Some("http://[::1]:80"))),
            ("http://localhost.evil.example", true, None),
            ("http://f", false, None),
            ("https://eve:pw@f", false, None),
            ("https://", true, None),
            ("https://:443", true, None),
            ("https://a b", true, None),
            ("f.example.com", true, None),
            ("ftp://f", true, None),
        ] {
            let found = address(text, whole);
            assert_eq!(found.ok(), expected.map(|one| one.map(str::to_owned)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_an_address_has_no_login_and_stays_one(text in "\\PC{0,40}", whole: bool) {
            if let Ok(Some(found)) = address(&format!("https://{text}"), whole) {
                prop_assert_eq!(address(&found, whole), Ok(Some(found.clone())));
                let authority = found["https://".len()..].split(['/', '?']).next().unwrap();
                prop_assert!(!authority.is_empty() && !authority.contains('@'));
            }
        }
    }
}
