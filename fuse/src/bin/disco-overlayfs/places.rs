//! The directories that the options name, looked at before anything is mounted.

use crate::options::{Changes, Wanted};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directories of a mount, all of them there, by absolute paths without links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    pub lower: Vec<PathBuf>,
    pub changes: Option<Changes>,
    pub mountpoint: PathBuf,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("cannot use {what} {path}")]
    Unreachable {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} {path} is not a directory")]
    NotDirectory { what: &'static str, path: PathBuf },
    #[error("{inner} {path} is inside {outer} {around}")]
    Inside { inner: &'static str, path: PathBuf, outer: &'static str, around: PathBuf },
    #[error("workdir {work} is not on the file system of upperdir {upper}")]
    Apart { upper: PathBuf, work: PathBuf },
}

impl PlaceError {
    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            PlaceError::Unreachable { path, source, .. } => match source.raw_os_error() {
                Some(libc::ENOTCONN | libc::ECONNABORTED) => {
                    format!("what served it has died; umount --lazy {} takes it away", path.display())
                }
                Some(libc::ENOENT) => format!("mkdir {}", path.display()),
                _ => "name a directory that this user can enter".to_owned(),
            },
            PlaceError::NotDirectory { .. } => "name a directory".to_owned(),
            PlaceError::Inside { .. } => "name a directory that is beside it".to_owned(),
            PlaceError::Apart { upper, .. } => {
                format!("make the workdir beside {}", upper.display())
            }
        }
    }
}

/// Returns the directories of a mount; relative paths are those of the current directory.
pub(crate) fn look(wanted: &Wanted, mountpoint: &Path) -> Result<Places, PlaceError> {
    let lower = wanted.lower.iter().map(|path| directory("lowerdir", path)).collect::<Result<Vec<_>, _>>()?;
    let changes = match &wanted.changes {
        None => None,
        Some(Changes { upper, work }) => {
            let changes = Changes { upper: directory("upperdir", upper)?, work: directory("workdir", work)? };
            apart(&changes, &lower)?;
            Some(changes)
        }
    };
    Ok(Places { lower, changes, mountpoint: directory("mountpoint", mountpoint)? })
}

/// Returns a directory's absolute path without links.
pub(crate) fn directory(what: &'static str, path: &Path) -> Result<PathBuf, PlaceError> {
    let fail = |source| PlaceError::Unreachable { what, path: path.to_owned(), source };
    let full = std::fs::canonicalize(path).map_err(fail)?;
    let is_directory = std::fs::metadata(&full).map_err(fail)?.is_dir();
    if is_directory { Ok(full) } else { Err(PlaceError::NotDirectory { what, path: full }) }
}

/// Checks that no directory is written to in two roles, and that a rename leads from one to the other.
fn apart(changes: &Changes, lower: &[PathBuf]) -> Result<(), PlaceError> {
    let (upper, work) = (("upperdir", &changes.upper), ("workdir", &changes.work));
    let lowers = lower.iter().map(|path| ("lowerdir", path));
    let inside = lowers.flat_map(|lower| [(lower, upper), (lower, work)]);
    for ((inner, path), (outer, around)) in inside.chain([(upper, work), (work, upper)]) {
        if path.starts_with(around) {
            let (path, around) = (path.clone(), around.clone());
            return Err(PlaceError::Inside { inner, path, outer, around });
        }
    }
    let device = |(what, path): (&'static str, &PathBuf)| {
        let fail = |source| PlaceError::Unreachable { what, path: path.clone(), source };
        Ok(std::fs::metadata(path).map_err(fail)?.dev())
    };
    if device(upper)? == device(work)? {
        Ok(())
    } else {
        Err(PlaceError::Apart { upper: changes.upper.clone(), work: changes.work.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Asked, parse};

    #[test]
    fn directories_must_be_there_and_apart() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name).display().to_string();
        for name in ["l", "l/u", "l/w", "u", "u/w", "m"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("file"), "").unwrap();
        let looked = |lower: &str, upper: &str, work: &str| {
            let option = format!("lowerdir={},upperdir={},workdir={}", at(lower), at(upper), at(work));
            let Ok(Asked::Mount(wanted)) = parse(&[option.into()]) else { panic!("no mount") };
            let found = look(&wanted, Path::new(&at("m")));
            found.map_err(|error| error.to_string().replace(&at(""), ""))
        };
        assert!(looked("l", "l/u", "l/w").is_ok(), "an upper inside the lower is hidden there");
        for (lower, upper, work, expected) in [
            ("none", "u", "l/w", "cannot use lowerdir none"),
            ("file", "u", "l/w", "lowerdir file is not a directory"),
            ("l", "l", "u", "lowerdir l is inside upperdir l"),
            ("l/u", "u", "l", "lowerdir l/u is inside workdir l"),
            ("l", "u", "u/w", "workdir u/w is inside upperdir u"),
            ("m", "u", "u", "upperdir u is inside workdir u"),
        ] {
            assert_eq!(looked(lower, upper, work).unwrap_err(), expected);
        }
    }
}
