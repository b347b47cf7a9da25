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

/// Whether the processes of this namespace have more memory than that together, in bytes.
pub fn has_more_memory(most: u64) -> bool {
    // What they share with those that they were forked from counts for each; so it is only asked who may be beyond.
    sum(|process| fs::read_to_string(process.join("statm")).ok().and_then(|text| own_pages(&text))) > most
        && sum(|process| fs::read_to_string(process.join("smaps_rollup")).ok().and_then(|text| share(&text)))
            > most
}

fn sum(memory: impl Fn(&std::path::Path) -> Option<u64>) -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
    // Who ends meanwhile has none.
    processes.filter_map(|entry| memory(&entry.path())).sum()
}

/// The bytes that are in memory for one process and no file, of its `statm`.
fn own_pages(text: &str) -> Option<u64> {
    let mut numbers = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// The bytes of its share of what it has with others, of its `smaps_rollup`.
fn share(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
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
    fn memory_is_what_a_process_has_of_its_own() {
        let page = rustix::param::page_size() as u64;
        assert_eq!(own_pages("1000 300 100 1 0 200 0\n"), Some(200 * page));
        assert_eq!(
            share("00-ff ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss:   1234 kB\nPss_Anon: 1 kB\n"),
            Some(1234 << 10)
        );
        assert_eq!((own_pages(""), share("Rss: 1 kB\n")), (None, None));
        assert!(has_more_memory(1 << 16) && !has_more_memory(u64::MAX));
    }

    #[test]
    fn processes_are_counted() {
        assert!(count().unwrap() > 0);
    }
}
