//! What a run under way has done so far, one line of JSON a module, beside its record. So each module costs what it
//! writes itself, and not what those before it wrote. Pure.

use std::collections::BTreeSet;

use crate::model::run::RunRecord;
use crate::model::step::ModuleRecord;

/// The line of a module, with its end.
pub fn line(module: &ModuleRecord) -> serde_json::Result<String> {
    Ok(serde_json::to_string(module)? + "\n")
}

/// Adds to a record the modules of these lines that it does not have.
pub fn complete(record: &mut RunRecord, lines: &str) {
    let known: BTreeSet<_> = record.modules.iter().map(|module| module.module.clone()).collect();
    // The end of the last line may be missing: whoever wrote it was killed. What is before it is whole.
    let whole = lines.lines().map_while(|line| serde_json::from_str::<ModuleRecord>(line).ok());
    whole.filter(|module| !known.contains(&module.module)).for_each(|module| record.add(module));
}
