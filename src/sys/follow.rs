//! Paths of a tree as a process whose root it is would follow them: symbolic links are followed, and none leads out.
//! (Everything that is compared and merged is reached without following any: [`crate::sys::tree`].)

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::model::attributes::FileKind;
use crate::model::path::RootedPath;
use crate::sys::tree::Root;

/// The most that is read of a text, in bytes.
const MOST_TEXT: u64 = 4 << 20;

impl Root {
    /// Where a path leads; `None` where nothing is there (a link that leads nowhere included).
    pub fn leads_to(&self, path: &Path) -> io::Result<Option<RootedPath>> {
        let Some(found) = self.follow(path)? else { return Ok(None) };
        let (found, root) = (name_of(&found)?, name_of(&self.fd)?);
        let inner = found.strip_prefix(&root).map_err(io::Error::other)?;
        RootedPath::new(inner).map(Some).map_err(io::Error::other)
    }

    /// Where a path leads, were those of its last parts made that are not there.
    pub fn would_lead_to(&self, path: &RootedPath) -> io::Result<RootedPath> {
        for there in path.relative().ancestors() {
            if let (Some(real), Ok(rest)) = (self.leads_to(there)?, path.relative().strip_prefix(there)) {
                return real.join(rest).map_err(io::Error::other);
            }
        }
        Ok(path.clone())
    }

    /// The text (up to 4 MiB) of the regular file that a path leads to, bytes that are not UTF-8 replaced; `None` where there is none.
    pub fn text_behind(&self, path: &Path) -> io::Result<Option<String>> {
        let Some(found) = self.follow(path)? else { return Ok(None) };
        let stat = rustix::fs::fstat(&found)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        File::open(link_of(&found))?.take(MOST_TEXT).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// What kind of object a path leads to; `None` where nothing is there.
    pub fn kind_behind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        let Some(found) = self.follow(path)? else { return Ok(None) };
        Ok(FileKind::from_mode(rustix::fs::fstat(&found)?.st_mode))
    }

    fn follow(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        loop {
            match openat2(&self.fd, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), within) {
                Ok(found) => return Ok(Some(found)),
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                // EAGAIN: a rename elsewhere raced with the walk.
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn link_of(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn name_of(fd: &OwnedFd) -> io::Result<PathBuf> {
    std::fs::read_link(link_of(fd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_where_they_would_for_a_process_of_that_root() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("usr/lib")).unwrap();
        std::fs::create_dir_all(at("srv")).unwrap();
        std::fs::write(at("usr/lib/os-release"), "ID=x\n").unwrap();
        symlink("/usr/lib", at("lib")).unwrap();
        symlink("../../../../lib/os-release", at("srv/up")).unwrap();
        symlink("/srv", at("var")).unwrap();
        symlink("/nowhere", at("srv/dangling")).unwrap();
        let root = Root::open(dir.path(), "").unwrap();
        for (path, leads) in [
            ("/lib/os-release", Some("/usr/lib/os-release")),
            ("/var/up", Some("/usr/lib/os-release")),
            ("/var/dangling", None),
            ("/usr/lib/os-release/x", None),
            ("/", Some("/")),
        ] {
            let leads = leads.map(|path| RootedPath::new(path).unwrap());
            assert_eq!(root.leads_to(Path::new(path)).unwrap(), leads, "{path}");
        }
        assert_eq!(root.text_behind(Path::new("/var/up")).unwrap().as_deref(), Some("ID=x\n"));
        assert_eq!(root.text_behind(Path::new("/var")).unwrap(), None);
        assert_eq!(root.kind_behind(Path::new("/var/up")).unwrap(), Some(FileKind::Regular));
        assert_eq!(root.kind_behind(Path::new("/var/dangling")).unwrap(), None);
        let would = |path: &str| root.would_lead_to(&RootedPath::new(path).unwrap()).unwrap().to_string();
        assert_eq!((would("/var/a/b").as_str(), would("/new").as_str()), ("/srv/a/b", "/new"));
        let own = Root::open(Path::new("/"), "").unwrap();
        let real = std::fs::canonicalize(at("usr/lib/os-release")).unwrap();
        assert_eq!(own.leads_to(&at("usr/lib/os-release")).unwrap().unwrap().absolute(), real);
    }
}
