//! Text with its escapes undone, and where each byte of it came from: percent signs as in URLs, backslashes as in JSON, C and
//! shells, quotes within quotes of a shell.

/// Bytes, each with the place in the text that it was made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Undone {
    pub bytes: Vec<u8>,
    /// Where each begins there; one more at the end.
    places: Vec<usize>,
}

impl Undone {
    fn new(length: usize) -> Undone {
        Undone { bytes: Vec::with_capacity(length), places: Vec::with_capacity(length + 1) }
    }

    fn put(&mut self, place: usize, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.places.extend(bytes.iter().map(|_| place));
    }

    fn end(mut self, length: usize) -> Undone {
        self.places.push(length);
        self
    }

    /// The part of the text that became these bytes.
    pub fn place(&self, start: usize, end: usize) -> (usize, usize) {
        (self.places[start], self.places[end])
    }
}

/// Without `%41`, and where `plus` says so without `+` for a space; `None` where there is nothing of the kind.
pub(super) fn percent(text: &[u8], plus: bool) -> Option<Undone> {
    let hex = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let escape = |at: usize| Some((hex(at + 1)? * 16 + hex(at + 2)?) as u8).filter(|_| text[at] == b'%');
    let has = |sign: u8| text.contains(&sign);
    let escaped = has(b'%') && (0..text.len()).any(|at| escape(at).is_some());
    let spaced = plus && has(b'+');
    if !(escaped || spaced) {
        return None;
    }
    let (mut undone, mut at) = (Undone::new(text.len()), 0);
    while at < text.len() {
        let (byte, length) = match escape(at) {
            Some(byte) => (byte, 3),
            None if plus && text[at] == b'+' => (b' ', 1),
            None => (text[at], 1),
        };
        undone.put(at, &[byte]);
        at += length;
    }
    Some(undone.end(text.len()))
}

/// Without backslashes, and without the quotes that put one into a word in quotes; `None` where there are none.
pub(super) fn backslashes(text: &[u8]) -> Option<Undone> {
    undone(text, true)
}

/// The same, but with backslashes: within single quotes of a shell they are none.
pub(super) fn quotes(text: &[u8]) -> Option<Undone> {
    (text.contains(&b'\'')).then(|| undone(text, false))?
}

fn undone(text: &[u8], backslashes: bool) -> Option<Undone> {
    const QUOTED: [&[u8]; 2] = [b"'\\''", b"'\"'\"'"];
    let quoted = || text.contains(&b'"') && text.windows(QUOTED[1].len()).any(|part| part == QUOTED[1]);
    if !text.contains(&b'\\') && !quoted() {
        return None;
    }
    let (mut undone, mut at) = (Undone::new(text.len()), 0);
    while at < text.len() {
        let rest = &text[at..];
        if let Some(quoted) = QUOTED.iter().find(|quoted| rest.starts_with(quoted)) {
            undone.put(at, b"'");
            at += quoted.len();
        } else if backslashes && rest[0] == b'\\' && rest.len() > 1 {
            let mut made = [0; 4];
            let (bytes, length) = escape(&rest[1..], &mut made);
            undone.put(at, bytes);
            at += 1 + length;
        } else {
            undone.put(at, &rest[..1]);
            at += 1;
        }
    }
    Some(undone.end(text.len()))
}

/// What an escape stands for, given what comes after its backslash, and how much of that it is.
fn escape<'a>(rest: &'a [u8], made: &'a mut [u8; 4]) -> (&'a [u8], usize) {
    let number = |from: usize, most: usize, base: u32| {
        let digits = rest[from..].iter().take(most).map_while(|byte| char::from(*byte).to_digit(base));
        let (value, count) = digits.fold((0, 0), |(value, count), digit| (value * base + digit, count + 1));
        (value, from + count)
    };
    let byte: &[u8] = match rest[0] {
        b'n' => b"\n",
        b't' => b"\t",
        b'r' => b"\r",
        b'b' => b"\x08",
        b'f' => b"\x0c",
        b'e' | b'E' => b"\x1b",
        b'x' | b'0'..=b'7' => {
            let (value, length) = if rest[0] == b'x' { number(1, 2, 16) } else { number(0, 3, 8) };
            if length == 1 && rest[0] == b'x' {
                return (&rest[..1], 1);
            }
            made[0] = value as u8;
            return (&made[..1], length);
        }
        b'u' => {
            let (mut value, mut length) = number(1, 4, 16);
            if length < 5 {
                return (&rest[..1], 1);
            }
            if (0xd800..0xdc00).contains(&value) && rest[length..].starts_with(b"\\u") {
                let (low, end) = number(length + 2, 4, 16);
                if (0xdc00..0xe000).contains(&low) {
                    (value, length) = (0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00), end);
                }
            }
            let character = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
            return (character.encode_utf8(made).as_bytes(), length);
        }
        _ => &rest[..1],
    };
    (byte, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_their_places_known() {
        let text = |undone: Option<Undone>| undone.map(|undone| String::from_utf8(undone.bytes).unwrap());
        for (escaped, plain) in [
            (r#"a\"b\\c\/d\n\t\u00e4\ud83d\ude00\x41\101"#, "a\"b\\c/d\n\tä😀AA"),
            (r"it'\''s", "it's"),
            ("it'\"'\"'s", "it's"),
            (r"a\ b\$c", "a b$c"),
            ("end\\", "end\\"),
        ] {
            assert_eq!(text(backslashes(escaped.as_bytes())).as_deref(), Some(plain), "{escaped}");
        }
        assert_eq!(text(quotes(br"'it'\''s \n'")).as_deref(), Some(r"'it's \n'"));
        assert_eq!(text(percent(b"a%2Fb%2fc%zz%4", false)).as_deref(), Some("a/b/c%zz%4"));
        assert_eq!(text(percent(b"a+b%20c", true)).as_deref(), Some("a b c"));
        assert_eq!((percent(b"plain+", false), backslashes(b"it's")), (None, None));
        let undone = percent(b"x%41%42y", false).unwrap();
        assert_eq!((undone.place(1, 3), undone.place(3, 4), undone.place(0, 1)), ((1, 7), (7, 8), (0, 1)));
    }
}
