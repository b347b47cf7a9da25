//! Differences between two states of the node's tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::attributes::Attributes;
use crate::model::names::ModuleName;
use crate::model::path::RootedPath;
use crate::model::text::Text;

/// One object that differs, with what it was and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where it is.
    pub path: RootedPath,
    /// How it differs.
    #[serde(flatten)]
    pub kind: ChangeKind,
    /// How its content differs.
    pub content: ContentChange,
}

/// How an object differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It was not there before.
    Created {
        /// What it is now.
        after: Arc<Attributes>,
    },
    /// It was there before, and is something else now.
    Modified {
        /// What it was.
        before: Arc<Attributes>,
        /// What it is now.
        after: Arc<Attributes>,
    },
    /// It is no longer there.
    Deleted {
        /// What it was.
        before: Arc<Attributes>,
    },
}

impl ChangeKind {
    /// What the object was, and what it is; none where it is not there.
    pub fn sides(&self) -> (Option<&Attributes>, Option<&Attributes>) {
        match self {
            ChangeKind::Created { after } => (None, Some(after)),
            ChangeKind::Modified { before, after } => (Some(before), Some(after)),
            ChangeKind::Deleted { before } => (Some(before), None),
        }
    }

    /// The sizes of both sides; 0 where there is nothing.
    pub fn sizes(&self) -> (u64, u64) {
        let (before, after) = self.sides();
        (before.map_or(0, |it| it.size), after.map_or(0, |it| it.size))
    }
}

/// How the content of a regular file, or the target of a symlink, differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "content", rename_all = "kebab-case")]
pub enum ContentChange {
    /// There is none to compare, or it is the same.
    Same,
    /// Both sides are text (absent counts as empty); the sides themselves, for a diff in any form.
    Text {
        /// Before.
        before: Text,
        /// After.
        after: Text,
    },
    /// At least one side is not text.
    Binary {
        /// Size before in bytes.
        before: u64,
        /// Size after in bytes.
        after: u64,
    },
    /// Only root can read it on one side at least: it is kept from whoever sees the difference. No change to be merged says so.
    Withheld {
        /// Size before in bytes.
        before: u64,
        /// Size after in bytes.
        after: u64,
    },
    /// Too large to hold and compare line by line.
    Large {
        /// Size before in bytes.
        before: u64,
        /// Size after in bytes.
        after: u64,
    },
}

/// All differences of one module, or of a whole run, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeSet(pub Vec<Change>);

/// A difference as a record keeps it: who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The module.
    pub module: ModuleName,
    /// The step that was the last to write it; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The difference, against the state before the module.
    #[serde(flatten)]
    pub change: Change,
    /// What earlier steps of the module left there, where it is a text and they are known: the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// Whether its texts were left out, because the record would have become too large; it is `large` then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A text as a step left it that was not the last of its module to write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The step.
    pub step: String,
    /// The text.
    pub text: String,
}

/// Which step of a module was the last to write a path, and what is known of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The last.
    pub step: String,
    /// Those before, the oldest first.
    pub earlier: Vec<Earlier>,
}

/// Who made the changes of a module, by their paths; a path that is not in it nobody is known for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Writers(pub BTreeMap<RootedPath, Written>);

/// How many objects differ, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "CountsOrChanges")]
pub struct ChangeCounts {
    /// Objects that were not there before.
    pub created: usize,
    /// Objects that are something else now.
    pub modified: usize,
    /// Objects that are gone.
    pub deleted: usize,
}

impl ChangeCounts {
    /// All of them.
    pub fn total(&self) -> usize {
        self.created + self.modified + self.deleted
    }
}

impl From<&ChangeSet> for ChangeCounts {
    fn from(changes: &ChangeSet) -> Self {
        let mut counts = ChangeCounts::default();
        for change in &changes.0 {
            *match change.kind {
                ChangeKind::Created { .. } => &mut counts.created,
                ChangeKind::Modified { .. } => &mut counts.modified,
                ChangeKind::Deleted { .. } => &mut counts.deleted,
            } += 1;
        }
        counts
    }
}

/// Records of form 1 held the differences themselves.
#[derive(Deserialize)]
#[serde(untagged)]
enum CountsOrChanges {
    Counts { created: usize, modified: usize, deleted: usize },
    Changes(ChangeSet),
}

impl From<CountsOrChanges> for ChangeCounts {
    fn from(either: CountsOrChanges) -> Self {
        match either {
            CountsOrChanges::Counts { created, modified, deleted } => {
                ChangeCounts { created, modified, deleted }
            }
            CountsOrChanges::Changes(changes) => ChangeCounts::from(&changes),
        }
    }
}
