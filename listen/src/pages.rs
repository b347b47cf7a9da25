//! Memory of a server at rest: most of it are pages of the program that only its start has needed, of a program that can do much more than
//! to serve. They are given back, and those that are needed come again from the page cache.

#![allow(unsafe_code)] // madvise(2) has no safe form
#![allow(
    clippy::disallowed_methods,
    reason = "this module has the effect: it reads what the kernel says of this process"
)]

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::time::Duration;

/// How long after the start they are given back first.
const AFTER_START: Duration = Duration::from_secs(1);
/// How often they are given back from then on: each time costs some hundred faults that need no disk.
const EVERY: Duration = Duration::from_secs(60);

/// Gives back, from a thread of its own, what of the program's code nobody has used lately, for as long as the process lives.
/// That it fails takes nothing from a server but some room.
pub fn give_back_for_ever() {
    let work = || {
        std::thread::sleep(AFTER_START);
        while give_back().is_ok() {
            std::thread::sleep(EVERY);
        }
    };
    // A server that can have no thread goes on as large as it is.
    let _ = std::thread::Builder::new().name("pages".to_owned()).stack_size(64 << 10).spawn(work);
}

/// Gives back all of the program's code; in bytes, how much address space that is. Libraries stay: they are small, others have them too,
/// and they can be unmapped.
fn give_back() -> io::Result<usize> {
    let program = std::fs::read_link("/proc/self/exe")?;
    let program = program.to_string_lossy();
    let mut given = 0;
    for line in BufReader::new(File::open("/proc/self/maps")?).lines() {
        let Some((start, length)) = code(&line?, &program) else { continue };
        // SAFETY: the mapping is there, for a program is never unmapped from its own process. It is private, of a file, and cannot be
        // written to, so that each of its pages is the file's: the next who needs it gets the same bytes.
        if unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) } == -1 {
            return Err(io::Error::last_os_error());
        }
        given += length;
    }
    Ok(given)
}

/// Where the program's code is, if this line of /proc/self/maps (proc_pid_maps(5)) is of that, and it cannot have been changed in memory:
/// its address and its length in bytes.
fn code(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    if words.next()? != "r-xp" || !line.strip_suffix(program)?.ends_with(' ') {
        return None;
    }
    let start = usize::from_str_radix(start, 16).ok()?;
    Some((start, usize::from_str_radix(end, 16).ok()?.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_cannot_be_written_and_comes_from_a_file() {
        let maps = "5581a0000000-5581a0003000 r-xp 00058000 08:01 131 /usr/bin/disco\n\
            5581a0003000-5581a0004000 r--p 0005b000 08:01 131 /usr/bin/disco\n\
            5581a0004000-5581a0005000 rwxp 0005b000 08:01 131 /usr/bin/disco\n\
            5581b0004000-5581b0005000 r-xp 0005b000 08:01 131 /usr/lib/of/usr/bin/disco\n\
            7f0000000000-7f0000001000 r-xp 00000000 00:00 0 \n\
            7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]\n\
            ffffffff-zz r-xp 00000000 08:01 131 /usr/bin/disco\n\
            \n";
        let found: Vec<_> = maps.lines().filter_map(|line| code(line, "/usr/bin/disco")).collect();
        assert_eq!(found, [(0x5581_a000_0000, 0x3000)]);
    }

    /// Where the code of this program is, and how many bytes of it are in its memory.
    fn resident() -> (usize, usize, usize) {
        let program = std::fs::read_link("/proc/self/exe").unwrap();
        let all = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = all.lines();
        let (start, length) = lines.find_map(|line| code(line, program.to_str().unwrap())).unwrap();
        let line = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap().trim();
        (start, length, line.trim_end_matches(" kB").parse::<usize>().unwrap() * 1024)
    }

    #[test]
    fn what_is_given_back_is_gone_and_comes_again() {
        use std::os::unix::fs::FileExt as _;

        let (start, length, _) = resident();
        let mut all = vec![0; length];
        let memory = File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut all, start as u64).unwrap();
        let (.., whole) = resident();
        assert!(whole >= length, "all of it was read: {whole} of {length}");

        assert_eq!(give_back().unwrap(), length);
        let (.., rest) = resident();
        // What counts this is code too, and comes with its neighbours.
        assert!(rest < whole, "{rest} of {whole}");
        let mut again = vec![0; length];
        memory.read_exact_at(&mut again, start as u64).unwrap();
        assert!(all == again, "the same code as before");
    }
}
