//! disco's home: who may write to it, what its file system can do, how much is left there, and what was left behind.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, XattrFlags};

use crate::sys::probe::Found;
use crate::sys::{host, user_namespace};

/// Below this much space, in bytes, a run may not even keep its record; and so many new files.
const LITTLE_SPACE: u64 = 64 << 20;
const FEW_FILES: u64 = 10_000;

/// Whether it is there, or can be made.
pub fn there(home: &Path) -> Found {
    let place = nearest(home);
    in_folder(home, |_| Ok(String::new()))
        .map_err(|error| io::Error::other(format!("nothing can be made in {}: {error}", place.display())))?;
    Ok(match place == home {
        true => home.display().to_string(),
        false => format!("{} will be made", home.display()),
    })
}

/// Whether nobody but its owner can write to it.
pub fn private(home: &Path) -> Found {
    let place = nearest(home);
    let meta = fs::metadata(&place)?;
    let (mode, owner, me) = (meta.mode() & 0o7777, meta.uid(), nix::unistd::geteuid().as_raw());
    let told = format!("{} has mode {mode:o} and owner {owner}", place.display());
    // A folder above, such as /tmp, may be everybody's: the home is then made with a mode of its own.
    let open = place == home && mode & 0o022 != 0;
    if open || (owner != me && owner != 0) { Err(io::Error::other(told)) } else { Ok(told) }
}

/// How much space and how many files are left.
pub fn space(home: &Path) -> Found {
    let stat = rustix::fs::statvfs(nearest(home))?;
    if stat.f_blocks == 0 {
        return Ok("the file system does not say how much".to_owned());
    }
    let (space, files) = (stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_favail);
    // Some file systems count no files.
    let files = if stat.f_files == 0 { u64::MAX } else { files };
    let told = match files {
        u64::MAX => format!("{} MiB", space >> 20),
        files => format!("{} MiB and {files} files", space >> 20),
    };
    if space < LITTLE_SPACE || files < FEW_FILES {
        Err(io::Error::other(format!("only {told} are left")))
    } else {
        Ok(format!("{told} are left"))
    }
}

/// Whether the file system takes the marks of a scratchpad: trusted attributes, or those of users where nobody may set others.
pub fn marks(home: &Path) -> Found {
    in_folder(home, |folder| {
        let file = folder.join("file");
        fs::write(&file, "")?;
        let set = |name: &str| rustix::fs::lsetxattr(&file, name, b"y", XattrFlags::empty());
        let trusted = host::is_root() && !user_namespace::is_in_one();
        let name = if trusted { "trusted.disco.doctor" } else { "user.disco.doctor" };
        set(name)?;
        fs::hard_link(&file, folder.join("link"))?;
        Ok(format!("{name} can be set, and links be made"))
    })
}

/// Whether two folders can be exchanged in one step.
pub fn exchange(home: &Path) -> Found {
    in_folder(home, |folder| {
        let (one, other) = (folder.join("one"), folder.join("other"));
        fs::create_dir(&one)?;
        fs::create_dir(&other)?;
        rustix::fs::renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE)?;
        Ok("two folders can be exchanged in one step".to_owned())
    })
}

/// Whether locks hold between processes; and whoever has the one of live runs, which is named `lock`.
pub fn locks(home: &Path) -> Found {
    let held = in_folder(home, |folder| {
        let path = folder.join("lock");
        let held = File::create(&path)?;
        rustix::fs::flock(&held, FlockOperation::LockExclusive)?;
        let second = rustix::fs::flock(File::open(&path)?, FlockOperation::NonBlockingLockExclusive);
        match second {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok("a lock keeps a second one out".to_owned()),
            _ => Err(io::Error::other("a lock does not keep a second one out")),
        }
    })?;
    let live = File::open(home.join("lock")).and_then(|mut lock| {
        let free = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).is_ok();
        let mut holder = String::new();
        lock.read_to_string(&mut holder)?;
        Ok((!free).then_some(holder))
    });
    // No live run has ever been there, or it is not for us to read.
    Ok(match live.ok().flatten() {
        Some(holder) => format!("{held}; a live run is under way: {}", holder.trim()),
        None => held,
    })
}

/// A new folder beside it, or where it will be; for whoever asks to remove.
pub fn beside(folder: &Path) -> io::Result<PathBuf> {
    let made = nearest(folder).join(format!(".disco-doctor-{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&made)?;
    Ok(made)
}

/// Does it in a new folder of the home, or where that will be, and removes that.
fn in_folder(home: &Path, what: impl FnOnce(&Path) -> Found) -> Found {
    let folder = beside(home)?;
    let found = what(&folder);
    let removed = fs::remove_dir_all(&folder);
    let found = found?;
    removed?;
    Ok(found)
}

/// The folder, or that in which it will be made.
fn nearest(home: &Path) -> PathBuf {
    home.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}
