//! nft(8), iptables(8) and what goes with it.

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::sandbox::shims::verdict::words::{only, plain};
use crate::sandbox::shims::verdict::{Look, Verdict, Wanted};

/// The command behind a name with its variant: `iptables-nft-save` is `iptables-save`.
pub(super) fn plain_name(name: &str) -> &str {
    match name {
        "iptables-nft" | "iptables-legacy" => "iptables",
        "ip6tables-nft" | "ip6tables-legacy" => "ip6tables",
        "iptables-nft-save" | "iptables-legacy-save" => "iptables-save",
        "ip6tables-nft-save" | "ip6tables-legacy-save" => "ip6tables-save",
        "iptables-nft-restore" | "iptables-legacy-restore" => "iptables-restore",
        "ip6tables-nft-restore" | "ip6tables-legacy-restore" => "ip6tables-restore",
        name => name,
    }
}

pub(super) fn verdict(name: &str, words: &[&str]) -> Verdict {
    let wanted = |target: &str| Wanted::new(EffectKind::Network, target);
    if matches!(words, ["-h" | "--help" | "-V" | "--version" | "-v"]) {
        return Verdict::RunReal;
    }
    match name {
        "nft" => nft(words),
        "iptables" | "ip6tables" => iptables(name, words),
        // Not `-f`, which writes a file, not `-M`, which names a program to execute.
        "iptables-save" | "ip6tables-save" => match words {
            _ if only(words, &["-c", "--counters"], |_| false) => Verdict::Look(Look::Plain),
            ["-t" | "--table", table] if plain(table) => Verdict::Look(Look::Plain),
            _ => wanted("packet filter").into(),
        },
        _ if words.iter().any(|word| *word == "-t" || *word == "--test") => Verdict::RunReal,
        _ => {
            let file = words.iter().any(|word| !word.starts_with('-'));
            wanted("packet filter").reads(!file).into()
        }
    }
}

/// nft(8) makes one text of its words, and takes options anywhere: a look consists of plain words.
fn nft(words: &[&str]) -> Verdict {
    let (options, rest) = words.split_at(words.iter().take_while(|word| word.starts_with('-')).count());
    let shows = options.iter().all(|option| {
        ["--handle", "--numeric", "--stateless", "--json", "--numeric-priority", "--terse"].contains(option)
            || option.strip_prefix('-').is_some_and(|letters| {
                !letters.is_empty() && letters.chars().all(|c| "ansjyNStp".contains(c))
            })
    });
    let word = |word: &&str| {
        word.chars().all(|sign| sign.is_ascii_alphanumeric() || "_.".contains(sign) || sign == '-')
            && !word.starts_with('-')
    };
    match rest {
        ["list", what @ ..]
            if shows && !what.is_empty() && what.iter().all(|it| word(it) && *it != "include") =>
        {
            Verdict::Look(Look::Plain)
        }
        _ if words.iter().any(|word| ["-c", "--check"].contains(word)) => Verdict::RunReal,
        _ => {
            let reads = words
                .windows(2)
                .any(|pair| ["-f", "--file"].contains(&pair[0]) && ["-", "/dev/stdin"].contains(&pair[1]));
            let target = if rest.is_empty() { words.join(" ") } else { rest.join(" ") };
            Wanted::new(EffectKind::Network, target).reads(reads || words == ["-i"]).into()
        }
    }
}

/// iptables(8): lists are looks; so is the question whether a rule is there, if it is made of common words.
fn iptables(name: &str, words: &[&str]) -> Verdict {
    const LISTS: [&str; 9] = [
        "-LSnvxtw",
        "--list",
        "--list-rules",
        "--numeric",
        "--verbose",
        "--exact",
        "--line-numbers",
        "--table",
        "--wait",
    ];
    let lists = words
        .iter()
        .any(|word| word.starts_with("-L") || word.starts_with("-S") || word.starts_with("--list"))
        || words.iter().any(|word| {
            word.starts_with('-') && !word.starts_with("--") && word.contains(['L', 'S']) && word.len() > 2
        });
    if lists && only(words, &LISTS, plain) {
        return Verdict::Look(Look::Plain);
    }
    let rule = |command: &str| {
        let words = words.iter().filter(|word| !["-w", "--wait"].contains(word)).copied();
        let rule: Vec<&str> = words.map(|word| if word == command { "-C" } else { word }).collect();
        format!("{name} {}", rule.join(" "))
    };
    let is = |names: &[&str]| words.iter().copied().find(|word| names.contains(word));
    if let Some(check) = is(&["-C", "--check"]) {
        return if is_common_rule(words) { Verdict::Look(Look::Rule(rule(check))) } else { Verdict::RunReal };
    }
    let deed = match (is(&["-A", "--append", "-I", "--insert"]), is(&["-D", "--delete"])) {
        (Some(adds), None) => Deed::Rule { rule: rule(adds), there: true },
        (None, Some(deletes)) => Deed::Rule { rule: rule(deletes), there: false },
        _ => Deed::Other,
    };
    let chain = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or("packet filter");
    Wanted::new(EffectKind::Network, chain).deeds(vec![deed]).into()
}

/// Whether a rule is made of words that need no module which is not there where such rules are.
fn is_common_rule(words: &[&str]) -> bool {
    const OPTIONS: [&str; 29] = [
        "-CtpsdiojmwnN",
        "--check",
        "--table",
        "--protocol",
        "--source",
        "--destination",
        "--in-interface",
        "--out-interface",
        "--jump",
        "--match",
        "--wait",
        "--dport",
        "--sport",
        "--dports",
        "--sports",
        "--state",
        "--ctstate",
        "--comment",
        "--reject-with",
        "--to-destination",
        "--to-source",
        "--to-ports",
        "--icmp-type",
        "--destination-port",
        "--source-port",
        "--limit",
        "--limit-burst",
        "--syn",
        "--mark",
    ];
    const MATCHES: [&str; 9] =
        ["tcp", "udp", "icmp", "icmp6", "conntrack", "state", "multiport", "comment", "limit"];
    const TARGETS: [&str; 8] = ["ACCEPT", "DROP", "REJECT", "RETURN", "LOG", "MASQUERADE", "SNAT", "DNAT"];
    let listed = words.windows(2).all(|pair| match pair[0] {
        "-m" | "--match" => MATCHES.contains(&pair[1]),
        "-j" | "--jump" => TARGETS.contains(&pair[1]),
        _ => true,
    });
    listed && only(words, &OPTIONS, |word| word == "!" || plain(&word.replace(['/', ','], "_")))
}
