//! Commands about mounts, swap and loop devices.

use crate::actions::{Deed, Mount};
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{Parsed, Spec, Takes, none, only, parse, path, plain};
use crate::sandbox::shims::verdict::{Check, Look, Missing, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str]) -> Verdict {
    match name {
        "mount" => mount(words),
        "umount" => umount(words),
        "swapon" => swapon(words),
        "swapoff" => swap("swapoff", words),
        "losetup" => losetup(words),
        "findmnt" => findmnt(words),
        _ => mountpoint(words),
    }
}

const MOUNT: &Spec = &[
    (&["a", "all"], Takes::Nothing),
    (&["c", "no-canonicalize"], Takes::Nothing),
    (&["f", "fake"], Takes::Nothing),
    (&["F", "fork"], Takes::Nothing),
    (&["T", "fstab"], Takes::Value),
    (&["i", "internal-only"], Takes::Nothing),
    (&["l", "show-labels"], Takes::Nothing),
    (&["m", "mkdir"], Takes::MaybeValue),
    (&["n", "no-mtab"], Takes::Nothing),
    (&["o", "options"], Takes::Value),
    (&["O", "test-opts"], Takes::Value),
    (&["options-mode"], Takes::Value),
    (&["options-source"], Takes::Value),
    (&["options-source-force"], Takes::Nothing),
    (&["onlyonce"], Takes::Nothing),
    (&["r", "read-only"], Takes::Nothing),
    (&["t", "types"], Takes::Value),
    (&["source"], Takes::Value),
    (&["target"], Takes::Value),
    (&["target-prefix"], Takes::Value),
    (&["v", "verbose"], Takes::Nothing),
    (&["w", "rw", "read-write"], Takes::Nothing),
    (&["N", "namespace"], Takes::Value),
    (&["L", "label"], Takes::Value),
    (&["U", "uuid"], Takes::Value),
    (&["B", "bind"], Takes::Nothing),
    (&["M", "move"], Takes::Nothing),
    (&["R", "rbind"], Takes::Nothing),
    (&["make-shared"], Takes::Nothing),
    (&["make-slave"], Takes::Nothing),
    (&["make-private"], Takes::Nothing),
    (&["make-unbindable"], Takes::Nothing),
    (&["make-rshared"], Takes::Nothing),
    (&["make-rslave"], Takes::Nothing),
    (&["make-rprivate"], Takes::Nothing),
    (&["make-runbindable"], Takes::Nothing),
    (&["h", "help"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
];

fn mount(words: &[&str]) -> Verdict {
    let Some(parsed) = parse(words, MOUNT) else { return Verdict::RunReal };
    if parsed.has("h") || parsed.has("V") {
        return Verdict::RunReal;
    }
    let names = ["source", "L", "U", "target"].into_iter().any(|option| parsed.has(option));
    if parsed.operands.is_empty() && !names && !parsed.has("a") {
        let lists = only(words, &["-lvt", "--show-labels", "--types=", "--verbose"], none)
            || only(words, &["-lvt"], plain);
        return if lists { Verdict::Look(Look::Mounts) } else { Verdict::RunReal };
    }
    let wanted = |target: &str| Wanted::new(EffectKind::Mount, target);
    let (source, target) = match (&parsed.operands[..], parsed.value("source"), parsed.value("target")) {
        ([source, target], None, None) => (source.as_str(), target.as_str()),
        ([target], Some(source), None) => (source, target.as_str()),
        ([source], None, Some(target)) => (source.as_str(), target),
        ([], Some(source), Some(target)) => (source, target),
        // By fstab, which is a file of the sandbox: its real reader says what is not in it.
        ([one], None, None) if !parsed.has("a") && !changes(&parsed) => {
            let arguments =
                ["--fake".to_owned()].into_iter().chain(words.iter().map(|word| (*word).to_owned()));
            return wanted(one).check(Check::DryRun(arguments.collect())).into();
        }
        _ => return wanted(&parsed.operands.join(" ")).into(),
    };
    let options = parsed.value("o").unwrap_or("rw").to_owned();
    let moves = parsed.has("M") || options.split(',').any(|option| option == "remount");
    let kind = if parsed.has("B") || parsed.has("R") { "none" } else { parsed.value("t").unwrap_or("auto") };
    let mount = Mount { source: source.to_owned(), target: trimmed(target), kind: kind.to_owned(), options };
    let deed = if moves { Deed::Other } else { Deed::Mounted(mount.clone()) };
    let check = if moves || parsed.has("m") { Check::Nothing } else { Check::Mountable(mount) };
    wanted(target).check(check).deeds(vec![deed]).into()
}

/// Whether what is mounted already is changed.
fn changes(parsed: &Parsed) -> bool {
    let remounts =
        parsed.value("o").is_some_and(|options| options.split(',').any(|option| option == "remount"));
    remounts || parsed.options.iter().any(|(name, _)| name.starts_with("make-"))
}

fn trimmed(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { path.chars().take(1).collect() } else { trimmed.to_owned() }
}

const UMOUNT: &Spec = &[
    (&["a", "all"], Takes::Nothing),
    (&["A", "all-targets"], Takes::Nothing),
    (&["c", "no-canonicalize"], Takes::Nothing),
    (&["d", "detach-loop"], Takes::Nothing),
    (&["fake"], Takes::Nothing),
    (&["f", "force"], Takes::Nothing),
    (&["i", "internal-only"], Takes::Nothing),
    (&["n", "no-mtab"], Takes::Nothing),
    (&["l", "lazy"], Takes::Nothing),
    (&["O", "test-opts"], Takes::Value),
    (&["R", "recursive"], Takes::Nothing),
    (&["r", "read-only"], Takes::Nothing),
    (&["t", "types"], Takes::Value),
    (&["v", "verbose"], Takes::Nothing),
    (&["q", "quiet"], Takes::Nothing),
    (&["N", "namespace"], Takes::Value),
    (&["h", "help"], Takes::Nothing),
    (&["V", "version"], Takes::Nothing),
];

fn umount(words: &[&str]) -> Verdict {
    let Some(parsed) = parse(words, UMOUNT) else { return Verdict::RunReal };
    if parsed.has("h") || parsed.has("V") || parsed.has("fake") {
        return Verdict::RunReal;
    }
    let targets: Vec<String> = parsed.operands.iter().map(|target| trimmed(target)).collect();
    let wanted = Wanted::new(EffectKind::Mount, parsed.operands.join(" "));
    if parsed.has("a") || targets.is_empty() {
        return wanted.into();
    }
    let deeds = targets.iter().cloned().map(Deed::Unmounted).collect();
    wanted.check(Check::Mounted(targets)).deeds(deeds).into()
}

fn swapon(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 8] =
        ["-s", "--summary", "--show", "--show=", "--noheadings", "--raw", "--bytes", "--help"];
    // Swap is the same for all; /proc/swaps is read inside.
    if only(words, &LOOKS, none) || words == ["-V"] || words == ["--version"] {
        Verdict::RunReal
    } else {
        swap("swapon", words)
    }
}

fn swap(name: &str, words: &[&str]) -> Verdict {
    let files: Vec<&str> =
        words.iter().copied().filter(|word| word.starts_with('/') && !word.starts_with("/dev/")).collect();
    let missing = files.iter().map(|file| Missing {
        path: (*file).to_owned(),
        says: format!("{name}: cannot open {file}: No such file or directory"),
        status: 255,
    });
    let check = if files.is_empty() { Check::Nothing } else { Check::Paths(missing.collect()) };
    if matches!(words, ["--help" | "-h" | "-V" | "--version"]) {
        return Verdict::RunReal;
    }
    Wanted::new(EffectKind::Mount, words.last().copied().unwrap_or_default()).check(check).into()
}

fn losetup(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 9] = [
        "-aljnJ",
        "--all",
        "--list",
        "--associated",
        "--associated=",
        "--noheadings",
        "--raw",
        "--json",
        "--output=",
    ];
    match words {
        ["--help" | "-h" | "--version" | "-V"] => Verdict::RunReal,
        // An operand would be a device to set up, unless it is what `-j` asks for or the one device that is shown.
        _ if only(words, &LOOKS, none) => Verdict::Look(Look::Plain),
        ["-j" | "--associated", file] if path(file) => Verdict::Look(Look::Plain),
        [device] if device.starts_with("/dev/loop") && path(device) => Verdict::Look(Look::Plain),
        _ => Wanted::new(EffectKind::Mount, words.last().copied().unwrap_or_default()).into(),
    }
}

/// findmnt(8) cannot act. What it reads from files is read inside.
fn findmnt(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 18] = [
        "-AaDeflnPRruvJboOtdTMS",
        "--all",
        "--df",
        "--first-only",
        "--list",
        "--noheadings",
        "--pairs",
        "--submounts",
        "--raw",
        "--notruncate",
        "--json",
        "--bytes",
        "--output=",
        "--types=",
        "--output",
        "--target",
        "--mountpoint",
        "--source",
    ];
    if !only(words, &LOOKS, path) {
        return Verdict::RunReal;
    }
    let operands: Vec<&str> = words.iter().copied().filter(|word| word.starts_with('/')).collect();
    match operands[..] {
        [one] => Verdict::Look(Look::MountPoint(trimmed(one))),
        _ => Verdict::Look(Look::Plain),
    }
}

fn mountpoint(words: &[&str]) -> Verdict {
    match words {
        [path] | ["-q" | "-d" | "--quiet" | "--fs-devno", path] if path.starts_with('/') => {
            Verdict::Look(Look::MountPoint(trimmed(path)))
        }
        _ => Verdict::RunReal,
    }
}
