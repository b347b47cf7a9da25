//! Differences between two states of the node's tree.

use serde::{Deserialize, Serialize};

use crate::model::attributes::Attributes;
use crate::model::path::RootedPath;

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
        after: Attributes,
    },
    /// It was there before, and is something else now.
    Modified {
        /// What it was.
        before: Attributes,
        /// What it is now.
        after: Attributes,
    },
    /// It is no longer there.
    Deleted {
        /// What it was.
        before: Attributes,
    },
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
        before: String,
        /// After.
        after: String,
    },
    /// At least one side is not text.
    Binary {
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
