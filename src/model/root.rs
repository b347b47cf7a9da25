//! The root that a run is about.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::path::{PathError, RootedPath};

/// The root whose tree a run shows to its steps and merges into. On disk and in JSON: its path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "RootedPath", into = "RootedPath")]
pub enum LiveRoot {
    /// The running node's own.
    #[default]
    Own,
    /// Another tree: a chroot, the mount of an image. Nothing runs in it but the steps in their sandbox.
    Other(RootedPath),
}

impl LiveRoot {
    /// The root at a path that is absolute and free of symbolic links.
    pub fn new(path: &Path) -> Result<LiveRoot, PathError> {
        RootedPath::new(path).map(LiveRoot::from)
    }

    /// Its path in this process's own view.
    pub fn path(&self) -> PathBuf {
        RootedPath::from(self.clone()).absolute()
    }

    /// Whether it is the running node's own.
    pub fn is_own(&self) -> bool {
        *self == LiveRoot::Own
    }

    /// The path in this root of what the node knows by `path`; `None` where it is outside of it.
    pub fn inner(&self, path: &RootedPath) -> Option<RootedPath> {
        match self {
            LiveRoot::Own => Some(path.clone()),
            // What is left of a plain path is a plain path.
            LiveRoot::Other(root) => {
                path.relative().strip_prefix(root.relative()).ok().and_then(|rest| RootedPath::new(rest).ok())
            }
        }
    }
}

impl From<RootedPath> for LiveRoot {
    fn from(path: RootedPath) -> LiveRoot {
        if path == RootedPath::default() { LiveRoot::Own } else { LiveRoot::Other(path) }
    }
}

impl From<LiveRoot> for RootedPath {
    fn from(root: LiveRoot) -> RootedPath {
        match root {
            LiveRoot::Own => RootedPath::default(),
            LiveRoot::Other(path) => path,
        }
    }
}

impl fmt::Display for LiveRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RootedPath::from(self.clone()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_its_path() {
        let (own, image) =
            (LiveRoot::new(Path::new("/")).unwrap(), LiveRoot::new(Path::new("/srv/i")).unwrap());
        assert!(own.is_own() && !image.is_own());
        assert_eq!((own.path(), image.path()), (PathBuf::from("/"), PathBuf::from("/srv/i")));
        assert_eq!(serde_json::to_string(&[&own, &image]).unwrap(), r#"["/","/srv/i"]"#);
        assert_eq!(
            serde_json::from_str::<[LiveRoot; 2]>(r#"["/","/srv/i"]"#).unwrap(),
            [own.clone(), image.clone()]
        );
        let path = |text: &str| RootedPath::new(text).unwrap();
        for (root, outer, inner) in [
            (&own, "/srv/i/var", Some("/srv/i/var")),
            (&image, "/srv/i/var", Some("/var")),
            (&image, "/srv/i", Some("/")),
            (&image, "/srv/image", None),
        ] {
            assert_eq!(root.inner(&path(outer)), inner.map(path), "{root} {outer}");
        }
    }
}
