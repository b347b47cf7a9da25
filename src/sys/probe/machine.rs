//! What the kernel says of itself and of this process: its release, calls, capabilities, and who guards it.
#![allow(unsafe_code)] // syscall(2) for calls that are only asked whether they are there

use std::fs;
use std::io;
use std::sync::atomic::AtomicBool;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::model::told::in_full;
use crate::sys::probe::{Found, trying};
use crate::sys::process::Process;
use crate::sys::{host, namespace};

/// A supervisor has some 80, each layer of the node's own a few more.
const ENOUGH_FILES: u64 = 512;

/// The kernel's release; an error where it is older than that.
pub fn kernel(oldest: (u32, u32)) -> Found {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    if version(&release) >= oldest {
        Ok(format!("Linux {release}"))
    } else {
        Err(io::Error::other(format!("Linux {release}")))
    }
}

fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Whether this process is root.
pub fn root() -> Found {
    if host::is_root() {
        return Ok("root".to_owned());
    }
    Err(io::Error::other(format!("user {}", nix::unistd::geteuid())))
}

/// Whether this process has a capability that raises walls; as somebody else in a namespace of his own.
pub fn capability(name: &str) -> Found {
    match host::is_root() {
        false => Ok("held in a user namespace of its own".to_owned()),
        true if namespace::lacks(name)? => Err(io::Error::other("not held")),
        true => Ok("held".to_owned()),
    }
}

/// Whether this process has every other capability that steps keep.
pub fn capabilities() -> Found {
    let lacking = namespace::lacking()?;
    match (host::is_root(), &lacking[..]) {
        (false, _) => Err(io::Error::other("only over what belongs to this user")),
        (true, []) => Ok("all that steps keep".to_owned()),
        (true, _) => Err(io::Error::other(format!("not held: {}", lacking.join(", ")))),
    }
}

/// A system call that disco cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// close_range(2).
    CloseRange,
    /// openat2(2).
    OpenAt2,
    /// mount_setattr(2).
    MountSetAttr,
    /// pidfd_open(2).
    PidFd,
    /// pidfd_getfd(2).
    PidFdGetFd,
}

/// Whether there is that call.
pub fn call(call: Call) -> Found {
    asked(match call {
        Call::CloseRange => libc::SYS_close_range,
        Call::OpenAt2 => libc::SYS_openat2,
        Call::MountSetAttr => libc::SYS_mount_setattr,
        Call::PidFd => libc::SYS_pidfd_open,
        Call::PidFdGetFd => libc::SYS_pidfd_getfd,
    })
}

/// Whether the kernel knows a call: with arguments that make no sense it fails, but not with ENOSYS. One that whoever
/// guards us hides is one that is not there.
fn asked(number: libc::c_long) -> Found {
    // SAFETY: no argument of these calls is a valid descriptor or address, so that none of them does anything.
    let done = unsafe { libc::syscall(number, -1, 0, 0, 0, 0, 0) };
    match io::Error::last_os_error() {
        error if done == -1 && error.raw_os_error() == Some(libc::ENOSYS) => Err(error),
        _ => Ok("there".to_owned()),
    }
}

/// Who guards the kernel besides: the security modules, and whether one of them holds this process in.
pub fn security() -> Found {
    let modules = read("/sys/kernel/security/lsm").unwrap_or_else(|| "capability".to_owned());
    let confined = |label: &str| !matches!(label, "unconfined" | "kernel" | "_" | "");
    let label = read("/proc/self/attr/current").unwrap_or_default();
    let domain = label.split(':').nth(2).unwrap_or(&label).trim_end_matches('\0').to_owned();
    if read("/sys/fs/selinux/enforce").as_deref() == Some("1") {
        return match domain.contains("unconfined") || domain == "initrc_t" {
            true => Ok(format!("SELinux enforces, and leaves this process alone ({label})")),
            false => Err(io::Error::other(format!("SELinux enforces its policy on this process ({label})"))),
        };
    }
    if modules.contains("apparmor") && confined(label.trim_end_matches('\0')) {
        return Err(io::Error::other(format!("AppArmor holds this process in the profile {label}")));
    }
    if !host::is_root()
        && read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1")
    {
        return Err(io::Error::other("AppArmor keeps user namespaces from who is not root"));
    }
    Ok(format!("none in the way (there are: {modules})"))
}

/// The first line that a program says of its version.
pub fn program(name: &str) -> Found {
    trying(|| {
        let version = Process { args: vec!["--version".into()], ..Process::new(name) };
        let ended =
            version.run(&AtomicBool::new(false)).map_err(|error| io::Error::other(in_full(&error)))?;
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        Ok(text.lines().next().unwrap_or(name).split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

/// Whether this process may have as many open files as a supervisor has, and as much memory and as large files as it likes.
pub fn limits() -> Found {
    let files = getrlimit(Resource::RLIMIT_NOFILE)?.0;
    let mut short = Vec::new();
    if files < ENOUGH_FILES {
        short.push(format!("{files} open files"));
    }
    for (resource, name) in [(Resource::RLIMIT_AS, "address space"), (Resource::RLIMIT_FSIZE, "file size")] {
        let most = getrlimit(resource)?.0;
        if most != RLIM_INFINITY {
            short.push(format!("{most} bytes of {name}"));
        }
    }
    if short.is_empty() { Ok(format!("{files} open files")) } else { Err(io::Error::other(short.join(", "))) }
}

/// How many user namespaces a user may have.
pub fn most_user_namespaces() -> Option<u64> {
    read("/proc/sys/user/max_user_namespaces")?.parse().ok()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_two_numbers_that_count() {
        for (release, expected) in
            [("6.18.44-x", (6, 18)), ("5.10.0-28-amd64", (5, 10)), ("7.0-rc1", (7, 0)), ("", (0, 0))]
        {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    #[test]
    fn a_call_is_there_or_not() {
        call(Call::OpenAt2).unwrap();
        assert_eq!(asked(1 << 20).unwrap_err().raw_os_error(), Some(libc::ENOSYS));
    }
}
