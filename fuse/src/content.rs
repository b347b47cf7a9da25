//! Copies the bytes of a file: as a clone where the file system can, otherwise piece by piece with its holes.

use crate::Result;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;

/// Copies `size` bytes of `from` into the new, empty file `to`.
pub(crate) fn copy(from: &File, to: &File, size: u64) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
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
        copy_piece(from, to, start, end)?;
        at = end.max(start + 1);
    }
    rustix::fs::ftruncate(to, size)
}

/// Copies one stretch of data; ends early where the file does.
fn copy_piece(from: &File, to: &File, start: u64, end: u64) -> Result<()> {
    let (mut source, mut target) = (start, start);
    while source < end {
        let wanted = usize::try_from(end - source).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), wanted) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::BADF) => {
                return copy_plainly(from, to, source, end);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Copies through a buffer, between file systems that cannot do it themselves.
fn copy_plainly(from: &File, to: &File, mut at: u64, end: u64) -> Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
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
        for plainly in [false, true] {
            let mut to = tempfile::tempfile().unwrap();
            if plainly {
                copy_plainly(&from, &to, 0, 9 << 20).unwrap();
                to.set_len(64 << 20).unwrap();
            } else {
                copy(&from, &to, 64 << 20).unwrap();
                assert!(
                    to.metadata().unwrap().blocks() <= from.metadata().unwrap().blocks() + 16,
                    "not sparse"
                );
            }
            let (mut one, mut other) = (Vec::new(), Vec::new());
            to.read_to_end(&mut one).unwrap();
            std::io::Seek::rewind(&mut &from).unwrap();
            (&from).read_to_end(&mut other).unwrap();
            assert!(one == other, "plainly: {plainly}");
        }
    }
}
