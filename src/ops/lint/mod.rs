//! Checks modules before they are on a master: names, requirements, templates, scripts. It runs nothing of a module.
//!
//! An error is what would fail a dance; all else is a warning. That holds for what shellcheck says too, so that the same
//! modules end the same way on a machine that has it and on one that has not.

mod on_change;
mod requires;
mod shell;

use std::collections::{BTreeMap, BTreeSet};

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::finding::{Check, Finding, Severity};
use crate::model::module::{Requirement, ScriptFolder};
use crate::model::names::ModuleName;
use crate::model::step::{StepKind, TemplateEngine};
use crate::model::told::in_full;
use crate::modules::{self, ModuleError};
use crate::params;
use crate::render;
use crate::sys::files::{self, FileError};
use crate::sys::process::ProcessError;

/// The parts of a module's folder that are folders.
const PARTS: [&str; 7] = ["parameters", "files", "templates", "scripts", "validate", "after", "check"];

/// A check that could not be made. (What is wrong with a module is a [`Finding`].)
#[derive(Debug, Error)]
pub enum LintError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checking program cannot be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A checking program said what nobody understands.
    #[error("shellcheck's answer is no list of comments")]
    Answer(#[source] serde_json::Error),
}

/// Whether shellcheck is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shellcheck {
    /// Where it is installed.
    IfThere,
    /// Not at all.
    Never,
}

/// What the checks found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linted {
    /// How many modules were checked.
    pub modules: usize,
    /// What is wrong, by place.
    pub findings: Vec<Finding>,
    /// Whether shellcheck was wanted and is not installed.
    pub lacks_shellcheck: bool,
}

impl Linted {
    /// How many findings are that bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Checks the named modules of a folder; all that are there where none is named.
pub fn lint(folder: &Path, names: &[ModuleName], shellcheck: Shellcheck) -> Result<Linted, LintError> {
    let mut findings = Vec::new();
    let present = present(folder, &mut findings)?;
    if !names.is_empty() {
        // What is wrong with the names of others was not asked for.
        findings.clear();
    }
    let named: BTreeSet<ModuleName> = names.iter().cloned().collect();
    for gone in named.difference(&present) {
        findings.push(error(folder, Check::Layout, format!("there is no module {gone}")));
    }
    let wanted: BTreeSet<&ModuleName> =
        present.iter().filter(|name| named.is_empty() || named.contains(name)).collect();
    let mut graph = BTreeMap::new();
    let mut scripts = Vec::new();
    for name in &present {
        let module = folder.join(name.as_str());
        let mut found = Vec::new();
        let lines = requires::read(&module, &present, &mut found)?;
        graph.insert(name.clone(), lines);
        if wanted.contains(name) {
            findings.append(&mut found);
            contents(&module, name, &mut scripts, &mut findings)?;
        }
    }
    findings.extend(requires::circles(folder, &wanted, graph));
    let sound = shell::bash(&scripts, &mut findings)?;
    let lacks_shellcheck = shellcheck == Shellcheck::IfThere && !shell::shellcheck(&sound, &mut findings)?;
    findings.sort();
    findings.dedup();
    Ok(Linted { modules: wanted.len(), findings, lacks_shellcheck })
}

/// The lines of a module's `requires` that make sense, by their numbers.
type Lines = Vec<(usize, Requirement)>;

/// The modules that are in the folder. A folder that has no module's name is a finding, a hidden one (`.git`) is none.
fn present(folder: &Path, findings: &mut Vec<Finding>) -> Result<BTreeSet<ModuleName>, LintError> {
    let mut present = BTreeSet::new();
    for name in files::list_dir(folder)? {
        let path = folder.join(&name);
        let shown = name.to_string_lossy();
        let is_folder = files::look_through(&path)?.is_some_and(|there| there.is_dir());
        if !is_folder || shown.starts_with('.') || shown.ends_with('~') {
            continue;
        }
        match ModuleName::new(shown) {
            Ok(name) => {
                present.insert(name);
            }
            Err(bad) => findings.push(error(path, Check::Layout, in_full(&bad))),
        }
    }
    Ok(present)
}

/// Checks what a module's folder holds, and collects what bash shall read.
fn contents(
    folder: &Path,
    name: &ModuleName,
    scripts: &mut Vec<PathBuf>,
    findings: &mut Vec<Finding>,
) -> Result<(), LintError> {
    for entry in files::list_dir(folder)? {
        let shown = entry.to_string_lossy();
        let path = folder.join(&entry);
        if !PARTS.contains(&&*shown)
            && !shown.starts_with('.')
            && files::look(&path)?.is_some_and(|there| there.is_dir())
        {
            let message = format!("disco reads none of this; a module's folders are {}", PARTS.join(", "));
            findings.push(Finding { severity: Severity::Warning, ..error(path, Check::Layout, message) });
        }
    }
    if let Err(bad) = params::load(&folder.join("parameters")) {
        findings.push(error(folder.join("parameters"), Check::Parameters, in_full(&bad)));
    }
    on_change::check(folder, findings)?;
    for below in [ScriptFolder::Validate, ScriptFolder::After, ScriptFolder::Check] {
        match modules::read_scripts(folder, name, below) {
            Ok(found) => scripts.extend(found.into_iter().map(|one| folder.join(below.name()).join(one))),
            Err(bad) => findings.push(error(place(&bad, folder), Check::Layout, in_full(&bad))),
        }
    }
    let steps = match modules::read_steps(folder, name) {
        Ok(steps) => steps,
        Err(bad) => {
            findings.push(error(place(&bad, folder), Check::Layout, in_full(&bad)));
            return Ok(());
        }
    };
    for step in steps {
        match step {
            // Validators are no steps of a module.
            StepKind::Files | StepKind::Validator { .. } => {}
            StepKind::Script { script } => scripts.push(folder.join("scripts").join(script)),
            StepKind::Template { template, engine: TemplateEngine::Bash, .. } => {
                scripts.push(folder.join("templates").join(template));
            }
            StepKind::Template { template, engine: TemplateEngine::Tera, .. } => {
                let file = folder.join("templates").join(&template);
                let text = match files::read_to_string(&file) {
                    Ok(text) => text,
                    Err(bad) => {
                        findings.push(error(file, Check::Tera, in_full(&bad)));
                        continue;
                    }
                };
                if let Err(bad) = render::check(name, &template, &text) {
                    findings.push(Finding { line: bad.line, ..error(file, Check::Tera, bad.message) });
                }
            }
        }
    }
    Ok(())
}

/// Where an unusable part of a module is.
fn place(bad: &ModuleError, folder: &Path) -> PathBuf {
    match bad {
        ModuleError::NotText { path, .. }
        | ModuleError::LeadsOut { path, .. }
        | ModuleError::WrongType { path, .. } => folder.join(path),
        ModuleError::File { source, .. } => folder.join(&source.path),
        ModuleError::SameTarget { second, .. } => folder.join("templates").join(second),
        ModuleError::Requirement { .. } => folder.join("requires"),
        ModuleError::OnChange { .. } => folder.join("on-change"),
        ModuleError::Missing { folder, .. } | ModuleError::Exists { folder, .. } => folder.clone(),
    }
}

fn error(file: impl Into<PathBuf>, check: Check, message: impl Into<String>) -> Finding {
    let message: String = message.into();
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Finding { file: file.into(), line: None, severity: Severity::Error, check, message }
}

#[cfg(test)]
mod tests;
