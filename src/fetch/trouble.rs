//! What rsync's exit status and words mean. Pure.

use std::fmt;

use crate::fetch::What;
use crate::model::step::Outcome;

/// What is wrong, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The master does not have it.
    Absent,
    /// Nothing listens there.
    Refused,
    /// The host's name leads nowhere.
    UnknownHost,
    /// There is no way to the host.
    Unreachable,
    /// The master's ssh key is not the known one, or not known.
    HostKey,
    /// The master does not let us in.
    Denied,
    /// What answered is no rsync daemon, or went away.
    NoDaemon,
    /// ssh failed otherwise.
    Shell,
    /// A part could not be read or was not sent.
    Partial,
    /// The master was silent for too long.
    TimedOut,
    /// The other side has no rsync, or the remote shell is missing here.
    NoProgram,
    /// rsync does not understand its command line.
    Usage,
    /// Something on this host: disk full, no permission.
    Local,
    /// Anything else.
    Other,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trouble::Absent => "the master does not have it",
            Trouble::Refused => "the connection was refused",
            Trouble::UnknownHost => "the host is not known",
            Trouble::Unreachable => "the host cannot be reached",
            Trouble::HostKey => "the master's ssh key is not the one that is known",
            Trouble::Denied => "the master denies access",
            Trouble::NoDaemon => "no rsync daemon answered, or it went away",
            Trouble::Shell => "the remote shell failed",
            Trouble::Partial => "only a part arrived",
            Trouble::TimedOut => "the master was silent for too long",
            Trouble::NoProgram => "a program is missing",
            Trouble::Usage => "rsync does not understand its command line",
            Trouble::Local => "this host cannot store it",
            Trouble::Other => "rsync failed",
        })
    }
}

impl Trouble {
    /// What an rsync that failed means by its end and its words (in English).
    pub fn from_rsync(outcome: &Outcome, stderr: &str) -> Trouble {
        let says = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        let by_words = [
            (
                Trouble::HostKey,
                &["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"][..],
            ),
            (
                Trouble::Denied,
                &[
                    "auth failed",
                    "@ERROR: access denied",
                    "Permission denied (publickey",
                    "Permission denied, please try",
                ],
            ),
            (Trouble::Absent, &["Unknown module", "unknown module"]),
            (Trouble::Refused, &["Connection refused"]),
            (
                Trouble::UnknownHost,
                &[
                    "Name or service not known",
                    "Could not resolve hostname",
                    "Temporary failure in name resolution",
                    "No address associated with hostname",
                    "nodename nor servname",
                ],
            ),
            (Trouble::Unreachable, &["No route to host", "Network is unreachable", "Host is unreachable"]),
            (Trouble::TimedOut, &["Connection timed out", "connection timeout", "io timeout"]),
            (Trouble::Local, &["No space left on device", "Disk quota exceeded", "Read-only file system"]),
            (Trouble::NoProgram, &["command not found", "rsync: not found", "Failed to exec"]),
            // Comes after the cause, where rsync names one.
            (Trouble::NoDaemon, &["did not see server greeting", "rather than greeting"]),
        ];
        if let Some((trouble, _)) = by_words.into_iter().find(|(_, words)| says(words)) {
            return trouble;
        }
        let Outcome::Exited { status } = outcome else { return Trouble::Other };
        let absent = says(&["change_dir ", "link_stat "]) && says(&["No such file or directory"]);
        match status {
            3 | 23 if absent => Trouble::Absent,
            1 | 2 | 4 => Trouble::Usage,
            3 | 11 => Trouble::Local,
            5 => Trouble::Denied,
            10 => Trouble::Unreachable,
            // A remote shell that ends at once shows as 5 or 12, by who is faster.
            12 => Trouble::NoDaemon,
            14 | 126 | 127 => Trouble::NoProgram,
            23..=25 => Trouble::Partial,
            30 | 35 => Trouble::TimedOut,
            255 => Trouble::Shell,
            _ => Trouble::Other,
        }
    }

    /// What to do about it.
    pub fn hint(self, what: &What) -> String {
        let uri = "see `disco settings` for server/uri";
        match (self, what) {
            (Trouble::Absent, What::Parameters(node)) => format!(
                "make the folder {node} below the master's rsync module `parameters`, or name the node with --node"
            ),
            (Trouble::Absent, What::Module(module)) => {
                format!("add [{module}] to the master's rsyncd.conf, or take {module} out of what requires it")
            }
            (Trouble::Refused, _) => format!("start the rsync daemon on the master; {uri}"),
            (Trouble::UnknownHost | Trouble::Unreachable, _) => format!("check the master's name and the network; {uri}"),
            (Trouble::HostKey, _) => {
                "check the master's key, then add it to known_hosts of the user that runs disco (ssh-keyscan)".to_owned()
            }
            (Trouble::NoDaemon, _) => {
                format!("check what answers on the master (its log, its rsyncd.conf) and that the login works with ssh alone; {uri}")
            }
            (Trouble::Denied | Trouble::Shell, _) => {
                "check the user, key or password that disco/client/cmds/rsync names; try the same with ssh alone".to_owned()
            }
            (Trouble::Partial, _) => "check the permissions and disk of the master, then try again".to_owned(),
            (Trouble::TimedOut, _) => "try again, or raise disco/client/fetch_timeout".to_owned(),
            (Trouble::NoProgram, _) => {
                "install rsync on both hosts, and the shell that disco/client/cmds/rsync names".to_owned()
            }
            (Trouble::Usage, _) => "see `disco settings` for client/cmds/rsync".to_owned(),
            (Trouble::Local, _) => "check space and permissions of disco's own folder (`disco settings`: home)".to_owned(),
            (Trouble::Other, _) => format!("see what rsync said; {uri}"),
        }
    }
}

/// The end of what rsync said, on one line: the last 6 lines, control characters escaped.
pub fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(6)..].join(" | ");
    if shown.is_empty() {
        return "nothing".to_owned();
    }
    shown
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_words_have_one_meaning() {
        for (status, stderr, expected) in [
            (
                5,
                "@ERROR: Unknown module 'gone'\nrsync error: error starting client-server protocol (code 5)",
                Trouble::Absent,
            ),
            (
                23,
                "rsync: [sender] change_dir \"/n\" (in parameters) failed: No such file or directory (2)",
                Trouble::Absent,
            ),
            (10, "rsync: failed to connect to ::1 (::1): Connection refused (111)", Trouble::Refused),
            (10, "rsync: getaddrinfo: nohost 873: Name or service not known", Trouble::UnknownHost),
            (255, "Host key verification failed.\r\nrsync: connection unexpectedly closed", Trouble::HostKey),
            (255, "me@h: Permission denied (publickey).", Trouble::Denied),
            (255, "rsync: connection unexpectedly closed", Trouble::Shell),
            (5, "@ERROR: auth failed on module m", Trouble::Denied),
            (5, "@ERROR: max connections (1) reached -- try again later", Trouble::Denied),
            (23, "rsync: send_files failed to open \"x\": Permission denied (13)", Trouble::Partial),
            (24, "file has vanished", Trouble::Partial),
            (30, "[receiver] io timeout after 1 seconds -- exiting", Trouble::TimedOut),
            (35, "", Trouble::TimedOut),
            (127, "bash: line 1: rsync: command not found", Trouble::NoProgram),
            (14, "rsync: Failed to exec nossh: No such file or directory (2)", Trouble::NoProgram),
            (11, "rsync: write failed: No space left on device (28)", Trouble::Local),
            (1, "rsync: --nonsense: unknown option", Trouble::Usage),
            (12, "safe_write failed to write 41 bytes to fd 4: Broken pipe (32)", Trouble::NoDaemon),
            (5, "rsync: did not see server greeting", Trouble::NoDaemon),
            (5, "rsync: server sent \"HTTP/1.1 400 Bad Request\" rather than greeting", Trouble::NoDaemon),
            (12, "rsync: write failed: No space left on device (28)", Trouble::Local),
            (22, "error allocating core memory buffers", Trouble::Other),
        ] {
            assert_eq!(Trouble::from_rsync(&Outcome::Exited { status }, stderr), expected, "{stderr}");
        }
        assert_eq!(Trouble::from_rsync(&Outcome::Signaled { signal: 9 }, ""), Trouble::Other);
        assert_eq!(last_words("a\n\n b\x1b[0m \n"), "a | b\\u{1b}[0m");
    }
}
