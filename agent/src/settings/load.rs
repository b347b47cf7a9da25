//! The settings files themselves: read, and nothing else.
#![allow(clippy::disallowed_methods, reason = "its files are the administrator's, outside of disco's home")]

use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::settings::error::SettingsError;
use crate::settings::yaml::{self, Settings};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What the file sets; `None` where there is no such file.
pub fn load(path: &Path) -> Result<Option<Settings>, SettingsError> {
    let wrong = |source| SettingsError::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(wrong)?;
    if text.len() as u64 > LONGEST {
        return Err(wrong(std::io::Error::from(ErrorKind::FileTooLarge)));
    }
    yaml::parse(&path.display().to_string(), &text).map(Some)
}

/// What `settings.d/NAME.yml` in that folder sets; `None` where there is no such file.
pub fn of_feature(folder: &Path, name: &str) -> Result<Option<Settings>, SettingsError> {
    load(&folder.join(format!("{name}.yml")))
}
