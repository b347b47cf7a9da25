//! The kernel's settings as a run has set them: files below /proc and /sys whose writes were pretended, and what a later
//! read of them shows. One store for all who write them, and all who look. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a run has set, by the file's path (`/proc/sys/net/ipv4/ip_forward`): what a read of that file shows now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnobValues(BTreeMap<PathBuf, Vec<u8>>);

impl KnobValues {
    /// What a read shows, newline included; `None` where nobody has set it, and the host's own value counts.
    pub fn get(&self, path: &Path) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Has later reads show that (see [`shown`]).
    pub fn set(&mut self, path: &Path, text: Vec<u8>) {
        self.0.insert(path.to_owned(), text);
    }
}

/// Why a value is refused, as write(2) says it: EINVAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// What a file shows that shows `now` (`None` where it cannot be read) once `written` was written to it: `None` where that
/// cannot be known, since it is none of those that show what was written.
pub fn shown(path: &Path, now: Option<&[u8]>, written: &[u8]) -> Result<Option<Vec<u8>>, Invalid> {
    let Some(now) = now else { return Ok(None) };
    let (Ok(before), Ok(text)) = (std::str::from_utf8(now), std::str::from_utf8(written)) else {
        return Ok(None);
    };
    // The kernel takes a string up to its first newline.
    let (before, text) =
        (before.strip_suffix('\n').unwrap_or(before), text.split('\n').next().unwrap_or(text));
    if before.contains('\n') {
        return Ok(None);
    }
    if name_of(path).is_some() && is_numbers(before) {
        let numbers = text.trim();
        if numbers.is_empty() || !numbers.split([' ', '\t', ',', '-', '+']).all(may_be_number) {
            return Err(Invalid);
        }
        // A vector may be set in part: what is not named stays.
        let named: Vec<&str> = numbers.split_ascii_whitespace().collect();
        let kept = before.split_ascii_whitespace().skip(named.len());
        return Ok(Some(line(&named.iter().copied().chain(kept).collect::<Vec<_>>().join("\t"))));
    }
    Ok(Some(line(&chosen(before, text.trim()).unwrap_or_else(|| text.to_owned()))))
}

fn line(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

/// Whether a text is whole numbers and nothing else.
fn is_numbers(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek().is_some() && words.all(|word| word.parse::<i128>().is_ok())
}

/// Whether it is a number as the kernel reads them; nothing is, too, between two of them.
fn may_be_number(word: &str) -> bool {
    match word.strip_prefix("0x") {
        Some(digits) => digits.chars().all(|c| c.is_ascii_hexdigit()),
        None => word.chars().all(|c| c.is_ascii_digit()),
    }
}

/// The line of choices with another one chosen: `[none] bfq` and `bfq` make `none [bfq]`.
fn chosen(before: &str, choice: &str) -> Option<String> {
    let bare = |word: &str| word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).map(str::to_owned);
    let words: Vec<&str> = before.split_ascii_whitespace().collect();
    let is_choice = words.iter().filter(|word| bare(word).is_some()).count() == 1
        && words.iter().any(|word| *word == choice || bare(word).as_deref() == Some(choice));
    let mark = |word: &str| {
        let plain = bare(word).unwrap_or_else(|| word.to_owned());
        if plain == choice { format!("[{plain}]") } else { plain }
    };
    is_choice.then(|| words.into_iter().map(mark).collect::<Vec<_>>().join(" "))
}

/// The folder of sysctl(8).
const SYSCTL: &str = "/proc/sys";

/// The name by which sysctl(8) knows a file, such as `net.ipv4.conf.eth0/100.forwarding`; `None` for a file elsewhere.
pub fn name_of(path: &Path) -> Option<String> {
    let below = path.strip_prefix(SYSCTL).ok()?.to_str().filter(|below| !below.is_empty())?;
    Some(swapped(below))
}

/// The file of a name of sysctl(8): with dots, or with slashes where a slash comes first. `None` for what is no name.
pub fn file_of(name: &str) -> Option<PathBuf> {
    let first = name.find(['.', '/'])?;
    let below = if name[first..].starts_with('/') { name.to_owned() } else { swapped(name) };
    let is_plain = below.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_plain.then(|| Path::new(SYSCTL).join(below))
}

/// Dots for slashes, and slashes for dots.
fn swapped(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '.' {
                '/'
            } else if c == '/' {
                '.'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_reads_show_what_the_kernel_would() {
        for (path, now, written, expected) in [
            ("/proc/sys/net/ipv4/ip_forward", "0\n", "1\n", Some("1\n")),
            ("/proc/sys/net/ipv4/ip_forward", "0\n", "1", Some("1\n")),
            ("/proc/sys/net/ipv4/ip_forward", "0\n", " 1 \n2\n", Some("1\n")),
            ("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t33554432\n", "1 2  3\n", Some("1\t2\t3\n")),
            ("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t33554432\n", "1\n", Some("1\t131072\t33554432\n")),
            ("/proc/sys/kernel/core_pattern", "core\n", "|/bin/x %p\n", Some("|/bin/x %p\n")),
            ("/proc/sys/kernel/hostname", "a\n", "", Some("\n")),
            ("/proc/sys/net/ipv4/ip_local_reserved_ports", "8080\n", "1-3,8080\n", Some("1-3,8080\n")),
            ("/sys/block/vda/queue/scheduler", "[none] bfq\n", "bfq\n", Some("none [bfq]\n")),
            (
                "/sys/kernel/mm/x/enabled",
                "always [madvise] never\n",
                "never",
                Some("always madvise [never]\n"),
            ),
            ("/sys/kernel/mm/x/enabled", "always [madvise] never\n", "x", Some("x\n")),
            ("/sys/block/vda/queue/nr_requests", "256\n", "many\n", Some("many\n")),
            ("/sys/devices/x/uevent", "MAJOR=1\nMINOR=2\n", "add\n", None),
        ] {
            let shown = shown(Path::new(path), Some(now.as_bytes()), written.as_bytes()).unwrap();
            assert_eq!(shown.as_deref(), expected.map(str::as_bytes), "{path} {written:?}");
        }
        assert_eq!(shown(Path::new("/proc/sysrq-trigger"), None, b"b"), Ok(None));
    }

    #[test]
    fn a_number_takes_no_word() {
        for written in ["abc\n", "", "\n", "1 x"] {
            let told = shown(Path::new("/proc/sys/vm/swappiness"), Some(b"60\n"), written.as_bytes());
            assert_eq!(told, Err(Invalid), "{written:?}");
        }
    }

    #[test]
    fn names_and_files_are_told_from_one_another() {
        for (name, file) in [
            ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/100.forwarding", "/proc/sys/net/ipv4/conf/eth0.100/forwarding"),
        ] {
            assert_eq!(file_of(name).as_deref(), Some(Path::new(file)));
            assert_eq!(name_of(Path::new(file)).as_deref(), Some(name));
        }
        let slashes = file_of("net/ipv4/conf/eth0.100/forwarding").unwrap();
        assert_eq!(slashes, Path::new("/proc/sys/net/ipv4/conf/eth0.100/forwarding"));
        for wrong in ["", "x", "a..b", "net/../../etc", ".x"] {
            assert_eq!(file_of(wrong), None, "{wrong:?}");
        }
        assert_eq!(name_of(Path::new("/sys/power/state")), None);
    }

    #[test]
    fn what_was_set_is_shown() {
        let (mut values, path) = (KnobValues::default(), Path::new("/proc/sys/vm/swappiness"));
        assert_eq!(values.get(path), None);
        values.set(path, b"10\n".to_vec());
        values.set(path, b"20\n".to_vec());
        assert_eq!(values.get(path), Some(&b"20\n"[..]));
    }
}
