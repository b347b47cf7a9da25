//! The settings files themselves: read, and nothing else.
#![allow(clippy::disallowed_methods, reason = "its files are the administrator's, outside of disco's home")]

use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::guarded::{self, GuardedError};
use crate::settings::error::SettingsError;
use crate::settings::yaml::{self, Settings};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What the file sets; `None` where there is no such file. One that others may write is an error: it says whom this node trusts.
pub fn load(path: &Path) -> Result<Option<Settings>, SettingsError> {
    match guarded::read(path) {
        Ok(text) => yaml::parse(&path.display().to_string(), &text).map(Some),
        Err(GuardedError::Read(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(GuardedError::Read(source)) => Err(SettingsError::Read { path: path.to_owned(), source }),
        Err(error @ GuardedError::Open(_)) => {
            Err(SettingsError::Whole { file: path.display().to_string(), why: error.to_string() })
        }
    }
}

/// The text of a file that settings name, such as a certificate.
pub fn text(path: &Path) -> Result<String, SettingsError> {
    let wrong = |source| SettingsError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(wrong)?;
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(wrong)?;
    if text.len() as u64 > LONGEST {
        return Err(wrong(std::io::Error::from(ErrorKind::FileTooLarge)));
    }
    Ok(text)
}

/// Whether there is something at that path.
pub fn is_there(path: &Path) -> bool {
    std::fs::metadata(path).is_ok()
}

/// What all files `NAME.yml` in that folder set, in the order of their names; nothing where there is no such folder.
pub fn all(folder: &Path) -> Result<Vec<(String, Settings)>, SettingsError> {
    let wrong = |source| SettingsError::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        other => other.map_err(wrong)?,
    };
    let mut names = vec![];
    for entry in entries {
        let name = entry.map_err(wrong)?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".yml")).map(str::to_owned));
    }
    names.sort();
    let read = |name: String| Ok(of_feature(folder, &name)?.map(|settings| (name, settings)));
    names.into_iter().filter_map(|name| read(name).transpose()).collect()
}

/// What `settings.d/NAME.yml` in that folder sets; `None` where there is no such file.
pub fn of_feature(folder: &Path, name: &str) -> Result<Option<Settings>, SettingsError> {
    load(&folder.join(format!("{name}.yml")))
}
