//! Puts a module's files where they belong. Runs inside the sandbox, through the mount, so that every link, mount and
//! permission is met as a script would meet it.
//!
//! The rule: content is the module's. A new file is root's with the mode of the module's file; a file that is there
//! keeps its owner, ACL and links, and takes the module's mode only where `files/` says it. Set-id bits never come from a module's
//! folder. What already is as it should be is not touched.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file that could not be put where it belongs.
#[derive(Debug, Error)]
#[error("cannot {action} {}", path.display())]
pub struct LayError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

fn named<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, LayError> {
    result.map_err(|source| LayError { action, path: path.to_owned(), source })
}

fn refused<T>(action: &'static str, path: &Path, why: &str) -> Result<T, LayError> {
    named(action, path, Err(io::Error::new(io::ErrorKind::AlreadyExists, why)))
}

/// Permission bits that a module's folder may give.
pub const PLAIN_BITS: u32 = 0o777;

/// Lays everything below `source` over `root`.
pub fn tree(source: &Path, root: &Path) -> Result<(), LayError> {
    for entry in walkdir::WalkDir::new(source).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| LayError {
            action: "read",
            path: error.path().unwrap_or(source).to_owned(),
            source: error.into(),
        })?;
        // strip_prefix cannot fail: walkdir's paths start with `source`.
        let target = root.join(entry.path().strip_prefix(source).unwrap_or(entry.path()));
        let metadata = named("read", entry.path(), entry.path().symlink_metadata())?;
        let mode = metadata.permissions().mode() & PLAIN_BITS;
        if metadata.is_dir() {
            folder(&target, mode)?;
        } else if metadata.is_symlink() {
            link(&named("read", entry.path(), fs::read_link(entry.path()))?, &target)?;
        } else if metadata.is_file() {
            let mut content = named("read", entry.path(), File::open(entry.path()))?;
            file(&mut content, &target, mode)?;
            set_mode(&target, mode)?;
        } else {
            return refused("lay", entry.path(), "neither a file, a link nor a folder");
        }
    }
    Ok(())
}

/// Makes `target` a file with what `content` holds from its start, its folders included; `mode` is for a new one.
///
/// The file is made before anything is looked at: most are new and their folder is there, and through FUSE each look is
/// a question to the overlay.
pub fn file(content: &mut (impl Read + Seek), target: &Path, mode: u32) -> Result<(), LayError> {
    let new = match create(target, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let missing = target.ancestors().skip(1).filter(|folder| !folder.exists());
            for folder_missing in missing.collect::<Vec<_>>().into_iter().rev() {
                folder(folder_missing, 0o755)?;
            }
            create(target, mode)
        }
        other => other,
    };
    let new = match new {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let there = named("look at", target, target.symlink_metadata())?;
            if there.is_dir() {
                return refused("write", target, "a folder is in its place");
            }
            if there.is_file() {
                return rewrite(content, target);
            }
            named("replace", target, fs::remove_file(target))?;
            create(target, mode)
        }
        other => other,
    };
    let mut new = named("create", target, new)?;
    // The mask, or a default ACL of the folder, may have taken bits away. Asked before it is written, when the overlay has
    // just told it.
    let there = named("look at", target, new.metadata())?.permissions().mode();
    if there & PLAIN_BITS != mode {
        named("set the mode of", target, new.set_permissions(Permissions::from_mode(mode)))?;
    }
    copy(content, &mut new, target)
}

fn create(target: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(target)
}

/// Gives a file that is there another content, if it has not got it already.
fn rewrite(content: &mut (impl Read + Seek), target: &Path) -> Result<(), LayError> {
    if same(content, target)? {
        return Ok(());
    }
    let mut old = named("write", target, OpenOptions::new().write(true).truncate(true).open(target))?;
    copy(content, &mut old, target)
}

fn copy(content: &mut (impl Read + Seek), to: &mut File, target: &Path) -> Result<(), LayError> {
    named("write", target, content.rewind().and_then(|()| io::copy(content, to)).and_then(|_| to.flush()))
}

fn same(content: &mut (impl Read + Seek), target: &Path) -> Result<bool, LayError> {
    let size = named("read", target, content.seek(SeekFrom::End(0)))?;
    let mut there = named("read", target, File::open(target))?;
    if size != named("read", target, there.metadata())?.len() {
        return Ok(false);
    }
    named("read", target, content.rewind())?;
    let (mut a, mut b) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let got = named("read", target, content.read(&mut a))?;
        if got == 0 {
            return Ok(true);
        }
        named("read", target, there.read_exact(&mut b[..got]))?;
        if a[..got] != b[..got] {
            return Ok(false);
        }
    }
}

fn folder(target: &Path, mode: u32) -> Result<(), LayError> {
    match target.metadata() {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => refused("create the folder", target, "something else is in its place"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            named("create the folder", target, fs::create_dir(target))?;
            set_mode(target, mode)
        }
        Err(error) => named("look at", target, Err(error)),
    }
}

fn link(to: &Path, target: &Path) -> Result<(), LayError> {
    match target.symlink_metadata() {
        Ok(there) if there.is_symlink() && fs::read_link(target).is_ok_and(|old| old == to) => return Ok(()),
        Ok(there) if there.is_dir() => return refused("link", target, "a folder is in its place"),
        Ok(_) => named("replace", target, fs::remove_file(target))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return named("look at", target, Err(error)),
    }
    named("link", target, std::os::unix::fs::symlink(to, target))
}

fn set_mode(target: &Path, mode: u32) -> Result<(), LayError> {
    let there = named("look at", target, target.metadata())?.permissions().mode();
    if there & PLAIN_BITS == mode {
        return Ok(());
    }
    named("set the mode of", target, fs::set_permissions(target, Permissions::from_mode(mode)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn two() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (source, root) = (dir.path().join("files"), dir.path().join("root"));
        fs::create_dir_all(source.join("etc/x")).unwrap();
        fs::create_dir(&root).unwrap();
        (dir, source, root)
    }

    #[test]
    fn a_tree_arrives_and_a_second_time_touches_nothing() {
        let (_dir, source, root) = two();
        fs::write(source.join("etc/x/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(source.join("etc/x/run"), Permissions::from_mode(0o4755)).unwrap();
        std::os::unix::fs::symlink("x/run", source.join("etc/go")).unwrap();
        tree(&source, &root).unwrap();
        let first = root.join("etc/x/run").metadata().unwrap();
        assert_eq!(first.mode() & 0o7777, 0o755, "set-id bits do not come from a module");
        assert_eq!(fs::read_link(root.join("etc/go")).unwrap(), Path::new("x/run"));
        tree(&source, &root).unwrap();
        let second = root.join("etc/x/run").metadata().unwrap();
        assert_eq!((first.ctime(), first.ctime_nsec()), (second.ctime(), second.ctime_nsec()));
    }

    #[test]
    fn links_to_folders_are_followed_and_links_to_files_replaced() {
        let (_dir, source, root) = two();
        fs::write(source.join("etc/x/conf"), "new").unwrap();
        fs::create_dir_all(root.join("real/x")).unwrap();
        std::os::unix::fs::symlink("real", root.join("etc")).unwrap();
        fs::write(root.join("victim"), "old").unwrap();
        std::os::unix::fs::symlink("../../victim", root.join("real/x/conf")).unwrap();
        tree(&source, &root).unwrap();
        assert_eq!(fs::read_to_string(root.join("real/x/conf")).unwrap(), "new");
        assert!(root.join("etc").is_symlink());
        assert_eq!(fs::read_to_string(root.join("victim")).unwrap(), "old");
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let (_dir, source, root) = two();
        fs::write(source.join("etc/x/conf"), "new").unwrap();
        fs::create_dir_all(root.join("etc/x/conf")).unwrap();
        let error = tree(&source, &root).unwrap_err();
        assert!(error.to_string().ends_with("etc/x/conf"), "{error}");
    }

    #[test]
    fn a_file_that_is_there_keeps_its_mode_from_a_template() {
        let (_dir, _source, root) = two();
        let target = root.join("secret");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
        let mut content = tempfile::tempfile().unwrap();
        content.write_all(b"new").unwrap();
        file(&mut content, &target, 0o644).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(target.metadata().unwrap().mode() & 0o777, 0o600);
    }
}
