//! The kernel's list of mounts, read for one of them. Asking the mount itself would wait for this very program.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A mount as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// Its number in the list of mounts.
    pub id: u64,
    /// Its device number, as `MAJOR:MINOR`.
    pub device: String,
    /// The type of its file system.
    pub kind: String,
}

/// Returns the mount that is on top at a path, from the text of `mountinfo`.
pub(crate) fn on_top(text: &[u8], mountpoint: &Path) -> Option<Mounted> {
    let wanted = mountpoint.as_os_str().as_bytes();
    text.split(|&byte| byte == b'\n').rev().find_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let device = fields.nth(1)?;
        let at = unescaped(fields.nth(1)?);
        // Optional fields, as many as there are, end with a dash.
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let text = |field| String::from_utf8_lossy(field).into_owned();
        (at.as_bytes() == wanted).then(|| Mounted { id, device: text(device), kind: text(kind) })
    })
}

/// Returns a path without the kernel's octal escapes of blanks and backslashes.
fn unescaped(text: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let octal = text.get(at + 1..at + 4).filter(|_| text[at] == b'\\');
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/root rw
90 22 0:45 / /mnt/a\\040b rw,nodev - fuse.disco-overlayfs none rw,user_id=0
91 22 0:46 / /mnt/x rw,nodev - tmpfs x rw
92 91 0:47 / /mnt/x rw,nodev - fuse.disco-overlayfs none rw,user_id=0
93 22 0:48 / /back\\134slash rw - tmpfs x rw
";

    #[test]
    fn the_last_mount_at_a_path_is_on_top() {
        for (path, expected) in [
            ("/mnt/x", Some((92, "0:47", "fuse.disco-overlayfs"))),
            ("/mnt/a b", Some((90, "0:45", "fuse.disco-overlayfs"))),
            ("/back\\slash", Some((93, "0:48", "tmpfs"))),
            ("/", Some((22, "254:0", "ext4"))),
            ("/mnt", None),
        ] {
            let found = on_top(TEXT, Path::new(path));
            let expected =
                expected.map(|(id, device, kind)| Mounted { id, device: device.into(), kind: kind.into() });
            assert_eq!(found, expected, "{path}");
        }
    }
}
