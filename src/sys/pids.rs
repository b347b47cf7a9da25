//! Which numbers the processes of a sandbox have: such as no process of the host has or had, so that a number from a pid file
//! of the host can never be that of one of the sandbox's.

use std::fs;
use std::io;

/// The highest number that Linux gives a process, on machines of 64 bits.
const LIMIT: u32 = 4_194_304;
/// The fewest numbers that a step should have for itself, before they are used again from the bottom.
const ROOM: u32 = 100_000;
const LAST: &str = "/proc/sys/kernel/ns_last_pid";

/// The number above which those of a new pid namespace are to be; `None` where the kernel lets nobody choose, or leaves no room.
pub fn above_the_hosts() -> io::Result<Option<u32>> {
    if fs::metadata(LAST).is_err() {
        return Ok(None);
    }
    let most: u32 = fs::read_to_string("/proc/sys/kernel/pid_max")?.trim().parse().unwrap_or(LIMIT);
    let release = rustix::system::uname();
    let mut limit = most;
    if release.release().to_str().is_ok_and(is_per_namespace) {
        limit = LIMIT;
    }
    Ok(choose(most, limit, highest()?))
}

/// The numbers up to `most` may be the host's, `highest` is the highest that is in use there, and `limit` is the new namespace's.
fn choose(most: u32, limit: u32, highest: u32) -> Option<u32> {
    let free = |above: u32| limit.saturating_sub(above) >= ROOM;
    if free(most) {
        return Some(most);
    }
    // New processes of the host come after those that it has: the middle of what is left keeps both apart longest.
    let middle = highest + limit.saturating_sub(highest) / 2;
    free(middle).then_some(middle)
}

/// Has the numbers of this pid namespace go on above that one. For its first process, with its own /proc mounted.
pub fn begin_above(number: u32) -> io::Result<()> {
    fs::write(LAST, number.to_string())
}

fn highest() -> io::Result<u32> {
    let mut highest = 0;
    for entry in fs::read_dir("/proc")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

/// Whether a kernel of that release has a `pid_max` for each pid namespace (Linux 6.14), which then is the highest there is.
fn is_per_namespace(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_above_the_hosts_where_there_is_room() {
        for (most, limit, highest, expected) in [
            (32_768, LIMIT, 900, Some(32_768)),
            (LIMIT, LIMIT, 900, Some(2_097_602)),
            (LIMIT, LIMIT, 4_100_000, None),
            (32_768, 32_768, 900, None),
        ] {
            assert_eq!(choose(most, limit, highest), expected, "{most} {limit} {highest}");
        }
    }

    #[test]
    fn only_a_kernel_that_has_one_for_each_namespace_is_told() {
        for (release, expected) in [
            ("6.14.0", true),
            ("6.18.44-x", true),
            ("7.0-rc1", true),
            ("6.13.9", false),
            ("5.15.0-100-generic", false),
            ("4.19", false),
            ("", false),
            ("x", false),
        ] {
            assert_eq!(is_per_namespace(release), expected, "{release}");
        }
    }
}
