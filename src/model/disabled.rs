//! Live runs switched off on a node: why, by whom, since when. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the file's form.
pub const SCHEMA: u32 = 1;
/// The longest reason, in characters.
const LONGEST: usize = 1000;

/// Live runs are switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// The form of the file.
    pub schema: u32,
    /// Why, on one line; empty where nobody said.
    pub why: String,
    /// Who has done so; empty where that is not known.
    pub by: String,
    /// When, RFC 3339; empty where that is not known.
    pub since: String,
}

impl Disabled {
    /// Switched off by that user, then, for that reason.
    pub fn new(why: &str, by: String, since: String) -> Disabled {
        Disabled { schema: SCHEMA, why: one_line(why), by, since }
    }

    /// What the file says. Text in no such form switches live runs off as well, and is the reason: whoever has put it there by
    /// hand, or with a newer disco, has meant that.
    pub fn of_text(text: &str) -> Disabled {
        let read: Option<Disabled> = serde_json::from_str(text).ok();
        match read.filter(|read| read.schema == SCHEMA) {
            Some(read) => Disabled {
                why: one_line(&read.why),
                by: one_line(&read.by),
                since: one_line(&read.since),
                ..read
            },
            None => Disabled::new(text, String::new(), String::new()),
        }
    }
}

fn one_line(text: &str) -> String {
    text.trim().chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for Disabled {
    /// `since TIME by USER: REASON`, as far as that is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disabled { why, by, since, .. } = self;
        match (since.is_empty(), by.is_empty()) {
            (false, false) => write!(f, "since {since} by {by}"),
            (false, true) => write!(f, "since {since}"),
            (true, false) => write!(f, "by {by}"),
            (true, true) => f.write_str("by hand"),
        }?;
        if why.is_empty() { f.write_str(" (no reason given)") } else { write!(f, ": {why}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_says_as_much_as_is_known() {
        let disabled =
            Disabled::new(" disk\nfull ", "eve".to_owned(), "2026-11-22T10:00:00.000+00:00".to_owned());
        assert_eq!(disabled.to_string(), "since 2026-11-22T10:00:00.000+00:00 by eve: disk full");
        let text = serde_json::to_string(&disabled).unwrap();
        assert_eq!(Disabled::of_text(&text), disabled);
        for (text, said) in [
            ("", "by hand (no reason given)"),
            ("do not touch\n", "by hand: do not touch"),
            (
                r#"{"schema":2,"why":"x","by":"y","since":"z"}"#,
                r#"by hand: {"schema":2,"why":"x","by":"y","since":"z"}"#,
            ),
        ] {
            assert_eq!(Disabled::of_text(text).to_string(), said);
        }
    }

    proptest! {
        #[test]
        fn any_text_switches_off_on_one_line(text in "\\PC{0,60}|[\\x00-\\x7f]{0,60}") {
            prop_assert!(!Disabled::of_text(&text).to_string().contains(char::is_control));
        }
    }
}
