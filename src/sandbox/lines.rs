//! What a task prints, cut into lines as it comes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::model::step::Stream;
use crate::sandbox::Event;

/// The longest line that is kept whole, in bytes; a longer one is told in pieces.
const LONGEST_LINE: usize = 64 << 10;
/// The most that is read at once; a step that prints faster than it is read is still stopped in time.
const MOST_AT_ONCE: usize = 1 << 20;
/// One stream of a task, cut into lines.
pub(super) struct Lines {
    stream: Stream,
    from: File,
    pending: Vec<u8>,
    ended: bool,
    read: u64,
}

impl Lines {
    /// Reads from `from`, without ever waiting there.
    pub(super) fn new(stream: Stream, from: OwnedFd) -> io::Result<Lines> {
        rustix::io::ioctl_fionbio(&from, true)?;
        Ok(Lines { stream, from: File::from(from), pending: Vec::new(), ended: false, read: 0 })
    }

    /// Whether there is nothing more to come.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// How many bytes came so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Tells what is there to read now, within a limit; whether there may be more.
    pub(super) fn drain(&mut self, on_event: &mut dyn FnMut(Event<'_>)) -> io::Result<bool> {
        let mut buffer = [0; 16 << 10];
        let mut read = 0;
        while !self.ended && read < MOST_AT_ONCE {
            match self.from.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(got) => {
                    read += got;
                    self.read += got as u64;
                    self.take(&buffer[..got], on_event);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(!self.ended)
    }

    fn take(&mut self, bytes: &[u8], on_event: &mut dyn FnMut(Event<'_>)) {
        let mut left = bytes;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            left = &left[piece.len()..];
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.pending.pop();
                self.tell(left.contains(&b'\n'), on_event);
            } else if self.pending.len() >= LONGEST_LINE {
                self.tell(false, on_event);
            }
        }
    }

    /// Tells what came after the last newline.
    pub(super) fn finish(&mut self, on_event: &mut dyn FnMut(Event<'_>)) {
        if !self.pending.is_empty() {
            self.tell(false, on_event);
        }
    }

    fn tell(&mut self, more: bool, on_event: &mut dyn FnMut(Event<'_>)) {
        let text = String::from_utf8_lossy(&self.pending);
        on_event(Event::Line { stream: self.stream, text: &text, more });
        self.pending.clear();
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_are_cut_at_newlines_and_kept_bounded() {
        let (from, to) = std::io::pipe().unwrap();
        let mut lines = Lines::new(Stream::Stdout, from.into()).unwrap();
        let mut told = Vec::new();
        let mut to = File::from(OwnedFd::from(to));
        to.write_all(b"one\ntw").unwrap();
        lines.drain(&mut |event| told.push(format!("{event:?}"))).unwrap();
        to.write_all(b"o\n\nlast\xff").unwrap();
        drop(to);
        lines.drain(&mut |event| told.push(format!("{event:?}"))).unwrap();
        lines.finish(&mut |event| told.push(format!("{event:?}")));
        let texts: Vec<_> = told.iter().map(|line| line.split('"').nth(1).unwrap()).collect();
        assert_eq!(texts, ["one", "two", "", "last\u{fffd}"]);
        let mut followed = Vec::new();
        let mut note = |event: Event<'_>| {
            if let Event::Line { text, more, .. } = event {
                followed.push((text.to_owned(), more));
            }
        };
        lines.take(b"a\n", &mut note);
        lines.take(b"b\nc\nd", &mut note);
        lines.finish(&mut note);
        let expected = [("a", false), ("b", true), ("c", false), ("d", false)];
        assert_eq!(followed, expected.map(|(text, more)| (text.to_owned(), more)));
        let mut pieces = 0;
        lines.take(&vec![b'x'; 3 * LONGEST_LINE], &mut |_| pieces += 1);
        assert!(lines.pending.len() <= 3 * LONGEST_LINE && pieces >= 1, "{pieces}");
    }
}
