//! A new module's folder, with comments that say what belongs where.

use std::path::{Path, PathBuf};

use crate::model::names::ModuleName;
use crate::modules::ModuleError;
use crate::sys::files::{self, FileError, Ownership};

const REQUIRES: &str = "\
# What this module needs, one module a line:
#
#   after NAME     NAME is installed too, and comes first
#   before NAME    NAME is installed too, and comes later
#   NAME           the same as `after NAME`
#
# Comments and blank lines count for nothing.
";

const SCRIPT: &str = "\
#!/bin/bash
# Scripts run in the order of their names, each to its end; the first that fails ends the module, and nothing is merged.
# All that this one does happens in a copy-on-write view of the node first: write files, install packages, restart services.
set -eu

echo \"Hello from $(hostname)\"
";

const ON_CHANGE: &str = "\
# What to run once on the live system, after a merge that has changed a path of these patterns:
#
#   GLOB [GLOB…] : COMMAND
#
#   /etc/ssh/** : systemctl try-reload-or-restart ssh
#
# `*` and `?` stand for part of a name, `**` for any number of folders. Comments and blank lines count for nothing.
";

/// Makes the folder of a new module in `modules`: `requires` and `on-change` that say how they are written, `parameters/`,
/// `templates/`, `files/`, `scripts/` with an example, and `validate/`, `after/`, `check/`. Returns the folder. What is there already is never overwritten.
pub fn scaffold(modules: &Path, name: &ModuleName) -> Result<PathBuf, ModuleError> {
    let file = |source: FileError| ModuleError::File { module: name.clone(), source };
    let folder = modules.join(name.as_str());
    files::create_dirs(modules, 0o755).map_err(file)?;
    if files::look(&folder).map_err(file)?.is_some() {
        return Err(ModuleError::Exists { module: name.clone(), folder });
    }
    files::create_new_dir(&folder, 0o755).map_err(file)?;
    for below in ["parameters", "templates", "files", "scripts", "validate", "after", "check"] {
        files::create_new_dir(&folder.join(below), 0o755).map_err(file)?;
    }
    for (path, content, mode) in [
        ("requires", REQUIRES, 0o644),
        ("on-change", ON_CHANGE, 0o644),
        ("scripts/10-hello.sh", SCRIPT, 0o755),
    ] {
        files::write_whole(&folder.join(path), content.as_bytes(), Ownership::New(mode)).map_err(file)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_module_reads_as_one_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let name = ModuleName::new("motd-1.0").unwrap();
        let folder = scaffold(&dir.path().join("modules"), &name).unwrap();
        let module = crate::modules::read(&folder, &name).unwrap();
        assert_eq!(module.requires, []);
        assert_eq!(module.steps.iter().map(|step| step.label()).collect::<Vec<_>>(), ["10-hello.sh"]);
        assert_eq!((module.validators.len(), module.on_change), (0, vec![]));
        // The line that it shows is one.
        let shown = ON_CHANGE.lines().nth(4).unwrap().trim_start_matches('#');
        assert_eq!(crate::modules::on_change::parse_on_change(shown).unwrap().len(), 1);
        std::fs::write(folder.join("requires"), "mine").unwrap();
        let error = scaffold(&dir.path().join("modules"), &name).unwrap_err().to_string();
        assert!(error.ends_with("is there already"), "{error}");
        assert_eq!(std::fs::read_to_string(folder.join("requires")).unwrap(), "mine");
    }
}
