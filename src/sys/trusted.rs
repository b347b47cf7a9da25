//! Whether what lies at a path can be believed: nobody but root and this user can have put it there, or can put another in its place. What
//! is given to others is changed by the same look.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags};
use thiserror::Error;

use crate::sys::files::FileError;

/// Something that is not believed.
#[derive(Debug, Error)]
pub enum TrustError {
    /// Others could have written it, or have put it there.
    #[error("{} is not safe to go by: {why}", path.display())]
    Open {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// It cannot be looked at.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<TrustError> for io::Error {
    fn from(error: TrustError) -> io::Error {
        let kind = match &error {
            TrustError::Open { .. } => io::ErrorKind::PermissionDenied,
            TrustError::File(error) => error.source.kind(),
        };
        io::Error::new(kind, error)
    }
}

/// A folder in which nobody else can make, remove or rename anything, nor put another in its place.
pub fn folder(path: &Path) -> Result<(), TrustError> {
    followed(path).map(drop)
}

/// Such a folder by its own path, in which there is no link that leads elsewhere later.
fn followed(path: &Path) -> Result<PathBuf, TrustError> {
    let path = fs::canonicalize(path).map_err(FileError::at("follow", path))?;
    for above in path.ancestors() {
        let found = fs::symlink_metadata(above).map_err(FileError::at("look at", above))?;
        // In a folder such as /tmp nobody removes what is another's.
        let kept = above != path && found.mode() & 0o1000 != 0;
        if let Some(why) = why_not(&found).filter(|why| !kept || *why == FOREIGN) {
            return Err(TrustError::Open { path: above.to_owned(), why });
        }
    }
    Ok(path)
}

/// A path whose folder is such a one, by that folder's own path. The folder is there.
fn within(path: &Path) -> Result<PathBuf, TrustError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = followed(folder)?;
    Ok(path.file_name().map_or(folder.clone(), |name| folder.join(name)))
}

/// Whether there is a regular file in such a folder, that nobody else can write; no link. `false` where there is none; its folder is there.
pub fn file(path: &Path) -> Result<bool, TrustError> {
    let found = match fs::symlink_metadata(within(path)?) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(FileError::at("look at", path))?,
    };
    regular(path, &found).map(|()| true)
}

/// Gives a file or a socket in such a folder, that has no other name and that nobody else can write, to a group, with these permission
/// bits. What was looked at is what is changed, whatever has its name by then.
pub fn give_to_group(path: &Path, group: u32, mode: u32) -> Result<(), TrustError> {
    // Not opened to be read: a socket cannot be.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let object = rustix::fs::open(within(path)?, flags, Mode::empty());
    let object = File::from(object.map_err(|errno| FileError::at("open", path)(errno.into()))?);
    let found = object.metadata().map_err(FileError::at("look at", path))?;
    match found.file_type().is_socket() {
        true => alone(path, &found)?,
        false => regular(path, &found)?,
    }
    rustix::fs::chownat(&object, "", None, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)
        .map_err(|errno| FileError::at("change the group of", path)(errno.into()))?;
    let own = format!("/proc/self/fd/{}", object.as_raw_fd());
    let changed = fs::set_permissions(own, fs::Permissions::from_mode(mode));
    Ok(changed.map_err(FileError::at("set the permissions of", path))?)
}

/// Opens a log to add to its end; it is made with these permission bits where there is none. One that is somebody else's, or no regular
/// file, is an error: what is said goes where it was meant to.
pub fn open_log(path: &Path, mode: u32) -> Result<File, TrustError> {
    let mut options = File::options();
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let log = options.append(true).create(true).mode(mode).custom_flags(flags).open(path);
    let log = match log {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(TrustError::Open { path: path.to_owned(), why: "it is a symbolic link" });
        }
        other => other.map_err(FileError::at("open", path))?,
    };
    let found = log.metadata().map_err(FileError::at("look at", path))?;
    regular(path, &found)?;
    Ok(log)
}

fn regular(path: &Path, found: &Metadata) -> Result<(), TrustError> {
    match found.is_file() {
        true => alone(path, found),
        false => Err(TrustError::Open { path: path.to_owned(), why: "it is no regular file" }),
    }
}

/// Has no other name, and nobody else can write it.
fn alone(path: &Path, found: &Metadata) -> Result<(), TrustError> {
    let why = if found.nlink() > 1 { Some("it has another name too") } else { why_not(found) };
    why.map_or(Ok(()), |why| Err(TrustError::Open { path: path.to_owned(), why }))
}

/// What is said of somebody else's.
const FOREIGN: &str = "it is another user's";

fn why_not(found: &Metadata) -> Option<&'static str> {
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != 0 && found.uid() != own {
        Some(FOREIGN)
    } else if found.mode() & 0o002 != 0 {
        Some("every user may write it")
    } else if found.mode() & 0o020 != 0 && found.gid() != 0 {
        Some("its group may write it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn why(result: Result<(), TrustError>) -> String {
        result.map_or_else(|error| error.to_string(), |()| "good".to_owned())
    }

    #[test]
    fn what_others_could_have_put_there_is_not_believed() {
        assert!(rustix::process::geteuid().is_root(), "what is another's can be made by root alone");
        let top = tempfile::tempdir().unwrap();
        let (inner, path) = (top.path().join("inner"), top.path().join("inner/file"));
        fs::create_dir(&inner).unwrap();
        assert!(!file(&path).unwrap());
        fs::write(&path, "7").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(folder(&inner).is_ok() && file(&path).unwrap());
        for (bits, owner, said) in
            [(0o666, 0, "every user may write it"), (0o600, 65534, "it is another user's")]
        {
            mode(&path, bits);
            chown(&path, Some(owner), Some(owner)).unwrap();
            let found = why(file(&path).map(drop));
            assert!(found.ends_with(said), "{found}");
            assert!(open_log(&path, 0o640).is_err());
        }
        fs::remove_file(&path).unwrap();
        symlink("/dev/null", &path).unwrap();
        assert!(file(&path).is_err() && open_log(&path, 0o640).is_err());
        for (bits, owner, said) in [
            (0o755, 65534, "inner is not safe to go by: it is another user's"),
            (0o1777, 0, "inner is not safe to go by: every user may write it"),
        ] {
            chown(&inner, Some(owner), None).unwrap();
            mode(&inner, bits);
            let found = why(folder(&inner));
            assert!(found.ends_with(said), "{found}");
        }
        chown(&inner, Some(0), None).unwrap();
        mode(&inner, 0o755);
        assert!(folder(&inner).is_ok());
        mode(top.path(), 0o1777);
        assert!(folder(&inner).is_ok(), "nobody removes what is root's from there");
        mode(top.path(), 0o777);
        assert!(folder(&inner).is_err(), "another one can come in its place");
        assert!(file(&path).is_err(), "so can the folder of a file");
    }

    #[test]
    fn what_is_given_to_a_group_is_what_was_looked_at() {
        assert!(rustix::process::geteuid().is_root(), "what is another's can be made by root alone");
        let top = tempfile::tempdir().unwrap();
        let (theirs, secret) = (top.path().join("theirs"), top.path().join("secret"));
        let (plain, socket, link) = (theirs.join("file"), theirs.join("socket"), theirs.join("link"));
        fs::create_dir(&theirs).unwrap();
        let _listens = UnixListener::bind(&socket).unwrap();
        symlink(&secret, &link).unwrap();
        for path in [&plain, &secret] {
            fs::write(path, "").unwrap();
        }
        for path in [&plain, &secret, &socket] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let is = |path: &Path| {
            let found = fs::symlink_metadata(path).unwrap();
            (found.mode() & 0o7777, found.gid())
        };
        let (before, given) = (is(&secret), (0o640, 65533));
        let give = |path: &Path| why(give_to_group(path, given.1, given.0));
        let elsewhere = give(&link);
        assert!(elsewhere.ends_with("link is not safe to go by: it is no regular file"), "{elsewhere}");
        chown(&theirs, Some(65534), None).unwrap();
        for path in [&plain, &socket, &link] {
            let found = give(path);
            assert!(found.ends_with("theirs is not safe to go by: it is another user's"), "{found}");
            assert_ne!(is(path), given);
        }
        assert_eq!(is(&secret), before);
        chown(&theirs, Some(0), None).unwrap();
        for path in [&plain, &socket] {
            assert_eq!((give(path).as_str(), is(path)), ("good", given));
        }
        fs::hard_link(&secret, theirs.join("name")).unwrap();
        let named = give(&theirs.join("name"));
        assert!(named.ends_with("name is not safe to go by: it has another name too"), "{named}");
        assert_eq!(is(&secret), before);
    }

    #[test]
    fn a_log_is_made_and_added_to() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("log");
        for _ in 0..2 {
            io::Write::write_all(&mut open_log(&path, 0o640).unwrap(), b"x").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "xx");
    }
}
