//! Whether a folder of settings has changed since it was read.
#![allow(clippy::disallowed_methods, reason = "its files are the administrator's, outside of disco's home")]

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What changes when a file `NAME.yml` in a folder is written, or another comes in its place, or goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp(Vec<(std::ffi::OsString, u64, u64, [i64; 4])>);

impl Stamp {
    /// That of this folder; of one that cannot be read it is that of an empty one.
    pub fn of(folder: &Path) -> Stamp {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "yml"));
        let mut all: Vec<_> = files
            .filter_map(|entry| {
                // What a link leads to counts. One that leads nowhere is no file.
                let found = std::fs::metadata(entry.path()).ok()?;
                let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
                Some((entry.file_name(), found.ino(), found.size(), times))
            })
            .collect();
        all.sort();
        Stamp(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("logs.yml");
        assert_eq!(Stamp::of(&folder.path().join("none")), Stamp::default());
        let mut before = Stamp::of(folder.path());
        let mut changes = |what: &str| {
            let now = Stamp::of(folder.path());
            assert_ne!(before, now, "{what}");
            assert_eq!(now, Stamp::of(folder.path()), "{what}");
            before = now;
        };
        std::fs::write(&file, ":enabled: true\n").unwrap();
        changes("written");
        std::fs::write(&file, ":enabled: https\n").unwrap();
        changes("written again");
        std::fs::write(folder.path().join("new"), ":enabled: false\n").unwrap();
        std::fs::rename(folder.path().join("new"), &file).unwrap();
        changes("another in its place");
        std::os::unix::fs::symlink("logs.yml", folder.path().join("facts.yml")).unwrap();
        changes("a link");
        std::fs::remove_file(&file).unwrap();
        changes("gone");
        let now = Stamp::of(folder.path());
        std::fs::write(folder.path().join("notes.txt"), "x").unwrap();
        assert_eq!(now, Stamp::of(folder.path()), "no settings");
    }
}
