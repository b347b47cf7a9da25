//! Tests of the first looks, without an overlay.

use super::*;
use std::path::Path;

fn stat(ino: u64) -> Stat {
    Stat {
        dev: 2049,
        ino,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        size: ino * 3,
        atime: 0,
        atime_nsec: 0,
        mtime: 1_700_000_000 + ino as i64,
        mtime_nsec: 999_999_999,
        ctime: 1_700_000_001,
        ctime_nsec: 7,
        rdev: 0,
        nlink: 1,
        blocks: 8,
        blksize: 4096,
        mount: 1,
    }
}

/// The first look at a name, through what a change makes of it.
fn first(seen: &Seen, directory: u64, name: &str) -> Option<Look> {
    seen.records.lock().get(seen.secret.hash_one((directory, OsStr::new(name))))
}

#[test]
fn two_hundred_thousand_objects_take_at_most_sixty_bytes_each() {
    let seen = Seen::default();
    // The worst size of the table is the one that it has just grown to; several are tried on the way.
    for number in 0..200_000_u64 {
        let stat = Stat { uid: (number % 30) as u32, mode: 0o100_600 + (number % 5) as u32, ..stat(number) };
        seen.note(number / 20, OsStr::new(&format!("name-{number}")), &stat);
        if number >= 10_000 && (number + 1).is_multiple_of(1000) {
            let bytes = seen.records.lock().bytes();
            assert!(bytes <= (number as usize + 1) * 60, "{bytes} bytes for {} objects", number + 1);
        }
    }
    println!("{} bytes each", seen.records.lock().bytes() as f64 / 200_000.0);
    for number in (0..200_000_u64).step_by(77) {
        let look = first(&seen, number / 20, &format!("name-{number}")).unwrap();
        let (owner, mode) = ((number % 30) as u32, 0o100_600 + (number % 5) as u32);
        assert_eq!(look, Look::from(&Stat { uid: owner, mode, ..stat(number) }));
    }
    assert_eq!(first(&seen, 0, "name-20"), None, "the same name in another directory");
}

#[test]
fn the_first_look_counts_until_all_are_forgotten() {
    let seen = Seen::default();
    let name = OsStr::new("f");
    seen.note(1, name, &stat(5));
    seen.note(1, name, &stat(6));
    assert_eq!(first(&seen, 1, "f"), Some(Look::from(&stat(5))));
    seen.forget();
    assert_eq!(first(&seen, 1, "f"), None);
    seen.note(1, name, &stat(6));
    seen.changed(1, name, "f".into(), &stat(7), None);
    assert_eq!(seen.base(Path::new("f")), Some(Look::from(&stat(6))));
    // What was changed keeps its record, whatever is forgotten and seen after that.
    seen.forget();
    seen.note(1, name, &stat(8));
    seen.changed(1, name, "f".into(), &stat(9), None);
    assert_eq!(seen.base(Path::new("f")), Some(Look::from(&stat(6))));
    let copied = Copied { of: Look::from(&stat(9)), length: 3 };
    seen.changed(1, OsStr::new("g"), "g".into(), &stat(9), Some(copied));
    assert_eq!((seen.copied(Path::new("f")), seen.copied(Path::new("g"))), (None, Some(copied)));
    assert_eq!(seen.base(Path::new("g")), Some(Look::from(&stat(9))), "nobody had looked");
}

#[test]
fn every_state_comes_back_as_it_was() {
    let seen = Seen::default();
    let odd = [
        Stat { mtime: -(1 << 31), ctime: (1 << 34) - (1 << 31) - 1, ..stat(1) },
        Stat { mtime: -(1 << 31) - 1, ..stat(2) },
        Stat { mtime: 1 << 40, ctime: i64::MIN, ctime_nsec: 0, ..stat(3) },
        Stat { ino: u64::MAX, size: u64::MAX, uid: u32::MAX, mode: 0o020_600, rdev: 1 << 40, ..stat(4) },
    ];
    for (number, stat) in odd.iter().enumerate() {
        seen.note(number as u64, OsStr::new("x"), stat);
        assert_eq!(first(&seen, number as u64, "x"), Some(Look::from(stat)));
    }
    assert_eq!(seen.records.lock().odd.len(), 2);
}

#[test]
fn a_directory_changes_with_its_owner_and_not_with_its_names() {
    let directory = Look { mode: 0o040_755, ..Look::from(&stat(9)) };
    let fuller = Look { size: 1, mtime: (5, 5), ctime: (6, 6), ..directory };
    assert!(directory.is_unchanged(&fuller));
    for other in [Look { mode: 0o040_700, ..directory }, Look { uid: 1, ..directory }] {
        assert!(!directory.is_unchanged(&other) && directory.is_same_object(&other));
    }
    assert!(directory.is_same_object(&Look { ino: 10, ..directory }), "it is numbered anew");
    assert!(!directory.is_same_object(&Look { ino: 10, ctime: (6, 6), ..directory }));
    let file = Look::from(&stat(9));
    assert!(!file.is_unchanged(&Look { mtime: (5, 5), ..file }));
}
