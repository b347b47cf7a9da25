//! What a request says: its body and its query, strictly. Pure.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::said::Failure;
use crate::runs::TriggerId;
use crate::runs::ask::LONGEST_TEXT;

/// The longest that an answer waits for the end of a run, in seconds.
pub const MOST_WAIT: u64 = 300;
/// The most modules that a run is asked for.
const MOST_MODULES: usize = 256;
/// The longest name of a module, in bytes.
const LONGEST_NAME: usize = 255;

/// A run that is asked for. What is not said is as for `disco dance`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Whether it changes nothing.
    pub noop: bool,
    /// Only these modules; none is all of them.
    pub modules: Vec<String>,
    /// So many seconds the answer waits for its end, at most.
    pub wait: u64,
    /// Whoever asks again with the same key gets the same run, for a day. At most [`LONGEST_TEXT`] bytes.
    pub idempotency_key: Option<String>,
}

impl Wanted {
    /// What a body says. It has to say that it is JSON: a page in somebody's browser can send other kinds without being asked.
    pub fn of(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Failure> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "the body has to be JSON, and to say so";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
                .hint("Content-Type: application/json, and {} for a live run of all modules"));
        }
        let bad = |message: String| {
            Failure::new(StatusCode::BAD_REQUEST, message)
                .hint("{\"noop\": false, \"modules\": [], \"wait\": 0, \"idempotency_key\": \"…\"}, each of them optional")
        };
        if body.trim_ascii_start().first() != Some(&b'{') {
            // A list would be taken for the values alone.
            return Err(bad("the body is no JSON object".to_owned()));
        }
        let wanted: Wanted = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
        if wanted.wait > MOST_WAIT {
            return Err(bad(format!("wait: {MOST_WAIT} seconds at most")));
        }
        if wanted.modules.len() > MOST_MODULES {
            return Err(bad(format!("modules: {MOST_MODULES} at most")));
        }
        let plain =
            |text: &str, longest| (1..=longest).contains(&text.len()) && !text.contains(char::is_control);
        let is_odd = |name: &&String| !plain(name, LONGEST_NAME) || name.starts_with('-');
        if let Some(odd) = wanted.modules.iter().find(is_odd) {
            return Err(bad(format!("modules: {odd:?} is no name of a module")));
        }
        if wanted.idempotency_key.as_deref().is_some_and(|key| !plain(key, LONGEST_TEXT)) {
            return Err(bad(format!(
                "idempotency_key: 1 to {LONGEST_TEXT} bytes, none of them a control character"
            )));
        }
        Ok(wanted)
    }
}

/// The number of that name in a query, which may say nothing else; `None` where it says nothing.
pub fn number(query: Option<&str>, name: &str, most: u64) -> Result<Option<u64>, Failure> {
    let mut found = None;
    for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let bad = |message: String| Failure::new(StatusCode::BAD_REQUEST, message);
        if key != name {
            return Err(bad(format!("the query has {key:?}; here it can have {name}")));
        }
        let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
        match number.filter(|number| *number <= most) {
            Some(_) if found.is_some() => return Err(bad(format!("{name} is said twice"))),
            Some(number) => found = Some(number),
            None => return Err(bad(format!("{name} is a whole number, {most} at most"))),
        }
    }
    Ok(found)
}

/// The id in a path.
pub fn id(path: Result<Path<String>, PathRejection>) -> Result<TriggerId, Failure> {
    let none =
        |why: String| Failure::new(StatusCode::NOT_FOUND, why).hint("GET /v1/runs lists those that are kept");
    let Path(text) = path.map_err(|error| none(error.body_text()))?;
    TriggerId::try_from(text).map_err(|error| none(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(kind: &'static str, body: &str) -> Result<Wanted, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Wanted::of(&headers, body.as_bytes())
    }

    #[test]
    fn a_body_is_read_strictly() {
        let all = r#"{"noop":true,"modules":["a","b/c"],"wait":300,"idempotency_key":"k"}"#;
        let wanted = of("application/json; charset=utf-8", all).unwrap();
        assert!(wanted.noop && wanted.modules == ["a", "b/c"] && wanted.wait == 300);
        assert_eq!(of("Application/JSON", "{}").unwrap(), Wanted::default());
        let longest = format!(r#"{{"idempotency_key":"{}"}}"#, "x".repeat(200));
        assert_eq!(of("application/json", &longest).unwrap().idempotency_key.unwrap().len(), 200);
        let many = format!("{{\"modules\":[{}\"x\"]}}", "\"x\",".repeat(256));
        for (status, kind, body) in [
            (415, "text/plain", "{}"),
            (415, "", "{}"),
            (415, "application/jsonp", "{}"),
            (400, "application/json", ""),
            (400, "application/json", "[]"),
            (400, "application/json", "null"),
            (400, "application/json", "{} {}"),
            (400, "application/json", r#"{"nope":true}"#),
            (400, "application/json", r#"{"noop":"true"}"#),
            (400, "application/json", r#"{"noop":true,"noop":false}"#),
            (400, "application/json", r#"{"wait":301}"#),
            (400, "application/json", r#"{"wait":-1}"#),
            (400, "application/json", r#"{"modules":["--merge"]}"#),
            (400, "application/json", r#"{"modules":[""]}"#),
            (400, "application/json", r#"{"modules":["a\nb"]}"#),
            (400, "application/json", r#"{"modules":"a"}"#),
            (400, "application/json", r#"{"idempotency_key":""}"#),
            (400, "application/json", &many),
            (400, "application/json", &format!(r#"{{"idempotency_key":"{}"}}"#, "x".repeat(201))),
            (400, "application/json", &format!(r#"{{"idempotency_key":"{}"}}"#, "\u{e4}".repeat(101))),
            (400, "application/json", &format!(r#"{{"modules":["{}"]}}"#, "x".repeat(256))),
        ] {
            assert_eq!(of(kind, body).unwrap_err().status.as_u16(), status, "{kind:?} {body:?}");
        }
    }

    #[test]
    fn a_query_has_one_number_or_none() {
        for (query, expected) in [
            (None, Some(None)),
            (Some(""), Some(None)),
            (Some("wait=0"), Some(Some(0))),
            (Some("wait=300"), Some(Some(300))),
            (Some("wait=301"), None),
            (Some("wait=-1"), None),
            (Some("wait=+1"), None),
            (Some("wait="), None),
            (Some("wait=1&wait=2"), None),
            (Some("wait=1&x=2"), None),
            (Some("x"), None),
            (Some("wait=99999999999999999999999"), None),
        ] {
            assert_eq!(number(query, "wait", 300).ok(), expected, "{query:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_said_panics(body in ".{0,80}", query in ".{0,40}") {
            // Whether it is taken is not the question.
            let _ = of("application/json", &body);
            let _ = number(Some(&query), "from", u64::MAX);
            let _ = id(Ok(Path(body)));
        }
    }
}
