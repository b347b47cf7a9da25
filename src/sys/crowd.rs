//! How many processes a pid namespace may have: for the first process of one, with its own /proc mounted.
//!
//! RLIMIT_NPROC does not hold root, and whose the cgroups are is not known. Since Linux 6.14 each pid namespace has a
//! `pid_max` of its own, past which fork(2) fails; everywhere the processes can be counted.

use std::fs;
use std::io;

/// Names that the kernel keeps back when the numbers have gone round once (`RESERVED_PIDS`), and one to count past the limit.
const KEPT_BACK: u32 = 301;

/// Makes fork(2) fail in this namespace soon after `most` processes (and threads), where the kernel can.
pub fn bound(most: u32) -> io::Result<()> {
    let path = "/proc/sys/kernel/pid_max";
    // On an older kernel this is one number for the whole machine.
    if !rustix::system::uname().release().to_str().is_ok_and(is_per_namespace) {
        return Ok(());
    }
    let now = fs::read_to_string(path)?;
    let bound = most.saturating_add(KEPT_BACK);
    if now.trim().parse().is_ok_and(|now: u32| now > bound) {
        fs::write(path, bound.to_string())?;
    }
    Ok(())
}

/// How many processes this namespace has.
pub fn count() -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        count += usize::from(name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit));
    }
    Ok(count)
}

/// Whether a kernel of that release has a `pid_max` for each pid namespace.
fn is_per_namespace(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 14)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn processes_are_counted() {
        assert!(count().unwrap() > 0);
    }
}
