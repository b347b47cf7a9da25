//! The file of a daemon in a folder of root's: locked as long as it lives, with its number; beside it, which process that is. What they say
//! is believed only where nobody else can have written it: a signal by root goes to that process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use thiserror::Error;

use crate::sys::alive::Alive;
use crate::sys::clock;
use crate::sys::files::{self, FileError};
use crate::sys::trusted::{self, TrustError};

/// How long it is waited for that whoever has locked it says who lives, or lets go of it: one who starts a daemon, looks at its file, or
/// removes it does so within a moment; so does the kernel with what has ended.
const MOMENT: Duration = Duration::from_secs(1);

/// The file of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidFile {
    path: PathBuf,
}

/// A file that cannot be gone by.
#[derive(Debug, Error)]
pub enum PidFileError {
    /// Others could have written it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// Somebody who is being started.
    Starting,
    /// That process, since that time in seconds since 1970.
    Process(Alive, i64),
}

/// A file that is held. Whoever is given it holds it too, and cannot write it.
#[derive(Debug)]
pub struct Held<'a> {
    of: &'a PidFile,
    file: File,
}

impl PidFile {
    /// The file of that daemon in that folder.
    pub fn new(folder: &Path, name: &str) -> PidFile {
        PidFile { path: folder.join(format!("{name}.pid")) }
    }

    fn process(&self) -> PathBuf {
        self.path.with_extension("process")
    }

    /// Whether all of it can be believed.
    fn trust(&self) -> Result<bool, PidFileError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        if files::look(folder)?.is_none() {
            return Ok(false);
        }
        trusted::file(&self.process())?;
        Ok(trusted::file(&self.path)?)
    }

    /// Who holds it.
    pub fn holder(&self) -> Result<Holder, PidFileError> {
        if !self.trust()? {
            return Ok(Holder::Nobody);
        }
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Nobody),
            other => other.map_err(FileError::at("read", &self.path))?,
        };
        if let Some(process) = self.lives()? {
            let since = file.metadata().map_err(FileError::at("look at", &self.path))?.mtime();
            return Ok(Holder::Process(process, since));
        }
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Holder::Nobody),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Holder::Starting),
            Err(errno) => Err(FileError::at("lock", &self.path)(errno.into()).into()),
        }
    }

    /// The process that it is said to be, where that lives.
    fn lives(&self) -> Result<Option<Alive>, FileError> {
        let text = files::read_if_there(&self.process())?.unwrap_or_default();
        // What is half written is of somebody who is being started, or was then killed: the lock says which.
        Ok(serde_json::from_str::<Alive>(&text).ok().filter(Alive::is))
    }

    /// Takes it, where nobody holds it; `None` where somebody does. The folder is there.
    pub fn take(&self) -> Result<Option<Held<'_>>, PidFileError> {
        self.trust()?;
        loop {
            let Some(file) = self.open(OFlags::CREATE)? else { continue };
            if !self.lock(&file)? {
                return Ok(None);
            }
            if self.is(&file)? {
                return Ok(Some(Held { of: self, file }));
            }
        }
    }

    /// Removes it, with what is beside it, where nobody holds it: what somebody else has started meanwhile keeps its own.
    pub fn remove(&self) -> Result<(), PidFileError> {
        if !self.trust()? {
            return Ok(());
        }
        let Some(file) = self.open(OFlags::empty())? else { return Ok(()) };
        // Locked until they are gone, so that nobody begins in between.
        if !self.lock(&file)? || !self.is(&file)? {
            return Ok(());
        }
        for path in [self.process(), self.path.clone()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::at("remove", path)(error).into());
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Opens it to be read alone: whoever inherits it holds the lock with it, and must not be able to say who it is.
    fn open(&self, more: OFlags) -> Result<Option<File>, FileError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
        match rustix::fs::open(&self.path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(FileError::at("open", &self.path)(errno.into())),
        }
    }

    /// Locks it; `false` where somebody holds it.
    fn lock(&self, file: &File) -> Result<bool, FileError> {
        let until = Instant::now() + MOMENT;
        loop {
            match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(true),
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(FileError::at("lock", &self.path)(errno.into())),
            }
            if self.lives()?.is_some() || Instant::now() > until {
                return Ok(false);
            }
            clock::pause();
        }
    }

    /// Whether an open one is still the one of that name: whoever has ended a daemon removes its file, perhaps since it was opened.
    fn is(&self, file: &File) -> Result<bool, FileError> {
        Ok(file.metadata().map_err(FileError::at("look at", &self.path))?.nlink() > 0)
    }
}

impl Held<'_> {
    /// The file, for whoever is to hold it.
    pub fn lend(&self) -> io::Result<File> {
        Ok(File::from(self.file.as_fd().try_clone_to_owned()?))
    }

    /// Says which process holds it.
    pub fn tell(&self, pid: i32) -> io::Result<()> {
        // One that has ended already is nobody.
        let Some(process) = Alive::of(pid) else { return Ok(()) };
        let json = serde_json::to_string(&process).map_err(io::Error::other)?;
        for (path, text) in [(self.of.path.clone(), pid.to_string()), (self.of.process(), json)] {
            let mut options = File::options();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            writeln!(options.custom_flags(libc::O_NOFOLLOW).open(path)?, "{text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;
    use std::process::Command;

    use super::*;

    #[test]
    fn it_says_who_lives_and_nobody_else_can() {
        let folder = tempfile::tempdir().unwrap();
        let file = PidFile::new(folder.path(), "one");
        assert_eq!(file.holder().unwrap(), Holder::Nobody);
        let held = file.take().unwrap().unwrap();
        assert_eq!(file.holder().unwrap(), Holder::Starting);
        assert!(file.take().unwrap().is_none());
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        held.tell(pid).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("one.pid")).unwrap(), format!("{pid}\n"));
        assert!(matches!(file.holder().unwrap(), Holder::Process(process, _) if process.pid == pid));
        let mut lent = held.lend().unwrap();
        assert!(lent.write_all(b"1").is_err() && lent.set_len(0).is_err(), "it cannot be written by it");
        // A number that somebody else has written is not gone by: it is not what says which process it is.
        let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(folder.path().join("one.pid"), format!("{}\n", victim.id())).unwrap();
        assert!(matches!(file.holder().unwrap(), Holder::Process(process, _) if process.pid == pid));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(held);
        assert_eq!(file.holder().unwrap(), Holder::Starting, "whoever was lent it holds it");
        drop(lent);
        assert_eq!(file.holder().unwrap(), Holder::Nobody);
        assert!(rustix::process::geteuid().is_root(), "what is another's can be made by root alone");
        let held = file.take().unwrap().unwrap();
        held.tell(i32::try_from(victim.id()).unwrap()).unwrap();
        chown(folder.path(), Some(65534), None).unwrap();
        assert!(matches!(file.holder(), Err(PidFileError::Trust(_))), "another's folder");
        assert!(matches!(file.take(), Err(PidFileError::Trust(_))));
        chown(folder.path(), Some(0), None).unwrap();
        chown(folder.path().join("one.process"), Some(65534), None).unwrap();
        assert!(matches!(file.holder(), Err(PidFileError::Trust(_))), "another's file");
        chown(folder.path().join("one.process"), Some(0), None).unwrap();
        file.remove().unwrap();
        assert!(matches!(file.holder().unwrap(), Holder::Process(..)), "what is held stays");
        victim.kill().unwrap();
        victim.wait().unwrap();
        file.remove().unwrap();
        assert!(matches!(file.holder().unwrap(), Holder::Starting), "also while it does not say who it is");
        drop(held);
        file.remove().unwrap();
        assert_eq!(files::list_dir(folder.path()).unwrap(), [""; 0]);
    }

    #[test]
    fn who_only_looks_or_removes_it_keeps_nobody_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = PidFile::new(folder.path(), "one");
        drop(file.take().unwrap().unwrap());
        let looks = File::open(&file.path).unwrap();
        rustix::fs::flock(&looks, FlockOperation::LockShared).unwrap();
        let taken = std::thread::scope(|scope| {
            let taken = scope.spawn(|| file.take().unwrap().is_some());
            std::thread::sleep(MOMENT / 5);
            // As whoever removes it: what was waited for is another one's then.
            fs::remove_file(&file.path).unwrap();
            drop(looks);
            taken.join().unwrap()
        });
        assert!(taken && file.path.exists());
    }
}
