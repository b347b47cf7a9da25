//! What must never be shown or recorded, and text without it: values of parameters that are marked as secrets ([`crate::model::secret`]), and
//! what stands in files that only root can read ([`private`]). docs/secrets.md says what is hidden, and what is not.
//!
//! Pure, but for one thing: a process has one set of secrets ([`known`]), which only grows. What may not be shown does not depend
//! on who shows it, so that every border asks here, and none can be given the wrong set. What merges never comes by here.

mod escapes;
mod forms;
pub mod known;
pub mod private;
mod redactor;
pub mod told;

pub use redactor::Carry;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

pub use crate::model::secret::SHORTEST;

use redactor::Redactor;

/// The most lines of files that are looked for.
const MOST_LINES: usize = 4000;
/// Longer ones are looked for up to here.
const LONGEST: usize = 64 << 10;

/// A set of secrets, and what finds them.
#[derive(Debug, Default)]
pub struct Secrets {
    /// Names and values, in the order in which they became known.
    values: Vec<(String, Vec<u8>)>,
    known: HashSet<Vec<u8>>,
    lines: usize,
    /// Whether files of those that others cannot read are no secrets.
    files_are_own: bool,
    /// What its user should know of it.
    warnings: BTreeSet<String>,
    redactor: Option<Arc<Redactor>>,
}

impl Secrets {
    /// Adds a value, and each line of it; what is shorter than [`SHORTEST`] is none.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        let lines = value.split(|byte| *byte == b'\n');
        for part in std::iter::once(value).chain(lines) {
            self.put(name, part);
            self.put(name, part.trim_ascii());
        }
    }

    /// Adds what stands in a file that only root can read.
    pub fn add_file(&mut self, path: &str, content: &[u8]) {
        if self.files_are_own {
            return;
        }
        for line in private::lines(content) {
            if self.known.contains(line) {
                continue;
            }
            if self.lines == MOST_LINES {
                self.warn(format!("{path} and other files hold more than is looked for: lines of theirs may be shown and recorded"));
                return;
            }
            self.lines += 1;
            self.put(path, line);
        }
    }

    /// Has its user told something.
    pub fn warn(&mut self, message: String) {
        self.warnings.insert(message);
    }

    fn put(&mut self, name: &str, value: &[u8]) {
        let value = &value[..value.len().min(LONGEST)];
        if value.len() >= SHORTEST && !value.trim_ascii().is_empty() && self.known.insert(value.to_vec()) {
            // A name is in the text that is shown, perhaps within quotes.
            let name = name.replace(|c: char| c.is_control() || "\"'\\".contains(c), "?");
            self.values.push((name, value.to_vec()));
            self.redactor = None;
        }
    }

    /// What finds them; `None` where there are none.
    fn redactor(&mut self) -> Option<Arc<Redactor>> {
        if self.redactor.is_none() && !self.values.is_empty() {
            let values = self.values.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            // It fails beyond billions of patterns, and there are some ten thousand.
            let redactor = Redactor::new(values).expect("the number of secrets is bounded");
            self.redactor = Some(Arc::new(redactor));
        }
        self.redactor.clone()
    }
}

/// What hides the secrets that were known when it was made.
#[derive(Debug, Clone)]
pub struct Hider {
    redactor: Option<Arc<Redactor>>,
    /// Whether it keeps back what stands in files that only root can read.
    withholds: bool,
}

impl Hider {
    /// That hides what this finds.
    fn new(redactor: Option<Arc<Redactor>>) -> Hider {
        Hider { redactor, withholds: true }
    }

    /// That hides nothing, for who may see everything.
    fn of_nothing() -> Hider {
        Hider { redactor: None, withholds: false }
    }

    /// A text without secrets, of any number of lines.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.redactor {
            Some(redactor) => redactor.text(text),
            None => Cow::Borrowed(text),
        }
    }

    /// A line without secrets, after those that the carry has seen.
    pub fn line<'a>(&self, carry: &mut Carry, line: &'a str) -> Cow<'a, str> {
        match &self.redactor {
            Some(redactor) => redactor.line(carry, line),
            None => Cow::Borrowed(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn hider(secrets: &mut Secrets) -> Hider {
        Hider::new(secrets.redactor())
    }

    #[test]
    fn a_value_its_lines_and_those_of_files_are_hidden_and_short_ones_are_not() {
        let mut secrets = Secrets::default();
        secrets.add("short", b"1234567\n");
        secrets.add("spaces", b"            ");
        assert_eq!(hider(&mut secrets).text("1234567            "), "1234567            ");
        secrets.add("key", b"-----BEGIN-----\n  indented-line\nshort\n");
        secrets.add_file(
            "/etc/x\"",
            b"# twelve chars\nshort\n--------\nroot:$6$salt$hash:19000:0\npassword = 'hunter2hunter2'\n",
        );
        let hider = hider(&mut secrets);
        for (text, hidden) in [
            ("a -----BEGIN----- b", "a [secret: key] b"),
            ("an indented-line", "an [secret: key]"),
            ("short -------- root", "short -------- root"),
            ("is $6$salt$hash", "is [secret: /etc/x?]"),
            ("is hunter2hunter2", "is [secret: /etc/x?]"),
            ("# twelve chars", "[secret: /etc/x?]"),
        ] {
            assert_eq!(hider.text(text), hidden);
        }
    }

    #[test]
    fn what_is_too_much_is_said() {
        let mut secrets = Secrets::default();
        let lines: String = (0..MOST_LINES + 1).map(|at| format!("line number {at}\n")).collect();
        secrets.add_file("/etc/x", lines.as_bytes());
        assert_eq!(secrets.warnings.len(), 1);
    }
}
