//! Who started this process, and how: what a record says of it. None of it is proof of anything; it is for people who ask.

use std::fs;
use std::io;

use crate::model::run::StartedBy;
use crate::sys::accounts::Accounts;
use crate::sys::user_namespace;

/// What the kernel says of a process that nobody has logged in for: -1 as an unsigned number.
const NOBODY: u32 = u32::MAX;

/// Who started this process.
pub fn starter() -> StartedBy {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let sudo = std::env::var_os("SUDO_USER").map(|name| name.to_string_lossy().into_owned());
    let uid = match user_namespace::is_settled() {
        true => outer(&read("/proc/self/uid_map")).unwrap_or_else(real_uid),
        false => real_uid(),
    };
    let accounts = Accounts::parse(&read("/etc/passwd"), "");
    let login = read("/proc/self/loginuid").trim().parse().ok();
    StartedBy {
        user: user(sudo, login, uid, &accounts),
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        parent: parent(),
        terminal: terminal(),
    }
}

fn real_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// Whoever became `uid` by sudo, or logged in and became it by other ways.
fn user(sudo: Option<String>, login: Option<u32>, uid: u32, accounts: &Accounts) -> String {
    let logged_in = login.filter(|login| *login != NOBODY);
    sudo.filter(|name| !name.is_empty()).unwrap_or_else(|| accounts.user(logged_in.unwrap_or(uid)))
}

/// Who root of a user namespace is outside of it, by its `uid_map` of one user.
fn outer(uid_map: &str) -> Option<u32> {
    uid_map.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The short name of the process that started this one; none where it is in another pid namespace.
fn parent() -> Option<String> {
    let pid = nix::unistd::getppid().as_raw();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned()).filter(|_| pid != 0)
}

fn terminal() -> Option<String> {
    let name = nix::unistd::ttyname(io::stdin())
        .or_else(|_| nix::unistd::ttyname(io::stdout()))
        .or_else(|_| nix::unistd::ttyname(io::stderr()));
    Some(name.ok()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_who_came_and_not_who_it_became() {
        let accounts = Accounts::parse("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n", "");
        for (sudo, login, uid, expected) in [
            (Some("bob"), Some(1000), 0, "bob"),
            (Some(""), Some(1000), 0, "alice"),
            (None, Some(1000), 0, "alice"),
            (None, Some(NOBODY), 0, "root"),
            (None, None, 1000, "alice"),
            (None, None, 7, "7"),
        ] {
            let found = user(sudo.map(str::to_owned), login, uid, &accounts);
            assert_eq!(found, expected, "{sudo:?} {login:?} {uid}");
        }
        assert_eq!((outer("         0       1000          1\n"), outer("")), (Some(1000), None));
    }

    #[test]
    fn a_test_is_started_by_its_runner() {
        let by = starter();
        assert!(!by.command.is_empty() && by.parent.is_some_and(|name| !name.contains('\n')));
    }
}
