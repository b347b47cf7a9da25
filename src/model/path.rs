//! A path below the root of a node, as data.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A path that is not below the root.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("path {0:?} is not a plain path below the root")]
pub struct PathError(PathBuf);

/// A path below some root: no leading slash, no `.` or `..`, any bytes. The root itself is the empty path.
///
/// It is only ever followed from a directory handle, beneath a root. Shown with a leading slash, and with control
/// characters and bytes that are not UTF-8 escaped (`\n`, `\xff`), so that a name cannot forge a line of a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RootedPath(PathBuf);

impl RootedPath {
    /// The path below the root, given with or without its leading slash.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, PathError> {
        let path = path.as_ref();
        let mut plain = PathBuf::new();
        for component in path.components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => plain.push(name),
                Component::ParentDir | Component::Prefix(_) => return Err(PathError(path.to_owned())),
            }
        }
        if plain.as_os_str().as_bytes().contains(&0) {
            return Err(PathError(path.to_owned()));
        }
        Ok(Self(plain))
    }

    /// The path relative to the root.
    pub fn relative(&self) -> &Path {
        &self.0
    }

    /// The path with its leading slash.
    pub fn absolute(&self) -> PathBuf {
        Path::new("/").join(&self.0)
    }

    /// The folder that holds it; none for the root.
    pub fn parent(&self) -> Option<RootedPath> {
        self.0.parent().map(|parent| Self(parent.to_owned()))
    }

    /// Its last part; none for the root.
    pub fn name(&self) -> Option<&OsStr> {
        self.0.file_name()
    }

    /// This path with one more part.
    pub fn join(&self, name: impl AsRef<Path>) -> Result<RootedPath, PathError> {
        Self::new(self.0.join(name))
    }

    /// Whether this is `other` or lies below it.
    pub fn is_within(&self, other: &RootedPath) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for RootedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        for chunk in self.0.as_os_str().as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// On disk: a string with its leading slash, or `{"hex": …}` where the bytes are not UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Bytes { hex: String },
}

impl Serialize for RootedPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let path = self.absolute();
        match path.to_str() {
            Some(text) => Stored::Text(text.to_owned()),
            None => Stored::Bytes {
                hex: path.as_os_str().as_bytes().iter().map(|b| format!("{b:02x}")).collect(),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RootedPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = match Stored::deserialize(deserializer)? {
            Stored::Text(text) => PathBuf::from(text),
            Stored::Bytes { hex } => {
                let bytes = unhex(&hex).ok_or_else(|| serde::de::Error::custom("path: bad hex"))?;
                PathBuf::from(std::ffi::OsString::from_vec(bytes))
            }
        };
        RootedPath::new(path).map_err(serde::de::Error::custom)
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        assert!(RootedPath::new("/etc/../../x").is_err());
        assert_eq!(RootedPath::new("/etc/./passwd").unwrap().absolute(), Path::new("/etc/passwd"));
        assert_eq!(RootedPath::new("/").unwrap(), RootedPath::default());
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let path = RootedPath::new(OsStr::from_bytes(b"/tmp/a\ninfo: x\xff")).unwrap();
        assert_eq!(path.to_string(), "/tmp/a\\ninfo: x\\xff");
    }

    #[test]
    fn any_bytes_survive_the_disk() {
        for bytes in [&b"etc/passwd"[..], b"a\xff\xfeb", b"new\nline"] {
            let path = RootedPath::new(OsStr::from_bytes(bytes)).unwrap();
            let json = serde_json::to_string(&path).unwrap();
            assert_eq!(serde_json::from_str::<RootedPath>(&json).unwrap(), path);
        }
        assert!(serde_json::from_str::<RootedPath>("{\"hex\":\"zz\"}").is_err());
        assert!(serde_json::from_str::<RootedPath>("\"/a/../../b\"").is_err());
    }
}
