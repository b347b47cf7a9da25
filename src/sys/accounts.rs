//! Names of users and groups, from the account files of one root (never from this process's own name service: the
//! names of a tree are its own).

use std::collections::BTreeMap;
use std::io::Read;

use crate::model::path::RootedPath;
use crate::sys::tree::{Root, TreeError};

/// Numbers to names, as one root's `etc/passwd` and `etc/group` give them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

/// The account files below a root: users, groups.
pub const FILES: [&str; 2] = ["etc/passwd", "etc/group"];

impl Accounts {
    /// The names in the text of a passwd and a group file. Lines that are none are skipped; the first of two names of a number counts.
    pub fn parse(passwd: &str, group: &str) -> Accounts {
        Accounts { users: names(passwd), groups: names(group) }
    }

    /// The names of one root; none from a file that isn't there.
    pub fn load(root: &Root) -> Result<Accounts, TreeError> {
        let [passwd, group] = FILES.map(|path| read_text(root, path));
        Ok(Accounts::parse(&passwd?, &group?))
    }

    /// The user's name, or the number where it has none.
    pub fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// The group's name, or the number where it has none.
    pub fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

/// The number of a group of one root, by its name; `None` where there is no such group.
pub fn group_number(root: &Root, name: &str) -> Result<Option<u32>, TreeError> {
    let groups = names(&read_text(root, FILES[1])?);
    Ok(groups.into_iter().find(|(_, known)| known == name).map(|(number, _)| number))
}

/// The text of a regular file of a root; empty where there is none.
pub fn read_text(root: &Root, path: &str) -> Result<String, TreeError> {
    let Ok(path) = RootedPath::new(path) else { return Ok(String::new()) };
    let Some(object) = root.lookup(&path)? else { return Ok(String::new()) };
    if object.kind() != crate::model::attributes::FileKind::Regular {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    object.read()?.read_to_end(&mut bytes).map_err(object.io_error("read"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The third field of each line to its first: the shape that both files share.
fn names(text: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(_), Some(Ok(id))) =
            (fields.next(), fields.next(), fields.next().map(str::parse))
            && !name.is_empty()
            && !name.contains(char::is_control)
        {
            names.entry(id).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_files_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), "").unwrap();
        assert_eq!(Accounts::load(&root).unwrap(), Accounts::default());
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(
            dir.path().join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:\n#x\n+::::::\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("etc/group"), "wheel:x:0:\nstaff:x:50:a,b\n").unwrap();
        let accounts = Accounts::load(&root).unwrap();
        assert_eq!((accounts.user(0), accounts.group(0)), ("root".into(), "wheel".into()));
        assert_eq!((accounts.user(50), accounts.group(50)), ("50".into(), "staff".into()));
    }
}
