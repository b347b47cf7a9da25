//! The mount: made, served, and taken away. Nothing here may touch what is below the mountpoint, which this program
//! itself would have to answer.

use crate::background::Waiting;
use crate::mountinfo::{Mounted, on_top};
use crate::options::{Changes, Kept, Wanted};
use crate::places::Places;
use disco_fuse::{Options, Overlay, Scratch, read_only_clone, serve};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why something could not be mounted or served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MountError {
    #[error("cannot make a read-only copy of the mounts at lowerdir {path}")]
    Clone {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Overlay(#[from] disco_fuse::Error),
    #[error("{what} {path} is in use by another mount")]
    InUse { what: &'static str, path: PathBuf },
    #[error("cannot lock {what} {path}")]
    Lock {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot make {path}")]
    Work {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot make a place for changes in memory")]
    Memory(#[source] io::Error),
    #[error("cannot open /dev/fuse")]
    Device(#[source] io::Error),
    #[error("cannot mount on {path}")]
    Mount {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("nothing of disco-overlayfs is mounted on {path}")]
    NotOurs { path: PathBuf },
    #[error("cannot serve {path}")]
    Serve {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write the changes in {path} to their disk")]
    Sync {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl MountError {
    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> String {
        let refused = |source: &io::Error| matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES));
        match self {
            MountError::Clone { source, .. } | MountError::Mount { source, .. } if refused(source) => {
                "start it as root, with the right to mount (CAP_SYS_ADMIN)".to_owned()
            }
            MountError::Clone { .. } => "a kernel from 5.12 on can do that".to_owned(),
            MountError::Overlay(disco_fuse::Error::Attributes { .. }) => {
                "start it as root, with workdir on a file system that keeps trusted.* attributes".to_owned()
            }
            MountError::Overlay(_) => "the directories must be readable, and upperdir writable".to_owned(),
            MountError::InUse { .. } => {
                "unmount the other (findmnt -t fuse.disco-overlayfs), or name other directories".to_owned()
            }
            MountError::Lock { .. } | MountError::Work { .. } => {
                "name a directory of a file system that can be written to".to_owned()
            }
            MountError::Memory(_) => "give upperdir and workdir, and the option ro".to_owned(),
            MountError::Device(_) => {
                "modprobe fuse; a container must be given the device /dev/fuse".to_owned()
            }
            MountError::NotOurs { .. } => "findmnt -t fuse.disco-overlayfs shows where there is".to_owned(),
            MountError::Mount { .. } | MountError::Serve { .. } => {
                "the kernel's log (dmesg) may say more".to_owned()
            }
            MountError::Sync { path, .. } => format!("sync --file-system {}", path.display()),
        }
    }
}

/// The type in the list of mounts.
const KIND: &str = "fuse.disco-overlayfs";
/// How much the kernel reads ahead of a reader, in KiB: of its own it gives a FUSE mount 128.
const READ_AHEAD: &str = "1024";
/// How long a mount that has just been taken away may still be ending.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Mounts, tells whoever waits, serves, and returns when the mount is gone.
pub(crate) fn run(wanted: &Wanted, places: &Places, waiting: &mut Waiting) -> Result<(), MountError> {
    let mountpoint = &places.mountpoint;
    let here = |source: io::Error| MountError::Serve { path: mountpoint.clone(), source };
    raise_open_files();
    // Before anything is mounted: the clones cannot have this mount in them.
    let lower = places
        .lower
        .iter()
        .map(|path| read_only_clone(path).map_err(|source| MountError::Clone { path: path.clone(), source }));
    let lower = lower.collect::<Result<Vec<_>, _>>()?;
    let lock = places.changes.as_ref().map(locked).transpose()?;
    let (scratch, memory) = match &places.changes {
        Some(changes) => (Scratch::Kept { upper: changes.upper.clone(), work: work_inside(changes)? }, None),
        None => {
            let memory = in_memory().map_err(MountError::Memory)?;
            (Scratch::New(format!("/proc/self/fd/{}", memory.as_raw_fd()).into()), Some(memory))
        }
    };
    let overlay = Overlay::open(Options { lower, scratch, shims: Vec::new() })?;
    let overlay = Arc::new(match wanted.kept {
        Kept::Synced => overlay.durable(),
        Kept::Volatile => overlay,
    });
    drop(memory);
    // Before there are threads, which all shall leave signals to the one that waits for them.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block().map_err(|errno| here(errno.into()))?;

    let fuse = attach(wanted, mountpoint)?;
    let mounted = listed(mountpoint);
    let serving = || -> io::Result<_> {
        let server = serve(overlay.clone(), fuse, wanted.writes)?;
        if let Some(mounted) = &mounted {
            read_ahead(mounted);
        }
        let (mountpoint, mounted) = (mountpoint.clone(), mounted.clone());
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || wait_for(&signals, &mountpoint, mounted.as_ref()))?;
        waiting.served()?;
        Ok(server)
    };
    let server = serving().map_err(|source| {
        take_away(mountpoint, mounted.as_ref());
        here(source)
    })?;
    let served = server.join().map_err(here);
    drop(overlay);
    drop(lock);
    served?;
    match &places.changes {
        Some(changes) if wanted.kept == Kept::Synced => sync(&changes.upper),
        _ => Ok(()),
    }
}

/// Mounts at the mountpoint and returns the device to serve it with.
fn attach(wanted: &Wanted, mountpoint: &Path) -> Result<OwnedFd, MountError> {
    let device = File::options().read(true).write(true).open("/dev/fuse").map_err(MountError::Device)?;
    let fuse = OwnedFd::from(device);
    let data = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
        fuse.as_raw_fd()
    );
    let source = wanted.fsname.as_deref().unwrap_or(OsStr::new("disco-overlayfs"));
    mount(Some(source), mountpoint, Some(KIND), wanted.flags, Some(data.as_str()))
        .map_err(|errno| MountError::Mount { path: mountpoint.to_owned(), source: errno.into() })?;
    Ok(fuse)
}

/// Returns the directory in workdir that is the overlay's alone, and emptied by it: a workdir that was named by mistake loses
/// nothing. The kernel's overlayfs has its own under the same name.
fn work_inside(changes: &Changes) -> Result<PathBuf, MountError> {
    let path = changes.work.join("work");
    match rustix::fs::mkdir(&path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(path),
        Err(errno) => Err(MountError::Work { path, source: errno.into() }),
    }
}

/// Gives the mount on a mountpoint other flags; who serves it need not know.
pub(crate) fn remount(flags: MsFlags, mountpoint: &Path) -> Result<(), MountError> {
    let path = mountpoint.to_owned();
    if listed(mountpoint).is_none_or(|mounted| mounted.kind != KIND) {
        return Err(MountError::NotOurs { path });
    }
    let none: Option<&str> = None;
    mount(none, mountpoint, none, flags | MsFlags::MS_REMOUNT, none)
        .map_err(|errno| MountError::Mount { path, source: errno.into() })
}

/// Keeps others from the same directories for as long as the files are open.
fn locked(changes: &Changes) -> Result<[OwnedFd; 2], MountError> {
    Ok([lock("upperdir", &changes.upper)?, lock("workdir", &changes.work)?])
}

fn lock(what: &'static str, path: &Path) -> Result<OwnedFd, MountError> {
    let fail = |errno: rustix::io::Errno| MountError::Lock { what, path: path.into(), source: errno.into() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(fail)?;
    for _ in 0..LOCK_TRIES {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(directory),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            Err(errno) => return Err(fail(errno)),
        }
    }
    Err(MountError::InUse { what, path: path.into() })
}

/// Returns the root of a file system in memory that nobody else can see.
fn in_memory() -> io::Result<OwnedFd> {
    let made = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&made, "mode", "0700")?;
    rustix::mount::fsconfig_create(&made)?;
    Ok(rustix::mount::fsmount(&made, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

/// Opens as many files as the administrator allows; fewer would do for a while, so that a refusal is no error.
fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // As above.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Returns what the kernel has at the mountpoint; without /proc nothing.
fn listed(mountpoint: &Path) -> Option<Mounted> {
    on_top(&std::fs::read("/proc/self/mountinfo").ok()?, mountpoint)
}

fn read_ahead(mounted: &Mounted) {
    // It costs speed alone, and in a container /sys is often not to be written to.
    let _ = std::fs::write(format!("/sys/class/bdi/{}/read_ahead_kb", mounted.device), READ_AHEAD);
}

/// Unmounts at the first signal; the next one finds its default action, and ends the process.
fn wait_for(signals: &SigSet, mountpoint: &Path, mounted: Option<&Mounted>) {
    // It fails for no signal that there is.
    let _ = signals.wait();
    take_away(mountpoint, mounted);
    let _ = signals.thread_unblock();
    loop {
        std::thread::park();
    }
}

/// Unmounts, now for new users and later for those inside; but not what somebody has mounted over it meanwhile.
fn take_away(mountpoint: &Path, mounted: Option<&Mounted>) {
    if listed(mountpoint).as_ref() == mounted {
        // There is nobody to tell: if it is gone already, that is what was wanted.
        let _ = umount2(mountpoint, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    }
}

fn sync(upper: &Path) -> Result<(), MountError> {
    let fail = |errno: rustix::io::Errno| MountError::Sync { path: upper.to_owned(), source: errno.into() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(upper, flags, Mode::empty()).map_err(fail)?;
    rustix::fs::syncfs(&directory).map_err(fail)
}
