//! The verbs between the agent and its helper.

use serde::{Deserialize, Serialize};

use crate::runs::state::{RunState, Standing, TriggerId};

/// The longest text that says who asks, or a key, in bytes.
pub const LONGEST_TEXT: usize = 200;

/// What the agent asks. Unknown verbs and fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// A run: live, or with `noop` a dry one. While one is under way the next of its kind is queued, and who asks meanwhile gets
    /// the queued one (its modules are then those of both).
    Run {
        /// Whether it changes nothing.
        noop: bool,
        /// Only these modules; none is all of them.
        #[serde(default)]
        modules: Vec<String>,
        /// Who asks: a certificate's name, a key's name, an address.
        by: String,
        /// Whoever asks again with the same key gets the same run, for a day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Where another run is under way it is refused, not queued: [`Refusal::Busy`].
        #[serde(default)]
        alone: bool,
    },
    /// How a run stands, at once or when it has ended.
    Status {
        /// Which.
        id: TriggerId,
        /// So many seconds it waits for its end, at most.
        #[serde(default)]
        wait: u64,
    },
    /// What a run prints, from a byte on, until it ends.
    Log {
        /// Which.
        id: TriggerId,
        /// From which byte on.
        #[serde(default)]
        from: u64,
    },
    /// Ends a run that is queued or under way, as SIGTERM does: nothing of it merges.
    Abort {
        /// Which.
        id: TriggerId,
        /// Who asks.
        by: String,
    },
    /// The newest runs, newest first.
    List {},
    /// How this node stands.
    Standing {},
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// One run; for [`Ask::Log`] its log follows.
    Run(RunState),
    /// Several.
    Runs {
        /// They, newest first.
        runs: Vec<RunState>,
    },
    /// How this node stands.
    Standing(Standing),
    /// It was not done.
    Refused {
        /// What kind of refusal.
        why: Refusal,
        /// For people.
        message: String,
    },
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Another run is under way, and it was asked for alone.
    Busy,
    /// Live runs are disabled on this node.
    Disabled,
    /// There is no such run.
    Unknown,
    /// It has ended already.
    Ended,
    /// Something else was asked for with the same key.
    Differs,
    /// Too many keys lead to the run that waits. Without a key it is to be had.
    TooManyKeys,
    /// What was asked is not one of the verbs, or a name in it is none.
    Malformed,
    /// The helper could not.
    Failed,
}
