//! The lines of a file by where they begin, read again in any order: a piece of the file is held at a time, never all of it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// So many bytes are read at once, or as many as a line is long.
const PIECE: usize = 64 * 1024;

/// A file of lines, and the piece of it that was read last.
#[derive(Debug, Clone)]
pub struct LinesAt {
    file: Arc<File>,
    piece: Vec<u8>,
    from: u64,
    /// Whether the piece goes to the end of the file.
    ends: bool,
}

impl LinesAt {
    /// The lines of that file.
    pub fn of(file: Arc<File>) -> LinesAt {
        LinesAt { file, piece: Vec::new(), from: 0, ends: false }
    }

    /// The line that begins there, with its newline where it has one; empty at the end of the file.
    pub fn line(&mut self, at: u64) -> io::Result<&[u8]> {
        let mut most = PIECE;
        let mut found = self.found(at);
        if found.is_none() {
            // Whoever goes backwards wants what is before it next.
            let before = if at < self.from { PIECE as u64 / 4 * 3 } else { 0 };
            self.read(at.saturating_sub(before), most)?;
            found = self.found(at);
        }
        while found.is_none() {
            most *= 2;
            self.read(at, most)?;
            found = self.found(at);
        }
        Ok(&self.piece[found.unwrap_or_default()])
    }

    /// Where the line is in the piece; none where it is not in it as a whole.
    fn found(&self, at: u64) -> Option<Range<usize>> {
        let start = usize::try_from(at.checked_sub(self.from)?).ok()?;
        let rest = self.piece.get(start..)?;
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(length) => Some(start..start + length + 1),
            None => self.ends.then_some(start..self.piece.len()),
        }
    }

    fn read(&mut self, from: u64, most: usize) -> io::Result<()> {
        self.from = from;
        self.piece.resize(most, 0);
        let mut length = 0;
        while length < most {
            match self.file.read_at(&mut self.piece[length..], from + length as u64) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.piece.clear();
                    return Err(error);
                }
            }
        }
        self.piece.truncate(length);
        self.ends = length < most;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_of_any_length_are_found_in_any_order() {
        let mut file = tempfile::tempfile().unwrap();
        let (mut all, mut at) = (Vec::new(), 0);
        for number in 0..400_usize {
            let length = if number % 97 == 5 { PIECE * 3 + number } else { number * 7 % 1500 };
            let line = format!("{number} {}\n", "x".repeat(length));
            file.write_all(line.as_bytes()).unwrap();
            all.push((at, line.clone().into_bytes()));
            at += line.len() as u64;
        }
        file.write_all(b"torn").unwrap();
        all.push((at, b"torn".to_vec()));
        all.push((at + 4, Vec::new()));
        let mut lines = LinesAt::of(Arc::new(file));
        let forward = all.iter();
        let odd = (0..all.len()).map(|number| &all[number * 211 % all.len()]);
        for (at, line) in forward.chain(all.iter().rev()).chain(odd) {
            assert_eq!(lines.line(*at).unwrap(), line, "{at}");
            assert!(lines.piece.capacity() <= PIECE * 8, "a piece, not the file");
        }
    }
}
