//! A plan that is kept in a file: what a NOOP run has shown, to be merged later as it is. Not here: the file's form
//! ([`crate::plans`]), and the order of modules, which is [`crate::model::plan`].

use serde::{Deserialize, Serialize};

use crate::model::action::Action;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::duty::Schedule;
use crate::model::module::{Module, ScriptFolder};
use crate::model::names::{ModuleName, NodeName, RunId};
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::secret::Secret;
use crate::model::truth::Label;

/// What a plan is and whose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanHead {
    /// The node whose run it was.
    pub node: NodeName,
    /// The root that it is about.
    pub root: LiveRoot,
    /// The version of disco that made it.
    pub version: String,
    /// The NOOP run that has shown it.
    pub run: RunId,
    /// When it was made, RFC 3339.
    pub made: String,
    /// How true its report is.
    #[serde(flatten)]
    pub label: Label,
    /// The modules that had their turn, in their order.
    pub modules: Vec<ModuleName>,
    /// Settings that had their part in what was found, name and value.
    pub settings: Vec<(String, String)>,
    /// The commands for the running system that its steps asked for.
    pub actions: Vec<Action>,
    /// The modules that want something done around its merge.
    pub wants: Vec<Module>,
    /// What is done on the live system around its merge, as it was shown.
    pub schedule: Schedule,
    /// Of the secrets of its run those that are in what it shows, so that they are hidden wherever it is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
}

/// A script of a module that is run on the live system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveScript {
    /// The module.
    pub module: ModuleName,
    /// In which of its folders.
    pub folder: ScriptFolder,
    /// Its name there.
    pub name: String,
    /// All of it.
    pub content: Content,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Text.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Content {
        String::from_utf8(bytes).map_or_else(|error| Content::Bytes(error.into_bytes()), Content::Text)
    }
}

impl Content {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) => bytes,
        }
    }
}

/// What the live root is expected to hold at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Where.
    pub path: RootedPath,
    /// Why it is looked at.
    pub role: Role,
    /// What is there; nothing where there is none. Its device, and the names of its owners, do not count.
    pub state: Option<Standing>,
}

/// Why a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The plan changes it, or gives it one more name.
    Touched,
    /// It is a directory that holds what the plan changes, near or far.
    Holds,
}

/// An object as it can be found again on another node: nothing in it belongs to one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What it is.
    #[serde(flatten)]
    pub attributes: Attributes,
    /// sha256 of a regular file's content, in hex.
    pub sha256: Option<String>,
}

impl Standing {
    /// What differs between this and what is there, in words: `mode 0644, now 0600`; nothing where both are the same.
    pub fn differences(&self, now: &Standing) -> Vec<String> {
        let (then, is) = (&self.attributes, &now.attributes);
        if then.kind != is.kind {
            return vec![format!("a {}, now a {}", word(then.kind), word(is.kind))];
        }
        let owner = |a: &Attributes| format!("{}:{}", a.uid, a.gid);
        let mode = |a: &Attributes| format!("{:04o}", a.mode & 0o7777);
        let mut parts = Vec::new();
        let mut differ = |what: &str, then: String, now: String| {
            if then != now {
                parts.push(format!("{what} {then}, now {now}"));
            }
        };
        differ("mode", mode(then), mode(is));
        differ("owner", owner(then), owner(is));
        differ("target", text(&then.target), text(&is.target));
        differ("device number", numbers(then.rdev), numbers(is.rdev));
        differ("label", text(&then.selinux), text(&is.selinux));
        if then.kind == FileKind::Regular {
            differ("size", format!("{} bytes", then.size), format!("{} bytes", is.size));
            if then.size == is.size {
                differ("content sha256", text(&self.sha256), text(&now.sha256));
            }
        }
        let names =
            then.xattrs.keys().chain(is.xattrs.keys().filter(|name| !then.xattrs.contains_key(*name)));
        for name in names {
            differ(name, text(&then.xattrs.get(name).cloned()), text(&is.xattrs.get(name).cloned()));
        }
        parts
    }

    /// Whether both are the same for a merge.
    pub fn is_same(&self, other: &Standing) -> bool {
        self.differences(other).is_empty()
    }
}

/// The type in words.
pub fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::CharacterDevice | FileKind::BlockDevice => "device",
        FileKind::Fifo => "named pipe",
        FileKind::Socket => "socket",
    }
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "none".to_owned())
}

fn numbers(rdev: Option<(u32, u32)>) -> String {
    rdev.map_or_else(|| "none".to_owned(), |(major, minor)| format!("{major},{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        let attributes = Attributes {
            kind: FileKind::Regular,
            device: 1,
            mode: 0o100_644,
            uid: 0,
            gid: 0,
            owner: "root".to_owned(),
            group: "root".to_owned(),
            size: 3,
            md5: None,
            target: None,
            rdev: None,
            selinux: None,
            xattrs: [("user.k".to_owned(), "76".to_owned())].into(),
        };
        Standing { attributes, sha256: Some("aa".to_owned()) }
    }

    type Edit = fn(&mut Standing);

    #[test]
    fn what_a_merge_would_undo_differs_and_what_belongs_to_one_disk_does_not() {
        let cases: [(Edit, &[&str]); 11] = [
            (|_| (), &[]),
            (|s| s.attributes.device = 9, &[]),
            (|s| s.attributes.owner = "toor".to_owned(), &[]),
            (|s| s.attributes.mode = 0o100_600, &["mode 0644, now 0600"]),
            (|s| s.attributes.gid = 8, &["owner 0:0, now 0:8"]),
            (|s| s.attributes.size = 4, &["size 3 bytes, now 4 bytes"]),
            (|s| s.sha256 = Some("bb".to_owned()), &["content sha256 aa, now bb"]),
            (|s| s.attributes.kind = FileKind::Directory, &["a file, now a directory"]),
            (|s| s.attributes.selinux = Some("l".to_owned()), &["label none, now l"]),
            (|s| s.attributes.xattrs.clear(), &["user.k 76, now none"]),
            (
                |s| drop(s.attributes.xattrs.insert("user.n".to_owned(), "00".to_owned())),
                &["user.n none, now 00"],
            ),
        ];
        for (edit, words) in cases {
            let mut now = standing();
            edit(&mut now);
            assert_eq!(standing().differences(&now), words);
            assert_eq!(standing().is_same(&now), words.is_empty());
        }
    }
}
