//! Commands about the machine as a whole: its power, its clock, its name, jobs for later, messages.

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{Spec, Takes, none, only, parse, plain};
use crate::sandbox::shims::verdict::{Check, Look, Missing, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str], booted: bool) -> Verdict {
    match name {
        "date" => date(words),
        "hwclock" => hwclock(words),
        "timedatectl" => timedatectl(words, booted),
        "hostname" => hostname(words),
        "hostnamectl" => hostnamectl(words, booted),
        "at" | "batch" | "atrm" | "atq" => job(name, words),
        _ => message(name, words),
    }
}

/// What turns the machine off, or to another run level.
pub(super) fn power(name: &str, words: &[&str]) -> Verdict {
    let tells = matches!(words, ["--help" | "--version" | "-h"]) && (name != "shutdown" || words != ["-h"]);
    match name {
        // It reads a file that says who is logged in.
        "runlevel" => Verdict::RunReal,
        _ if tells => Verdict::RunReal,
        "init" | "telinit" => {
            const LEVELS: &[&str] =
                &["0", "1", "2", "3", "4", "5", "6", "s", "S", "q", "Q", "u", "U", "a", "b", "c"];
            match words.iter().find(|word| LEVELS.contains(word)) {
                Some(level) => Wanted::new(EffectKind::Power, *level).into(),
                None => Verdict::RunReal,
            }
        }
        _ => Wanted::new(EffectKind::Power, "").into(),
    }
}

const DATE: &Spec = &[
    (&["d", "date"], Takes::Value),
    (&["debug"], Takes::Nothing),
    (&["f", "file"], Takes::Value),
    (&["I", "iso-8601"], Takes::MaybeValue),
    (&["R", "rfc-email", "rfc-2822", "rfc-822"], Takes::Nothing),
    (&["rfc-3339"], Takes::Value),
    (&["r", "reference"], Takes::Value),
    (&["resolution"], Takes::Nothing),
    (&["s", "set"], Takes::Value),
    (&["u", "utc", "uct", "universal"], Takes::Nothing),
    (&["help"], Takes::Nothing),
    (&["version"], Takes::Nothing),
];

/// date(1): it sets the clock with `-s`, or with a word that is no format; anything else is the real one's.
fn date(words: &[&str]) -> Verdict {
    let Some(parsed) = parse(words, DATE) else { return Verdict::RunReal };
    if parsed.has("help") || parsed.has("version") {
        return Verdict::RunReal;
    }
    let wanted = |target: &str| Wanted::new(EffectKind::Clock, target);
    if let Some(to) = parsed.value("s") {
        // What the real one would print is what it prints of that date.
        let mut told = vec![format!("--date={to}")];
        for (option, value) in &parsed.options {
            match (*option, value) {
                ("I", Some(value)) => told.push(format!("-I{value}")),
                ("rfc-3339", Some(value)) => told.push(format!("--rfc-3339={value}")),
                ("I" | "R" | "u", None) => told.push(format!("-{option}")),
                _ => {}
            }
        }
        told.extend(parsed.operands.iter().cloned());
        return wanted(to).check(Check::DryRun(told)).into();
    }
    let set = parsed.operands.first().filter(|word| !word.starts_with('+'));
    match set {
        Some(to) if !parsed.has("d") && !parsed.has("f") && !parsed.has("r") && is_time(to) => {
            wanted(to).into()
        }
        // It says itself that this is no date.
        _ => Verdict::RunReal,
    }
}

/// MMDDhhmm[[CC]YY][.ss]
fn is_time(word: &str) -> bool {
    let (digits, seconds) = word.split_once('.').unwrap_or((word, "00"));
    let two = |at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<u32>().ok()).unwrap_or(u32::MAX);
    [8, 10, 12].contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && seconds.len() == 2
        && seconds.parse::<u32>().is_ok_and(|seconds| seconds <= 60)
        && (1..=12).contains(&two(0))
        && (1..=31).contains(&two(2))
        && two(4) < 24
        && two(6) < 60
}

fn hwclock(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 8] =
        ["-ruvlV", "--show", "--get", "--verbose", "--utc", "--localtime", "--version", "--help"];
    // Its file of drift, and the zone, are files of the host too.
    if only(words, &LOOKS, none) {
        Verdict::Look(Look::Plain)
    } else {
        Wanted::new(EffectKind::Clock, "hardware clock").into()
    }
}

fn timedatectl(words: &[&str], booted: bool) -> Verdict {
    const LOOKS: [&str; 9] = [
        "-apP",
        "--all",
        "--value",
        "--no-pager",
        "--no-ask-password",
        "--property=",
        "--property",
        "--monitor",
        "--adjust-system-clock",
    ];
    let verb = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or("status");
    match verb {
        _ if !booted || words.iter().any(|word| ["-h", "--help", "--version"].contains(word)) => {
            Verdict::RunReal
        }
        "list-timezones" => Verdict::RunReal,
        "status" | "show" | "timesync-status" | "show-timesync" if only(words, &LOOKS[..7], plain) => {
            Verdict::Look(Look::Plain)
        }
        "set-timezone" => {
            let zone = words.iter().skip_while(|word| **word != verb).nth(1).copied().unwrap_or_default();
            let missing = Missing {
                path: format!("/usr/share/zoneinfo/{zone}"),
                says: format!("Failed to set time zone: Invalid or not installed time zone '{zone}'"),
                status: 1,
            };
            Wanted::new(EffectKind::Clock, zone).check(Check::Paths(vec![missing])).into()
        }
        "set-time" | "set-local-rtc" | "set-ntp" | "ntp-servers" | "revert" => {
            Wanted::new(EffectKind::Clock, words.last().copied().unwrap_or_default()).into()
        }
        _ => Verdict::RunReal,
    }
}

fn hostname(words: &[&str]) -> Verdict {
    match words {
        [] | ["-s" | "--short"] => Verdict::Look(Look::HostName),
        // Addresses are those of the host's network.
        ["-I" | "-i" | "--all-ip-addresses" | "--ip-address"] => Verdict::Look(Look::Plain),
        [name] if !name.starts_with('-') => named(name),
        ["-F" | "--file", file] => Wanted::new(EffectKind::HostName, *file).into(),
        ["-b" | "--boot", ..] => {
            Wanted::new(EffectKind::HostName, words.last().copied().unwrap_or_default()).into()
        }
        _ => Verdict::RunReal,
    }
}

fn named(name: &str) -> Verdict {
    let good = |sign: char| sign.is_ascii_alphanumeric() || "-._".contains(sign);
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) || name.starts_with(['-', '.']) {
        // It says itself that this is no name.
        return Verdict::RunReal;
    }
    Wanted::new(EffectKind::HostName, name).deeds(vec![Deed::HostName(name.to_owned())]).into()
}

fn hostnamectl(words: &[&str], booted: bool) -> Verdict {
    let verbs: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let transient = !words.iter().any(|word| ["--static", "--pretty"].contains(word));
    match verbs[..] {
        _ if !booted || words.iter().any(|word| ["-h", "--help", "--version", "-H", "-M"].contains(word)) => {
            Verdict::RunReal
        }
        ["hostname"] if words.len() == 1 => Verdict::Look(Look::HostName),
        [] | ["status" | "hostname" | "icon-name" | "chassis" | "deployment" | "location"]
            if only(words, &["-j", "--static", "--transient", "--pretty", "--json="], plain) =>
        {
            Verdict::Look(Look::Plain)
        }
        ["hostname" | "set-hostname", name] if transient => {
            Wanted::new(EffectKind::HostName, name).deeds(vec![Deed::HostName(name.to_owned())]).into()
        }
        [_, what, ..] => Wanted::new(EffectKind::HostName, what).into(),
        _ => Verdict::RunReal,
    }
}

/// Jobs for later: their files lie where only their daemon makes them known.
fn job(name: &str, words: &[&str]) -> Verdict {
    let has = |options: &[&str]| words.iter().any(|word| options.contains(word));
    match name {
        "atq" => Verdict::RunReal,
        "at" if has(&["-l", "-c", "-V", "-h"]) => Verdict::RunReal,
        "at" if has(&["-d", "-r"]) => {
            Wanted::new(EffectKind::Job, words.get(1..).unwrap_or_default().join(" ")).into()
        }
        "atrm" if words.is_empty() || has(&["-V"]) => Verdict::RunReal,
        "atrm" => Wanted::new(EffectKind::Job, words.join(" ")).into(),
        "at" if words.is_empty() => Verdict::RunReal,
        _ => Wanted::new(EffectKind::Job, words.join(" ")).reads(!has(&["-f"])).into(),
    }
}

const LOGGER: &Spec = &[
    (&["f", "file"], Takes::Value),
    (&["e", "skip-empty"], Takes::Nothing),
    (&["i"], Takes::Nothing),
    (&["id"], Takes::MaybeValue),
    (&["journald"], Takes::MaybeValue),
    (&["msgid"], Takes::Value),
    (&["no-act"], Takes::Nothing),
    (&["n", "server"], Takes::Value),
    (&["octet-count"], Takes::Nothing),
    (&["P", "port"], Takes::Value),
    (&["p", "priority"], Takes::Value),
    (&["prio-prefix"], Takes::Nothing),
    (&["rfc3164"], Takes::Nothing),
    (&["rfc5424"], Takes::MaybeValue),
    (&["s", "stderr"], Takes::Nothing),
    (&["sd-id"], Takes::Value),
    (&["sd-param"], Takes::Value),
    (&["S", "size"], Takes::Value),
    (&["socket-errors"], Takes::MaybeValue),
    (&["T", "tcp"], Takes::Nothing),
    (&["t", "tag"], Takes::Value),
    (&["u", "socket"], Takes::Value),
    (&["d", "udp"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
    (&["h", "help"], Takes::Nothing),
];

/// Messages to whoever is logged in, or to the log.
fn message(name: &str, words: &[&str]) -> Verdict {
    if matches!(words, ["-h" | "--help" | "-V" | "--version"]) {
        return Verdict::RunReal;
    }
    let wanted = |target: &str| Wanted::new(EffectKind::Message, target);
    match name {
        "logger" => {
            let Some(parsed) = parse(words, LOGGER) else { return Verdict::RunReal };
            if parsed.has("no-act") {
                return Verdict::RunReal;
            }
            let reads = parsed.operands.is_empty() && !parsed.has("f") && !parsed.has("journald");
            let mut dry = vec!["--no-act".to_owned()];
            dry.extend(words.iter().map(|word| (*word).to_owned()));
            let check = if parsed.has("s") && !reads { Check::DryRun(dry) } else { Check::Nothing };
            wanted("the system's log").reads(reads).check(check).into()
        }
        "wall" => wanted("everybody").reads(words.iter().all(|word| word.starts_with('-'))).into(),
        _ => wanted(words.first().copied().unwrap_or_default()).reads(true).into(),
    }
}
