//! What a merge is about to do, on the disk before it does it: one file while it is under way. Whoever finds it after a crash
//! takes back what was only staged, or finishes what was begun ([`recover`](super::recover)).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::merge::plan::{MergePlan, Op};
use crate::merge::{MergeError, Source, Staged};
use crate::model::duty::Schedule;
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::step::Outcome;
use crate::sys::files::{self, FileError, Ownership};
use crate::sys::metadata::{self, Metadata};
use crate::sys::object::Stat;
use crate::sys::tree::TreeError;

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The form: [`SCHEMA`].
    schema: u32,
    /// The root that is merged into.
    pub root: LiveRoot,
    /// What is done.
    pub plan: MergePlan,
    /// How far it is.
    pub phase: Phase,
}

/// How far a merge is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing that shows has changed: what is staged can go.
    Staging,
    /// Everything is staged, and it will be finished, whatever happens. What each step of the plan starts from, in its order.
    Applying(Vec<Start>),
}

/// What a step of the plan starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The object that has the place before.
    pub old: Option<Seen>,
    /// The object that is staged for it.
    pub staged: Option<Seen>,
    /// What it is given in place.
    pub metadata: Option<Metadata>,
}

/// By what an object is known again, also after a restart of the machine: devices may have other numbers then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    inode: u64,
    size: u64,
    mtime: (i64, i64),
}

impl Seen {
    /// Whether this is the object, whatever was done to it since.
    pub fn is(&self, stat: &Stat) -> bool {
        self.inode == stat.inode
    }

    /// Whether it is the object with the content that it had.
    pub fn is_unchanged(&self, stat: &Stat) -> bool {
        *self == Seen::from(stat)
    }
}

impl From<&Stat> for Seen {
    fn from(stat: &Stat) -> Seen {
        Seen { inode: stat.inode, size: stat.size, mtime: stat.mtime }
    }
}

/// Something that is done around a merge, in the journal before and after it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// What the run does on the live system around the merge.
    Schedule(Schedule),
    /// A duty of the schedule is begun.
    Began {
        /// Its number.
        number: u32,
    },
    /// It has ended.
    Ended {
        /// Its number.
        number: u32,
        /// How.
        outcome: Outcome,
    },
}

/// The file of a merge under way. Only [`Journal::close`] removes it: a drop means that something went wrong.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    intent: Intent,
}

impl Journal {
    /// Writes that this plan is going to be staged.
    pub fn open(folder: &Path, root: &LiveRoot, plan: &MergePlan) -> Result<Journal, MergeError> {
        let intent = Intent { schema: SCHEMA, root: root.clone(), plan: plan.clone(), phase: Phase::Staging };
        let journal = Journal { path: path(folder, &plan.run), intent };
        files::create_dirs(folder, 0o700).map_err(MergeError::Journal)?;
        journal.write()?;
        Ok(journal)
    }

    /// Writes that everything is staged and will be finished. This is the point of no return.
    pub fn commit(&mut self, staged: &Staged<'_>, source: &Source<'_>) -> Result<(), MergeError> {
        let ops = &staged.plan().ops;
        self.intent.phase = Phase::Applying(
            ops.iter().map(|op| start(&self.intent.plan, op, source)).collect::<Result<_, _>>()?,
        );
        self.write()
    }

    /// The merge is over: nothing is left to do for anybody.
    pub fn close(self) -> Result<(), FileError> {
        files::remove_file(&self.path)?;
        files::sync_folder(self.path.parent().unwrap_or(Path::new("/")))
    }

    /// Adds a note; it is on the disk when this returns.
    pub fn note(&mut self, _note: &Note) -> Result<(), MergeError> {
        self.write()
    }

    fn write(&self) -> Result<(), MergeError> {
        let json = serde_json::to_vec(&self.intent).map_err(|error| {
            MergeError::Journal(FileError::at("write", &self.path)(std::io::Error::other(error)))
        })?;
        files::write_whole(&self.path, &json, Ownership::New(0o600)).map_err(MergeError::Journal)
    }
}

fn path(folder: &Path, run: &RunId) -> PathBuf {
    folder.join(format!("{run}.json"))
}

fn start(plan: &MergePlan, op: &Op, source: &Source<'_>) -> Result<Start, TreeError> {
    let old = source.live.lookup(op.path())?;
    let staged = match op {
        Op::Place { path, stage, .. } => Some(source.live.parent(path)?.0.object(&stage.name(&plan.run))?),
        Op::Attributes { .. } | Op::Delete { .. } => None,
    };
    let metadata = match (op, &old) {
        (Op::Attributes { path }, Some(live)) => {
            Some(metadata::merged(live, &source.upper.object(path)?, source.private)?)
        }
        _ => None,
    };
    let seen = |object: crate::sys::object::Object| Seen::from(object.stat());
    Ok(Start { old: old.map(seen), staged: staged.map(seen), metadata })
}

/// The merges into `root` that were under way when whoever did them was stopped. The caller keeps everybody else from merging.
pub fn interrupted(folder: &Path, root: &LiveRoot) -> Result<Vec<Journal>, MergeError> {
    if files::look(folder).map_err(MergeError::Journal)?.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in files::list_dir(folder).map_err(MergeError::Journal)? {
        let path = folder.join(&name);
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = files::read_to_string(&path).map_err(MergeError::Journal)?;
        let unreadable = |source| MergeError::Unreadable { path: path.clone(), source };
        let intent: Intent = serde_json::from_str(&text).map_err(unreadable)?;
        if intent.schema != SCHEMA {
            return Err(MergeError::Newer { path });
        }
        if intent.root == *root {
            found.push(Journal { path, intent });
        }
    }
    Ok(found)
}

impl Journal {
    /// What it says.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }
}
