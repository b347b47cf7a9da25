//! The other ways to ask for services: init scripts by `service` and its like, and start-stop-daemon, which those call.

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{Parsed, Spec, Takes, parse};
use crate::sandbox::shims::verdict::{Check, Daemon, Look, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str], booted: bool) -> Verdict {
    match name {
        "service" => service(words),
        "invoke-rc.d" => invoke_rc_d(words),
        "deb-systemd-invoke" => deb_systemd_invoke(words, booted),
        "rc-service" => rc_service(words),
        "initctl" => initctl(words),
        _ => start_stop_daemon(words),
    }
}

fn service(words: &[&str]) -> Verdict {
    match *words {
        [service, "status"] if is_name(service) => Verdict::Look(Look::Service(service.to_owned())),
        ["--status-all"] => Verdict::Look(Look::Plain),
        [] | ["--help" | "-h" | "--version" | "-V"] => Verdict::RunReal,
        [service, action, ..] if is_name(service) => {
            acts(service, action).check(Check::Service(service.to_owned())).into()
        }
        // No init script is called so.
        _ => Verdict::RunReal,
    }
}

fn invoke_rc_d(words: &[&str]) -> Verdict {
    const OPTIONS: [&str; 8] = [
        "--quiet",
        "--force",
        "--try-anyway",
        "--disclose-deny",
        "--no-fallback",
        "--skip-systemd-native",
        "--query",
        "--help",
    ];
    let options: Vec<&str> = words.iter().copied().take_while(|word| word.starts_with("--")).collect();
    if options.iter().any(|option| !OPTIONS.contains(option)) {
        return Verdict::RunReal;
    }
    let asks = options.contains(&"--query") || options.contains(&"--help");
    match words[options.len()..] {
        // What it says depends on links, run level and policy, which are files.
        _ if asks => Verdict::RunReal,
        [service, "status"] if is_name(service) => Verdict::Look(Look::Service(service.to_owned())),
        [service, action, ..] if is_name(service) => {
            acts(service, action).check(Check::Allowed(service.to_owned())).into()
        }
        _ => Verdict::RunReal,
    }
}

fn deb_systemd_invoke(words: &[&str], booted: bool) -> Verdict {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    match words[..] {
        [action, ref units @ ..] if booted && !units.is_empty() => {
            let deeds = units.iter().flat_map(|unit| acts(unit, action).deeds).collect();
            Wanted::new(EffectKind::Service, units.join(" ")).deeds(deeds).into()
        }
        ["daemon-reload" | "daemon-reexec"] if booted => Wanted::new(EffectKind::Service, "").into(),
        _ => Verdict::RunReal,
    }
}

fn rc_service(words: &[&str]) -> Verdict {
    let words: Vec<&str> = words.iter().copied().filter(|word| !is_quiet(word)).collect();
    match words[..] {
        [service, "status"] if is_name(service) => Verdict::Look(Look::Service(service.to_owned())),
        [service, action, ..] if is_name(service) && is_name(action) => {
            acts(service, action).check(Check::Service(service.to_owned())).into()
        }
        _ => Verdict::RunReal,
    }
}

fn is_quiet(word: &str) -> bool {
    ["-q", "--quiet", "-v", "--verbose", "-C", "--nocolor"].contains(&word)
}

fn initctl(words: &[&str]) -> Verdict {
    match *words {
        ["status", job] if is_name(job) => Verdict::Look(Look::Plain),
        ["list" | "version"] => Verdict::Look(Look::Plain),
        [] | ["help" | "--help" | "--version"] => Verdict::RunReal,
        [action, job, ..] if is_name(job) => acts(job, action).into(),
        _ => Wanted::new(EffectKind::Service, words.join(" ")).into(),
    }
}

/// An action of an init script.
fn acts(service: &str, action: &str) -> Wanted {
    let runs = match action {
        "start" | "restart" | "reload" | "force-reload" | "reload-or-restart" => Some(true),
        "stop" => Some(false),
        _ => None,
    };
    let deed = runs.map_or(Deed::Other, |runs| Deed::Service { name: service.to_owned(), runs });
    Wanted::new(EffectKind::Service, service).deeds(vec![deed])
}

/// Whether a word is the name of a script: neither an option nor a path that leads somewhere else.
fn is_name(word: &str) -> bool {
    !word.is_empty() && !word.starts_with(['-', '.']) && !word.contains('/')
}

const DAEMON: &Spec = &[
    (&["S", "start"], Takes::Nothing),
    (&["K", "stop"], Takes::Nothing),
    (&["T", "status"], Takes::Nothing),
    (&["H", "help"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
    (&["p", "pidfile"], Takes::Value),
    (&["x", "exec"], Takes::Value),
    (&["n", "name"], Takes::Value),
    (&["u", "user"], Takes::Value),
    (&["pid"], Takes::Value),
    (&["ppid"], Takes::Value),
    (&["g", "group"], Takes::Value),
    (&["s", "signal"], Takes::Value),
    (&["a", "startas"], Takes::Value),
    (&["r", "chroot"], Takes::Value),
    (&["d", "chdir"], Takes::Value),
    (&["c", "chuid"], Takes::Value),
    (&["N", "nicelevel"], Takes::Value),
    (&["P", "procsched"], Takes::Value),
    (&["I", "iosched"], Takes::Value),
    (&["k", "umask"], Takes::Value),
    (&["R", "retry"], Takes::Value),
    (&["O", "output"], Takes::Value),
    (&["notify-timeout"], Takes::Value),
    (&["notify-await"], Takes::Nothing),
    (&["t", "test"], Takes::Nothing),
    (&["o", "oknodo"], Takes::Nothing),
    (&["q", "quiet"], Takes::Nothing),
    (&["v", "verbose"], Takes::Nothing),
    (&["b", "background"], Takes::Nothing),
    (&["C", "no-close"], Takes::Nothing),
    (&["m", "make-pidfile"], Takes::Nothing),
    (&["remove-pidfile"], Takes::Nothing),
];

/// start-stop-daemon(8): the host is asked whether the daemon runs, in words of our own.
fn start_stop_daemon(words: &[&str]) -> Verdict {
    // An unknown option fails before anything is done.
    let Some(parsed) = parse(words, DAEMON) else { return Verdict::RunReal };
    let name = known_by(&parsed);
    let status = parsed.has("T");
    let Some(name) = name.filter(|_| !parsed.has("H") && !parsed.has("V")) else { return Verdict::RunReal };
    if status {
        return Verdict::Look(Look::Daemon(name));
    }
    // What it would do is told with the numbers of processes inside; nobody decides by that.
    if parsed.has("t") || parsed.has("S") == parsed.has("K") {
        return Verdict::RunReal;
    }
    let starts = parsed.has("S");
    let ends = parsed.value("s").is_none_or(ends_a_process);
    let deeds = match (starts, ends) {
        (true, _) => vec![Deed::Daemon { name: name.clone(), runs: true }],
        (false, true) => vec![Deed::Daemon { name: name.clone(), runs: false }],
        (false, false) => vec![Deed::Other],
    };
    let program = parsed.value("a").or(parsed.value("x")).map_or(name.as_str(), |program| program);
    let target = program.rsplit('/').next().unwrap_or(program).to_owned();
    let (content, quiet) = (parsed.has("o"), parsed.has("q"));
    let program = parsed
        .value("a")
        .or(parsed.value("x"))
        .filter(|path| starts && path.starts_with('/') && !parsed.has("r"));
    let daemon = Daemon {
        starts,
        ends,
        name,
        program: program.map(str::to_owned),
        asks: asks(&parsed),
        content,
        quiet,
    };
    Wanted::new(EffectKind::Service, target).check(Check::Daemon(daemon)).deeds(deeds).into()
}

/// What tells a daemon from others; the pid file first.
fn known_by(parsed: &Parsed) -> Option<String> {
    let first = ["p", "x", "n", "pid", "u", "ppid"].into_iter().find_map(|option| parsed.value(option));
    first.or(parsed.value("a")).map(str::to_owned)
}

/// The question whether a daemon runs: that alone, from what this one is told from others by.
fn asks(parsed: &Parsed) -> Vec<String> {
    let mut asks = vec!["--status".to_owned()];
    for (option, long) in
        [("p", "pidfile"), ("x", "exec"), ("n", "name"), ("u", "user"), ("pid", "pid"), ("ppid", "ppid")]
    {
        if let Some(value) = parsed.value(option) {
            asks.push(format!("--{long}={value}"));
        }
    }
    asks
}

/// The same, of a line that asks for the status itself.
pub(in crate::sandbox::shims) fn daemon_asks(arguments: &[String]) -> Option<Vec<String>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    parse(&words, DAEMON).map(|parsed| asks(&parsed))
}

/// Whether a process that gets this signal is expected to end.
pub(super) fn ends_a_process(signal: &str) -> bool {
    let upper = signal.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    ["TERM", "KILL", "INT", "QUIT", "ABRT", "15", "9", "2", "3", "6"].contains(&name)
}
