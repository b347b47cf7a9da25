//! Commands about the kernel's modules and settings.

use crate::actions::{Deed, module_name, path_of_sysctl};
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{Spec, Takes, only, parse};
use crate::sandbox::shims::verdict::{Check, Look, Missing, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str]) -> Verdict {
    match name {
        "modprobe" => modprobe(words),
        "insmod" => insmod(words),
        "rmmod" => rmmod(words),
        "lsmod" if words.is_empty() => Verdict::Look(Look::Modules),
        "lsmod" => Verdict::RunReal,
        _ => sysctl(words),
    }
}

const MODPROBE: &Spec = &[
    (&["a", "all"], Takes::Nothing),
    (&["r", "remove"], Takes::Nothing),
    (&["remove-dependencies"], Takes::Nothing),
    (&["remove-holders"], Takes::Nothing),
    (&["w", "wait"], Takes::Value),
    (&["R", "resolve-alias"], Takes::Nothing),
    (&["first-time"], Takes::Nothing),
    (&["i", "ignore-install", "ignore-remove"], Takes::Nothing),
    (&["b", "use-blacklist"], Takes::Nothing),
    (&["f", "force"], Takes::Nothing),
    (&["force-modversion"], Takes::Nothing),
    (&["force-vermagic"], Takes::Nothing),
    (&["D", "show-depends"], Takes::Nothing),
    (&["c", "showconfig", "show-config"], Takes::Nothing),
    (&["show-modversions", "dump-modversions"], Takes::Nothing),
    (&["show-exports"], Takes::Nothing),
    (&["n", "dry-run", "show"], Takes::Nothing),
    (&["C", "config"], Takes::Value),
    (&["d", "dirname"], Takes::Value),
    (&["S", "set-version"], Takes::Value),
    (&["s", "syslog"], Takes::Nothing),
    (&["q", "quiet"], Takes::Nothing),
    (&["v", "verbose"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
    (&["h", "help"], Takes::Nothing),
    (&["l", "list"], Takes::Nothing),
];

/// modprobe(8): what it would do comes from files, and the real one tells it inside.
fn modprobe(words: &[&str]) -> Verdict {
    const TELLS: [&str; 9] = ["n", "D", "c", "R", "show-modversions", "show-exports", "V", "h", "l"];
    let Some(parsed) = parse(words, MODPROBE) else { return Verdict::RunReal };
    if TELLS.into_iter().any(|option| parsed.has(option)) || parsed.operands.is_empty() {
        return Verdict::RunReal;
    }
    let removes = parsed.has("r");
    let several = removes || parsed.has("a");
    let modules: Vec<String> =
        parsed.operands.iter().take(if several { usize::MAX } else { 1 }).cloned().collect();
    let wanted = Wanted::new(EffectKind::KernelModule, modules.join(" "));
    let deeds = modules.iter().map(|name| Deed::Module { name: name.clone(), loaded: !removes }).collect();
    let dry: Vec<String> =
        ["--dry-run".to_owned()].into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect();
    wanted.check(Check::DryRun(dry)).deeds(deeds).into()
}

fn insmod(words: &[&str]) -> Verdict {
    let file = words.iter().copied().find(|word| !word.starts_with('-'));
    let Some(file) =
        file.filter(|_| !words.iter().any(|word| ["-V", "--version", "-h", "--help"].contains(word)))
    else {
        return Verdict::RunReal;
    };
    let missing = Missing {
        path: file.to_owned(),
        says: format!("ERROR: could not load module {file}: No such file or directory"),
        status: 1,
    };
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = module_name(name.split('.').next().unwrap_or(name));
    Wanted::new(EffectKind::KernelModule, name.as_str())
        .check(Check::Paths(vec![missing]))
        .deeds(vec![Deed::Module { name, loaded: true }])
        .into()
}

fn rmmod(words: &[&str]) -> Verdict {
    let names: Vec<String> =
        words.iter().filter(|word| !word.starts_with('-')).map(|word| module_name(word)).collect();
    if names.is_empty() || words.iter().any(|word| ["-V", "--version", "-h", "--help"].contains(word)) {
        return Verdict::RunReal;
    }
    let deeds = names.iter().map(|name| Deed::Module { name: name.clone(), loaded: false }).collect();
    Wanted::new(EffectKind::KernelModule, names.join(" ")).check(Check::Loaded(names)).deeds(deeds).into()
}

const SYSCTL: &Spec = &[
    (&["n", "values"], Takes::Nothing),
    (&["e", "ignore"], Takes::Nothing),
    (&["N", "names"], Takes::Nothing),
    (&["q", "quiet"], Takes::Nothing),
    (&["w", "write"], Takes::Nothing),
    (&["p", "load"], Takes::MaybeValue),
    (&["f"], Takes::MaybeValue),
    (&["a", "all"], Takes::Nothing),
    (&["A"], Takes::Nothing),
    (&["X"], Takes::Nothing),
    (&["b", "binary"], Takes::Nothing),
    (&["o"], Takes::Nothing),
    (&["x"], Takes::Nothing),
    (&["d"], Takes::Nothing),
    (&["h", "help"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
    (&["r", "pattern"], Takes::Value),
    (&["system"], Takes::Nothing),
    (&["dry-run"], Takes::Nothing),
    (&["deprecated"], Takes::Nothing),
];

/// sysctl(8): a key with a value is set; reading is a look, by keys that lead nowhere else.
fn sysctl(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 9] = [
        "-neNbqaAXr",
        "--values",
        "--ignore",
        "--names",
        "--binary",
        "--quiet",
        "--all",
        "--deprecated",
        "--pattern=",
    ];
    let key = |word: &str| {
        let known = |sign: char| sign.is_ascii_alphanumeric() || "._/-:@*^$|[]".contains(sign);
        word.chars().all(known) && !word.contains("..") && !word.starts_with('/')
    };
    let Some(parsed) = parse(words, SYSCTL) else { return Verdict::RunReal };
    if parsed.has("h") || parsed.has("V") || parsed.has("d") || parsed.has("dry-run") {
        return Verdict::RunReal;
    }
    let loads = parsed.has("p") || parsed.has("f") || parsed.has("system");
    let sets = parsed.has("w") || parsed.operands.iter().any(|word| word.contains('='));
    if !loads && !sets {
        let shows_all = parsed.has("a") || parsed.has("A") || parsed.has("X") || parsed.has("r");
        if parsed.operands.is_empty() && !shows_all || !only(words, &LOOKS, key) {
            return Verdict::RunReal;
        }
        return Verdict::Look(Look::Settings(if shows_all { Vec::new() } else { parsed.operands }));
    }
    if loads {
        let files =
            parsed.operands.iter().map(String::as_str).chain(parsed.value("p")).collect::<Vec<_>>().join(" ");
        let default = if parsed.has("system") { "sysctl.d" } else { "/etc/sysctl.conf" };
        return Wanted::new(EffectKind::Setting, if files.is_empty() { default } else { &files }).into();
    }
    let values: Vec<(String, String)> = parsed
        .operands
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let deed =
        |(key, value): &(String, String)| Deed::Setting { path: path_of_sysctl(key), value: value.clone() };
    let deeds = values.iter().map(deed).collect();
    let target = values.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(" ");
    let line = |(key, value): &(String, String)| match (parsed.has("n"), parsed.has("N")) {
        _ if parsed.has("q") => String::new(),
        (true, _) => format!("{value}\n"),
        (_, true) => format!("{key}\n"),
        _ => format!("{key} = {value}\n"),
    };
    let says = values.iter().map(line).collect();
    let check = Check::Settings { values, ignores: parsed.has("e") };
    Wanted { says, ..Wanted::new(EffectKind::Setting, target).check(check).deeds(deeds) }.into()
}
