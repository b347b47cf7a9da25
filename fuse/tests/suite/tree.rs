//! What a directory tree looks like, as a value that can be compared.

use rustix::fs::{AtFlags, FileType, statat};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Everything about one object that a program can see, except where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of a directory there is none: file systems differ.
    pub size: Option<u64>,
    pub nlink: Option<u64>,
    pub rdev: u64,
    pub mtime: (i64, i64),
    pub ctime: Option<(i64, i64)>,
    /// Hash of the content, or the target of a symlink.
    pub content: Option<String>,
    pub xattrs: BTreeMap<OsString, Vec<u8>>,
    /// The first path with the same inode.
    pub same_as: PathBuf,
}

pub type Tree = BTreeMap<PathBuf, Object>;

/// How exactly trees are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// To the nanosecond, with the time of the last change of anything: nobody touched it.
    Exact,
    /// Times after this second are all alike: the same was done to both, at different moments.
    Since(i64),
}

pub fn xattrs(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut list = vec![0; 65536];
    let length = rustix::fs::llistxattr(path, &mut list[..]).unwrap();
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = rustix::fs::lgetxattr(path, CString::new(name).unwrap(), &mut value[..]).unwrap();
            value.truncate(length);
            (OsString::from_vec(name.to_vec()), value)
        })
        .collect()
}

/// Looks at everything below `root`.
pub fn tree(root: &Path, times: Times) -> Tree {
    let mut all = Tree::new();
    let mut inodes = BTreeMap::new();
    visit(root, Path::new(""), times, &mut inodes, &mut all);
    all
}

fn visit(
    root: &Path,
    inside: &Path,
    times: Times,
    inodes: &mut BTreeMap<(u64, u64), PathBuf>,
    all: &mut Tree,
) {
    let path = if inside.as_os_str().is_empty() { root.to_owned() } else { root.join(inside) };
    let stat = statat(rustix::fs::CWD, &path, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    let kind = FileType::from_raw_mode(stat.st_mode);
    let content = match kind {
        FileType::RegularFile => {
            let mut hasher = DefaultHasher::new();
            std::fs::read(&path).unwrap().hash(&mut hasher);
            Some(format!("{:x}", hasher.finish()))
        }
        FileType::Symlink => Some(format!("{:?}", std::fs::read_link(&path).unwrap())),
        _ => None,
    };
    let rough = |time: (i64, i64)| match times {
        Times::Since(start) if time.0 >= start => (i64::MAX, 0),
        _ => time,
    };
    let directory = kind == FileType::Directory;
    let object = Object {
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: (!directory).then_some(stat.st_size as u64),
        nlink: (!directory).then_some(stat.st_nlink as u64),
        rdev: stat.st_rdev,
        mtime: rough((stat.st_mtime as i64, stat.st_mtime_nsec as i64)),
        ctime: (times == Times::Exact).then_some((stat.st_ctime as i64, stat.st_ctime_nsec as i64)),
        content,
        xattrs: xattrs(&path),
        same_as: inodes.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| inside.to_owned()).clone(),
    };
    all.insert(inside.to_owned(), object);
    if directory {
        let mut names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        let count = names.len();
        names.dedup();
        assert_eq!(count, names.len(), "a name twice in {}", path.display());
        for name in names {
            visit(root, &inside.join(name), times, inodes, all);
        }
    }
}

/// Says what differs, or returns an empty list.
pub fn differences(one: &Tree, other: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, object) in one {
        match other.get(path) {
            None => found.push(format!("only first: {}", path.display())),
            Some(same) if same == object => {}
            Some(differs) => found.push(format!("{}:\n  {object:?}\n  {differs:?}", path.display())),
        }
    }
    found.extend(other.keys().filter(|path| !one.contains_key(*path)).map(|p| format!("only second: {p:?}")));
    found
}
