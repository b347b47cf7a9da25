//! The forms in which a value is looked for as it stands: itself, and base64 at each of the three places that it can have in
//! what was encoded. Escapes have no form here: they are undone before the search ([`super::escapes`]).

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A byte that base64 is written with, in any alphabet.
pub(super) fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The digits that a value alone decides, wherever it is in what is encoded: one that it shares with what is beside it is left
/// out. In both alphabets.
pub(super) fn base64(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value);
        // A digit is six bits.
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let digit = |at: usize| {
            let (byte, bit) = (at * 6 / 8, at * 6 % 8);
            let pair = u16::from_be_bytes([bytes[byte], bytes.get(byte + 1).copied().unwrap_or(0)]);
            usize::from(pair >> (10 - bit)) & 63
        };
        for alphabet in [STANDARD, URL_SAFE] {
            let form: Vec<u8> = (first..last).map(|at| alphabet[digit(at)]).collect();
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_base64_prints() {
        // echo -n 'hunter2?>hunter2' | base64, with nothing, x, xx and xxx before it
        let found = |text: &str| {
            base64(b"hunter2?>hunter2")
                .iter()
                .any(|form| text.as_bytes().windows(form.len()).any(|part| part == form))
        };
        for text in [
            "aHVudGVyMj8+aHVudGVyMg==",
            "eGh1bnRlcjI/Pmh1bnRlcjI=",
            "eHhodW50ZXIyPz5odW50ZXIy",
            "eHh4aHVudGVyMj8+aHVudGVyMg==",
            "aHVudGVyMj8-aHVudGVyMg",
        ] {
            assert!(found(text), "{text}");
        }
        assert!(!found("aHVudGVyMj8+aHVudGVzMg=="));
        assert_eq!(base64(b"hunter2?>hunter2").len(), 5, "one has no digit that tells the alphabets apart");
    }
}
