//! The ends of regular files: read, compared, added in place, cut off. Not here: when that is right.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::OFlags;

use crate::sys::object::Object;
use crate::sys::tree::TreeError;

const PIECE: usize = 128 * 1024;

/// Whether two files begin with the same bytes, as many as `length`.
pub fn begin_alike(one: &Object, other: &Object, length: u64) -> Result<bool, TreeError> {
    let (a, b) = (one.read()?, other.read()?);
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < length {
        let piece = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        for (file, object, buffer) in [(&a, one, &mut left), (&b, other, &mut right)] {
            match file.read_exact_at(&mut buffer[..piece], at) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(cause) => return Err(object.io_error("read")(cause)),
            }
        }
        if left[..piece] != right[..piece] {
            return Ok(false);
        }
        at += piece as u64;
    }
    Ok(true)
}

/// Gives `each` the bytes of a file from there to its end, in pieces.
pub fn read_from(object: &Object, at: u64, each: &mut dyn FnMut(&[u8])) -> Result<(), TreeError> {
    let mut file = object.read()?;
    let mut read = || {
        file.seek(SeekFrom::Start(at))?;
        let mut buffer = vec![0; PIECE];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => each(&buffer[..length]),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
    };
    read().map_err(object.io_error("read"))
}

/// Copies the end of a file, from there on, into a new one.
pub fn copy_end(from: &Object, at: u64, to: &mut File) -> Result<(), TreeError> {
    let mut file = from.read()?;
    let mut copy = || {
        file.seek(SeekFrom::Start(at))?;
        io::copy(&mut file, to).map(|_| ())
    };
    copy().map_err(from.io_error("copy the end of"))
}

/// Adds bytes to a file where it ends, whoever else adds to it; so few as fit in one write are never torn by others.
pub fn append(object: &Object, bytes: &[u8]) -> Result<(), TreeError> {
    object
        .open(OFlags::WRONLY | OFlags::APPEND, "append to")?
        .write_all(bytes)
        .map_err(object.io_error("append to"))
}

/// Cuts a file off.
pub fn cut(object: &Object, length: u64) -> Result<(), TreeError> {
    object.write()?.set_len(length).map_err(object.io_error("cut"))
}
