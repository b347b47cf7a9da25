//! sha256 of what is read or written. Pure but for what it passes on.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// Hashes everything that passes through it.
#[derive(Debug)]
pub struct Hashing<T> {
    inner: T,
    hash: Sha256,
    size: u64,
}

impl<T> Hashing<T> {
    /// Nothing has passed yet.
    pub fn new(inner: T) -> Hashing<T> {
        Hashing { inner, hash: Sha256::new(), size: 0 }
    }

    /// What it was put around, the sha256 of what has passed in hex, and how many bytes that was.
    pub fn end(self) -> (T, String, u64) {
        (self.inner, hex(&self.hash.finalize()), self.size)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.passed(&buffer[..length]);
        Ok(length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.passed(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// sha256 of bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A piece of content in memory.
pub(super) const PIECE: usize = 128 * 1024;

/// Reads to the end, piece by piece; returns how many bytes that were.
pub(super) fn each_piece(
    mut from: impl Read,
    mut with: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut size = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(length) => {
                with(&buffer[..length])?;
                size += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// sha256 of all that there is to read, in hex.
pub(super) fn sha256_of(from: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    each_piece(from, |piece| {
        hash.update(piece);
        Ok(())
    })?;
    Ok(hex(&hash.finalize()))
}

/// Both hashes of a content that arrives in pieces, holes between them.
pub(super) struct Content {
    sha256: Sha256,
    md5: md5::Context,
    at: u64,
}

impl Content {
    /// Nothing has arrived yet.
    pub fn new() -> Content {
        Content { sha256: Sha256::new(), md5: md5::Context::new(), at: 0 }
    }

    /// The next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.consume(bytes);
        self.at += bytes.len() as u64;
    }

    /// Zeros up to that place; `stop` is asked between pieces, and ends it.
    pub fn zeros_to(&mut self, to: u64, stop: &dyn Fn() -> bool) {
        let zeros = [0; 64 * 1024];
        while self.at < to && !stop() {
            let length = usize::try_from(to - self.at).unwrap_or(usize::MAX).min(zeros.len());
            self.add(&zeros[..length]);
        }
    }

    /// sha256 and md5, in hex.
    pub fn end(self) -> (String, String) {
        (hex(&self.sha256.finalize()), format!("{:x}", self.md5.finalize()))
    }
}
