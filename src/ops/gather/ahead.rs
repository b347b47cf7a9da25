//! Fetches ahead: what a node needed last time it most likely needs again, so it is fetched beside the parameters that
//! will tell. The rounds of a fetch (parameters, modules, what these require) become one. A wrong guess costs a fetch in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::fetch::{Fetch, FetchError, What};
use crate::model::names::{ModuleName, NodeName};
use crate::modules;
use crate::sys::clock::Timed;
use crate::sys::files::FileError;
use crate::sys::folders;

use super::{GatherError, selected};

/// What was fetched before it was known to be needed.
#[derive(Debug)]
pub(super) struct Ahead {
    tried: BTreeSet<ModuleName>,
    fetched: BTreeMap<ModuleName, Timed>,
}

impl Ahead {
    /// Fetches the node's parameters and, beside them, the modules that it needed last time. Returns what the parameters
    /// cost. A module that does not come is not an error yet.
    pub(super) fn fetch(
        fetch: &Fetch<'_>,
        node: &NodeName,
        told: &mut dyn FnMut(usize, usize),
    ) -> Result<(Ahead, Timed), GatherError> {
        let tried = needed_last_time(fetch.home, node);
        let (parameters, fetched) = std::thread::scope(|scope| {
            let parameters = scope.spawn(|| fetch.parameters(node));
            let fetched = match tried.is_empty() {
                true => BTreeMap::new(),
                false => fetch.each(&tried, &mut |done| told(done, tried.len())),
            };
            (parameters.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), fetched)
        });
        let fetched = fetched.into_iter().filter_map(|(name, cost)| Some((name, cost.ok()?))).collect();
        Ok((Ahead { tried, fetched }, parameters?))
    }

    /// Fetches these modules, but for those that are there already, and returns the cost of each.
    pub(super) fn complete(
        &mut self,
        fetch: &Fetch<'_>,
        names: &BTreeSet<ModuleName>,
        told: &mut dyn FnMut(usize),
    ) -> Result<BTreeMap<ModuleName, Timed>, FetchError> {
        let (mut there, mut missing) = (BTreeMap::new(), BTreeSet::new());
        for name in names {
            match self.fetched.remove(name) {
                Some(cost) => _ = there.insert(name.clone(), cost),
                None => _ = missing.insert(name.clone()),
            }
        }
        let before = there.len();
        if !missing.is_empty() {
            there.append(&mut fetch.modules(&missing, &mut |done| told(before + done))?);
        }
        Ok(there)
    }

    /// Takes out of the view what was fetched in vain: steps see what the node needs, and nothing else.
    pub(super) fn drop_the_rest<T>(
        self,
        view: &Path,
        needed: &BTreeMap<ModuleName, T>,
    ) -> Result<(), FileError> {
        for name in self.tried.iter().filter(|name| !needed.contains_key(*name)) {
            folders::remove_tree(&view.join(What::Module(name.clone()).folder()))?;
        }
        Ok(())
    }
}

/// The modules of the node and all that these require, as far as the cache says. It is a guess: what cannot be read there
/// says nothing.
fn needed_last_time(home: &Path, node: &NodeName) -> BTreeSet<ModuleName> {
    let folder = home.join(What::Parameters(node.clone()).folder()).join("modules");
    let mut open: Vec<ModuleName> = selected(&folder).unwrap_or_default().into_iter().collect();
    let mut needed = BTreeSet::new();
    while let Some(name) = open.pop() {
        let requires = modules::read_requires(&home.join(What::Module(name.clone()).folder()), &name);
        if let (Ok(requires), true) = (requires, needed.insert(name)) {
            open.extend(requires.into_iter().map(|requirement| requirement.module));
        }
    }
    needed
}
