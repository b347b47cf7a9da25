//! What is on the disk after an `fsync` in the mount.
#![allow(unsafe_code)]

use super::Place;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

/// Returns how many pages of a file are not on their disk yet; an error where the kernel is older than 6.5.
fn dirty(path: &Path) -> io::Result<u64> {
    /// The same for every architecture.
    const CACHESTAT: libc::c_long = 451;
    let file = File::open(path)?;
    let whole = [0_u64; 2];
    let mut counts = [0_u64; 5];
    // SAFETY: the descriptor is open, and both structures (two and five numbers) outlive the call.
    let done = unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), whole.as_ptr(), counts.as_mut_ptr(), 0) };
    // In the cache, dirty, being written, evicted, recently evicted.
    if done == 0 { Ok(counts[1] + counts[2]) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn an_fsync_reaches_the_disk_unless_that_is_not_wanted() {
    let place = Place::new();
    // Where a plain file's pages cannot be seen to be written (a file system in memory, an old kernel), nothing can be seen.
    let mut plain = File::create(place.at("plain")).unwrap();
    plain.write_all(&[1; 8192]).unwrap();
    let seen = |wanted: bool| dirty(&place.at("plain")).is_ok_and(|pages| (pages > 0) == wanted);
    let before = seen(true);
    plain.sync_all().unwrap();
    if !(before && seen(false)) {
        println!("skipped: {} does not say what is on its disk", place.at("").display());
        return;
    }
    for option in ["", ",volatile"] {
        let place = Place::new();
        place.mounted(option, "mount");
        let unwritten = |name: &str| {
            let path = place.at("mount").join(name);
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(&[1; 8192]).unwrap();
            file.sync_all().unwrap();
            dirty(&place.at("upper").join(name)).unwrap()
        };
        if option.is_empty() {
            assert_eq!((unwritten("file"), unwritten("new")), (0, 0));
        } else {
            // Somebody else may sync the whole disk just then, but not five times.
            assert!((0..5).any(|_| unwritten("new") > 0), "an fsync is not left to the kernel");
        }
        // Directories too, in both layers, in the upper alone, and removed while open.
        fs::create_dir(place.at("mount/directory")).unwrap();
        for directory in ["mount", "mount/directory"] {
            File::open(place.at(directory)).unwrap().sync_all().unwrap();
        }
        let open = File::open(place.at("mount/directory")).unwrap();
        fs::remove_dir(place.at("mount/directory")).unwrap();
        open.sync_all().unwrap();
        drop(open);
        fs::write(place.at("mount/last"), [1; 8192]).unwrap();
        place.unmount("mount");
        if option.is_empty() {
            assert_eq!(dirty(&place.at("upper/last")).unwrap(), 0, "at the end");
        }
    }
}
