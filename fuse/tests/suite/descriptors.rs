//! A server that may open few files walks a large tree: it keeps no descriptor for what it only remembers.

use crate::apart::{Apart, Places, serves};
use crate::world::enter;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The limit that a program gets where nobody asks for another.
const MOST: u64 = 1024;
const DIRECTORIES: usize = 6000;
const FILES: usize = 30_000;

/// 6,000 directories, some of them deep, with five files in each.
fn fill(root: &Path) {
    for number in 0..DIRECTORIES {
        let mut directory = root.join(format!("{}/{}", number % 17, number % 170));
        if number % 50 == 0 {
            directory.push("a/b/c/d/e/f");
        }
        directory.push(number.to_string());
        fs::create_dir_all(&directory).unwrap();
        for file in 0..FILES / DIRECTORIES {
            fs::write(directory.join(file.to_string()), file.to_string()).unwrap();
        }
    }
}

/// What a walk has seen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    directories: usize,
    others: usize,
    read: usize,
}

/// Looks at everything below, and reads one file in each directory; every seventh directory is changed.
fn walk(directory: &Path, change: bool, seen: &mut Seen) {
    let fail = |error: std::io::Error| -> ! { panic!("{}: {error}", directory.display()) };
    let mut below: Vec<PathBuf> = Vec::new();
    let mut first = true;
    for entry in fs::read_dir(directory).unwrap_or_else(|error| fail(error)) {
        let entry = entry.unwrap_or_else(|error| fail(error));
        let stat = entry.metadata().unwrap_or_else(|error| fail(error));
        if stat.is_dir() {
            below.push(entry.path());
            continue;
        }
        seen.others += 1;
        if stat.is_file() && first {
            first = false;
            fs::read(entry.path()).unwrap_or_else(|error| fail(error));
            seen.read += 1;
        }
    }
    if change && seen.directories.is_multiple_of(7) {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o750)).unwrap_or_else(|error| fail(error));
    }
    seen.directories += 1;
    for path in below {
        walk(&path, change, seen);
    }
}

/// `DISCO_FUSE_WALK=/usr` walks what the machine has instead.
#[test]
fn a_large_tree_is_walked_with_few_open_files() {
    if serves() {
        return;
    }
    enter();
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let given = std::env::var_os("DISCO_FUSE_WALK").map(PathBuf::from);
    let made = given.is_none();
    let places =
        Places { lower: given.unwrap_or(place("lower")), scratch: place("scratch"), mount: place("mount") };
    fs::create_dir(&places.scratch).unwrap();
    fs::create_dir(&places.mount).unwrap();
    if made {
        fill(&places.lower);
    }
    let server = Apart::start("descriptors::a_large_tree_is_walked_with_few_open_files", &places, Some(MOST));
    let of_server = format!("/proc/{}", server.process());
    let limits = fs::read_to_string(format!("{of_server}/limits")).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some(&*MOST.to_string()), "the test limits nothing");
    let (mut seen, mut wanted) = (Seen::default(), Seen::default());
    walk(&places.mount, true, &mut seen);
    walk(&places.lower, false, &mut wanted);
    assert_eq!(seen, wanted);
    if made {
        assert!(
            seen.directories > DIRECTORIES && seen.others == FILES && seen.read == DIRECTORIES,
            "{seen:?}"
        );
    }
    // Something is kept, and what is kept leaves room.
    let open = fs::read_dir(format!("{of_server}/fd")).unwrap().count();
    assert!(open > 20 && (open as u64) < MOST * 3 / 4, "{open} are open");
    server.finish();
}
