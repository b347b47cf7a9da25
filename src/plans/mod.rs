//! Plans in files: what a NOOP run has shown, as one archive that is merged later without running anything again.
//!
//! The archive is a plain tar file, uncompressed, of files that carry their place in their order:
//!
//!     disco-plan.json      what it is, whose, and how long the tables are
//!     changes.jsonl        every difference, as it is shown
//!     expected.jsonl       what the live root must hold for that, directories above included
//!     objects.jsonl        the scratchpad: what it holds at which path
//!     scripts.jsonl        the scripts of modules that are run on the live system after the merge
//!     data/00000001        the content of its files in that order, without their holes
//!     SHA256SUMS           of all of these
//!
//! No name in the archive is ever used as a path. Paths are in the tables, and they are [`RootedPath`]s: below a root, and
//! followed beneath it. A file that holds anything else than the tables announce is no plan, and what is shown of a plan is
//! what its objects are ([`agree`]): its parts cannot say different things. Its digest is the sha256 of the file.
//!
//! [`objects`] lists what belongs into it, [`write`] writes it, [`read`] reads and unpacks it, [`standing`] looks at the live
//! root, [`scripts`] has what is run after the merge. What is merged, and when, is decided above.

pub mod agree;
pub mod digest;
pub mod objects;
pub mod read;
pub mod scripts;
pub mod standing;
pub mod unpack;
pub mod write;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::change::ChangeSet;
use crate::model::path::{PathError, RootedPath};
use crate::model::saved::{Expected, LiveScript, PlanHead};
use crate::sys::files::FileError;
use crate::sys::tree::TreeError;

pub use objects::{Stored, What};
pub use read::{head, read};
pub use write::{Written, write};

/// The version of the archive's form.
pub const FORM: u32 = 1;

const FRONT: &str = "disco-plan.json";
const CHANGES: &str = "changes.jsonl";
const EXPECTED: &str = "expected.jsonl";
const OBJECTS: &str = "objects.jsonl";
const SCRIPTS: &str = "scripts.jsonl";
const SUMS: &str = "SHA256SUMS";

/// The name of the content with that number, from 1.
fn data_name(number: usize) -> String {
    format!("data/{number:08}")
}

/// The first file of an archive.
#[derive(Debug, Serialize, Deserialize)]
struct Front {
    #[serde(rename = "disco-plan")]
    form: u32,
    #[serde(flatten)]
    head: PlanHead,
    /// How many lines the tables have.
    changes: usize,
    expected: usize,
    objects: usize,
    scripts: usize,
}

/// A plan as its file has it, all of it verified.
#[derive(Debug)]
pub struct Plan {
    /// What it is and whose.
    pub head: PlanHead,
    /// Every difference, sorted by path.
    pub changes: ChangeSet,
    /// What the live root is expected to hold, sorted by path.
    pub expected: Vec<Expected>,
    /// What the scratchpad holds, sorted by path.
    pub objects: Vec<Stored>,
    /// The scripts of its modules that are run on the live system.
    pub scripts: Vec<LiveScript>,
    /// sha256 of the file, in hex.
    pub digest: String,
    /// How many bytes the file has.
    pub size: u64,
}

/// A plan that could not be written or read.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// An object of the scratchpad or of the live root could not be used.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A name is no plain path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Content could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was to be done, as a verb.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The scratchpad no longer holds what the differences say.
    #[error("the scratchpad has lost {0}")]
    Lost(RootedPath),
    /// A file is there that is something else.
    #[error("{} is there, and is no plan", .0.display())]
    Taken(PathBuf),
    /// It is some other file.
    #[error("{} is no plan of disco's", .0.display())]
    Foreign(PathBuf),
    /// A newer disco wrote it.
    #[error("{} is a plan of form {form}, and this disco reads up to {FORM}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The form that it has.
        form: u32,
    },
    /// Its end is missing.
    #[error("the plan {} is cut off in {at}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// In which of its parts.
        at: String,
    },
    /// It is not as disco writes it.
    #[error("the plan {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        what: String,
    },
    /// A signal asked to stop.
    #[error("interrupted while the plan was read")]
    Interrupted,
}

#[cfg(test)]
mod tests;
