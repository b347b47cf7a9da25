//! Commands about addresses, links, routes and sockets: the sandbox has a network of its own, so all of them are about the host's.

use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{none, only, path, plain};
use crate::sandbox::shims::verdict::{Look, Verdict, Wanted};

pub(super) fn verdict(name: &str, words: &[&str]) -> Verdict {
    match name {
        "ip" => ip(words),
        "tc" => tc(words),
        "ifconfig" => ifconfig(words),
        "route" => route(words),
        "ethtool" => ethtool(words),
        // Not `-K`, which closes sockets, not `-D` and `-F`, which write and read files, not `-E`, which never ends.
        "ss" => socket_look(
            words,
            &[
                "-tulnpa46xwemoisHrOZT0",
                "--no-header",
                "--summary",
                "--tcp",
                "--udp",
                "--listening",
                "--numeric",
                "--processes",
                "--all",
                "--oneline",
            ],
        ),
        // Not `-c`, which never ends.
        _ => socket_look(
            words,
            &[
                "-tulnpaeviorsgMWwx46",
                "--route",
                "--interfaces",
                "--tcp",
                "--udp",
                "--listening",
                "--numeric",
                "--programs",
                "--all",
                "--statistics",
                "--wide",
            ],
        ),
    }
}

/// What only looks at sockets, whatever it is asked; what is not understood is asked inside.
fn socket_look(words: &[&str], options: &[&str]) -> Verdict {
    let filter = |word: &str| path(word) && !word.starts_with('/') && !word.contains(['>', '<', '`', '$']);
    if only(words, options, filter) { Verdict::Look(Look::Plain) } else { Verdict::RunReal }
}

/// ip(8): options first, then an object and a verb, which both may be cut short. Only whole words and the usual short ones are
/// taken for a look: `ip link s` is `set`.
fn ip(words: &[&str]) -> Verdict {
    const OPTIONS: [&str; 33] = [
        "-4",
        "-6",
        "-0",
        "-j",
        "-json",
        "--json",
        "-p",
        "-pretty",
        "-o",
        "-oneline",
        "-s",
        "-stats",
        "-statistics",
        "-d",
        "-details",
        "-br",
        "-brief",
        "-N",
        "-Numeric",
        "-h",
        "-human",
        "-human-readable",
        "-iec",
        "-t",
        "-timestamp",
        "-ts",
        "-tshort",
        "-c",
        "-color",
        "-color=never",
        "-color=auto",
        "-a",
        "-all",
    ];
    let options = words.iter().take_while(|word| word.starts_with('-')).count();
    let (options, rest) = words.split_at(options);
    if options.iter().any(|word| ["-V", "-Version", "-help", "-h", "--help"].contains(word))
        && rest.is_empty()
    {
        return Verdict::RunReal;
    }
    let known = options.iter().all(|option| OPTIONS.contains(option));
    // `-f inet` has its value in the next word, and `-b` and `-n` have one that leads elsewhere.
    let Some((object, rest)) = rest.split_first() else {
        return if known { Verdict::RunReal } else { network(words) };
    };
    if *object == "help" || rest.first() == Some(&"help") || ["monitor", "mon", "mo"].contains(object) {
        return Verdict::RunReal;
    }
    let short: &[&str] = match *object {
        "address" | "addr" | "a" | "ad" | "add" => &["s"],
        "route" | "r" | "ro" => &["s", "get", "g"],
        "link" | "l" | "li" => &[],
        "neighbour" | "neighbor" | "neigh" | "n" | "rule" | "ru" | "maddress" | "maddr" | "mroute"
        | "tunnel" | "tuntap" | "vrf" | "addrlabel" | "nexthop" | "netconf" | "token" => &[],
        "netns" => {
            return if known && matches!(rest, [] | ["list" | "ls" | "show"]) {
                Verdict::Look(Look::Plain)
            } else {
                network(words)
            };
        }
        _ => return network(words),
    };
    let shows = |verb: &str| ["show", "list", "lst", "ls", "sh"].contains(&verb) || short.contains(&verb);
    let looks = match rest {
        [] => true,
        [verb, filter @ ..] => shows(verb) && filter.iter().all(|word| plain(&word.replace('/', "_"))),
    };
    // A tunnel or a module of the kernel may be made by a look at some of them; those are asked for in words.
    if known && looks { Verdict::Look(Look::Plain) } else { network(words) }
}

fn network(words: &[&str]) -> Verdict {
    let device = words.iter().position(|word| *word == "dev").and_then(|at| words.get(at + 1));
    let words: Vec<&str> = words.iter().copied().skip_while(|word| word.starts_with('-')).collect();
    let target = match (device, &words[..]) {
        (Some(device), _) => (*device).to_owned(),
        (None, [object, _, what, ..]) => format!("{object} {what}"),
        (None, words) => words.join(" "),
    };
    Wanted::new(EffectKind::Network, target).into()
}

fn tc(words: &[&str]) -> Verdict {
    const OPTIONS: [&str; 14] = [
        "-s",
        "-stats",
        "-statistics",
        "-d",
        "-details",
        "-p",
        "-pretty",
        "-j",
        "-json",
        "-iec",
        "-g",
        "-graph",
        "-r",
        "-raw",
    ];
    let (options, rest) = words.split_at(words.iter().take_while(|word| word.starts_with('-')).count());
    let known = options.iter().all(|option| OPTIONS.contains(option));
    let object = |word: &str| ["qdisc", "class", "filter", "chain", "action", "actions"].contains(&word);
    match rest {
        [] => Verdict::RunReal,
        [what] if known && object(what) => Verdict::Look(Look::Plain),
        [what, "show" | "list" | "ls", filter @ ..]
            if known && object(what) && filter.iter().all(|word| plain(word)) =>
        {
            Verdict::Look(Look::Plain)
        }
        ["help"] | [_, "help", ..] | ["monitor", ..] => Verdict::RunReal,
        _ => network(words),
    }
}

fn ifconfig(words: &[&str]) -> Verdict {
    let names = words.iter().filter(|word| !word.starts_with('-')).count();
    match words {
        _ if names < 2 && only(words, &["-asv"], plain) => Verdict::Look(Look::Plain),
        ["--help" | "-h" | "-V" | "--version"] => Verdict::RunReal,
        _ => {
            let name = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
            Wanted::new(EffectKind::Network, name).into()
        }
    }
}

fn route(words: &[&str]) -> Verdict {
    match words {
        ["--help" | "-h" | "-V" | "--version"] => Verdict::RunReal,
        _ if only(words, &["-nevFC46", "--numeric", "--extend", "--verbose"], none) => {
            Verdict::Look(Look::Plain)
        }
        _ => {
            let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
            Wanted::new(EffectKind::Network, words.get(1..).unwrap_or_default().join(" ")).into()
        }
    }
}

fn ethtool(words: &[&str]) -> Verdict {
    const LOOKS: [&str; 16] = [
        "-i",
        "--driver",
        "-k",
        "--show-features",
        "-S",
        "--statistics",
        "-g",
        "--show-ring",
        "-c",
        "--show-coalesce",
        "-a",
        "--show-pause",
        "-l",
        "--show-channels",
        "-P",
        "--show-permaddr",
    ];
    match words {
        [device] if plain(device) => Verdict::Look(Look::Plain),
        [look, device] if LOOKS.contains(look) && plain(device) => Verdict::Look(Look::Plain),
        [] | ["--help" | "-h" | "--version"] => Verdict::RunReal,
        _ => {
            let device = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
            Wanted::new(EffectKind::Network, device).into()
        }
    }
}
