//! Copies the bytes of a file: as a clone where the file system can, otherwise piece by piece with its holes.

use crate::{Result, Stat};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::ops::Range;

/// What is read at once. Not `copy_file_range`: where it cannot clone, it moves page by page and takes half as long again.
const PIECE: usize = 1 << 20;

/// Copies the content of `from`, of which `stat` tells, into the new, empty file `to`.
pub(crate) fn copy(from: &File, to: &File, stat: &Stat) -> Result<()> {
    let size = stat.size;
    if size == 0 || rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    let mut buffer = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
    if stat.blocks * 512 >= size {
        copy_piece(from, to, 0..size, &mut buffer)?;
        return Ok(());
    }
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole is left.
            Err(Errno::NXIO) => break,
            // The file system knows no holes.
            Err(Errno::INVAL) => at,
            Err(errno) => return Err(errno),
        };
        let end = match rustix::fs::seek(from, SeekFrom::Hole(start)) {
            Ok(end) => end.min(size),
            Err(Errno::INVAL | Errno::NXIO) => size,
            Err(errno) => return Err(errno),
        };
        copy_piece(from, to, start..end, &mut buffer)?;
        at = end.max(start + 1);
    }
    rustix::fs::ftruncate(to, size)
}

/// Copies one stretch of data; ends early where the file does.
fn copy_piece(from: &File, to: &File, range: Range<u64>, buffer: &mut [u8]) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let wanted = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = rustix::io::retry_on_intr(|| rustix::io::pread(from, &mut buffer[..wanted], at))?;
        if read == 0 {
            return Ok(());
        }
        write_at(to, &buffer[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

/// Writes all of `data`.
pub(crate) fn write_at(to: &File, data: &[u8], offset: u64) -> Result<()> {
    let mut done = 0;
    while done < data.len() {
        let write = || rustix::io::pwrite(to, &data[done..], offset + done as u64);
        match rustix::io::retry_on_intr(write)? {
            0 => return Err(Errno::IO),
            written => done += written,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{FileExt, MetadataExt};

    #[test]
    fn bytes_and_holes_survive() {
        let from = tempfile::tempfile().unwrap();
        from.write_at(b"start", 0).unwrap();
        from.write_at(b"middle", 8 << 20).unwrap();
        from.set_len(64 << 20).unwrap();
        let mut to = tempfile::tempfile().unwrap();
        copy(&from, &to, &Stat::of(&from).unwrap()).unwrap();
        let blocks = |file: &File| file.metadata().unwrap().blocks();
        assert!(blocks(&to) <= blocks(&from) + 16, "not sparse");
        let (mut one, mut other) = (Vec::new(), Vec::new());
        to.read_to_end(&mut one).unwrap();
        std::io::Seek::rewind(&mut &from).unwrap();
        (&from).read_to_end(&mut other).unwrap();
        assert!(one == other);
    }
}
