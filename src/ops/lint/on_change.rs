//! Checks of `on-change`: each line, its patterns, and the command as bash reads it.

use std::path::Path;

use crate::model::finding::{Check, Finding, Severity};
use crate::model::glob::PathGlob;
use crate::model::told::in_full;
use crate::modules::on_change::lines;
use crate::ops::lint::{LintError, error, shell};
use crate::sys::files;

/// What is wrong with a module's `on-change`, if it has one.
pub(super) fn check(folder: &Path, findings: &mut Vec<Finding>) -> Result<(), LintError> {
    let file = folder.join("on-change");
    let text = match files::read_if_there(&file) {
        Ok(text) => text.unwrap_or_default(),
        Err(bad) => {
            findings.push(error(file, Check::OnChange, in_full(&bad)));
            return Ok(());
        }
    };
    for line in lines(&text) {
        let mut found = |line: usize, severity: Severity, message: String| {
            let found = error(file.as_path(), Check::OnChange, message);
            findings.push(Finding { line: Some(line), severity, ..found });
        };
        let (line, on_change) = match line {
            Ok(line) => line,
            Err(bad) => {
                let rule = format!("{:?} is not `GLOB… : COMMAND`", bad.text);
                found(bad.line, Severity::Error, bad.source.map_or(rule, |source| in_full(&source)));
                continue;
            }
        };
        for glob in on_change.globs.iter().filter(|glob| is_of_nothing(glob)) {
            found(line, Severity::Warning, format!("no path ends with a slash: {glob} is a pattern of none"));
        }
        if let Some(complaint) = shell::command(&on_change.command)? {
            found(line, Severity::Error, complaint);
        }
    }
    Ok(())
}

/// Whether no path can be of that pattern.
fn is_of_nothing(glob: &PathGlob) -> bool {
    glob.text() != "/" && glob.text().ends_with('/')
}
