//! Something that waits to be sent, and to whom.

use serde::{Deserialize, Serialize};

use crate::model::names::RunId;

/// The version of the form of what waits on disk.
pub const SCHEMA: u32 = 1;

/// To whom something goes, and what it is. Each has a queue of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A run, to the Foreman.
    Report,
    /// The node's facts, to the Foreman.
    Facts,
    /// A run, to the webhook.
    Webhook,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::Report, Target::Facts, Target::Webhook];

    /// Its name in files and lists.
    pub fn word(self) -> &'static str {
        match self {
            Target::Report => "report",
            Target::Facts => "facts",
            Target::Webhook => "webhook",
        }
    }

    /// The one of that name.
    pub fn of_word(word: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|target| target.word() == word)
    }

    /// Whether only the newest counts: what a node says of itself replaces what it said before.
    pub fn is_replaced(self) -> bool {
        match self {
            Target::Facts => true,
            Target::Report | Target::Webhook => false,
        }
    }
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The form: [`SCHEMA`].
    pub schema: u32,
    /// Its number in the spool: what came earlier has a smaller one.
    pub number: u64,
    /// To whom it goes.
    pub target: Target,
    /// The run that it is about, or that made it.
    pub run: RunId,
    /// When it was made, RFC 3339.
    pub made: String,
    /// What is sent, as it is sent each time: whoever gets it twice can know it by that.
    pub body: String,
}

impl Item {
    /// By what a receiver knows it, however often it comes.
    pub fn delivery(&self) -> String {
        format!("{}.{}", self.run, self.number)
    }
}

/// One object that a run has changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// By which module.
    pub module: String,
    /// Where.
    pub path: String,
    /// What became of it: `created`, `modified` or `deleted`.
    pub what: &'static str,
}

/// The objects of a run: the first ones, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touches {
    /// The first [`MOST_TOUCHED`].
    pub first: Vec<Touched>,
    /// How many there are besides.
    pub more: usize,
}

/// The most objects that are told one by one. Each is a row in Foreman's database.
pub const MOST_TOUCHED: usize = 200;

impl Touches {
    /// Adds one.
    pub fn add(&mut self, one: impl FnOnce() -> Touched) {
        if self.first.len() < MOST_TOUCHED {
            self.first.push(one());
        } else {
            self.more += 1;
        }
    }
}
