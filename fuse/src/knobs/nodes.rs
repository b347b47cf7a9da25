//! The numbers of paths: one for each that the kernel remembers, never used again.

use crate::Result;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The number of the root, by the protocol.
pub(super) const ROOT: u64 = 1;

#[derive(Debug)]
pub(super) struct Nodes(Mutex<Table>);

#[derive(Debug)]
struct Table {
    numbers: HashMap<PathBuf, u64>,
    /// With how often the kernel was told.
    paths: HashMap<u64, (PathBuf, u64)>,
    next: u64,
}

impl Nodes {
    pub(super) fn new() -> Nodes {
        let root = (PathBuf::from("/"), 1);
        Nodes(Mutex::new(Table {
            numbers: HashMap::from([(root.0.clone(), ROOT)]),
            paths: HashMap::from([(ROOT, root)]),
            next: ROOT + 1,
        }))
    }

    /// The path of a number.
    pub(super) fn path(&self, ino: u64) -> Result<PathBuf> {
        self.0.lock().paths.get(&ino).map(|(path, _)| path.clone()).ok_or(Errno::STALE)
    }

    /// The number of a path that the kernel is told of now.
    pub(super) fn remember(&self, path: &Path) -> u64 {
        let mut table = self.0.lock();
        let next = table.next;
        let number = *table.numbers.entry(path.to_owned()).or_insert(next);
        if number == next {
            table.next += 1;
        }
        table.paths.entry(number).or_insert_with(|| (path.to_owned(), 0)).1 += 1;
        number
    }

    /// The kernel forgets what it was told so many times.
    pub(super) fn forget(&self, ino: u64, times: u64) {
        let mut table = self.0.lock();
        let Some((path, told)) = table.paths.get_mut(&ino).filter(|_| ino != ROOT) else { return };
        *told = told.saturating_sub(times);
        if *told == 0 {
            let path = std::mem::take(path);
            table.paths.remove(&ino);
            table.numbers.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_as_long_as_the_kernel_remembers_it() {
        let nodes = Nodes::new();
        let (a, b) = (nodes.remember(Path::new("/a")), nodes.remember(Path::new("/b")));
        assert_eq!((nodes.remember(Path::new("/a")), nodes.path(a)), (a, Ok("/a".into())));
        nodes.forget(a, 1);
        assert_eq!(nodes.path(a), Ok("/a".into()));
        nodes.forget(a, 1);
        nodes.forget(ROOT, 9);
        assert_eq!((nodes.path(a), nodes.path(ROOT)), (Err(Errno::STALE), Ok("/".into())));
        assert!(![a, b].contains(&nodes.remember(Path::new("/a"))));
    }
}
