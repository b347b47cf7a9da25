//! Files that only ever grow, such as logs: what a run has added to one is added in place, never by another file in its place,
//! for whoever writes it has it open, and would go on writing into the file that nobody sees any more.
//!
//! That is done where somebody else has added to a file as well meanwhile, and below `/var/log` always: whether some process
//! has a file open could only be asked of all processes, and answered for the moment that has just passed.
//!
//! A merge that was stopped in it goes on by what is there: the end of the file, from the length that it had when it was
//! staged, has all of the tail, or ends with its beginning, or has nothing of it. What others write meanwhile lies between,
//! before or behind; a piece in the middle that belongs to nobody is left, and the tail follows as a whole.
//!
//! Taken back is what was added only where it is still the end. A log that has grown since keeps its lines.

use crate::model::path::RootedPath;
use crate::sys::append;
use crate::sys::object::Object;
use crate::sys::tree::TreeError;

/// The longest tail, in bytes: it is held in memory.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Whether a path is one of a log.
pub(super) fn is_log(path: &RootedPath) -> bool {
    path.relative().starts_with("var/log")
}

/// Whether both files are one that had `length` bytes, and have only been added to since; the run's by something.
pub(super) fn both_have_grown(live: &Object, upper: &Object, length: u64) -> Result<bool, TreeError> {
    let alone = live.stat().links == 1 && upper.stat().links == 1;
    let tail = upper.stat().size.checked_sub(length);
    let fits = tail.is_some_and(|tail| (1..=LONGEST).contains(&tail)) && live.stat().size >= length;
    Ok(alone && fits && append::begin_alike(live, upper, length)?)
}

/// Whether an earlier attempt can have added something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// This is the first.
    First,
    /// Another was stopped.
    Again,
}

/// Adds the tail to a file that had `length` bytes when it was staged, or what is missing of it.
pub(super) fn add(live: &Object, tail: &Object, length: u64, attempt: Attempt) -> Result<(), TreeError> {
    let mut bytes = Vec::new();
    append::read_from(tail, 0, &mut |piece| bytes.extend_from_slice(piece))?;
    let done = match attempt {
        Attempt::First => 0,
        Attempt::Again => {
            let mut search = Search::of(&bytes);
            // One that somebody has emptied since begins anew.
            let from = if live.stat().size < length { 0 } else { length };
            append::read_from(live, from, &mut |piece| search.read(piece))?;
            search.matched
        }
    };
    if done < bytes.len() { append::append(live, &bytes[done..]) } else { Ok(()) }
}

/// Cuts the tail off again, where the file ends with it and is no longer than that.
pub(super) fn take_off(live: &Object, tail: &Object, length: u64) -> Result<(), TreeError> {
    let added = tail.stat().size;
    let size = live.look_again()?.size;
    if size <= length || size > length + added {
        return Ok(());
    }
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    append::read_from(live, length, &mut |piece| ends.extend_from_slice(piece))?;
    append::read_from(tail, 0, &mut |piece| bytes.extend_from_slice(piece))?;
    // All of it, or what a full disk has taken of it.
    if !bytes.starts_with(&ends) {
        return Ok(());
    }
    append::cut(live, length)
}

/// Looks for a tail in what is read, in one pass (Knuth, Morris, Pratt).
struct Search<'a> {
    tail: &'a [u8],
    /// Of each beginning of the tail, the longest end that is itself a beginning.
    borders: Vec<usize>,
    /// With how much of the tail what was read ends; all of it, once it was found.
    matched: usize,
}

impl<'a> Search<'a> {
    fn of(tail: &'a [u8]) -> Search<'a> {
        let mut borders = vec![0; tail.len()];
        let mut border = 0;
        for at in 1..tail.len() {
            while border > 0 && tail[at] != tail[border] {
                border = borders[border - 1];
            }
            border += usize::from(tail[at] == tail[border]);
            borders[at] = border;
        }
        Search { tail, borders, matched: 0 }
    }

    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.matched == self.tail.len() {
                return;
            }
            while self.matched > 0 && *byte != self.tail[self.matched] {
                self.matched = self.borders[self.matched - 1];
            }
            self.matched += usize::from(*byte == self.tail[self.matched]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::tree::Root;

    #[test]
    fn a_tail_is_found_whole_or_torn_or_not_at_all() {
        for (read, tail, matched) in [
            ("", "abc", 0),
            ("abc", "abc", 3),
            ("xxabcyy", "abc", 3),
            ("xxab", "abc", 2),
            ("xxabx", "abc", 0),
            ("aab", "aabaaab", 3),
            ("aabaaabx", "aabaaab", 7),
            ("aabaab", "aabaaab", 3),
        ] {
            for cut in 0..=read.len() {
                let mut search = Search::of(tail.as_bytes());
                search.read(&read.as_bytes()[..cut]);
                search.read(&read.as_bytes()[cut..]);
                assert_eq!(search.matched, matched, "{read} {tail} {cut}");
            }
        }
    }

    #[test]
    fn a_stopped_append_is_finished_and_a_whole_one_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), "").unwrap();
        fs::write(dir.path().join("tail"), "one\ntwo\n").unwrap();
        for (grown, attempt, after) in [
            ("", Attempt::First, "old\none\ntwo\n"),
            ("", Attempt::Again, "old\none\ntwo\n"),
            ("one\nt", Attempt::Again, "old\none\ntwo\n"),
            ("one\ntwo\n", Attempt::Again, "old\none\ntwo\n"),
            ("else\none\ntwo\nmore\n", Attempt::Again, "old\nelse\none\ntwo\nmore\n"),
            ("one\nelse\n", Attempt::Again, "old\none\nelse\none\ntwo\n"),
            ("one\ntwo\n", Attempt::First, "old\none\ntwo\none\ntwo\n"),
        ] {
            let log = dir.path().join("log");
            fs::write(&log, format!("old\n{grown}")).unwrap();
            let object = |name: &str| root.object(&RootedPath::new(name).unwrap()).unwrap();
            add(&object("log"), &object("tail"), 4, attempt).unwrap();
            assert_eq!(fs::read_to_string(&log).unwrap(), after, "{grown:?}");
            take_off(&object("log"), &object("tail"), 4).unwrap();
            let left = if after == "old\none\ntwo\n" { "old\n" } else { after };
            assert_eq!(fs::read_to_string(&log).unwrap(), left, "{grown:?}");
        }
    }
}
