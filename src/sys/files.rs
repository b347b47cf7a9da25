//! Single files and folders, with errors that name the path. Whole trees are in [`crate::sys::folders`].

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::sys::clock;

/// Something that could not be done to a file or folder.
#[derive(Debug, Error)]
#[error("cannot {action} {path:?}")]
pub struct FileError {
    /// What was to be done, as a verb.
    pub action: &'static str,
    /// To which path.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// A function for `map_err` that adds what was to be done to which path.
    pub fn at(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> FileError {
        let path = path.into();
        move |source| FileError { action, path, source }
    }

    /// Whether a symbolic link led to nothing, or in a circle.
    pub fn leads_nowhere(&self) -> bool {
        matches!(self.source.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP))
    }

    /// The same; a path below `folder` is said from there, for a folder that is gone when somebody reads this.
    #[must_use]
    pub fn said_from(self, folder: &Path) -> FileError {
        let path = self.path.strip_prefix(folder).map_or(self.path.clone(), Path::to_owned);
        FileError { path, ..self }
    }
}

/// The type and permissions of a file written by [`write_whole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// These permission bits, owned by this process.
    New(u32),
    /// Permissions and owner of the file that it replaces; these bits where there is none.
    KeptOr(u32),
    /// Owned by this process, of that group, with these permission bits: so from the moment that it has its name.
    OfGroup(u32, u32),
}

/// The text of a file; an error for bytes that are not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::at("read", path))
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> Result<u32, FileError> {
    let metadata = fs::metadata(path).map_err(FileError::at("look at", path))?;
    Ok(metadata.permissions().mode() & 0o777)
}

/// The text of a file, or none where there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at("read", path)(error)),
    }
}

/// The bytes of a file, or none where there is no such file.
pub fn read_bytes_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at("read", path)(error)),
    }
}

/// The number of a file on its file system, and the time of its last change of content in seconds and nanoseconds.
pub fn number_and_time(found: &fs::Metadata) -> (u64, (i64, i64)) {
    (found.ino(), (found.mtime(), found.mtime_nsec()))
}

/// How the names of files begin and end that are written to be renamed.
const TEMPORARY: &str = ".disco-";
const TEMPORARY_END: &str = "~";

/// A name for what goes by `name` until it is removed; [`is_temporary`] knows it.
pub fn temporary(name: &str) -> String {
    format!("{TEMPORARY}{name}{TEMPORARY_END}")
}

/// Whether a name is one that [`write_whole`] and [`write_synced`] leave where they are killed, or of [`temporary`].
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMPORARY.as_bytes()) && name.ends_with(TEMPORARY_END.as_bytes())
}

/// How much of a written file is on the disk when the call returns. Each sync waits for the file system's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synced {
    /// The file and its name: it outlives a power cut.
    All,
    /// The file: after a power cut the name holds the old content or the new.
    Content,
}

/// Removes the files of a folder that [`is_temporary`] knows and that are older: whoever is at one now keeps it.
pub fn remove_temporary(folder: &Path, older: Duration) -> Result<(), FileError> {
    for name in list_dir(folder)?.into_iter().filter(|name| is_temporary(name)) {
        let path = folder.join(name);
        let Some(found) = look(&path)? else { continue };
        let (_, (made, _)) = number_and_time(&found);
        if clock::since_epoch().saturating_sub(Duration::from_secs(made.unsigned_abs())) > older {
            remove_file(&path)?;
        }
    }
    Ok(())
}

/// Writes a file whole: to a temporary file beside it, synced, renamed over it, the folder synced.
///
/// After a crash the name holds the old content or the new, never a part. A temporary name that ends in `~` may be left.
/// A symbolic link of that name is replaced, not followed.
pub fn write_whole(path: &Path, content: &[u8], ownership: Ownership) -> Result<(), FileError> {
    write_synced(path, content, ownership, Synced::All)
}

/// The same, with less of it on the disk.
pub fn write_synced(
    path: &Path,
    content: &[u8],
    ownership: Ownership,
    synced: Synced,
) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let at = |action| FileError::at(action, path);
    let old = match fs::symlink_metadata(path) {
        Ok(old) if old.is_file() => Some(old),
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at("look at")(error)),
    };
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .suffix(TEMPORARY_END)
        .tempfile_in(folder)
        .map_err(FileError::at("make a temporary file in", folder))?;
    temporary.write_all(content).map_err(at("write"))?;
    let mode = match (ownership, &old) {
        (Ownership::New(mode), _) | (Ownership::KeptOr(mode), None) => mode,
        (Ownership::OfGroup(group, mode), _) => {
            std::os::unix::fs::fchown(temporary.as_file(), None, Some(group))
                .map_err(at("change the group of"))?;
            mode
        }
        (Ownership::KeptOr(_), Some(old)) => {
            let new = temporary.as_file().metadata().map_err(at("look at"))?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                std::os::unix::fs::fchown(temporary.as_file(), Some(old.uid()), Some(old.gid()))
                    .map_err(at("keep the owner of"))?;
            }
            old.mode() & 0o7777
        }
    };
    temporary
        .as_file()
        .set_permissions(fs::Permissions::from_mode(mode))
        .map_err(at("set the permissions of"))?;
    temporary.as_file().sync_all().map_err(at("sync"))?;
    temporary.persist(path).map_err(|error| at("replace")(error.error))?;
    if synced == Synced::All { sync_folder(folder) } else { Ok(()) }
}

/// Writes a file that must be new, whole and synced. Whatever is there already stays, and is the error.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let at = |action| FileError::at(action, path);
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .suffix(TEMPORARY_END)
        .tempfile_in(folder)
        .map_err(FileError::at("make a temporary file in", folder))?;
    temporary.write_all(content).map_err(at("write"))?;
    let permissions = fs::Permissions::from_mode(mode);
    temporary.as_file().set_permissions(permissions).map_err(at("set the permissions of"))?;
    temporary.as_file().sync_all().map_err(at("sync"))?;
    temporary.persist_noclobber(path).map_err(|error| at("create")(error.error))?;
    sync_folder(folder)
}

/// Adds to the end of a file, which is made with these permission bits where there is none. It is not synced.
pub fn append(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let mut file = open_to_append(path, mode)?;
    file.write_all(content).map_err(FileError::at("write", path))
}

/// Opens a file to add to its end; it is made with these permission bits where there is none.
pub fn open_to_append(path: &Path, mode: u32) -> Result<fs::File, FileError> {
    let mut options = fs::File::options();
    options.append(true).create(true).mode(mode).open(path).map_err(FileError::at("open", path))
}

/// Makes a folder and those above it, with these permission bits where they are new (less the umask).
pub fn create_dirs(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(FileError::at("make the folder", path))
}

/// Makes one folder that must be new.
pub fn create_new_dir(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::DirBuilder::new().mode(mode).create(path).map_err(FileError::at("make the folder", path))
}

/// Makes one folder, unless it is there. The one above it must be.
pub fn create_dir(path: &Path, mode: u32) -> Result<(), FileError> {
    match create_new_dir(path, mode) {
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes an empty file, or empties the one that is there.
pub fn create_empty(path: &Path) -> Result<(), FileError> {
    fs::File::create(path).map(drop).map_err(FileError::at("create", path))
}

/// Makes a symbolic link to `target`.
pub fn create_link(path: &Path, target: &str) -> Result<(), FileError> {
    std::os::unix::fs::symlink(target, path).map_err(FileError::at("make the link", path))
}

/// Opens a file to read it.
pub fn open(path: &Path) -> Result<fs::File, FileError> {
    fs::File::open(path).map_err(FileError::at("read", path))
}

/// Opens a file that the system itself keeps, such as a device: the error is the caller's to name.
pub fn open_system(path: &str, write: bool) -> io::Result<fs::File> {
    fs::File::options().read(true).write(write).open(path)
}

/// Opens a folder, to be looked through alone.
pub fn open_folder(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)
}

/// The names in a folder, sorted by their bytes.
pub fn list_dir(path: &Path) -> Result<Vec<OsString>, FileError> {
    let mut names = fs::read_dir(path)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>()
        })
        .map_err(FileError::at("list", path))?;
    names.sort();
    Ok(names)
}

/// What a path is, without following a symbolic link; none where there is nothing.
pub fn look(path: &Path) -> Result<Option<fs::Metadata>, FileError> {
    found(fs::symlink_metadata(path), path)
}

/// What a path leads to; none where it leads to nothing.
pub fn look_through(path: &Path) -> Result<Option<fs::Metadata>, FileError> {
    found(fs::metadata(path), path)
}

/// Whether it is a socket.
pub fn is_socket(metadata: &fs::Metadata) -> bool {
    metadata.file_type().is_socket()
}

fn found(metadata: io::Result<fs::Metadata>, path: &Path) -> Result<Option<fs::Metadata>, FileError> {
    match metadata {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(FileError::at("look at", path)(error)),
    }
}

/// What a path below a folder leads to, where that stays in the folder.
#[derive(Debug)]
pub enum Met {
    /// There is nothing.
    Nothing,
    /// A file, folder or other object of the folder.
    There(fs::Metadata),
    /// A symbolic link that leads out of the folder, or nowhere: what it says.
    Astray(PathBuf),
}

/// What `path` leads to; the folders above it, up to `root`, must have been met before.
pub fn meet(root: &Path, path: &Path) -> Result<Met, FileError> {
    // A slash at the end would follow a link.
    let path = &path.components().collect::<PathBuf>();
    match look(path)? {
        None => return Ok(Met::Nothing),
        Some(there) if !there.is_symlink() => return Ok(Met::There(there)),
        Some(_) => {}
    }
    let says = || fs::read_link(path).map_err(FileError::at("read the link", path));
    match (canonical(root), canonical(path)) {
        (Ok(root), Ok(target)) if target.starts_with(&root) => {
            Ok(look(&target)?.map_or(Met::Nothing, Met::There))
        }
        (Err(error), _) => Err(error),
        (Ok(_), Ok(_)) => Ok(Met::Astray(says()?)),
        (Ok(_), Err(error)) if error.leads_nowhere() => Ok(Met::Astray(says()?)),
        (Ok(_), Err(error)) => Err(error),
    }
}

/// The path with every symbolic link followed.
pub fn canonical(path: &Path) -> Result<PathBuf, FileError> {
    fs::canonicalize(path).map_err(FileError::at("follow", path))
}

/// Gives a file or folder another name on the same file system; what had that name is replaced, if it can be.
pub fn rename(path: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(path, to).map_err(FileError::at("rename", path))
}

/// How many bytes the file system that holds a path has in all.
pub fn disk_size(path: &Path) -> Result<u64, FileError> {
    let fs = rustix::fs::statvfs(path)
        .map_err(|errno| FileError::at("look at the disk of", path)(errno.into()))?;
    Ok(fs.f_blocks * fs.f_frsize)
}

/// Removes a file or symbolic link.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(FileError::at("remove", path))
}

/// Removes an empty folder.
pub fn remove_dir(path: &Path) -> Result<(), FileError> {
    fs::remove_dir(path).map_err(FileError::at("remove the folder", path))
}

/// Makes the names in a folder survive a crash.
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(FileError::at("sync the folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_what_it_should() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("value");
        write_whole(&path, b"one", Ownership::KeptOr(0o600)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write_whole(&path, b"two", Ownership::KeptOr(0o600)).unwrap();
        assert_eq!(
            (fs::metadata(&path).unwrap().mode() & 0o7777, &fs::read(&path).unwrap()[..]),
            (0o640, &b"two"[..])
        );
        write_whole(&path, b"three", Ownership::New(0o644)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(list_dir(dir.path()).unwrap(), ["value"], "no temporary file is left");
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        write_new(&path, b"one", 0o600).unwrap();
        assert_eq!(mode(&path).unwrap(), 0o600);
        assert_eq!(write_new(&path, b"two", 0o600).unwrap_err().source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_to_string(&path).unwrap(), "one");
        assert_eq!(list_dir(folder.path()).unwrap(), ["new"], "nothing is left beside it");
    }

    #[test]
    fn a_link_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (outside, link) = (dir.path().join("outside"), dir.path().join("link"));
        fs::write(&outside, "safe").unwrap();
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        write_whole(&link, b"new", Ownership::KeptOr(0o600)).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "safe");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn errors_name_the_path() {
        let error = read_to_string(Path::new("/nowhere/x")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read \"/nowhere/x\"");
        assert!(std::error::Error::source(&error).is_some());
        let error = write_whole(Path::new("/nowhere/x"), b"", Ownership::New(0o600)).unwrap_err();
        assert_eq!(error.to_string(), "cannot make a temporary file in \"/nowhere\"");
    }
}
