//! How many processes a pid namespace has: for the first process of one, with its own /proc mounted.
//!
//! RLIMIT_NPROC does not hold root, and the numbers of a namespace's processes start where no other's are: so neither bounds how
//! many there are, and they are counted.

use std::fs;
use std::io;

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

#[cfg(test)]
mod tests {
    use super::*;

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
