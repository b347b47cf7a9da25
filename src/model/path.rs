//! A path below the root of a node, as data.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

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
///
/// Sorted part by part, as paths are: what lies below a directory comes right after it. A clone is the same path, and costs
/// nothing.
#[derive(Debug, Clone)]
pub struct RootedPath(Arc<Path>);

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
        Ok(Self(plain.into()))
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
        self.0.parent().map(|parent| Self(parent.into()))
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
        let below = self.bytes().strip_prefix(other.bytes());
        below.is_some_and(|below| other.bytes().is_empty() || below.is_empty() || below[0] == b'/')
    }

    /// One spelling a path, so that bytes can be compared in place of parts, which takes several times as long.
    fn bytes(&self) -> &[u8] {
        self.0.as_os_str().as_bytes()
    }
}

impl Default for RootedPath {
    fn default() -> RootedPath {
        RootedPath(Path::new("").into())
    }
}

impl PartialEq for RootedPath {
    fn eq(&self, other: &RootedPath) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for RootedPath {}

impl Hash for RootedPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl Ord for RootedPath {
    fn cmp(&self, other: &RootedPath) -> Ordering {
        let (own, others) = (self.bytes(), other.bytes());
        match own.iter().zip(others).find(|(a, b)| a != b) {
            None => own.len().cmp(&others.len()),
            // A part that ends comes before one that goes on, whatever byte that goes on with.
            Some((b'/', _)) => Ordering::Less,
            Some((_, b'/')) => Ordering::Greater,
            Some((a, b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for RootedPath {
    fn partial_cmp(&self, other: &RootedPath) -> Option<Ordering> {
        Some(self.cmp(other))
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

    proptest::proptest! {
        #[test]
        fn paths_are_compared_part_by_part(one in "[ab!\u{ff}]{0,2}(/[ab!]{1,2}){0,2}", other in "[ab!]{0,2}(/[ab!]{1,2}){0,2}") {
            let (a, b) = (RootedPath::new(&one).unwrap(), RootedPath::new(&other).unwrap());
            assert_eq!(a.cmp(&b), a.relative().cmp(b.relative()));
            assert_eq!(a == b, a.relative() == b.relative());
            assert_eq!(a.is_within(&b), a.relative().starts_with(b.relative()));
        }
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
