//! Commands about processes. Those of the host are looked for on the host; those of the sandbox have numbers of their own
//! above them, and are acted on for real.

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::services::ends_a_process;
use crate::sandbox::shims::verdict::words::{Spec, Takes, number, only, parse, path, plain};
use crate::sandbox::shims::verdict::{Check, Look, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str]) -> Verdict {
    match name {
        "kill" => kill(words),
        "killall" => killall(words),
        "killall5" => Wanted::new(EffectKind::Process, "every process").into(),
        "pkill" => pkill(words),
        "skill" | "snice" => skill(words),
        "pgrep" => pgrep(words),
        "pidof" if only(words, &["-sxqz"], |word| plain(&word.replace('/', "_"))) && !words.is_empty() => {
            Verdict::Look(Look::Numbers)
        }
        "ps" => ps(words),
        "fuser" => fuser(words),
        "lsof" if only(words, LSOF, |word| plain(word) || path(word) && !word.starts_with('+')) => {
            Verdict::Look(if words.contains(&"-t") { Look::Numbers } else { Look::Table })
        }
        // None of them can act.
        _ => Verdict::RunReal,
    }
}

/// What lsof(8) may be asked; not `-D`, which writes a cache, not `-r`, which never ends, not `+`.
const LSOF: &[&str] = &["-aniPtwlURNuspcd"];

fn kill(words: &[&str]) -> Verdict {
    let Some((signal, words)) = signal_of(words) else { return Verdict::RunReal };
    let words: Vec<&str> = words.into_iter().filter(|word| *word != "--").collect();
    let pids: Vec<i32> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if words.is_empty() || words == ["0"] {
        // Nothing, or whatever this is part of, which is inside.
        return Verdict::RunReal;
    }
    if signal == "0" {
        let plain = pids.len() == words.len() && pids.iter().all(|pid| *pid > 0);
        return if plain { Verdict::Look(Look::Alive(pids)) } else { Verdict::RunReal };
    }
    let ends = ends_a_process(signal);
    if pids.len() < words.len() {
        let names: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        return Wanted::new(EffectKind::Process, names.join(" "))
            .check(Check::Named { names, ends, quiet: false })
            .into();
    }
    if pids.contains(&-1) {
        return Wanted::new(EffectKind::Process, "every process").into();
    }
    let target = pids.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
    Wanted::new(EffectKind::Process, target).check(Check::Processes { pids, ends }).deeds(vec![]).into()
}

/// The signal of a line of kill(1), TERM where it says none, and its other words; `None` where it only tells something.
fn signal_of<'a>(words: &[&'a str]) -> Option<(&'a str, Vec<&'a str>)> {
    let (mut signal, mut others, mut rest) = ("TERM", Vec::new(), words.iter().copied());
    let mut said = false;
    while let Some(word) = rest.next() {
        match word {
            "--" => {
                others.extend(rest);
                break;
            }
            "-s" | "--signal" | "-n" | "-q" | "--queue" if !said || word.ends_with(['q', 'e']) => {
                let value = rest.next()?;
                if !word.ends_with(['q', 'e']) {
                    (signal, said) = (value, true);
                }
            }
            "-l"
            | "-L"
            | "--list"
            | "--table"
            | "-V"
            | "--version"
            | "-h"
            | "--help"
            | "-p"
            | "--pid"
            | "-d"
            | "--show-process-state" => return None,
            "-a" | "--all" | "-r" | "--require-handler" | "--verbose" | "-v" => {}
            _ if word.starts_with("--signal=") => (signal, said) = (&word["--signal=".len()..], true),
            _ if word.starts_with("-l") || word.starts_with("--") => return None,
            _ if word.starts_with("-s") && !said && word[2..].chars().all(|c| c.is_ascii_alphanumeric()) => {
                (signal, said) = (&word[2..], true);
            }
            // The first is a signal, any other a group of processes.
            _ if word.starts_with('-') && !said && others.is_empty() => (signal, said) = (&word[1..], true),
            _ => others.push(word),
        }
    }
    Some((signal, others))
}

const KILLALL: &Spec = &[
    (&["e", "exact"], Takes::Nothing),
    (&["I", "ignore-case"], Takes::Nothing),
    (&["g", "process-group"], Takes::Nothing),
    (&["i", "interactive"], Takes::Nothing),
    (&["l", "list"], Takes::Nothing),
    (&["q", "quiet"], Takes::Nothing),
    (&["r", "regexp"], Takes::Nothing),
    (&["s", "signal"], Takes::Value),
    (&["v", "verbose"], Takes::Nothing),
    (&["w", "wait"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
    (&["n", "ns"], Takes::Value),
    (&["u", "user"], Takes::Value),
    (&["y", "younger-than"], Takes::Value),
    (&["o", "older-than"], Takes::Value),
    (&["Z", "context"], Takes::Value),
];

fn killall(words: &[&str]) -> Verdict {
    let (signal, words) = leading_signal(words);
    let Some(parsed) = parse(&words, KILLALL) else { return Verdict::RunReal };
    if parsed.has("l") || parsed.has("V") || parsed.operands.is_empty() && !parsed.has("u") {
        return Verdict::RunReal;
    }
    let signal = parsed.value("s").or(signal).unwrap_or("TERM");
    let (names, quiet) = (parsed.operands.clone(), parsed.has("q"));
    let target =
        if names.is_empty() { parsed.value("u").unwrap_or_default().to_owned() } else { names.join(" ") };
    let wanted = Wanted::new(EffectKind::Process, target);
    let simple = parsed.options.iter().all(|(name, _)| ["e", "q", "s", "v", "w", "i"].contains(name));
    if !simple || names.is_empty() {
        return wanted.into();
    }
    let ends = ends_a_process(signal);
    wanted.check(Check::Named { names, ends, quiet }).deeds(vec![]).into()
}

/// A signal that is an option by itself, such as `-HUP` or `-9`, and the other words.
fn leading_signal<'a>(words: &[&'a str]) -> (Option<&'a str>, Vec<&'a str>) {
    let is_signal = |word: &&str| {
        word.strip_prefix('-').is_some_and(|name| {
            number(name)
                || name.len() > 2 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
    };
    let signal = words.iter().copied().find(|word| is_signal(word));
    let others = words.iter().copied().filter(|word| Some(*word) != signal).collect();
    (signal.map(|signal| &signal[1..]), others)
}

/// What both pgrep and pkill choose processes by.
const CHOOSES: &[&str] = &[
    "-fxivnoA",
    "-utUG",
    "--full",
    "--exact",
    "--ignore-case",
    "--inverse",
    "--newest",
    "--oldest",
    "--euid=",
    "--uid=",
    "--terminal=",
    "--euid",
    "--uid",
    "--terminal",
    "-c",
];

fn pkill(words: &[&str]) -> Verdict {
    let (signal, words) = leading_signal(words);
    if words.iter().any(|word| ["-V", "--version", "-h", "--help"].contains(word)) || words.is_empty() {
        return Verdict::RunReal;
    }
    let mut said = signal;
    let mut chosen: Vec<&str> = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "--signal" => said = rest.next().or(said),
            "-e" | "--echo" => {}
            _ if word.starts_with("--signal=") => said = Some(&word["--signal=".len()..]),
            word => chosen.push(word),
        }
    }
    let wanted = Wanted::new(EffectKind::Process, words.last().copied().unwrap_or_default());
    if said == Some("0") {
        return Verdict::RunReal;
    }
    if chosen.contains(&"-c") || !only(&chosen, CHOOSES, pattern) {
        // By parents, groups, files: whoever knows of those means what it has started itself.
        return if chooses_own(&chosen) { Verdict::RunReal } else { wanted.into() };
    }
    let (arguments, ends) =
        (chosen.into_iter().map(str::to_owned).collect(), said.is_none_or(ends_a_process));
    wanted.check(Check::Matching { arguments, ends }).deeds(vec![]).into()
}

fn pattern(word: &str) -> bool {
    !word.starts_with('-') && !word.is_empty()
}

/// Whether processes are chosen by numbers of others, which whoever asks has started.
fn chooses_own(words: &[&str]) -> bool {
    const OWN: [&str; 8] = ["-P", "-g", "-s", "--parent", "--pgroup", "--session", "--ns", "-F"];
    words.iter().any(|word| OWN.iter().any(|own| word.starts_with(own)))
}

/// pgrep(1) cannot act; what is not understood, or is about its own children, is answered inside.
fn pgrep(words: &[&str]) -> Verdict {
    const SHOWS: [&str; 6] = ["-la", "--list-name", "--list-full", "-fxivnola", "--count", "-d"];
    let allowed: Vec<&str> = CHOOSES.iter().chain(&SHOWS).copied().collect();
    let counts = words.iter().any(|word| ["-c", "--count", "-d"].contains(word));
    if words.is_empty() || counts || !only(words, &allowed, pattern) {
        return Verdict::RunReal;
    }
    Verdict::Look(Look::Lines)
}

fn skill(words: &[&str]) -> Verdict {
    if words.is_empty() || words.iter().any(|word| ["-l", "-L", "-n", "-V", "-h", "--help"].contains(word)) {
        return Verdict::RunReal;
    }
    Wanted::new(EffectKind::Process, words.last().copied().unwrap_or_default()).into()
}

/// ps(1) cannot act. It is about others where it chooses among all processes, and not by numbers.
fn ps(words: &[&str]) -> Verdict {
    const LONG: [&str; 7] = ["--user", "--User", "--group", "--Group", "--deselect", "--forest", "--tty"];
    const ABOUT: [&str; 6] = ["--help", "--info", "--version", "-V", "L", "--pid"];
    let mut others = false;
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        if ABOUT.contains(&word) || number(word) || word.starts_with("--pid") || word.starts_with("--ppid") {
            return Verdict::RunReal;
        }
        match word.strip_prefix('-') {
            Some(letters) if letters.starts_with('-') => {
                others |= LONG.iter().any(|long| word.starts_with(long));
            }
            Some(letters) => {
                if letters.contains(['p', 'q', 's']) && !letters.contains('o') {
                    return Verdict::RunReal;
                }
                others |= letters.contains(['e', 'A', 'a', 'd', 'N', 'C', 'u', 'U', 'G', 't']);
                if letters.ends_with(['o', 'O', 'C', 'u', 'U', 'G', 't']) && letters.len() == 1 {
                    words.next();
                }
            }
            None if word.chars().all(|letter| letter.is_ascii_alphabetic()) => {
                if word.contains('p') && word.len() == 1 {
                    return Verdict::RunReal;
                }
                others |= word.contains(['a', 'x', 'g', 'T', 'r']) && !word.contains('=');
                if word.ends_with('o') {
                    words.next();
                }
            }
            None => {}
        }
    }
    if others { Verdict::Look(Look::Table) } else { Verdict::RunReal }
}

fn fuser(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 4] = ["-vasmuMI46", "--mount", "--verbose", "--all"];
    if only(words, &LOOKS, path) && !words.is_empty() {
        return Verdict::Look(Look::Numbers);
    }
    let namespace: Vec<&str> =
        words.iter().copied().filter(|word| *word != "-n" && *word != "--namespace").collect();
    if namespace.len() < words.len() && only(&namespace, &LOOKS, path) {
        return Verdict::Look(Look::Numbers);
    }
    let kills = words.iter().any(|word| {
        word.starts_with('-') && !word.starts_with("--") && word.contains('k') || word.starts_with("--k")
    });
    if kills {
        let target = words.iter().rev().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
        return Wanted::new(EffectKind::Process, target).deeds(vec![Deed::Other]).into();
    }
    Verdict::RunReal
}
