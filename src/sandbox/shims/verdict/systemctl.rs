//! systemctl(1): by its verb, if all its options are known.

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{Parsed, Spec, Takes, only, parse, plain};
use crate::sandbox::shims::verdict::{Check, Look, Verdict, Wanted};

/// Verbs that look at the manager, which runs on the host.
const LOOKS: [&str; 12] = [
    "is-active",
    "is-failed",
    "is-system-running",
    "status",
    "show",
    "cat",
    "show-environment",
    "list-units",
    "list-sockets",
    "list-timers",
    "list-jobs",
    "list-dependencies",
];

/// Verbs that read unit files and their links: an `enable` inside must be seen.
const READS: [&str; 4] = ["is-enabled", "get-default", "list-unit-files", "list-paths"];

/// Verbs that make and remove symlinks.
const FILES: [&str; 13] = [
    "enable",
    "disable",
    "mask",
    "unmask",
    "preset",
    "preset-all",
    "reenable",
    "revert",
    "link",
    "set-default",
    "add-wants",
    "add-requires",
    "edit",
];

/// Verbs about units, with whether these run afterwards; `None` where they stay as they were.
const ACTS: [(&str, Option<bool>); 15] = [
    ("start", Some(true)),
    ("stop", Some(false)),
    ("restart", Some(true)),
    ("reload", Some(true)),
    ("force-reload", Some(true)),
    ("reload-or-restart", Some(true)),
    ("try-restart", None),
    ("condrestart", None),
    ("try-reload-or-restart", None),
    ("reload-or-try-restart", None),
    ("isolate", Some(true)),
    ("freeze", None),
    ("thaw", None),
    ("clean", None),
    ("kill", None),
];

/// Verbs about the manager, and what it remembers.
const OTHERS: [&str; 17] = [
    "daemon-reload",
    "daemon-reexec",
    "reset-failed",
    "set-property",
    "set-environment",
    "unset-environment",
    "import-environment",
    "log-level",
    "log-target",
    "service-log-level",
    "service-log-target",
    "service-watchdogs",
    "bind",
    "mount-image",
    "cancel",
    "switch-root",
    "enqueue-marked",
];

/// Verbs about the machine.
const POWER: [&str; 13] = [
    "poweroff",
    "reboot",
    "halt",
    "kexec",
    "soft-reboot",
    "suspend",
    "hibernate",
    "hybrid-sleep",
    "suspend-then-hibernate",
    "exit",
    "default",
    "rescue",
    "emergency",
];

/// Options that only choose what is shown.
const SHOWS: [&str; 26] = [
    "-alqr",
    "--all",
    "--full",
    "--legend=",
    "--no-ask-password",
    "--no-legend",
    "--no-pager",
    "--plain",
    "--quiet",
    "--recursive",
    "--reverse",
    "--after",
    "--before",
    "--show-types",
    "--system",
    "--value",
    "--failed",
    "-pPtno",
    "--property",
    "--property=",
    "--type",
    "--type=",
    "--state=",
    "--lines=",
    "--output=",
    "--timestamp=",
];

const SPEC: &Spec = &[
    (&["t", "type"], Takes::Value),
    (&["state"], Takes::Value),
    (&["p", "property"], Takes::Value),
    (&["P"], Takes::Value),
    (&["a", "all"], Takes::Nothing),
    (&["l", "full"], Takes::Nothing),
    (&["r", "recursive"], Takes::Nothing),
    (&["q", "quiet"], Takes::Nothing),
    (&["f", "force"], Takes::Nothing),
    (&["n", "lines"], Takes::Value),
    (&["o", "output"], Takes::Value),
    (&["s", "signal"], Takes::Value),
    (&["i"], Takes::Nothing),
    (&["T", "show-transaction"], Takes::Nothing),
    (&["H", "host"], Takes::Value),
    (&["M", "machine"], Takes::Value),
    (&["C", "capsule"], Takes::Value),
    (&["h", "help"], Takes::Nothing),
    (&["version"], Takes::Nothing),
    (&["user"], Takes::Nothing),
    (&["system"], Takes::Nothing),
    (&["global"], Takes::Nothing),
    (&["runtime"], Takes::Nothing),
    (&["now"], Takes::Nothing),
    (&["root"], Takes::Value),
    (&["image"], Takes::Value),
    (&["image-policy"], Takes::Value),
    (&["no-block"], Takes::Nothing),
    (&["wait"], Takes::Nothing),
    (&["no-wall"], Takes::Nothing),
    (&["no-warn"], Takes::Nothing),
    (&["no-reload"], Takes::Nothing),
    (&["no-legend"], Takes::Nothing),
    (&["no-pager"], Takes::Nothing),
    (&["no-ask-password"], Takes::Nothing),
    (&["legend"], Takes::Value),
    (&["job-mode"], Takes::Value),
    (&["fail"], Takes::Nothing),
    (&["irreversible"], Takes::Nothing),
    (&["ignore-dependencies"], Takes::Nothing),
    (&["kill-who"], Takes::Value),
    (&["kill-whom"], Takes::Value),
    (&["kill-value"], Takes::Value),
    (&["what"], Takes::Value),
    (&["preset-mode"], Takes::Value),
    (&["check-inhibitors"], Takes::Value),
    (&["reboot-argument"], Takes::Value),
    (&["boot-loader-menu"], Takes::Value),
    (&["boot-loader-entry"], Takes::Value),
    (&["firmware-setup"], Takes::Nothing),
    (&["message"], Takes::Value),
    (&["when"], Takes::Value),
    (&["timestamp"], Takes::Value),
    (&["plain"], Takes::Nothing),
    (&["value"], Takes::Nothing),
    (&["failed"], Takes::Nothing),
    (&["reverse"], Takes::Nothing),
    (&["after"], Takes::Nothing),
    (&["before"], Takes::Nothing),
    (&["with-dependencies"], Takes::Nothing),
    (&["show-types"], Takes::Nothing),
    (&["read-only"], Takes::Nothing),
    (&["mkdir"], Takes::Nothing),
    (&["marked"], Takes::Nothing),
    (&["drop-in"], Takes::Value),
    (&["stdin"], Takes::Nothing),
    (&["dry-run"], Takes::Nothing),
    (&["verbose"], Takes::Nothing),
];

/// What a command line of systemctl asks for. Without systemd as the node's init it says so itself, and acts on nothing.
pub(super) fn systemctl(words: &[&str], booted: bool) -> Verdict {
    // What it does not know it says itself.
    let Some(parsed) = parse(words, SPEC) else { return Verdict::RunReal };
    let verb = parsed.operands.first().map_or("list-units", String::as_str);
    if ["user", "H", "M", "C", "h", "version", "dry-run"].into_iter().any(|option| parsed.has(option)) {
        // Of another manager than the node's, which is out of reach; or about itself.
        return Verdict::RunReal;
    }
    if parsed.has("root") || parsed.has("image") || READS.contains(&verb) {
        return Verdict::Files;
    }
    if FILES.contains(&verb) {
        let now = parsed.has("now") && ["enable", "disable", "mask", "reenable"].contains(&verb);
        if !now || !booted {
            return Verdict::Files;
        }
        let wanted = about_units(&parsed, Some(verb == "enable" || verb == "reenable"));
        return Verdict::FilesAndEffect(Wanted { check: Check::Nothing, ..wanted });
    }
    if !booted || verb == "help" {
        return Verdict::RunReal;
    }
    if LOOKS.contains(&verb) {
        return if only(words, &SHOWS, |word| plain(&word.replace([',', '/'], "_"))) {
            look(verb, &parsed)
        } else {
            unknown(words)
        };
    }
    match ACTS.iter().find(|(act, _)| *act == verb) {
        Some((_, runs)) => {
            let wanted = about_units(&parsed, *runs);
            let (verb, units) = (verb.to_owned(), units(&parsed).collect());
            wanted.check(Check::Units { verb, units }).into()
        }
        None if POWER.contains(&verb) => Wanted::new(EffectKind::Power, verb).into(),
        None if OTHERS.contains(&verb) => {
            Wanted::new(EffectKind::Service, parsed.operands.get(1..).unwrap_or_default().join(" ")).into()
        }
        None => Verdict::RunReal,
    }
}

fn look(verb: &str, parsed: &Parsed) -> Verdict {
    Verdict::Look(Look::Units { verb: verb.to_owned(), units: units(parsed).collect() })
}

fn unknown(words: &[&str]) -> Verdict {
    Wanted::new(EffectKind::Service, words.join(" ")).into()
}

fn about_units(parsed: &Parsed, runs: Option<bool>) -> Wanted {
    let deeds = match runs {
        Some(runs) => units(parsed).map(|name| Deed::Service { name, runs }).collect(),
        None => vec![Deed::Other],
    };
    Wanted::new(EffectKind::Service, parsed.operands.get(1..).unwrap_or_default().join(" ")).deeds(deeds)
}

/// The units that it names, each with its type.
fn units(parsed: &Parsed) -> impl Iterator<Item = String> {
    parsed.operands.iter().skip(1).map(|unit| full_name(unit))
}

/// A unit's name with its type; that of a service where it says none.
fn full_name(unit: &str) -> String {
    const TYPES: [&str; 11] = [
        "service",
        "socket",
        "target",
        "device",
        "mount",
        "automount",
        "swap",
        "timer",
        "path",
        "slice",
        "scope",
    ];
    match unit.rsplit_once('.') {
        Some((_, kind)) if TYPES.contains(&kind) => unit.to_owned(),
        _ => format!("{unit}.service"),
    }
}
