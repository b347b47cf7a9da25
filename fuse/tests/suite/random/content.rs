//! Ways to the bytes of a file other than read and write.
#![allow(unsafe_code)]

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

const PAGE: usize = 4096;

/// Returns up to the first 100,000 bytes.
pub fn read(file: &OwnedFd) -> Result<String, Errno> {
    let mut data = vec![0; 100_000];
    let length = rustix::io::pread(file, &mut data, 0)?;
    data.truncate(length);
    Ok(String::from_utf8_lossy(&data).into_owned())
}

/// Writes through a shared mapping and waits until that is in the file. Does nothing beyond the end of the file.
pub fn write_mapped(file: &OwnedFd, at: u64, data: &[u8]) -> Result<String, Errno> {
    let size = rustix::fs::fstat(file)?.st_size as usize;
    let at = at as usize;
    if data.is_empty() || at + data.len() > size {
        return Ok("too short".into());
    }
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at a place of the kernel's choice; the descriptor is open.
    let map =
        unsafe { libc::mmap(std::ptr::null_mut(), size, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if map == libc::MAP_FAILED {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap());
    }
    // SAFETY: the mapping is `size` bytes long, and nobody else shortens this file while the test has it mapped.
    let synced = unsafe {
        std::ptr::copy_nonoverlapping(data.as_ptr(), map.cast::<u8>().add(at), data.len());
        let synced = libc::msync(map, size, libc::MS_SYNC);
        assert_eq!(libc::munmap(map, size), 0);
        synced
    };
    Ok(format!("mapped {synced}"))
}

/// Hands out a page at an address that direct input and output take.
fn aligned<T>(fill: u8, act: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = vec![fill; 2 * PAGE];
    let start = buffer.as_ptr().align_offset(PAGE);
    act(&mut buffer[start..start + PAGE])
}

pub fn write_direct(file: &OwnedFd, page: u64, byte: u8) -> Result<String, Errno> {
    aligned(byte, |buffer| Ok(rustix::io::pwrite(file, buffer, page * PAGE as u64)?.to_string()))
}

pub fn read_direct(file: &OwnedFd, page: u64) -> Result<String, Errno> {
    aligned(0, |buffer| {
        let length = rustix::io::pread(file, &mut *buffer, page * PAGE as u64)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
}

/// Reads from `back` bytes before the end, or says why there is no such place.
pub fn read_end(file: &OwnedFd, back: u64) -> Result<String, Errno> {
    let start = rustix::fs::seek(file, SeekFrom::End(-(back as i64)))?;
    let mut data = vec![0; back as usize];
    let length = rustix::io::read(file, &mut data)?;
    let now = rustix::fs::seek(file, SeekFrom::Current(0))?;
    Ok(format!("{start} {now} {}", String::from_utf8_lossy(&data[..length])))
}

/// Asks for data and holes after `at`, and says whether the answers are right: file systems may differ in where they see
/// holes, but nothing that is said to be one has other bytes than zeros.
pub fn holes(file: &OwnedFd, at: u64) -> Result<String, Errno> {
    let size = rustix::fs::fstat(file)?.st_size as u64;
    let zeros = |from: u64, to: u64| {
        let mut data = vec![0; (to - from) as usize];
        let length = rustix::io::pread(file, &mut data, from)?;
        Ok::<bool, Errno>(data[..length].iter().all(|byte| *byte == 0))
    };
    let data = rustix::fs::seek(file, SeekFrom::Data(at));
    let hole = rustix::fs::seek(file, SeekFrom::Hole(at));
    if at >= size {
        return Ok(format!("beyond: {data:?} {hole:?}"));
    }
    let hidden = match data {
        Ok(start) if start < at || start > size => {
            return Ok(format!("data of {size} after {at} at {start}"));
        }
        Ok(start) => !zeros(at, start)?,
        Err(Errno::NXIO) => !zeros(at, size)?,
        Err(errno) => return Err(errno),
    };
    match hole {
        _ if hidden => Ok(format!("bytes from {at} are hidden: {data:?}")),
        Ok(start) if start < at || start > size => Ok(format!("hole of {size} after {at} at {start}")),
        Ok(start) if start < size && !zeros(start, (start + 512).min(size))? => {
            Ok(format!("no hole at {start}"))
        }
        Ok(_) => Ok("right".into()),
        Err(errno) => Err(errno),
    }
}
