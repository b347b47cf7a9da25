//! Brings a snapshot up to date where the sandbox says that something was touched, so that a module costs what it touched
//! and not what is in the scratchpad. A scan of everything finds the same.
//!
//! What it relies on: every path under which the scratchpad holds something else than before is told, or lies below one that
//! is told whole; of an object with several names one is told, or its number.

use std::collections::{BTreeMap, BTreeSet};

use crate::changes::scan::{Layers, Scan, ScanError, view_accounts};
use crate::changes::snapshot::{Snapshot, State, number};
use crate::model::layer::{Extent, LayerEntry, LayerKind, Touched};
use crate::model::path::RootedPath;
use crate::sys::accounts::Accounts;

/// The paths that may have changed: what a comparison needs of the time before and after.
#[derive(Debug, Default)]
pub struct Changed {
    /// As they were.
    pub before: Snapshot,
    /// As they are.
    pub after: Snapshot,
    /// How many objects of the scratchpad were looked at.
    pub looked: usize,
}

/// Reads what the scratchpad holds at a path, or also below it.
pub type Read<'a, E> = &'a dyn Fn(&RootedPath, Extent) -> Result<Vec<LayerEntry>, E>;

/// Makes `last` the snapshot of now. After an error it is as it was, and all that was touched must be told again.
pub fn rescan<E: From<ScanError>>(
    layers: &Layers<'_>,
    touched: &Touched,
    last: &mut Snapshot,
    read: Read<'_, E>,
) -> Result<Changed, E> {
    let patch = Patch::read(layers, touched, last, read)?;
    let (view, names) = patch.states(layers, last)?;
    Ok(patch.apply(last, view, names))
}

/// What takes the place of what, in the list of what the scratchpad holds.
#[derive(Debug, Default)]
struct Patch {
    /// Paths at and below which everything is replaced; none lies below another.
    whole: BTreeSet<RootedPath>,
    /// Directories that were and are there, and hide as much as before; what they hold stays.
    alone: BTreeSet<RootedPath>,
    /// What is there now, at all of these.
    entries: BTreeMap<RootedPath, LayerEntry>,
    looked: usize,
}

impl Patch {
    fn read<E>(
        layers: &Layers<'_>,
        touched: &Touched,
        last: &Snapshot,
        read: Read<'_, E>,
    ) -> Result<Patch, E> {
        let mut queue = BTreeMap::new();
        let mut add = |path: &RootedPath, extent: Extent| {
            let known = queue.entry(path.clone()).or_insert(extent);
            *known = extent.max(*known);
        };
        for (path, extent) in touched.paths.iter().filter(|(path, _)| !layers.excludes(path)) {
            add(path, *extent);
            // The times of a directory change with its names.
            let mut above = path.parent();
            while let Some(directory) = above {
                add(&directory, Extent::Itself);
                above = directory.parent();
            }
        }
        touched
            .inodes
            .iter()
            .flat_map(|number| last.names_of(*number))
            .for_each(|path| add(path, Extent::Itself));

        let mut patch = Patch::default();
        while let Some((path, extent)) = queue.pop_first() {
            if patch.alone.contains(&path) || patch.replaces(&path) {
                continue;
            }
            let old = last.entries.get(&path);
            let mut found = read(&path, Extent::Itself)?;
            let kinds = (old.map(|old| old.kind), found.first().map(|new| new.kind));
            let stays = match kinds {
                (Some(LayerKind::Directory { opaque }), Some(LayerKind::Directory { opaque: now })) => {
                    opaque == now && extent == Extent::Itself
                }
                _ => path == RootedPath::default(),
            };
            if stays {
                patch.alone.insert(path.clone());
            } else {
                if matches!(kinds.1, Some(LayerKind::Directory { .. })) {
                    found = read(&path, Extent::Whole)?;
                }
                patch.whole.insert(path.clone());
            }
            patch.looked += found.len().max(1);
            // All names of what has changed have changed.
            let changed = old.into_iter().chain(&found).filter_map(number).flat_map(|it| last.names_of(it));
            queue.extend(changed.filter(|name| **name != path).map(|name| (name.clone(), Extent::Itself)));
            let kept = found.into_iter().filter(|entry| !layers.excludes(&entry.path));
            patch.entries.extend(kept.map(|entry| (entry.path.clone(), entry)));
        }
        Ok(patch)
    }

    /// Whether everything at a path is replaced.
    fn replaces(&self, path: &RootedPath) -> bool {
        let before = self.whole.range(..=path.clone()).next_back();
        before.is_some_and(|whole| path.is_within(whole))
    }

    /// What the scratchpad does at a path now.
    fn kind(&self, path: &RootedPath, last: &Snapshot) -> Option<LayerKind> {
        match self.alone.contains(path) || self.replaces(path) {
            true => Some(self.entries.get(path)?.kind),
            false => last.kind(path),
        }
    }

    fn states(
        &self,
        layers: &Layers<'_>,
        last: &mut Snapshot,
    ) -> Result<(BTreeMap<RootedPath, State>, Accounts), ScanError> {
        let names = view_accounts(layers, &|path| self.kind(path, last))?;
        let below_hidden = |path: &&RootedPath| {
            let above = std::iter::successors(path.parent(), RootedPath::parent);
            above.filter_map(|path| self.kind(&path, last)).any(LayerKind::hides_below)
        };
        let hidden: Vec<_> = self.whole.iter().filter(below_hidden).collect();
        let mut scan = Scan::new(layers, names, &last.view, &mut last.lower, &mut last.walked)?;
        hidden.into_iter().for_each(|path| scan.hide_known(path));
        for (path, entry) in &self.entries {
            if self.alone.contains(path) { scan.alone(entry)? } else { scan.entry(entry)? }
        }
        Ok(scan.finish())
    }

    fn apply(self, last: &mut Snapshot, view: BTreeMap<RootedPath, State>, names: Accounts) -> Changed {
        let (mut before, mut after) = (Snapshot::default(), Snapshot::default());
        for path in &self.alone {
            last.lost(path);
            before.view.extend(last.view.remove_entry(path));
        }
        for whole in &self.whole {
            within(&last.entries, whole).iter().for_each(|path| last.lost(path));
            for path in within(&last.view, whole) {
                before.view.extend(last.view.remove_entry(&path));
            }
        }
        self.entries.into_values().for_each(|entry| last.holds(entry));
        let lower = before.view.keys().chain(view.keys()).filter_map(|path| last.lower.get_key_value(path));
        after.lower = lower.map(|(path, state)| (path.clone(), state.clone())).collect();
        after.view = view.clone();
        last.view.extend(view);
        if last.names != names {
            for state in last.view.values_mut() {
                if let State::Present(present) = state {
                    *present = present.named(&names);
                }
            }
            last.names = names;
        }
        Changed { before, after, looked: self.looked }
    }
}

/// The keys at and below a path.
fn within<T>(map: &BTreeMap<RootedPath, T>, whole: &RootedPath) -> Vec<RootedPath> {
    map.range(whole.clone()..)
        .map(|(path, _)| path)
        .take_while(|path| path.is_within(whole))
        .cloned()
        .collect()
}

#[cfg(test)]
#[path = "rescan_tests.rs"]
mod tests;
