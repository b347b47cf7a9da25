//! Whether what is written to stderr is read by systemd's journal.
#![allow(clippy::disallowed_methods, reason = "systemd says it in the environment, and nobody else asks")]

use std::io::stderr;

use nix::sys::stat::fstat;

/// Whether stderr is the stream that systemd has connected to its journal, which has times of its own and takes a line's gravity from a
/// number before it.
pub fn is_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(stderr()).is_ok_and(|found| is_that(&stream, found.st_dev, found.st_ino))
}

/// Whether the variable's `device:number` is this file: a process in between may have led stderr elsewhere.
fn is_that(stream: &str, device: u64, number: u64) -> bool {
    stream
        .split_once(':')
        .is_some_and(|(one, other)| one.parse() == Ok(device) && other.parse() == Ok(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_journal_only_where_the_numbers_are_its() {
        for (stream, wanted) in [
            ("9:4711", true),
            ("9:4712", false),
            ("8:4711", false),
            ("4711", false),
            ("", false),
            ("9:x", false),
        ] {
            assert_eq!(is_that(stream, 9, 4711), wanted, "{stream}");
        }
    }
}
