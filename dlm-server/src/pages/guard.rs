//! Whether a form comes from this site's own pages. Pure.

use axum::http::{HeaderMap, Uri, header};

/// Whether the browser says that a form was sent from a page of the site that it is sent to. Every browser says it of a POST (RFC
/// 6454, fetch); what does not say it is not taken.
pub fn same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    // HTTP/2 has the site in the address, HTTP/1.1 in a header.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(site) = uri.authority().map(axum::http::uri::Authority::as_str).or(host) else { return false };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
    let Ok(origin) = origin.to_str() else { return false };
    let from = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let elsewhere = headers.get("sec-fetch-site").is_some_and(|from| from != "same-origin");
    !elsewhere && from.is_some_and(|from| from.eq_ignore_ascii_case(site))
}

/// The value of a cookie; `None` where it is there twice, for one of them may be another's.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Where to go after the login: a page of this site, or the list of locks.
pub fn next(said: &str) -> &str {
    let ours = ["/locks", "/hosts", "/foreman_dlm/"].iter().any(|base| said.starts_with(base));
    let plain = said.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours && plain { said } else { "/locks" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (key, value) in pairs {
            map.append(*key, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_form_is_taken_from_this_site_alone() {
        for (uri, pairs, ours) in [
            ("/x", vec![("host", "dlm.example:8443"), ("origin", "https://dlm.example:8443")], true),
            ("/x", vec![("host", "DLM.example"), ("origin", "https://dlm.example")], true),
            ("/x", vec![("host", "127.0.0.1:80"), ("origin", "http://127.0.0.1:80")], true),
            ("https://dlm.example/x", vec![("origin", "https://dlm.example")], true),
            (
                "https://dlm.example/x",
                vec![("host", "evil.example"), ("origin", "https://evil.example")],
                false,
            ),
            ("/x", vec![("host", "dlm.example"), ("origin", "https://evil.example")], false),
            ("/x", vec![("host", "dlm.example"), ("origin", "https://dlm.example.evil.example")], false),
            ("/x", vec![("host", "dlm.example"), ("origin", "https://dlm.example:8443")], false),
            ("/x", vec![("host", "dlm.example"), ("origin", "null")], false),
            ("/x", vec![("host", "dlm.example"), ("origin", "dlm.example")], false),
            ("/x", vec![("host", "dlm.example")], false),
            ("/x", vec![("origin", "https://dlm.example")], false),
            ("/x", vec![("host", "a"), ("origin", "https://a"), ("origin", "https://b")], false),
            ("/x", vec![("host", "a"), ("origin", "https://a"), ("sec-fetch-site", "same-origin")], true),
            ("/x", vec![("host", "a"), ("origin", "https://a"), ("sec-fetch-site", "same-site")], false),
            ("/x", vec![("host", "a"), ("origin", "https://a"), ("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(same_origin(&uri.parse().unwrap(), &headers(&pairs)), ours, "{uri} {pairs:?}");
        }
    }

    #[test]
    fn a_cookie_is_there_once() {
        for (pairs, found) in [
            (vec![("cookie", "a=1; b=2")], Some("2")),
            (vec![("cookie", "a=1"), ("cookie", "b=2")], Some("2")),
            (vec![("cookie", "a=1;b=2")], Some("2")),
            (vec![("cookie", "b=1; b=2")], None),
            (vec![("cookie", "xb=1")], None),
            (vec![("cookie", "b")], None),
            (vec![], None),
        ] {
            assert_eq!(cookie(&headers(&pairs), "b"), found, "{pairs:?}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere_after_the_login() {
        for (said, goes) in [
            ("/locks/a%2Fb?page=2", "/locks/a%2Fb?page=2"),
            ("/hosts", "/hosts"),
            ("https://evil.example/", "/locks"),
            ("//evil.example/locks", "/locks"),
            ("/\\evil.example", "/locks"),
            ("/locks\\@evil", "/locks"),
            ("/locks\r\nset-cookie: x=1", "/locks"),
            ("/logout", "/locks"),
            ("", "/locks"),
        ] {
            assert_eq!(next(said), goes, "{said:?}");
        }
    }
}
