//! Mounts of a sandbox. Every error names what was to be mounted, and where.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use thiserror::Error;

/// A mount, or a change of one, that could not be made.
#[derive(Debug, Error)]
#[error("cannot {action} on {}", at.display())]
pub struct MountError {
    action: String,
    at: PathBuf,
    #[source]
    source: io::Error,
}

fn named<T>(action: impl Into<String>, at: &Path, result: nix::Result<T>) -> Result<T, MountError> {
    result.map_err(|errno| MountError { action: action.into(), at: at.to_owned(), source: errno.into() })
}

const NONE: Option<&str> = None;

/// Cuts this mount namespace off from all others: what is mounted on either side stays there.
pub fn make_all_private() -> Result<(), MountError> {
    let root = Path::new("/");
    named("make mounts private", root, mount(NONE, root, NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE))
}

/// Mounts the file system that whoever reads `fuse` (an open /dev/fuse) will serve: suid works, device nodes do not open.
pub fn fuse(fuse: BorrowedFd<'_>, at: &Path) -> Result<(), MountError> {
    named("mount the overlay", at, mount_fuse(fuse, at, "disco", MsFlags::MS_NODEV))
}

/// Mounts the kernel's knobs, which whoever reads `fuse` (an open /dev/fuse) will serve.
pub fn fuse_of_knobs(fuse: BorrowedFd<'_>, at: &Path, flags: MsFlags) -> Result<(), MountError> {
    named("mount the kernel's settings", at, mount_fuse(fuse, at, "knobs", flags))
}

fn mount_fuse(fuse: BorrowedFd<'_>, at: &Path, name: &str, flags: MsFlags) -> nix::Result<()> {
    let fd = fuse.as_raw_fd();
    let options = format!("fd={fd},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other");
    mount(Some(name), at, Some("fuse.disco"), flags, Some(&*options))
}

/// A small file system in memory.
pub fn tmpfs(at: &Path, flags: MsFlags, options: &str) -> Result<(), MountError> {
    named("mount tmpfs", at, mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(options)))
}

/// A kernel file system such as proc, sysfs, devpts, mqueue.
pub fn kernel(kind: &str, at: &Path, flags: MsFlags, options: &str) -> Result<(), MountError> {
    let options = (!options.is_empty()).then_some(options);
    named(format!("mount {kind}"), at, mount(Some(kind), at, Some(kind), flags, options))
}

/// Shows `source` at `at` as well.
pub fn bind(source: &Path, at: &Path) -> Result<(), MountError> {
    named(format!("bind {}", source.display()), at, mount(Some(source), at, NONE, MsFlags::MS_BIND, NONE))
}

/// Shows `source` at `at` as well, with all that is mounted below it.
pub fn bind_all(source: &Path, at: &Path) -> Result<(), MountError> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    named(format!("bind {}", source.display()), at, mount(Some(source), at, NONE, flags, NONE))
}

/// Makes what is mounted at `at` read-only, without set-id programs and device nodes.
pub fn make_read_only(at: &Path) -> Result<(), MountError> {
    let flags =
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    named("make read-only", at, mount(NONE, at, NONE, flags | held(at), NONE))
}

/// What the mount at `at` is kept from already: who did not mount it may not lift that (mount_namespaces(7)).
fn held(at: &Path) -> MsFlags {
    let mut flags = MsFlags::empty();
    // One that cannot be looked at cannot be changed either.
    if let Ok(stat) = rustix::fs::statvfs(at) {
        flags.set(MsFlags::MS_NOSUID, stat.f_flag.contains(StatVfsMountFlags::NOSUID));
        flags.set(MsFlags::MS_NODEV, stat.f_flag.contains(StatVfsMountFlags::NODEV));
        flags.set(MsFlags::MS_NOEXEC, stat.f_flag.contains(StatVfsMountFlags::NOEXEC));
    }
    flags
}

/// Makes a device node that is bound at `at` one whose owner, mode and times stay; what it does it still does.
pub fn make_node_read_only(at: &Path) -> Result<(), MountError> {
    let flags =
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    named("make read-only", at, mount(NONE, at, NONE, flags | held(at), NONE))
}

/// Has the kernel forget all that it knows of the file system at `at` and nobody uses: names, attributes, content. A change of
/// its settings begins with that, also one that changes none.
pub fn forget(at: &Path) -> Result<(), MountError> {
    let flags = rustix::mount::FsPickFlags::FSPICK_CLOEXEC;
    let picked = rustix::mount::fspick(rustix::fs::CWD, at, flags);
    let forgot = picked.and_then(rustix::mount::fsconfig_reconfigure);
    let forgot = forgot.map_err(|errno| nix::errno::Errno::from_raw(errno.raw_os_error()));
    named("look afresh", at, forgot)
}

/// Has the kernel hand over all that was written to the file system at `at` and is still in its cache. That there was no space
/// for it is no error here: whoever serves the file system knows.
pub fn settle(at: &Path) -> Result<(), MountError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(at, flags, Mode::empty());
    let settled = match directory.and_then(rustix::fs::syncfs) {
        Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => Ok(()),
        other => other,
    };
    named(
        "settle what was written",
        at,
        settled.map_err(|errno| nix::errno::Errno::from_raw(errno.raw_os_error())),
    )
}

/// Has the kernel read further ahead in the files of the FUSE file system at `at` than it does by itself (128 KiB, and no
/// server can ask for more): a large file is then read for the first time five times as fast. Where the setting cannot be
/// written, it stays.
pub fn read_far_ahead(at: &Path) -> Result<(), MountError> {
    let look = || -> io::Result<()> {
        let device = std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(at)?);
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        std::fs::write(format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb"), "1024")
    };
    match look() {
        // /sys is not there, or read-only: it costs speed, and nothing else.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        other => other.map_err(|source| MountError {
            action: "set the read-ahead".into(),
            at: at.to_owned(),
            source,
        }),
    }
}

/// Makes `root` the root of this mount namespace, and takes the old root out of it for good.
pub fn pivot(root: &Path) -> Result<(), MountError> {
    let change = |to: &Path| named("change directory", to, nix::unistd::chdir(to));
    change(root)?;
    named("pivot the root", root, nix::unistd::pivot_root(".", "."))?;
    named("detach the old root", Path::new("/"), umount2(".", MntFlags::MNT_DETACH))?;
    change(Path::new("/"))
}
