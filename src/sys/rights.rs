//! Another user's rights, and no others: for whoever was started as root and needs none of it.

use std::io;

use caps::{CapSet, Capability};
use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};
use rustix::process::DumpableBehavior;

/// A user of this node, as its own name service has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub user: u32,
    /// The number of its group.
    pub group: u32,
    /// Its home.
    pub home: String,
}

impl Account {
    /// The user of that name; `None` where there is none.
    pub fn find(name: &str) -> io::Result<Option<Account>> {
        Ok(User::from_name(name)?.map(|user| Account {
            name: user.name,
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
            home: user.dir.to_string_lossy().into_owned(),
        }))
    }

    /// Whether this process is that user already.
    pub fn is_own(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.user
    }

    /// What such a user's process has for an environment.
    pub fn environment(&self) -> [(&'static str, String); 6] {
        let words = |text: &str| text.to_owned();
        [
            ("PATH", words("/usr/local/bin:/usr/bin:/bin")),
            ("HOME", self.home.clone()),
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
            ("SHELL", words("/bin/sh")),
            ("LC_ALL", words("C.UTF-8")),
        ]
    }

    /// Becomes this user, for good: no groups but its own, no capabilities now or by any program that is executed later. Of a process with
    /// one thread.
    pub fn become_it(&self) -> io::Result<()> {
        let capabilities = |error: caps::errors::CapsError| io::Error::other(error.to_string());
        if !self.is_own() {
            // Where root has not this right it cannot have those either by another way than a program, and that gives none below.
            if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(capabilities)? {
                for capability in caps::read(None, CapSet::Bounding).map_err(capabilities)? {
                    caps::drop(None, CapSet::Bounding, capability).map_err(capabilities)?;
                }
            }
            caps::clear(None, CapSet::Inheritable).map_err(capabilities)?;
            let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
            setgroups(&[])?;
            setresgid(group, group, group)?;
            setresuid(user, user, user)?;
            // What it has in memory is its own; and /proc says whose it is.
            rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        }
        Ok(rustix::thread::set_no_new_privs(true)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name() {
        let root = Account::find("root").unwrap().unwrap();
        assert_eq!((root.user, root.group, root.home.as_str()), (0, 0, "/root"));
        assert_eq!(Account::find("no-such-user-here").unwrap(), None);
    }
}
