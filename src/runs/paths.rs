//! Which paths the modules of a run changed: a plain list beside its record (`paths`, one a line), and what the index keeps of
//! it, so that whoever looks for a path opens only the runs that may have it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::change::ChangeSet;
use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::runs::Runs;
use crate::sys::files::{self, FileError};

/// The list's name in the folder of a run.
const NAME: &str = "paths";

/// A set of paths that never denies one that it has, and seldom has one that it was not given: 32 bits of each. On disk eight
/// hexadecimal digits a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paths(Vec<u32>);

impl Paths {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn may_have(&self, path: &RootedPath) -> bool {
        self.0.binary_search(&hash(&path.to_string())).is_ok()
    }

    fn of(hashes: impl Iterator<Item = u32>) -> Paths {
        let mut hashes: Vec<u32> = hashes.collect();
        hashes.sort_unstable();
        hashes.dedup();
        Paths(hashes)
    }
}

impl<'a> FromIterator<&'a RootedPath> for Paths {
    fn from_iter<T: IntoIterator<Item = &'a RootedPath>>(paths: T) -> Paths {
        Paths::of(paths.into_iter().map(|path| hash(&path.to_string())))
    }
}

/// Of a path as it is shown, which tells all paths apart.
fn hash(shown: &str) -> u32 {
    crc32fast::hash(shown.as_bytes())
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|hash| format!("{hash:08x}")).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Paths, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let hashes = digits.as_bytes().chunks(8).map(|digits| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 8);
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok())
        });
        // Whoever damaged it may have spoiled the order.
        let hashes: Option<Vec<u32>> = hashes.collect();
        hashes
            .map(|hashes| Paths::of(hashes.into_iter()))
            .ok_or_else(|| serde::de::Error::custom("paths: no hashes"))
    }
}

impl Runs {
    /// Adds the paths of what a module changed to the list of a run's.
    pub(super) fn list_paths(&self, run: &RunId, changes: &ChangeSet) -> Result<(), FileError> {
        let lines: String = changes.0.iter().map(|change| format!("{}\n", change.path)).collect();
        files::append(&self.folder(run).join(NAME), lines.as_bytes(), 0o600)
    }

    /// The paths of a run's list; none where it has no list.
    pub(super) fn listed_paths(&self, run: &RunId) -> Result<Option<Paths>, FileError> {
        let text = files::read_if_there(&self.folder(run).join(NAME))?;
        Ok(text.map(|text| Paths::of(text.lines().map(hash))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_was_given_is_never_denied() {
        let paths = ["/etc/a", "/etc/a\nb", "/srv/ü", "/"].map(|path| RootedPath::new(path).unwrap());
        let set: Paths = paths.iter().collect();
        let json = serde_json::to_string(&set).unwrap();
        let read: Paths = serde_json::from_str(&json).unwrap();
        assert!(paths.iter().all(|path| read.may_have(path)), "{json}");
        assert!(!read.may_have(&RootedPath::new("/etc/b").unwrap()));
        for bad in ["\"123\"", "\"0000000g\"", "\"0000000\u{fc}\"", "3"] {
            assert!(serde_json::from_str::<Paths>(bad).is_err(), "{bad}");
        }
    }
}
