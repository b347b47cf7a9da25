//! Commands about the kernel's modules. Its settings are files, which are pretended as such (`crate::sandbox::knobs`).

use crate::actions::{Deed, module_name};
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{Spec, Takes, parse};
use crate::sandbox::shims::verdict::{Check, Look, Missing, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str]) -> Verdict {
    match name {
        "modprobe" => modprobe(words),
        "insmod" => insmod(words),
        "rmmod" => rmmod(words),
        "lsmod" if words.is_empty() => Verdict::Look(Look::Modules),
        _ => Verdict::RunReal,
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
        says: format!("insmod: ERROR: could not load module {file}: No such file or directory"),
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
