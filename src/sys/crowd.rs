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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_counted() {
        assert!(count().unwrap() > 0);
    }
}
