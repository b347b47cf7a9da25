//! Reads a module from its folder.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::model::module::{Module, OnChange, Requirement, ScriptFolder};
use crate::model::names::ModuleName;
use crate::model::path::RootedPath;
use crate::model::step::{StepKind, TemplateEngine};
use crate::modules::ModuleError;
use crate::modules::on_change::parse_on_change;
use crate::modules::requires::parse_requires;
use crate::sys::files::{self, FileError, Met};

/// The module of that name in this folder: its requirements, its steps in the order files, templates, scripts, and what it
/// wants around the merge.
///
/// Each of `requires`, `files/`, `templates/`, `scripts/`, `validate/`, `after/`, `check/` and `on-change` may be absent.
pub fn read(folder: &Path, name: &ModuleName) -> Result<Module, ModuleError> {
    let requires = read_requires(folder, name)?;
    let scripts = |below| read_scripts(folder, name, below);
    Ok(Module {
        name: name.clone(),
        requires,
        steps: read_steps(folder, name)?,
        validators: scripts(ScriptFolder::Validate)?,
        after: scripts(ScriptFolder::After)?,
        checks: scripts(ScriptFolder::Check)?,
        on_change: read_on_change(folder, name)?,
    })
}

/// The steps of the module of that name in this folder, in their order.
pub fn read_steps(folder: &Path, name: &ModuleName) -> Result<Vec<StepKind>, ModuleError> {
    let reader = Reader { folder, name };
    let mut steps = Vec::new();
    if !reader.names("files")?.is_empty() {
        steps.push(StepKind::Files);
    }
    steps.extend(reader.templates()?);
    let scripts = reader.scripts(ScriptFolder::Scripts)?;
    steps.extend(scripts.into_iter().map(|script| StepKind::Script { script }));
    Ok(steps)
}

/// The names of the scripts in one folder of the module of that name, in their order.
pub fn read_scripts(
    folder: &Path,
    name: &ModuleName,
    below: ScriptFolder,
) -> Result<Vec<String>, ModuleError> {
    Reader { folder, name }.scripts(below)
}

/// What the module of that name wants run where certain paths have changed.
fn read_on_change(folder: &Path, name: &ModuleName) -> Result<Vec<OnChange>, ModuleError> {
    parse_on_change(&Reader { folder, name }.text("on-change")?).map_err(|bad| ModuleError::OnChange {
        module: name.clone(),
        line: bad.line,
        text: bad.text,
        source: bad.source.map(Box::new),
    })
}

/// What the module of that name in this folder needs: its `requires` alone.
pub fn read_requires(folder: &Path, name: &ModuleName) -> Result<Vec<Requirement>, ModuleError> {
    let reader = Reader { folder, name };
    let is_folder = || files::look_through(folder).map(|there| there.is_some_and(|there| there.is_dir()));
    let text = match reader.text("requires") {
        Ok(text) if !text.is_empty() => text,
        // Where the file can be read, its folder is there: most modules need no second look.
        Ok(_) | Err(_) if !is_folder().map_err(reader.file())? => {
            return Err(ModuleError::Missing { module: name.clone(), folder: folder.to_owned() });
        }
        other => other?,
    };
    parse_requires(&text).map_err(|bad| ModuleError::Requirement {
        module: name.clone(),
        line: bad.line,
        text: bad.text,
        source: bad.source.map(Box::new),
    })
}

/// The most that a `requires` or `on-change` may hold, in bytes: it is read whole.
const LONGEST_TEXT: u64 = 1 << 20;

struct Reader<'a> {
    folder: &'a Path,
    name: &'a ModuleName,
}

impl Reader<'_> {
    fn file(&self) -> impl FnOnce(FileError) -> ModuleError {
        let module = self.name.clone();
        // The folder of a fetched module is one run's own, and gone when somebody reads this.
        move |source| ModuleError::File { module, source: source.said_from(self.folder) }
    }

    /// What there is at a path of the module; a link must lead to something of the module.
    fn meet(&self, path: &Path) -> Result<Option<Metadata>, ModuleError> {
        match files::meet(self.folder, path).map_err(self.file())? {
            Met::Nothing => Ok(None),
            Met::There(there) => Ok(Some(there)),
            Met::Astray(target) => {
                let path = path.strip_prefix(self.folder).unwrap_or(path).to_owned();
                Err(ModuleError::LeadsOut { module: self.name.clone(), path, target })
            }
        }
    }

    /// The text of a file of the module; none where there is no such file.
    fn text(&self, file: &str) -> Result<String, ModuleError> {
        let path = self.folder.join(file);
        match self.meet(&path)? {
            None => return Ok(String::new()),
            Some(there) if !there.is_file() => return Err(self.wrong(path, "regular file")),
            Some(there) if there.len() > LONGEST_TEXT => {
                return Err(self.wrong(path, "file of at most 1 MiB"));
            }
            Some(_) => {}
        }
        match files::read_to_string(&path) {
            Err(error) if error.source.kind() == std::io::ErrorKind::InvalidData => {
                Err(self.wrong(path, "text in UTF-8"))
            }
            other => other.map_err(self.file()),
        }
    }

    /// The names in a folder of the module, sorted by their bytes; none where there is no such folder.
    fn names(&self, below: &str) -> Result<Vec<OsString>, ModuleError> {
        let path = self.folder.join(below);
        match self.meet(&path)? {
            None => Ok(Vec::new()),
            Some(there) if !there.is_dir() => Err(self.wrong(path, "folder")),
            Some(_) => files::list_dir(&path).map_err(self.file()),
        }
    }

    /// The same, as text that fits on a line: these names go into reports.
    fn list(&self, below: &str) -> Result<Vec<String>, ModuleError> {
        let names = self.names(below)?.into_iter().map(|name| {
            let text = name.to_str().filter(|text| !text.contains(char::is_control));
            text.map(str::to_owned).ok_or_else(|| ModuleError::NotText {
                module: self.name.clone(),
                path: Path::new(below).join(&name),
            })
        });
        names.collect()
    }

    fn wrong(&self, path: PathBuf, expected: &'static str) -> ModuleError {
        let path = path.strip_prefix(self.folder).map_or(path.clone(), Path::to_owned);
        ModuleError::WrongType { module: self.name.clone(), path, expected }
    }

    /// The scripts in one of the module's folders; hidden ones and those that an editor has kept are none.
    fn scripts(&self, below: ScriptFolder) -> Result<Vec<String>, ModuleError> {
        let mut scripts = self.list(below.name())?;
        scripts.retain(|script| !script.starts_with('.') && !script.ends_with('~'));
        for script in &scripts {
            let path = self.folder.join(below.name()).join(script);
            if !self.meet(&path)?.is_some_and(|there| there.is_file()) {
                return Err(self.wrong(path, "regular file"));
            }
        }
        Ok(scripts)
    }

    fn templates(&self) -> Result<Vec<StepKind>, ModuleError> {
        let mut found = Vec::new();
        self.collect_templates("", &mut found)?;
        found.sort();
        let mut steps: Vec<StepKind> = Vec::with_capacity(found.len());
        let mut targets = std::collections::BTreeMap::new();
        for template in found {
            let (target, engine) = match template.strip_suffix(".tera") {
                Some(target) if !target.is_empty() && !target.ends_with('/') => {
                    (target, TemplateEngine::Tera)
                }
                Some(_) | None => (template.as_str(), TemplateEngine::Bash),
            };
            let target = RootedPath::new(target)
                .map_err(|_| self.wrong(self.folder.join("templates").join(&template), "plain path"))?;
            if let Some(first) = targets.insert(target.clone(), template.clone()) {
                return Err(ModuleError::SameTarget { module: self.name.clone(), first, second: template });
            }
            steps.push(StepKind::Template { template, target, engine });
        }
        Ok(steps)
    }

    /// The regular files below `templates/`, each by its path there.
    fn collect_templates(&self, below: &str, found: &mut Vec<String>) -> Result<(), ModuleError> {
        for name in self.list(&format!("templates/{below}"))? {
            let template = if below.is_empty() { name } else { format!("{below}/{name}") };
            let path = self.folder.join("templates").join(&template);
            match files::look(&path).map_err(self.file())? {
                Some(there) if there.is_dir() => self.collect_templates(&template, found)?,
                Some(there) if there.is_file() => found.push(template),
                Some(_) | None => return Err(self.wrong(path, "regular file")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn name() -> ModuleName {
        ModuleName::new("m-1.0").unwrap()
    }

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    #[test]
    fn a_folder_becomes_steps_in_order() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("requires", "after base\nbefore web\n"),
                ("templates/etc/b/x.conf", ""),
                ("templates/etc/b.conf.tera", ""),
                ("templates/.profile", ""),
                ("scripts/20-b.sh", ""),
                ("scripts/Z-first.sh", ""),
                ("scripts/10-a.sh", ""),
                ("scripts/10-a.sh~", ""),
                ("scripts/.hidden", ""),
                ("files/etc/motd", ""),
                ("validate/20-b", ""),
                ("validate/10-a", ""),
                ("validate/10-a~", ""),
                ("after/.hidden", ""),
                ("after/announce", ""),
                ("check/90-answers", ""),
                ("on-change", "# restart\n/etc/motd /etc/b/* : true\n"),
            ],
        );
        let module = read(dir.path(), &name()).unwrap();
        let labels: Vec<_> = module.steps.iter().map(StepKind::label).collect();
        assert_eq!(
            labels,
            ["files", ".profile", "etc/b.conf.tera", "etc/b/x.conf", "10-a.sh", "20-b.sh", "Z-first.sh"]
        );
        assert_eq!(
            module.steps[2],
            StepKind::Template {
                template: "etc/b.conf.tera".to_owned(),
                target: RootedPath::new("/etc/b.conf").unwrap(),
                engine: TemplateEngine::Tera,
            }
        );
        assert_eq!(module.requires.len(), 2);
        assert_eq!(module.validators, ["10-a", "20-b"]);
        assert_eq!((module.after, module.checks), (vec!["announce".into()], vec!["90-answers".into()]));
        assert_eq!((module.on_change.len(), module.on_change[0].globs.len()), (1, 2));
    }

    #[test]
    fn the_readmes_empty_module_has_no_steps() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("requires", ""), ("parameters/m-1.0", "")]);
        for folder in ["files", "templates", "scripts"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let module = read(dir.path(), &name()).unwrap();
        assert_eq!(module, Module::of_steps(name(), vec![], vec![]));
    }

    #[test]
    fn what_cannot_be_a_module_is_refused_by_name() {
        type Make = fn(&Path);
        let cases: [(Make, &str); 22] = [
            (|m| fs::remove_dir(m).unwrap(), "there is no module m-1.0: "),
            (|m| write(m, &[("requires", "\nafter a b")]), "m-1.0: requires, line 2: \"after a b\" is not"),
            (|m| write(m, &[("scripts/sub/x", "")]), ": \"scripts/sub\" is not a regular file"),
            (|m| write(m, &[("scripts", "")]), ": \"scripts\" is not a folder"),
            (|m| write(m, &[("templates/a", ""), ("templates/a.tera", "")]), "make the same file"),
            (
                |m| {
                    write(m, &[("templates/a", "")]);
                    std::os::unix::fs::symlink("a", m.join("templates/l")).unwrap();
                },
                ": \"templates/l\" is not a regular file",
            ),
            (|m| write(m, &[("scripts/a", ""), ("requires/x", "")]), "module m-1.0"),
            (
                |m| {
                    fs::create_dir(m.join("scripts")).unwrap();
                    fs::write(m.join("scripts").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
                },
                "is not plain text",
            ),
            (
                |m| write(m, &[("scripts/a\nerror: b", "")]),
                "the name of \"scripts/a\\nerror: b\" is not plain text",
            ),
            (
                |m| symlink("/etc", m.join("scripts")).unwrap(),
                "the link \"scripts\" leads to \"/etc\", which is nothing in the module's own folder",
            ),
            (|m| symlink("..", m.join("templates")).unwrap(), "the link \"templates\" leads to \"..\""),
            (|m| symlink("/etc", m.join("files")).unwrap(), "the link \"files\" leads to \"/etc\""),
            (|m| symlink("/dev/zero", m.join("requires")).unwrap(), "the link \"requires\" leads to"),
            (|m| symlink("requires", m.join("requires")).unwrap(), "the link \"requires\" leads to"),
            (|m| fs::write(m.join("requires"), b"\xff").unwrap(), "\"requires\" is not a text in UTF-8"),
            (
                |m| {
                    fs::create_dir(m.join("scripts")).unwrap();
                    symlink("/etc/passwd", m.join("scripts/10.sh")).unwrap();
                },
                "the link \"scripts/10.sh\" leads to \"/etc/passwd\"",
            ),
            (|m| write(m, &[("validate/sub/x", "")]), ": \"validate/sub\" is not a regular file"),
            (|m| write(m, &[("after", "")]), ": \"after\" is not a folder"),
            (|m| write(m, &[("check/a\nb", "")]), "the name of \"check/a\\nb\" is not plain text"),
            (|m| symlink("/etc", m.join("check")).unwrap(), "the link \"check\" leads to \"/etc\""),
            (
                |m| write(m, &[("on-change", "# x\netc/x : true\n")]),
                "m-1.0: on-change, line 2: \"etc/x : true\" is not `GLOB… : COMMAND`",
            ),
            (|m| fs::create_dir(m.join("on-change")).unwrap(), "\"on-change\" is not a regular file"),
        ];
        for (make, message) in cases {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("m");
            fs::create_dir(&folder).unwrap();
            make(&folder);
            let error = read(&folder, &name()).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
