//! The decoded layer, laid onto a copy of the lower, is the merged view.

use disco_fuse::{LayerEntry, LayerKind, Stat, is_private_xattr, read_layer};
use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies a tree with everything that `tree` looks at.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let done = Command::new("cp").args(["-a", "--"]).arg(from.join(".")).arg(to).status();
    assert!(done.unwrap().success());
}

/// Removes the last component, whatever it is.
fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(stat) if stat.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Gives a directory the owner, the mode, the attributes and the time of another.
fn copy_attributes(from: &Path, to: &Path, stat: &Stat) {
    use std::os::unix::fs::{PermissionsExt, chown};
    for name in crate::tree::xattrs(to).keys() {
        rustix::fs::lremovexattr(to, name.as_os_str()).unwrap();
    }
    chown(to, Some(stat.uid), Some(stat.gid)).unwrap();
    for (name, value) in crate::tree::xattrs(from).iter().filter(|(name, _)| !is_private_xattr(name)) {
        rustix::fs::lsetxattr(to, name.as_os_str(), value, rustix::fs::XattrFlags::empty()).unwrap();
    }
    fs::set_permissions(to, fs::Permissions::from_mode(stat.mode & 0o7777)).unwrap();
    let time = format!("@{}.{:09}", stat.mtime, stat.mtime_nsec);
    assert!(Command::new("touch").args(["-d", &time]).arg(to).status().unwrap().success());
}

/// Does to `target`, a copy of the lower, what the layer in `upper` says.
pub fn apply(upper: &Path, target: &Path) {
    let entries = read_layer(fs::File::open(upper).unwrap().as_fd()).unwrap();
    let sorted = entries.windows(2).all(|pair| {
        use std::os::unix::ffi::OsStrExt;
        pair[0].path.as_os_str().as_bytes() < pair[1].path.as_os_str().as_bytes()
    });
    assert!(sorted, "{entries:?}");
    let mut links: HashMap<u64, PathBuf> = HashMap::new();
    for LayerEntry { path, kind, attributes, origin } in &entries {
        assert_eq!(*origin, None, "{} was moved", path.display());
        let (from, to) = (upper.join(path), target.join(path));
        match kind {
            LayerKind::Whiteout => {
                assert!(fs::symlink_metadata(&to).is_ok(), "a whiteout of nothing: {}", path.display());
                remove(&to);
            }
            LayerKind::Directory { opaque } => {
                let there = fs::symlink_metadata(&to).is_ok_and(|stat| stat.is_dir());
                if (*opaque || !there) && !path.as_os_str().is_empty() {
                    remove(&to);
                    fs::create_dir(&to).unwrap();
                }
            }
            LayerKind::Other => {
                remove(&to);
                match links.get(&attributes.ino).filter(|_| attributes.nlink > 1) {
                    Some(first) => fs::hard_link(first, &to).unwrap(),
                    None => {
                        let done = Command::new("cp").args(["-a", "-T", "--"]).arg(&from).arg(&to).status();
                        assert!(done.unwrap().success());
                        links.insert(attributes.ino, to);
                    }
                }
            }
        }
    }
    // Attributes of directories last: what is done inside changes their times.
    for entry in entries.iter().rev().filter(|entry| matches!(entry.kind, LayerKind::Directory { .. })) {
        copy_attributes(&upper.join(&entry.path), &target.join(&entry.path), &entry.attributes);
    }
}
