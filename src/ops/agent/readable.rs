//! Whether the listener's user can read what it has to, and that it can.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::sys::files::{self, FileError};
use crate::sys::rights::Account;
use crate::sys::trusted;

use super::daemons::DaemonError;

/// Gives those of the files that it cannot read to its group, where they are root's own. Returns which.
pub(super) fn give(paths: &[&Path], account: &Account) -> Result<Vec<PathBuf>, DaemonError> {
    let mut given = vec![];
    for path in paths {
        if files::look_through(path)?.is_none() || can_read(path, account)? {
            continue;
        }
        let unreadable = || DaemonError::Unreadable { user: account.name.clone(), path: path.to_path_buf() };
        trusted::give_to_group(path, account.group, 0o640)?;
        // A folder above it keeps everybody out who is not root: that is the administrator's to decide.
        if !can_read(path, account)? {
            return Err(unreadable());
        }
        given.push(path.to_path_buf());
    }
    Ok(given)
}

/// Whether that user, with its own group alone, can read that file, by the modes of it and of the folders above it.
pub(super) fn can_read(path: &Path, account: &Account) -> Result<bool, FileError> {
    let path = files::canonical(path)?;
    for (number, at) in path.ancestors().enumerate() {
        let Some(found) = files::look(at)? else { return Ok(false) };
        let wanted = if number == 0 { 0o4 } else { 0o1 };
        if !may(found.mode(), (found.uid(), found.gid()), account, wanted) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether it may do that (4 read, 2 write, 1 go through) to what is `of` that owner and group.
pub(super) fn may(mode: u32, of: (u32, u32), account: &Account, wanted: u32) -> bool {
    let shift = match of {
        (user, _) if user == account.user => 6,
        (_, group) if group == account.group => 3,
        _ => 0,
    };
    account.user == 0 || mode >> shift & wanted == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_group_and_others_may_each_what_their_bits_say() {
        let agent = Account { name: String::new(), user: 990, group: 991, home: String::new() };
        let root = Account { user: 0, ..agent.clone() };
        for (mode, of, wanted, expected) in [
            (0o640, (0, 991), 4, true),
            (0o600, (0, 991), 4, false),
            (0o604, (0, 991), 4, false),
            (0o604, (0, 0), 4, true),
            (0o040, (990, 991), 4, false),
            (0o660, (0, 991), 6, true),
            (0o711, (0, 0), 1, true),
            (0o700, (0, 0), 1, false),
        ] {
            assert_eq!(may(mode, of, &agent, wanted), expected, "{mode:o} {of:?} {wanted}");
            assert!(may(mode, of, &root, wanted));
        }
    }
}
