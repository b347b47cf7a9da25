//! What a shimmed command line asks for: an effect on the running system, a look at it, or a change of files. Pure.

/// What to do about a shimmed command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It acts on the running system: pretend, and record.
    Effect,
    /// It only looks: the host's own answer is the true one.
    Look,
    /// It only changes files: run the real one on the sandbox's.
    Files,
    /// It changes files and acts: run the real one, and record.
    FilesAndEffect,
}

/// Verbs of systemctl(1) that look and change nothing.
const SYSTEMCTL_LOOKS: [&str; 12] = [
    "is-active",
    "is-failed",
    "is-enabled",
    "is-system-running",
    "status",
    "show",
    "cat",
    "help",
    "get-default",
    "show-environment",
    "--version",
    "--help",
];

/// Verbs of systemctl(1) that make and remove symlinks.
const SYSTEMCTL_FILES: [&str; 11] = [
    "enable",
    "disable",
    "mask",
    "unmask",
    "preset",
    "preset-all",
    "reenable",
    "revert",
    "set-default",
    "add-wants",
    "add-requires",
];

/// Decides by the shim's name and its arguments (without its own name).
pub fn verdict(name: &str, arguments: &[String]) -> Verdict {
    let mut words = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-'));
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    match name {
        "systemctl" => match words.next() {
            None if has("--version") || has("--help") || has("-h") || arguments.is_empty() => Verdict::Look,
            None => Verdict::Effect,
            Some(verb) if SYSTEMCTL_LOOKS.contains(&verb) || verb.starts_with("list-") => Verdict::Look,
            Some(verb) if SYSTEMCTL_FILES.contains(&verb) => {
                if has("--now") {
                    Verdict::FilesAndEffect
                } else {
                    Verdict::Files
                }
            }
            Some(_) => Verdict::Effect,
        },
        "service" | "invoke-rc.d" | "rc-service" => {
            let looks =
                has("--status-all") || has("--help") || has("--version") || has("--query") || has("--list");
            if looks || words.nth(1) == Some("status") { Verdict::Look } else { Verdict::Effect }
        }
        "initctl" => match words.next() {
            Some("status" | "list" | "version" | "help") => Verdict::Look,
            _ => Verdict::Effect,
        },
        "runlevel" => Verdict::Look,
        "shutdown" | "reboot" | "halt" | "poweroff" if has("--help") => Verdict::Look,
        _ => Verdict::Effect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_its_verdict() {
        for (line, expected) in [
            ("service postgresql stop", Verdict::Effect),
            ("service postgresql status", Verdict::Look),
            ("service --status-all", Verdict::Look),
            ("service status stop", Verdict::Effect),
            ("systemctl restart ssh", Verdict::Effect),
            ("systemctl --quiet is-active ssh", Verdict::Look),
            ("systemctl list-units --all", Verdict::Look),
            ("systemctl daemon-reload", Verdict::Effect),
            ("systemctl enable ssh", Verdict::Files),
            ("systemctl enable --now ssh", Verdict::FilesAndEffect),
            ("systemctl", Verdict::Look),
            ("systemctl --force", Verdict::Effect),
            ("reboot", Verdict::Effect),
            ("runlevel", Verdict::Look),
            ("shutdown -h now", Verdict::Effect),
            ("invoke-rc.d ssh start", Verdict::Effect),
            ("deb-systemd-invoke restart x.service", Verdict::Effect),
            ("initctl list", Verdict::Look),
            ("initctl stop x", Verdict::Effect),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(verdict(&words[0], &words[1..]), expected, "{line}");
        }
    }
}
