//! The order of a run, from what its modules require. Pure: it reads no file and runs nothing.

pub mod graph;
pub mod order;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::model::module::{Module, Relation};
use crate::model::names::ModuleName;
use crate::model::plan::{Plan, PlannedModule};

/// Modules that cannot be put in an order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A module that is needed is not there.
    #[error("there is no module {module}, which {} needs", needed_by.as_ref().map_or("the node", ModuleName::as_str))]
    Missing {
        /// The module.
        module: ModuleName,
        /// Which module requires it; none where the node selected it.
        needed_by: Option<ModuleName>,
    },
    /// Modules require each other in a circle.
    #[error("modules require each other in a circle, each before the next: {}", shown(members))]
    Cycle {
        /// The modules, each before the next, the first again at the end.
        members: Vec<ModuleName>,
    },
}

fn shown(members: &[ModuleName]) -> String {
    members.iter().map(ModuleName::as_str).collect::<Vec<_>>().join(" -> ")
}

/// The selected modules and all that they require, in an order that keeps every requirement.
///
/// Among those that could come next, the one of the smallest name does, so that the order depends on nothing else.
/// `after X` and `before X` both make X part of the run. Modules that nobody needs are left out.
pub fn plan(selected: &BTreeSet<ModuleName>, modules: &[Module]) -> Result<Plan, PlanError> {
    let by_name: BTreeMap<&ModuleName, &Module> =
        modules.iter().map(|module| (&module.name, module)).collect();
    let needed = needed(selected, &by_name)?;
    let names: Vec<&ModuleName> = needed.keys().copied().collect();
    let index: BTreeMap<&ModuleName, usize> =
        names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut needs: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); names.len()];
    for (at, module) in needed.values().enumerate() {
        for requirement in &module.requires {
            // All that is required is needed, so it has an index.
            let Some(&other) = index.get(&requirement.module) else { continue };
            match requirement.relation {
                Relation::After => needs[at].insert(other),
                Relation::Before => needs[other].insert(at),
            };
        }
    }
    let order = order::order(&needs).map_err(|cycle| PlanError::Cycle {
        members: cycle.into_iter().map(|at| names[at].clone()).collect(),
    })?;
    let planned = |at: usize| PlannedModule {
        module: needed[names[at]].clone(),
        needs: needs[at].iter().map(|&need| names[need].clone()).collect(),
    };
    Ok(Plan { modules: order.into_iter().map(planned).collect() })
}

/// The selected modules and all that they require.
fn needed<'a>(
    selected: &'a BTreeSet<ModuleName>,
    modules: &BTreeMap<&'a ModuleName, &'a Module>,
) -> Result<BTreeMap<&'a ModuleName, &'a Module>, PlanError> {
    let mut needed = BTreeMap::new();
    let mut open: Vec<(&ModuleName, Option<&ModuleName>)> =
        selected.iter().rev().map(|name| (name, None)).collect();
    while let Some((name, needed_by)) = open.pop() {
        if needed.contains_key(name) {
            continue;
        }
        let Some(module) = modules.get(name) else {
            return Err(PlanError::Missing { module: name.clone(), needed_by: needed_by.cloned() });
        };
        needed.insert(name, *module);
        open.extend(module.requires.iter().map(|requirement| (&requirement.module, Some(name))));
    }
    Ok(needed)
}

#[cfg(test)]
mod tests;
