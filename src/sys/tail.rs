//! The end of a stream of bytes, within a limit.

/// The last bytes of a stream, no more than the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    /// An empty tail that keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Tail {
        Tail { bytes: Vec::new(), limit, dropped: 0 }
    }

    /// Adds bytes, and forgets the oldest beyond the limit.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Cut at twice the limit, so that a long stream is moved a constant number of times.
        if self.bytes.len() > 2 * self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let over = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }

    /// The kept bytes, and how many came before them.
    pub fn finish(mut self) -> (Vec<u8>, u64) {
        self.cut();
        (self.bytes, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        for (limit, input, kept, dropped) in
            [(4, "abc", "abc", 0), (4, "abcdefghijklm", "jklm", 9), (0, "ab", "", 2)]
        {
            let mut tail = Tail::new(limit);
            input.as_bytes().chunks(2).for_each(|chunk| tail.push(chunk));
            assert_eq!(tail.finish(), (kept.as_bytes().to_vec(), dropped), "{input} in {limit}");
        }
    }
}
