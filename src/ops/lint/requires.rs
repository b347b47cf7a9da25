//! Checks of `requires`: each line, the modules it names, and circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::model::finding::{Check, Finding, Severity};
use crate::model::module::{Module, Relation};
use crate::model::names::ModuleName;
use crate::model::told::in_full;
use crate::modules::requires::lines;
use crate::ops::lint::{Lines, LintError, error};
use crate::plan::{self, PlanError};
use crate::sys::files;

/// The good lines of a module's `requires`; what is wrong with the others, and with the modules that they name.
pub(super) fn read(
    folder: &Path,
    present: &BTreeSet<ModuleName>,
    findings: &mut Vec<Finding>,
) -> Result<Lines, LintError> {
    let file = folder.join("requires");
    let found = |line: usize, severity: Severity, message: String| Finding {
        line: Some(line),
        severity,
        ..error(file.as_path(), Check::Requires, message)
    };
    let text = match files::read_if_there(&file) {
        Ok(text) => text.unwrap_or_default(),
        Err(bad) => {
            findings.push(error(file.as_path(), Check::Requires, in_full(&bad)));
            return Ok(Lines::new());
        }
    };
    let mut good = Lines::new();
    for line in lines(&text) {
        let (line, requirement) = match line {
            Ok(line) => line,
            Err(bad) => {
                let rule = format!("{:?} is not `after MODULE`, `before MODULE` or `MODULE`", bad.text);
                let message = bad.source.map_or(rule, |source| source.to_string());
                findings.push(found(bad.line, Severity::Error, message));
                continue;
            }
        };
        if !present.contains(&requirement.module) {
            let message = format!("there is no module {} beside this one", requirement.module);
            findings.push(found(line, Severity::Error, message));
            continue;
        }
        if let Some((first, _)) = good.iter().find(|(_, earlier)| *earlier == requirement) {
            let message = format!("line {first} says this already");
            findings.push(found(line, Severity::Warning, message));
            continue;
        }
        good.push((line, requirement));
    }
    Ok(good)
}

/// The circles among the modules that the wanted ones need, each at a line that is part of it.
pub(super) fn circles(
    folder: &Path,
    wanted: &BTreeSet<&ModuleName>,
    mut graph: BTreeMap<ModuleName, Lines>,
) -> Vec<Finding> {
    let selected: BTreeSet<ModuleName> = wanted.iter().map(|name| (*name).clone()).collect();
    let mut findings = Vec::new();
    loop {
        let modules: Vec<Module> = graph
            .iter()
            .map(|(name, lines)| {
                let requires = lines.iter().map(|(_, requirement)| requirement.clone());
                Module::of_steps(name.clone(), requires.collect(), Vec::new())
            })
            .collect();
        let bad = match plan::plan(&selected, &modules) {
            Err(bad @ PlanError::Cycle { .. }) => bad,
            // All that the lines name is there: others are findings of their own.
            Ok(_) | Err(PlanError::Missing { .. }) => return findings,
        };
        let PlanError::Cycle { members } = &bad else { return findings };
        let before = findings.len();
        for pair in members.windows(2) {
            // Each of these lines says that the first comes before the second. Without them the next circle shows.
            for (module, other, relation) in
                [(&pair[1], &pair[0], Relation::After), (&pair[0], &pair[1], Relation::Before)]
            {
                let Some(lines) = graph.get_mut(module) else { continue };
                lines.retain(|(line, requirement)| {
                    let part = requirement.relation == relation && requirement.module == *other;
                    if part && findings.len() == before {
                        let file = folder.join(module.as_str()).join("requires");
                        let found = error(file, Check::Requires, bad.to_string());
                        findings.push(Finding { line: Some(*line), ..found });
                    }
                    !part
                });
            }
        }
        if findings.len() == before {
            return findings;
        }
    }
}
