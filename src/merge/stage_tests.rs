//! What staging takes out of the scratchpad, and what it copies.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::tests::{Merge, fill, merge as merge_whole};
use super::*;
use crate::layered::World;

const OWN: &str = "trusted.disco-test-own";

/// Files of which each is taken, or is not, for a reason of its own.
fn change(after: &Path) {
    fs::create_dir(after.join("new")).unwrap();
    for name in ["top", "new/one", "new/two", "new/marked"] {
        fs::write(after.join(name), format!("the new {name}")).unwrap();
    }
    fs::hard_link(after.join("new/two"), after.join("new/twin")).unwrap();
    let sparse = fs::File::create(after.join("new/sparse")).unwrap();
    sparse.write_at(b"far", 64 << 20).unwrap();
    fs::set_permissions(after.join("new/one"), PermissionsExt::from_mode(0o4711)).unwrap();
    std::os::unix::fs::chown(after.join("new/marked"), Some(7), Some(8)).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(after.join("new/marked"), "user.theirs", b"kept", flags).unwrap();
}

#[test]
fn a_file_with_one_name_is_moved_with_all_that_it_is_and_no_other() {
    for files in [Files::Taken, Files::Copied] {
        let world = World::new(fill);
        change(&world.after());
        let mut merge = Merge::new(world, &|_| false);
        merge.files = files;
        let flags = rustix::fs::XattrFlags::empty();
        let upper = merge.world.live().with_file_name("upper");
        rustix::fs::setxattr(upper.join("new/marked"), OWN, b"the scratchpad's", flags).unwrap();
        let look = |root: &Path, name: &str| fs::metadata(root.join(name)).unwrap();
        let names = ["top", "new/one", "new/sparse", "new/marked", "new/two", "new/twin"];
        let there: Vec<u64> = names.iter().map(|name| look(&upper, name).ino()).collect();
        let private = |name: &OsStr| name == OWN;
        merge_whole(&Source { private: &private, ..merge.source() }).unwrap();
        merge.assert_live_is(&merge.world.after());
        let live = merge.world.live();
        let moved: Vec<&str> = names
            .iter()
            .zip(there)
            .filter(|(name, inode)| look(&live, name).ino() == *inode)
            .map(|(name, _)| *name)
            .collect();
        match files {
            Files::Taken => assert_eq!(moved, ["top", "new/one", "new/sparse", "new/marked"]),
            Files::Copied => assert_eq!(moved, [""; 0]),
        }
        assert!(look(&live, "new/sparse").blocks() < 1000, "not sparse");
        assert_eq!(look(&live, "new/two").ino(), look(&live, "new/twin").ino());
    }
}

#[test]
fn files_that_are_moved_need_no_room() {
    // The mount is in a namespace of this one thread, and ends with it.
    std::thread::spawn(|| {
        use nix::mount::{MsFlags, mount};
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        for files in [Files::Copied, Files::Taken] {
            let world = World::new(fill);
            fs::write(world.after().join("large"), vec![b'x'; 3 << 20]).unwrap();
            let mut merge = Merge::new(world, &|_| false);
            merge.files = files;
            let live = merge.world.live();
            let (all, kept) = (live.parent().unwrap(), tempfile::tempdir().unwrap());
            for name in ["live", "upper"] {
                crate::layered::copy(&all.join(name), &kept.path().join(name));
            }
            mount(Some("tmpfs"), all, Some("tmpfs"), MsFlags::empty(), Some("size=5m,mode=755")).unwrap();
            for name in ["live", "upper"] {
                crate::layered::copy(&kept.path().join(name), &all.join(name));
            }
            let open = |name: &str| Root::open(&all.join(name), "").unwrap();
            let (live, upper) = (open("live"), open("upper"));
            let merged = merge_whole(&Source { live: &live, upper: &upper, ..merge.source() });
            match files {
                Files::Taken => assert_eq!(merged.unwrap().changed, 1),
                Files::Copied => assert!(matches!(merged, Err(MergeError::Refused(_))), "{merged:?}"),
            }
            drop((live, upper));
            nix::mount::umount2(all, nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
    })
    .join()
    .unwrap();
}
