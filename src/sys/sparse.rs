//! The data of a file between its holes.

use std::fs::File;
use std::io;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// The ranges of a file that hold data, from and to, ascending; all of it where its file system knows no holes.
pub fn data(file: &File, size: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break, // a hole to the end
            Err(Errno::INVAL) => at,   // all of it is data
            Err(errno) => return Err(errno.into()),
        };
        let end = seek(file, SeekFrom::Hole(start)).unwrap_or(size).min(size);
        if end <= start {
            break; // it was cut meanwhile
        }
        ranges.push((start, end));
        at = end;
    }
    Ok(ranges)
}

/// Gives a new file its size, all of it a hole.
pub fn stretch(file: &File, size: u64) -> io::Result<()> {
    Ok(rustix::fs::ftruncate(file, size)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn holes_are_left_out() {
        let file = tempfile::tempfile().unwrap();
        stretch(&file, 4 << 20).unwrap();
        assert_eq!(data(&file, 4 << 20).unwrap(), []);
        file.write_all_at(b"x", 1 << 20).unwrap();
        let ranges = data(&file, 4 << 20).unwrap();
        assert_eq!(ranges.len(), 1, "{ranges:?}");
        assert!(ranges[0].0 <= 1 << 20 && ranges[0].1 > 1 << 20, "{ranges:?}");
        assert_eq!(data(&file, 0).unwrap(), []);
    }
}
