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

/// Options of systemctl(1) that only choose what is shown; one that is not known here makes no look.
const SYSTEMCTL_OPTIONS: [&str; 20] = [
    "-a",
    "-l",
    "-q",
    "-r",
    "--all",
    "--full",
    "--help",
    "--legend",
    "--no-ask-password",
    "--no-legend",
    "--no-pager",
    "--plain",
    "--quiet",
    "--recursive",
    "--reverse",
    "--show-types",
    "--system",
    "--value",
    "--version",
    "-h",
];

/// Those of them that take a value, in the next word or after `=`.
const SYSTEMCTL_VALUES: [&str; 11] =
    ["-p", "-P", "-t", "-n", "-o", "--property", "--type", "--state", "--lines", "--output", "--timestamp"];

/// Decides by the shim's name and its arguments (without its own name). What runs outside of the sandbox for a look is
/// the command line as it is, so a look is only what can be nothing else.
pub fn verdict(name: &str, arguments: &[String]) -> Verdict {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let looks = match name {
        "systemctl" => return systemctl(&words),
        "service" => match words[..] {
            [service, "status"] => is_plain(service),
            ["--status-all" | "--help" | "--version"] => true,
            _ => false,
        },
        "invoke-rc.d" => match words[..] {
            [service, "status"] | ["--quiet", service, "status"] => is_plain(service),
            ["--query", service, action] => is_plain(service) && is_plain(action),
            ["--help"] => true,
            _ => false,
        },
        "rc-service" => match words[..] {
            [service, "status"] => is_plain(service),
            ["--list" | "--help" | "--version"] => true,
            _ => false,
        },
        "initctl" => match words[..] {
            ["status", job] => is_plain(job),
            ["list" | "version" | "help"] => true,
            _ => false,
        },
        "runlevel" => words.is_empty() || words == ["--help"],
        "shutdown" | "reboot" | "halt" | "poweroff" => words == ["--help"],
        _ => false,
    };
    if looks { Verdict::Look } else { Verdict::Effect }
}

fn systemctl(words: &[&str]) -> Verdict {
    let (mut verb, mut only_shows, mut now) = (None, true, false);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let valued = SYSTEMCTL_VALUES.iter().any(|option| {
            word.strip_prefix(option).is_some_and(|left| option.starts_with("--") && left.starts_with('='))
        });
        if SYSTEMCTL_VALUES.contains(word) {
            rest.next();
        } else if word.starts_with('-') {
            only_shows &= valued || SYSTEMCTL_OPTIONS.contains(word);
            now |= *word == "--now";
        } else {
            verb = verb.or(Some(*word));
        }
    }
    match verb {
        Some(verb) if SYSTEMCTL_FILES.contains(&verb) && now => Verdict::FilesAndEffect,
        Some(verb) if SYSTEMCTL_FILES.contains(&verb) => Verdict::Files,
        Some(verb) if !SYSTEMCTL_LOOKS.contains(&verb) && !verb.starts_with("list-") => Verdict::Effect,
        Some(_) | None if only_shows => Verdict::Look,
        Some(_) | None => Verdict::Effect,
    }
}

/// Whether a word is a name: neither an option nor a path that leads somewhere else.
fn is_plain(word: &str) -> bool {
    !word.starts_with(['-', '.']) && !word.contains('/')
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
            ("service ../../usr/bin/touch status", Verdict::Effect),
            ("service postgresql status x", Verdict::Effect),
            ("service postgresql stop --list", Verdict::Effect),
            ("service postgresql stop --query", Verdict::Effect),
            ("invoke-rc.d --query ssh restart", Verdict::Look),
            ("invoke-rc.d ssh stop --query", Verdict::Effect),
            ("rc-service ssh stop --list", Verdict::Effect),
            ("initctl --session list", Verdict::Effect),
            ("shutdown -h now --help", Verdict::Effect),
            ("runlevel /tmp/x", Verdict::Effect),
            ("systemctl -p status stop ssh", Verdict::Effect),
            ("systemctl -t service list-units", Verdict::Look),
            ("systemctl --type=service list-units", Verdict::Look),
            ("systemctl show -p MainPID --value ssh", Verdict::Look),
            ("systemctl -p enable restart ssh", Verdict::Effect),
            ("systemctl -H root@other status ssh", Verdict::Effect),
            ("systemctl --host=other status ssh", Verdict::Effect),
            ("systemctl -n 5 status ssh", Verdict::Look),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(verdict(&words[0], &words[1..]), expected, "{line}");
        }
    }
}
