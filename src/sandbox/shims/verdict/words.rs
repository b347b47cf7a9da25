//! How the words of a command line are read: strictly where a look is to be proved, as getopt_long(3) does where an effect
//! is to be understood.

/// Whether a command line consists of nothing but these options, wherever they stand, and of operands that are as asked. A
/// word that could be a value is held to the same: whatever the program takes it for, it cannot be another option. An entry
/// such as `-abc` allows these letters, alone and in bundles; `--name=` a value in the same word.
pub(super) fn only(words: &[&str], options: &[&str], operand: impl Fn(&str) -> bool) -> bool {
    words.iter().all(|word| match word.strip_prefix("--") {
        Some("") => false,
        Some(_) => options.iter().any(|option| {
            word == option || (option.ends_with('=') && option.starts_with("--") && word.starts_with(option))
        }),
        None => match word.strip_prefix('-') {
            Some(letters) => !letters.is_empty() && is_bundle(letters, options),
            None => operand(word),
        },
    })
}

fn is_bundle(letters: &str, options: &[&str]) -> bool {
    let mut allowed = options.iter().filter(|option| !option.starts_with("--"));
    allowed.any(|option| letters.chars().all(|letter| option[1..].contains(letter)))
}

/// Whether a word is a name: no option, no path that leads elsewhere, nothing that a grammar could read as two words.
pub(super) fn plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with(['-', '.', '+'])
        && word.chars().all(|sign| sign.is_alphanumeric() || "_.-:@+%*?[]\\".contains(sign))
}

/// Whether a word is a path or a name, and no option.
pub(super) fn path(word: &str) -> bool {
    !word.is_empty() && !word.starts_with('-') && !word.contains(['\n', ';', '\0'])
}

/// Whether a word is a number.
pub(super) fn number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// No operand at all.
pub(super) fn none(_: &str) -> bool {
    false
}

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
    /// One that is in the same word, if any.
    MaybeValue,
}

/// The options of a program: their names, the shortest first (`s`, `signal`), and what they take.
pub(super) type Spec = [(&'static [&'static str], Takes)];

/// A command line as getopt_long(3) reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// Each option by its first name, with its value.
    pub options: Vec<(&'static str, Option<String>)>,
    /// What is no option.
    pub operands: Vec<String>,
    /// What came after `--`; part of the operands too.
    pub rest: Vec<String>,
}

impl Parsed {
    /// Whether an option is there.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(there, _)| *there == name)
    }

    /// The last value of an option.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(there, _)| *there == name).and_then(|(_, value)| value.as_deref())
    }
}

/// Reads a command line, options and operands mixed; `None` where an option is not known or has no value.
pub(super) fn parse(words: &[&str], spec: &Spec) -> Option<Parsed> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--" {
            parsed.rest.extend(words.map(|word| (*word).to_owned()));
            parsed.operands.extend(parsed.rest.iter().cloned());
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let (first, takes) = named(spec, name)?;
            let value = match (takes, value) {
                (Takes::Nothing, Some(_)) => return None,
                (Takes::Value, None) => Some((*words.next()?).to_owned()),
                (_, value) => value,
            };
            parsed.options.push((first, value));
        } else if let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            while let Some(letter) = letters.chars().next() {
                let (short, rest) = letters.split_at(letter.len_utf8());
                let (names, takes) = spec.iter().find(|(names, _)| names.contains(&short))?;
                letters = rest;
                let value = match takes {
                    Takes::Nothing => None,
                    Takes::MaybeValue if letters.is_empty() => None,
                    Takes::Value if letters.is_empty() => Some((*words.next()?).to_owned()),
                    Takes::Value | Takes::MaybeValue => Some(std::mem::take(&mut letters).to_owned()),
                };
                parsed.options.push((names.first()?, value));
            }
        } else {
            parsed.operands.push((*word).to_owned());
        }
    }
    Some(parsed)
}

/// The option of a long name, or of the only one that begins so.
fn named(spec: &Spec, name: &str) -> Option<(&'static str, Takes)> {
    let long = |names: &[&'static str], like: &dyn Fn(&str) -> bool| {
        names.iter().any(|there| there.len() > 1 && like(there))
    };
    let found = spec.iter().find(|(names, _)| long(names, &|there| there == name)).or_else(|| {
        let mut like = spec.iter().filter(|(names, _)| long(names, &|there| there.starts_with(name)));
        like.next().filter(|_| like.next().is_none())
    });
    found.and_then(|(names, takes)| Some((*names.first()?, *takes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &Spec = &[
        (&["s", "signal"], Takes::Value),
        (&["q", "quiet"], Takes::Nothing),
        (&["x", "silent"], Takes::Nothing),
        (&["I", "iso"], Takes::MaybeValue),
    ];

    #[test]
    fn lines_are_read_as_getopt_reads_them() {
        for (line, expected) in [
            ("a -s 9 b", Some("s=9 | a b")),
            ("-s9 -- -q", Some("s=9 | -q")),
            ("-qs 9", Some("q s=9 | ")),
            ("--sig=9 --qu", Some("s=9 q | ")),
            ("--signal 9", Some("s=9 | ")),
            ("--s 9", None),
            ("-Iseconds -I x", Some("I=seconds I | x")),
            ("--quiet=1", None),
            ("-z", None),
            ("-s", None),
            ("-", Some(" | -")),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let told = parse(&words, SPEC).map(|parsed| {
                let option = |(name, value): &(&str, Option<String>)| {
                    value.as_ref().map_or((*name).to_owned(), |value| format!("{name}={value}"))
                };
                let options: Vec<String> = parsed.options.iter().map(option).collect();
                format!("{} | {}", options.join(" "), parsed.operands.join(" "))
            });
            assert_eq!(told.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn only_what_is_listed_passes_wherever_it_stands() {
        let options = ["-nv", "-t", "--list", "--output="];
        for (line, passes) in [
            ("-n", true),
            ("-nv", true),
            ("-vn x", true),
            ("-nt", false),
            ("x -t y", true),
            ("--list", true),
            ("--list=x", false),
            ("--lis", false),
            ("--output=-f", true),
            ("--output", false),
            ("-", false),
            ("--", false),
            ("x -f", false),
            ("-nf", false),
            ("../x", false),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(only(&words, &options, plain), passes, "{line}");
        }
    }
}
