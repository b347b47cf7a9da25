//! What a server's answer means for what was sent. Pure.

use serde_json::Value;

use crate::uploads::item::Target;

/// What becomes of something that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// It is there.
    Taken,
    /// It was there already: an earlier answer was lost.
    TakenBefore,
    /// The server will never take this one; others it may.
    Refused,
    /// The server itself failed, perhaps over this one: whether others fare better says which.
    Suspect,
    /// Nothing can be sent now: why. It stays, and all behind it.
    Later(&'static str),
}

/// The meaning of a status, with the body of the answer.
///
/// What says nothing about this one item, such as a missing permission or a wrong address, sets nothing aside: once it is mended, all
/// goes out.
pub fn meaning(target: Target, status: u16, body: &str) -> Meaning {
    match status {
        200..=299 => Meaning::Taken,
        300..=399 => Meaning::Later("it sends elsewhere: set the address that it names"),
        401 => Meaning::Later("it does not know who sends"),
        403 => Meaning::Later("it does not allow that"),
        404 | 405 | 410 => Meaning::Later("it has no such address"),
        407 | 408 | 421 | 423 | 425 | 429 => Meaning::Later("not now"),
        422 if target == Target::Report && is_there(body) => Meaning::TakenBefore,
        400..=499 => Meaning::Refused,
        502..=504 => Meaning::Later("it is not available"),
        _ => Meaning::Suspect,
    }
}

/// Whether Foreman has a report of that host and time. A time that is there can be wrong in no other way, so the words, which are in
/// the user's language, need not be read.
fn is_there(body: &str) -> bool {
    let body: Option<Value> = serde_json::from_str(body).ok();
    body.is_some_and(|body| body["error"]["errors"]["reported_at"].is_array())
}

/// A part of an answer, to be shown: one line, not too long.
pub fn said(body: &str) -> String {
    let body: String = body.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = body.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// How many seconds to wait after so many failures in a row: a minute, doubled each time, an hour at most.
pub fn pause(failures: u32) -> u64 {
    60_u64.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(3600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAKEN: &str =
        r#"{"error":{"id":null,"errors":{"reported_at":["has already been taken"]},"full_messages":["x"]}}"#;

    #[test]
    fn answers_mean_what_they_say() {
        use Meaning as M;
        for (target, status, body, expected) in [
            (Target::Report, 201, "", M::Taken),
            (Target::Report, 422, TAKEN, M::TakenBefore),
            (Target::Webhook, 422, TAKEN, M::Refused),
            (Target::Report, 422, r#"{"error":{"message":"Invalid log level: x"}}"#, M::Refused),
            (Target::Facts, 413, "", M::Refused),
            (Target::Facts, 500, "", M::Suspect),
        ] {
            assert_eq!(meaning(target, status, body), expected, "{target:?} {status} {body}");
        }
        for status in [301, 401, 403, 404, 429, 502, 503, 504] {
            assert!(matches!(meaning(Target::Report, status, TAKEN), M::Later(_)), "{status}");
        }
        assert_eq!([0, 1, 2, 6, 7, 8, u32::MAX].map(pause), [60, 60, 120, 1920, 3600, 3600, 3600]);
    }

    proptest! {
        #[test]
        fn any_answer_has_a_meaning_and_one_line(status: u16, body in "\\PC{0,400}") {
            meaning(Target::Report, status, &body);
            prop_assert!(said(&body).lines().count() <= 1);
        }
    }
}
