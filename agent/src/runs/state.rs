//! How runs stand that were asked for.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What is no id of a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no id of a run: they are 26 characters of a-z and 2-7")]
pub struct NoTriggerId(String);

/// The id of a run that was asked for: 16 random bytes in base32 of RFC 4648, in lower case. It is a file name too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TriggerId(String);

impl TriggerId {
    /// Of these bytes.
    pub fn of(bytes: [u8; 16]) -> TriggerId {
        const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let number = u128::from_be_bytes(bytes);
        // 26 digits are 130 bits; the last two are zeros.
        let digit = |n: u32| {
            let shift = 123_i32 - 5 * n.cast_signed();
            let five = if shift >= 0 { number >> shift } else { number << -shift };
            char::from(DIGITS[(five & 31) as usize])
        };
        TriggerId((0..26).map(digit).collect())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TriggerId {
    type Error = NoTriggerId;

    fn try_from(text: String) -> Result<TriggerId, NoTriggerId> {
        let fits = text.len() == 26 && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        if fits { Ok(TriggerId(text)) } else { Err(NoTriggerId(text)) }
    }
}

impl From<TriggerId> for String {
    fn from(id: TriggerId) -> String {
        id.0
    }
}

impl std::fmt::Display for TriggerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How one run stands. In files of this form, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// Which.
    pub id: TriggerId,
    /// Whether it changes nothing.
    pub noop: bool,
    /// Only these modules; none is all of them.
    pub modules: Vec<String>,
    /// Who has asked for it, the first one first.
    pub by: Vec<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// When it was asked for: seconds since 1970, as are the others.
    pub asked: i64,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<i64>,
    /// disco's own id of the run, for `disco report`; there is none before it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It waits for another one to end.
    Queued,
    /// It is under way.
    Running,
    /// It has ended with this exit code: [`State::is_success`] has what they mean.
    Done {
        /// The exit code of `disco dance --detailed-exitcodes`.
        exit: u8,
    },
    /// A signal has ended it.
    Killed {
        /// Its number.
        signal: i32,
    },
    /// Somebody has aborted it.
    Aborted {
        /// Who. It lies beside those who have asked for the run, and has a name of its own there.
        #[serde(rename = "aborted_by")]
        by: String,
    },
    /// It has ended, and nobody saw how: the machine, or all that looked after it, went down.
    Lost,
}

impl State {
    /// Whether it has ended.
    pub fn is_end(&self) -> bool {
        !matches!(self, State::Queued | State::Running)
    }

    /// Whether all of it has succeeded: exit code 0, nothing to change, or 2, changes.
    pub fn is_success(&self) -> bool {
        matches!(self, State::Done { exit: 0 | 2 })
    }
}

/// How this node stands, for the proxy's features and for `/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The node's name.
    pub node: String,
    /// disco's version.
    pub version: String,
    /// The run that is under way, whoever has begun it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<TriggerId>,
    /// Why live runs are disabled, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// Why no run can begin (no master is set, a merge is unfinished), where none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The url of the lock server, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_url: Option<String>,
    /// Whether that answers.
    #[serde(default)]
    pub lock: Found,
    /// Whether facts can be collected.
    #[serde(default)]
    pub facts: Found,
    /// The last live run: how it ended, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
}

/// What the helper has found by looking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Nothing yet.
    #[default]
    NotLooked,
    /// It works.
    Works,
    /// It does not, and why.
    Fails(String),
}

/// How the last live run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// disco's own id of it.
    pub run: String,
    /// When, in seconds since 1970.
    pub ended: i64,
    /// Its outcome, in the words of `disco runs`.
    pub outcome: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_base32_and_nothing_else_is_one() {
        assert_eq!(TriggerId::of([0; 16]).as_str(), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(TriggerId::of([255; 16]).as_str(), "7777777777777777777777777".to_owned() + "4");
        assert_eq!(TriggerId::of(*b"0123456789abcdef").as_str(), "gaytemzugu3doobzmfrggzdfmy");
        let one = |text: &str| TriggerId::try_from(text.to_owned());
        assert!(one("gaytemzugu3doobzmfrggzdfmy").is_ok());
        for bad in [
            "",
            "../../etc/passwd",
            "GAYTEMZUGU3DOOBZMFRGGZDFMY",
            "gaytemzugu3doobzmfrggzdfm",
            "gaytemzugu3doobzmfrggzdfm1",
        ] {
            assert_eq!(one(bad), Err(NoTriggerId(bad.to_owned())));
        }
    }

    #[test]
    fn a_state_is_flat_json() {
        let state = RunState {
            id: TriggerId::of([0; 16]),
            noop: true,
            modules: vec![],
            by: vec!["ci".to_owned()],
            state: State::Done { exit: 2 },
            asked: 1,
            began: Some(2),
            ended: None,
            run: None,
        };
        let text = serde_json::to_string(&state).unwrap();
        let wanted = r#"{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","noop":true,"modules":[],"by":["ci"],"state":"done","exit":2,"asked":1,"began":2}"#;
        assert_eq!(text, wanted);
        assert_eq!(serde_json::from_str::<RunState>(&text).unwrap(), state);
        let aborted = State::Aborted { by: "bob".to_owned() };
        for other in [State::Queued, State::Running, State::Killed { signal: 9 }, aborted, State::Lost] {
            let state = RunState { state: other, ..state.clone() };
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<RunState>(&text).unwrap(), state, "{text}");
        }
    }
}
