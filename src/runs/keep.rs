//! Which records are kept: by number (NOOP and live runs counted apart), age and size. Deciding is pure.

use std::collections::BTreeSet;

use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::runs::{Entry, Listed, RunError, Runs};
use crate::sys::clock;
use crate::sys::files;
use crate::sys::folders;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many NOOP runs, and so many live ones.
    pub runs: usize,
    /// Those that started no longer ago.
    pub seconds: u64,
    /// So many bytes of the disk; `None` for all of it.
    pub bytes: Option<u64>,
}

impl Runs {
    /// Removes what is beyond that, the oldest first, and returns which those were. What is `needed` stays, and so do the
    /// newest run, and the last live run on each root.
    pub fn prune(&self, keep: Keep, needed: &dyn Fn(&RunId) -> bool) -> Result<Vec<RunId>, RunError> {
        let all = self.entries()?;
        let surplus = surplus(&all, keep, needed, &|entry| clock::seconds_since(&entry.started));
        surplus.iter().try_for_each(|run| self.remove(run))?;
        Ok(surplus)
    }

    /// Removes a run. Whoever is killed at it leaves it whole, or under a name that [`Runs::tidy_names`] removes.
    fn remove(&self, run: &RunId) -> Result<(), RunError> {
        let folder = self.folder(run);
        // A half of it would be a damaged run, or one that nobody knows of.
        let aside = folder.with_file_name(files::temporary(run.as_str()));
        match files::rename(&folder, &aside) {
            // Somebody else removes it, too.
            Err(error) if error.leads_nowhere() => Ok(()),
            renamed => Ok(renamed.and_then(|()| folders::remove_tree(&aside))?),
        }
    }
}

/// Which of them need not be kept; `age` in seconds, where it is known.
fn surplus(
    all: &[Listed],
    keep: Keep,
    needed: &dyn Fn(&RunId) -> bool,
    age: &dyn Fn(&Entry) -> Option<u64>,
) -> Vec<RunId> {
    let mut roots: Vec<&LiveRoot> = Vec::new();
    let (mut noop, mut live, mut bytes) = (0, 0, 0);
    let (mut out, mut staying) = (BTreeSet::new(), Vec::new());
    for (at, listed) in all.iter().rev().enumerate() {
        // What cannot be read may have been live.
        let (mode, last, old, size) = match listed {
            Listed::Entry(entry) => {
                let last = entry.mode == Mode::Live && !roots.contains(&&entry.root);
                if last {
                    roots.push(&entry.root);
                }
                (entry.mode, last, age(entry).is_some_and(|age| age > keep.seconds), entry.bytes)
            }
            Listed::Unreadable { .. } => (Mode::Live, false, false, 0),
        };
        let count = match mode {
            Mode::Noop => &mut noop,
            Mode::Live => &mut live,
        };
        *count += 1;
        let stays = at == 0 || last || needed(listed.run());
        if !stays && (*count > keep.runs || old) {
            out.insert(listed.run().clone());
            continue;
        }
        bytes += size;
        if !stays {
            staying.push((mode, listed.run(), size));
        }
    }
    // By size the dry runs go first: they can be made again.
    for mode in [Mode::Noop, Mode::Live] {
        for (_, run, size) in staying.iter().rev().filter(|(its, ..)| *its == mode) {
            if keep.bytes.is_none_or(|most| bytes <= most) {
                break;
            }
            bytes -= size;
            out.insert((*run).clone());
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
