//! What a command asks of the running system, as far as that decides when it is run, and whether once or more often. Pure.
//! What is not understood is [`Ask::Other`], and nobody moves it.

use std::path::Path;

use crate::model::action::{Effect, EffectKind};
use crate::model::duty::{ServiceDeed, ServiceVerb};

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Something of services: each with a command for it alone.
    Services(Vec<(ServiceDeed, Effect)>),
    /// That systemd reads its unit files again.
    ReadUnits,
    /// That start-stop-daemon(8) starts or stops what it knows by that, as init scripts have it.
    Daemon {
        /// A pid file or a program.
        known_by: String,
        /// Whether it is started.
        starts: bool,
    },
    /// Another value for a setting of the kernel, by its name in sysctl(8).
    Setting(String),
    /// The machine: off, or on again.
    Power,
    /// Anything else.
    Other,
}

/// What a recorded command asks for.
pub fn ask(effect: &Effect) -> Ask {
    match effect.kind {
        EffectKind::Power => Ask::Power,
        EffectKind::Setting => setting(effect),
        EffectKind::Service => of_services(effect),
        EffectKind::Process
        | EffectKind::Mount
        | EffectKind::KernelModule
        | EffectKind::Network
        | EffectKind::Clock
        | EffectKind::HostName
        | EffectKind::Job
        | EffectKind::Message => Ask::Other,
    }
}

/// `sysctl -w NAME=VALUE`, or a script that writes to the file of that name. A file that has no such name (one of /sys) may
/// take several values one after another.
fn setting(effect: &Effect) -> Ask {
    let called = effect.argv.first().map(String::as_str);
    let is_name = !effect.target.is_empty() && !effect.target.starts_with('/');
    match called {
        Some("sysctl" | "sh") if is_name => Ask::Setting(effect.target.clone()),
        Some(_) | None => Ask::Other,
    }
}

fn of_services(effect: &Effect) -> Ask {
    let Some((called, words)) = effect.argv.split_first() else { return Ask::Other };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let path = Path::new(called);
    let one = |service: &str, verb: &str| match verb_of(verb) {
        Some(verb) if is_name(service) => Ask::Services(vec![(deed(service, verb), effect.clone())]),
        Some(_) | None => Ask::Other,
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match (name, &words[..]) {
        ("systemctl", words) => systemctl(effect, words),
        ("deb-systemd-invoke", words) => by_deb_systemd_invoke(effect, words),
        ("service" | "rc-service", [service, verb]) => one(service, verb),
        ("initctl", [verb, job]) => one(job, verb),
        ("invoke-rc.d", words) => {
            match words.iter().copied().filter(|word| !is_option(word)).collect::<Vec<_>>()[..] {
                [service, verb] => one(service, verb),
                _ => Ask::Other,
            }
        }
        ("start-stop-daemon", words) => daemon(words),
        (service, [verb]) if path.parent() == Some(Path::new("/etc/init.d")) => one(service, verb),
        _ => Ask::Other,
    }
}

/// Options of systemctl that say how it is told or waited for, and nothing of what is done.
const CALM: [&str; 8] = [
    "-q",
    "--quiet",
    "--no-block",
    "--no-ask-password",
    "--no-pager",
    "--no-warn",
    "--no-reload",
    "--system",
];

fn systemctl(effect: &Effect, words: &[&str]) -> Ask {
    let (options, operands): (Vec<&str>, Vec<&str>) = words.iter().copied().partition(|word| is_option(word));
    let now = options.contains(&"--now");
    if options.iter().any(|option| !CALM.contains(option) && *option != "--now") {
        return Ask::Other;
    }
    let Some((verb, units)) = operands.split_first() else { return Ask::Other };
    if (*verb, units.is_empty()) == ("daemon-reload", true) {
        return Ask::ReadUnits;
    }
    // What these do to files is in the view, and merged with it.
    let (word, deeds) = match (*verb, now) {
        ("enable" | "reenable", true) => ("start", ServiceVerb::Start),
        ("disable" | "mask", true) => ("stop", ServiceVerb::Stop),
        (word, _) => match verb_of(word) {
            Some(verb) => (word, verb),
            None => return Ask::Other,
        },
    };
    if units.is_empty() || !units.iter().all(|unit| is_name(unit)) {
        return Ask::Other;
    }
    // A stop that nobody waits for would go on while files change.
    let kept = options
        .iter()
        .filter(|option| **option != "--now" && (**option != "--no-block" || deeds != ServiceVerb::Stop));
    let kept: Vec<&str> = kept.copied().collect();
    let alone = |unit: &&str| {
        let words = kept.iter().copied().chain([word, *unit]);
        (deed(unit, deeds), with_words(effect, words, unit))
    };
    Ask::Services(units.iter().map(alone).collect())
}

fn by_deb_systemd_invoke(effect: &Effect, words: &[&str]) -> Ask {
    let (options, operands): (Vec<&str>, Vec<&str>) = words.iter().copied().partition(|word| is_option(word));
    let Some((verb, units)) = operands.split_first() else { return Ask::Other };
    if (*verb, units.is_empty()) == ("daemon-reload", true) {
        return Ask::ReadUnits;
    }
    let Some(deeds) = verb_of(verb).filter(|_| !units.is_empty()) else { return Ask::Other };
    if !units.iter().all(|unit| is_name(unit)) {
        return Ask::Other;
    }
    let alone = |unit: &&str| {
        let words = options.iter().copied().chain([*verb, *unit]);
        (deed(unit, deeds), with_words(effect, words, unit))
    };
    Ask::Services(units.iter().map(alone).collect())
}

/// The command with other words after its name, for that target.
fn with_words<'a>(effect: &Effect, words: impl Iterator<Item = &'a str>, target: &str) -> Effect {
    let argv = effect.argv.iter().take(1).cloned().chain(words.map(str::to_owned)).collect();
    Effect { argv, target: target.to_owned(), ..effect.clone() }
}

/// What start-stop-daemon is asked for, where that is to start a daemon or to end it.
fn daemon(words: &[&str]) -> Ask {
    let (mut starts, mut stops, mut pid_file, mut program) = (false, false, None, None);
    let mut words = words.iter().take_while(|word| **word != "--");
    while let Some(word) = words.next() {
        match *word {
            "--start" | "-S" => starts = true,
            "--stop" | "-K" => stops = true,
            "--pidfile" | "-p" => pid_file = words.next().copied(),
            "--exec" | "-x" | "--startas" | "-a" => program = program.or(words.next().copied()),
            // A signal need not end it.
            "--signal" | "-s" | "--test" | "-t" => return Ask::Other,
            word => {
                pid_file = pid_file.or(word.strip_prefix("--pidfile="));
                program = program.or(word.strip_prefix("--exec="));
                if word.starts_with("--signal=") {
                    return Ask::Other;
                }
            }
        }
    }
    match pid_file.or(program) {
        Some(known_by) if starts != stops => Ask::Daemon { known_by: known_by.to_owned(), starts },
        Some(_) | None => Ask::Other,
    }
}

/// Whether a command of packages does nothing where a policy, or whoever has disabled the service, says so.
pub(super) fn has_conditions(effect: &Effect) -> bool {
    let called = effect.argv.first().and_then(|called| Path::new(called).file_name());
    called.is_some_and(|name| name == "deb-systemd-invoke" || name == "invoke-rc.d")
}

/// Whether a command does nothing for a service that has a unit: packages then ask systemd in another command.
pub fn leaves_units_alone(effect: &Effect) -> bool {
    has_conditions(effect) && effect.argv.iter().any(|word| word == "--skip-systemd-native")
}

fn verb_of(word: &str) -> Option<ServiceVerb> {
    Some(match word {
        "start" => ServiceVerb::Start,
        "stop" => ServiceVerb::Stop,
        "restart" | "force-restart" => ServiceVerb::Restart,
        "try-restart" | "condrestart" => ServiceVerb::TryRestart,
        "reload"
        | "force-reload"
        | "reload-or-restart"
        | "try-reload-or-restart"
        | "reload-or-try-restart" => ServiceVerb::Reload,
        _ => return None,
    })
}

fn deed(unit: &str, verb: ServiceVerb) -> ServiceDeed {
    ServiceDeed { service: unit.strip_suffix(".service").unwrap_or(unit).to_owned(), verb }
}

fn is_option(word: &str) -> bool {
    word.starts_with('-')
}

/// Whether a word names one service: no pattern of several, no path.
fn is_name(word: &str) -> bool {
    !word.is_empty() && !word.starts_with(['-', '.']) && !word.contains(['*', '?', '[', '/'])
}

/// A command line as an effect: the program itself where the line asks for something of services in plain words, else bash
/// that reads it.
pub fn of_line(line: &str) -> Effect {
    let has_meaning = |c: char| "$`\"'\\|&;<>(){}[]*?~#!=\n".contains(c);
    let effect = |program: &str, argv: Vec<String>| Effect {
        kind: EffectKind::Service,
        target: String::new(),
        program: program.into(),
        argv,
        cwd: "/".into(),
        line: None,
        input: None,
        processes: Vec::new(),
    };
    let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
    if let (Some(program), false) = (words.first().cloned(), line.contains(has_meaning)) {
        let plain = effect(&program, words);
        match ask(&plain) {
            Ask::Services(_) | Ask::ReadUnits | Ask::Daemon { .. } => return plain,
            Ask::Setting(_) | Ask::Power | Ask::Other => {}
        }
    }
    effect("/bin/bash", vec!["bash".to_owned(), "-c".to_owned(), line.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        match ask(&of_line(line)) {
            Ask::Services(all) => all
                .iter()
                .map(|(deed, effect)| format!("{} {:?}: {}", deed.service, deed.verb, effect.command()))
                .collect::<Vec<_>>()
                .join(" + "),
            Ask::ReadUnits => "units".to_owned(),
            Ask::Daemon { known_by, starts } => format!("daemon {known_by} {starts}"),
            other @ (Ask::Setting(_) | Ask::Power | Ask::Other) => format!("{other:?}"),
        }
    }

    #[test]
    fn commands_about_services_are_understood() {
        for (line, expected) in [
            ("service nginx restart", "nginx Restart: service nginx restart"),
            ("service nginx stop now", "Other"),
            ("service nginx status", "Other"),
            ("service ../x stop", "Other"),
            ("/etc/init.d/nginx reload", "nginx Reload: /etc/init.d/nginx reload"),
            ("/opt/nginx reload", "Other"),
            ("invoke-rc.d --quiet nginx start", "nginx Start: invoke-rc.d --quiet nginx start"),
            ("rc-service nginx stop", "nginx Stop: rc-service nginx stop"),
            ("initctl stop nginx", "nginx Stop: initctl stop nginx"),
            ("systemctl restart nginx.service", "nginx Restart: systemctl restart nginx.service"),
            ("systemctl -q try-restart nginx", "nginx TryRestart: systemctl -q try-restart nginx"),
            ("systemctl reload-or-restart a@1", "a@1 Reload: systemctl reload-or-restart a@1"),
            (
                "systemctl restart a b.socket",
                "a Restart: systemctl restart a + b.socket Restart: systemctl restart b.socket",
            ),
            ("systemctl --no-block stop a", "a Stop: systemctl stop a"),
            ("systemctl --no-block start a", "a Start: systemctl --no-block start a"),
            ("systemctl enable --now a", "a Start: systemctl start a"),
            ("systemctl disable --now a", "a Stop: systemctl stop a"),
            ("systemctl --job-mode=fail stop a", "Other"),
            ("systemctl isolate rescue.target", "Other"),
            ("systemctl reset-failed", "Other"),
            ("systemctl stop", "Other"),
            ("systemctl daemon-reload", "units"),
            ("systemctl --system daemon-reload", "units"),
            ("deb-systemd-invoke daemon-reload", "units"),
            (
                "deb-systemd-invoke restart a.service b.service",
                "a Restart: deb-systemd-invoke restart a.service + b Restart: deb-systemd-invoke restart b.service",
            ),
            (
                "start-stop-daemon --start --quiet --pidfile /run/x.pid --exec /bin/x -- --stop",
                "daemon /run/x.pid true",
            ),
            ("start-stop-daemon --stop --exec /bin/x", "daemon /bin/x false"),
            ("start-stop-daemon --stop --signal HUP --pidfile /run/x.pid", "Other"),
            ("start-stop-daemon --stop --user x", "Other"),
            ("true", "Other"),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
        let pattern =
            Effect { argv: ["systemctl", "stop", "a*"].map(str::to_owned).to_vec(), ..of_line("x") };
        assert_eq!(ask(&pattern), Ask::Other);
    }

    #[test]
    fn settings_are_known_by_their_name() {
        let effect = |argv: &[&str], target: &str| Effect {
            kind: EffectKind::Setting,
            target: target.into(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            ..of_line("x")
        };
        for (argv, target, expected) in [
            (&["sysctl", "-w", "vm.swappiness=1"][..], "vm.swappiness", Ask::Setting("vm.swappiness".into())),
            (
                &["sh", "-c", "printf %s 1 > /proc/sys/vm/swappiness"],
                "vm.swappiness",
                Ask::Setting("vm.swappiness".into()),
            ),
            (&["sh", "-c", "echo > /sys/x"], "/sys/x", Ask::Other),
            (&["accton", "off"], "accounting", Ask::Other),
        ] {
            assert_eq!(ask(&effect(argv, target)), expected);
        }
    }

    #[test]
    fn a_line_of_words_needs_no_shell() {
        assert_eq!(of_line("systemctl  restart x").command(), "systemctl restart x");
        for line in ["newaliases", "service x stop && b", "a > b", "A=1 b", "service x* stop"] {
            assert_eq!(of_line(line).argv, ["bash", "-c", line]);
        }
    }
}
