//! Files that only root can read: which they are, and what of them is looked for.
//!
//! A file is one where its mode does not let others read it. Whom its group lets read it does not count: such groups (shadow,
//! ssl-cert, adm) are there to keep a file from everybody else. Nor do the folders above it count.

use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind};

use super::SHORTEST;

/// The most of one file that is looked for, in bytes.
pub const MOST: usize = 256 << 10;
/// A file that is no text and no larger than this is looked for as a whole, as a key is.
const MOST_BINARY: usize = 4096;

/// Those that are secret on every node, and that no step has to open for that.
pub const ALWAYS: [&str; 4] = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"];

/// Whether the mode lets nobody read but the owner and the group.
pub fn is_private(mode: u32) -> bool {
    mode & 0o004 == 0
}

/// Whether what stands in a file of that name is looked for elsewhere: a log repeats what others say, and debconf's own
/// database is made of words that are in every answer of it.
pub fn is_looked_for(path: &str) -> bool {
    !["/var/log/", "/var/cache/debconf/"].iter().any(|folder| path.starts_with(folder))
}

/// Whether a file of that name is mostly on its way to another name or gone soon: programs make such files for themselves alone,
/// and what stands in them is mostly for everybody once it is where it belongs.
pub fn is_passing(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let folders = ["/tmp/", "/var/tmp/", "/var/lib/dpkg/tmp.ci/"];
    let ends = [".dpkg-new", ".dpkg-tmp", ".tmp", ".new", "~", "-new"];
    let made_up =
        ["tmp", "sed"].iter().any(|word| name.strip_prefix(word).is_some_and(|rest| rest.len() >= 6));
    // One without a name is its program's alone.
    name.is_empty()
        || name.starts_with('.')
        || made_up
        || folders.iter().any(|folder| path.starts_with(folder))
        || ends.iter().any(|end| name.ends_with(end))
}

/// Whether the content of an object that differs is nobody's to see, before or after.
pub fn is_withheld(change: &Change) -> bool {
    let private = |side: &Attributes| side.kind == FileKind::Regular && is_private(side.mode);
    match &change.kind {
        ChangeKind::Created { after: side } | ChangeKind::Deleted { before: side } => private(side),
        ChangeKind::Modified { before, after } => private(before) || private(after),
    }
}

/// What of a file is looked for: its lines, without what is around them; of those that hold a field with a hash of a password, and
/// of settings that say to be a secret, that part by itself too. Lines without a letter or a digit are none.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_text = std::str::from_utf8(content).is_ok() && !content.contains(&0);
    let content = &content[..content.len().min(MOST)];
    let whole = (!is_text && content.len() <= MOST_BINARY).then_some(content);
    let lines = if is_text { content } else { &[] };
    let lines = lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).flat_map(|line| {
        let hash = line.split(|byte| *byte == b':').skip(1).find(|field| field.starts_with(b"$"));
        [Some(line), hash, set(line)]
    });
    let speaks = |line: &&[u8]| line.iter().any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    whole.into_iter().chain(lines.flatten().filter(speaks)).filter(|line| line.len() >= SHORTEST)
}

/// The value of a setting that is called a secret: `password = 'x'`, `api_token: x`.
fn set(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().position(|byte| matches!(byte, b'=' | b':'))?;
    let name = line[..at].to_ascii_lowercase();
    let called = [&b"pass"[..], b"secret", b"token", b"key"];
    let is_called = called.iter().any(|word| name.windows(word.len()).any(|part| part == *word));
    let value = line[at + 1..].trim_ascii();
    let bare = |quote| value.strip_prefix(&[quote])?.strip_suffix(&[quote]);
    is_called.then(|| bare(b'"').or_else(|| bare(b'\'')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_their_way_are_told_from_those_that_stay() {
        for path in [
            "/",
            "/etc/a.dpkg-new",
            "/etc/.a.Xy12Zw",
            "/var/lib/dpkg/tmp.ci/md5sums",
            "/tmp/x",
            "/etc/sedAbCdEf",
        ] {
            assert!(is_passing(path), "{path}");
        }
        for path in ["/etc/shadow", "/etc/app.key", "/root/tmp/key", "/etc/ssl/private/a.pem"] {
            assert!(!is_passing(path), "{path}");
        }
    }
}
