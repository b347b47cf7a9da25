//! Whole folders: linked, removed, put in the place of another. Single files are in [`crate::sys::files`].

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::sys::files::{self, FileError};

/// Makes `target` a copy of the folder `source` whose regular files are hard links where that is possible, else copies.
///
/// Symbolic links are made again; permissions, owners and times of folders are kept. `target` must not exist, the folder
/// that holds it must. Devices, pipes and sockets are refused. On an error a part of `target` may be there.
pub fn hard_link_tree(source: &Path, target: &Path) -> Result<(), FileError> {
    let metadata = fs::symlink_metadata(source).map_err(FileError::at("look at", source))?;
    if !metadata.is_dir() {
        return Err(FileError::at("link the tree", source)(io::ErrorKind::NotADirectory.into()));
    }
    fs::DirBuilder::new().mode(0o700).create(target).map_err(FileError::at("make the folder", target))?;
    for name in files::list_dir(source)? {
        let (from, to) = (source.join(&name), target.join(&name));
        let kind = fs::symlink_metadata(&from).map_err(FileError::at("look at", &from))?;
        if kind.is_dir() {
            hard_link_tree(&from, &to)?;
        } else {
            link_one(&from, &to, &kind)?;
        }
    }
    keep_folder_metadata(target, &metadata).map_err(FileError::at("keep the metadata of", target))
}

/// Whether both are folders that [`hard_link_tree`] could have made of each other: the same names with the same modes,
/// owners and times, and the same files behind them.
pub fn are_links(one: &Path, other: &Path) -> Result<bool, FileError> {
    let look = |path: &Path| match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        looked => looked.map(Some).map_err(FileError::at("look at", path)),
    };
    let (Some(here), Some(there)) = (look(one)?, look(other)?) else { return Ok(false) };
    if here.is_file() || there.is_file() {
        return Ok((here.dev(), here.ino()) == (there.dev(), there.ino()));
    }
    let told = |it: &fs::Metadata| (it.mode(), it.uid(), it.gid());
    if told(&here) != told(&there) {
        return Ok(false);
    }
    if here.is_symlink() {
        let target = |path: &Path| fs::read_link(path).map_err(FileError::at("read the link", path));
        return Ok(target(one)? == target(other)?);
    }
    if !here.is_dir() || (here.mtime(), here.mtime_nsec()) != (there.mtime(), there.mtime_nsec()) {
        return Ok(false);
    }
    let names = files::list_dir(one)?;
    if names != files::list_dir(other)? {
        return Ok(false);
    }
    for name in names {
        if !are_links(&one.join(&name), &other.join(&name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes `target` the same file or symbolic link as `source`: a hard link where that is possible, else a copy.
pub fn link_file(source: &Path, target: &Path) -> Result<(), FileError> {
    let metadata = fs::symlink_metadata(source).map_err(FileError::at("look at", source))?;
    link_one(source, target, &metadata)
}

fn link_one(from: &Path, to: &Path, metadata: &fs::Metadata) -> Result<(), FileError> {
    if metadata.is_symlink() {
        let leads_to = fs::read_link(from).map_err(FileError::at("read the link", from))?;
        return std::os::unix::fs::symlink(leads_to, to).map_err(FileError::at("make the link", to));
    }
    if !metadata.is_file() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "neither file, folder nor symbolic link");
        return Err(FileError::at("link", from)(error));
    }
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if may_copy_instead(&error) => {
            fs::copy(from, to).map_err(FileError::at("copy", from))?;
            keep_file_metadata(to, metadata).map_err(FileError::at("keep the metadata of", to))
        }
        Err(error) => Err(FileError::at("link", to)(error)),
    }
}

/// How many bytes of the disk a tree takes. What goes while it is looked at does not count.
pub fn disk_usage(folder: &Path) -> u64 {
    let entries = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let mut linked = std::collections::BTreeSet::new();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(|metadata| metadata.nlink() == 1 || linked.insert((metadata.dev(), metadata.ino())))
        .map(|metadata| metadata.blocks() * 512)
        .sum()
}

fn may_copy_instead(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EXDEV | libc::EMLINK | libc::EPERM | libc::EOPNOTSUPP))
}

fn keep_file_metadata(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    keep_owner(path, metadata)?;
    let file = fs::File::open(path)?;
    file.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    file.set_times(fs::FileTimes::new().set_modified(metadata.modified()?))
}

fn keep_folder_metadata(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    keep_owner(path, metadata)?;
    fs::set_permissions(path, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    fs::File::open(path)?.set_times(fs::FileTimes::new().set_modified(metadata.modified()?))
}

fn keep_owner(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    let now = fs::symlink_metadata(path)?;
    if (now.uid(), now.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(metadata.uid()), Some(metadata.gid()))
}

/// Removes a folder with all that it holds, or a file; it is no error when there is nothing.
pub fn remove_tree(path: &Path) -> Result<(), FileError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(FileError::at("remove", path)),
    }
}

/// Puts the folder `new` in the place of `target` in one rename, then removes what was there.
///
/// A reader of `target` sees the old folder or the new one, never none. Both must lie on one file system. Where the file
/// system cannot exchange names (a few old ones), the old folder is moved away first: there a reader may find nothing.
pub fn replace_tree(new: &Path, target: &Path) -> Result<(), FileError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => remove_tree(new),
        Err(Errno::NOENT) => fs::rename(new, target).map_err(FileError::at("replace", target)),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let aside = beside(target)?;
            fs::rename(target, &aside).map_err(FileError::at("move away", target))?;
            fs::rename(new, target).map_err(FileError::at("replace", target))?;
            remove_tree(&aside)
        }
        Err(error) => Err(FileError::at("replace", target)(error.into())),
    }
}

/// A new name in the folder of `path`, which nothing has yet: hidden, and ending in `~`.
pub fn beside(path: &Path) -> Result<PathBuf, FileError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let made = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix("~")
        .tempdir_in(folder)
        .map_err(FileError::at("make a temporary folder in", folder))?;
    let path = made.keep();
    files::remove_dir(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linked_tree_is_the_same_files_in_new_folders() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(a.join("sub")).unwrap();
        fs::write(a.join("sub/file"), "x").unwrap();
        std::os::unix::fs::symlink("sub/file", a.join("link")).unwrap();
        fs::set_permissions(a.join("sub"), fs::Permissions::from_mode(0o751)).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::open(a.join("sub")).unwrap().set_times(fs::FileTimes::new().set_modified(old)).unwrap();
        hard_link_tree(&a, &b).unwrap();
        let ino = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(ino(&a.join("sub/file")), ino(&b.join("sub/file")));
        assert_ne!(ino(&a.join("sub")), ino(&b.join("sub")));
        assert_eq!(fs::read_link(b.join("link")).unwrap(), Path::new("sub/file"));
        let sub = fs::metadata(b.join("sub")).unwrap();
        assert_eq!((sub.mode() & 0o7777, sub.modified().unwrap()), (0o751, old));
        assert!(hard_link_tree(&a, &b).is_err(), "an existing target is refused");
    }

    #[test]
    fn trees_that_differ_in_anything_are_no_links() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let mode = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        fs::create_dir_all(a.join("sub")).unwrap();
        fs::write(a.join("sub/file"), "x").unwrap();
        std::os::unix::fs::symlink("sub/file", a.join("link")).unwrap();
        for change in 0..6 {
            assert!(!are_links(&a, &b).unwrap(), "one is not there");
            hard_link_tree(&a, &b).unwrap();
            assert!(are_links(&a, &b).unwrap() && are_links(&b, &a).unwrap());
            match change {
                0 => fs::write(b.join("sub/more"), "").unwrap(),
                1 => {
                    fs::remove_file(b.join("sub/file")).unwrap();
                    fs::write(b.join("sub/file"), "x").unwrap();
                }
                2 => mode(b.join("sub"), 0o700),
                3 => {
                    fs::remove_file(b.join("link")).unwrap();
                    std::os::unix::fs::symlink("sub/other", b.join("link")).unwrap();
                }
                4 => fs::remove_file(b.join("link")).unwrap(),
                _ => {
                    let old = std::time::SystemTime::UNIX_EPOCH;
                    fs::File::open(&b).unwrap().set_times(fs::FileTimes::new().set_modified(old)).unwrap();
                }
            }
            assert!(!are_links(&a, &b).unwrap() && !are_links(&b, &a).unwrap(), "change {change}");
            remove_tree(&b).unwrap();
        }
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (new, target) = (dir.path().join("new"), dir.path().join("target"));
        for content in ["one", "two"] {
            fs::create_dir(&new).unwrap();
            fs::write(new.join(content), "").unwrap();
            replace_tree(&new, &target).unwrap();
            assert_eq!(files::list_dir(&target).unwrap(), [content]);
            assert!(!new.exists());
        }
        remove_tree(&target).unwrap();
        remove_tree(&target).unwrap();
        assert!(!target.exists());
    }
}
