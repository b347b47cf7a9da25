//! rsync's command line for one fetch, from the user's own. Pure.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// What one rsync shall do.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The user's command line, as words; never empty.
    pub command: &'a [String],
    /// Whether the source is a folder of this host.
    pub local: bool,
    /// How long the other side may be silent.
    pub timeout: Duration,
    /// What was fetched last time.
    pub cached: Option<&'a Path>,
    /// What to fetch, as rsync calls it.
    pub from: &'a str,
    /// Into which folder.
    pub into: &'a Path,
}

/// The whole command line, the program first.
///
/// The user's words come first, as they are, so that `nice rsync …` works; what is missing and what must hold whatever they
/// say comes after. That is: owners, groups and devices are not taken from the master, since a module's files on a node
/// belong to the user that runs disco, root; what is gone on the master goes.
pub fn command_line(wish: &Wish<'_>) -> Vec<OsString> {
    let own = wish.command;
    let seconds = wish.timeout.as_secs().max(1);
    let mut words: Vec<OsString> = own.iter().map(OsString::from).collect();
    words.push("-rlptWH".into());
    // Two edits within one second that keep the size would else look the same.
    words.push("--modify-window=-1".into());
    if !has_long(own, "--timeout") {
        words.push(format!("--timeout={seconds}").into());
    }
    // Both are for a connection of rsync's own; with a remote shell rsync refuses or ignores them.
    if !wish.local && !has_remote_shell(own) {
        if !has_long(own, "--contimeout") {
            words.push(format!("--contimeout={seconds}").into());
        }
        if !has_long(own, "--sockopts") {
            words.push("--sockopts=TCP_NODELAY".into());
        }
    }
    words.extend(
        ["--no-owner", "--no-group", "--no-devices", "--no-specials", "--delete"].map(OsString::from),
    );
    if let Some(cached) = wish.cached {
        let mut word = OsString::from("--link-dest=");
        word.push(cached);
        words.push(word);
    }
    words.push("--".into());
    words.push(wish.from.into());
    words.push(wish.into.into());
    words
}

fn has_long(words: &[String], option: &str) -> bool {
    words
        .iter()
        .any(|word| word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// Whether the arguments name a remote shell: `--rsh`, or `e` among short options.
fn has_remote_shell(words: &[String]) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if has_long(std::slice::from_ref(word), "--rsh") {
            return true;
        }
        let Some(cluster) = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else { continue };
        for (at, option) in cluster.char_indices() {
            match option {
                'e' => return true,
                // These take the rest of the word, or the next word, as their value.
                'f' | 'B' | 'M' | 'T' | '@' => {
                    if at + 1 == cluster.len() {
                        words.next();
                    }
                    break;
                }
                _ => {}
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &str, local: bool, cached: Option<&str>) -> String {
        let words = command_line(&Wish {
            command: &shell_words::split(command).unwrap(),
            local,
            timeout: Duration::from_secs(60),
            cached: cached.map(Path::new),
            from: "SRC/",
            into: Path::new("DST"),
        });
        words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    const FIRST: &str = "-rlptWH --modify-window=-1";
    const LAST: &str = "--no-owner --no-group --no-devices --no-specials --delete";

    #[test]
    fn what_is_missing_is_added_and_what_is_wrong_corrected() {
        let daemon = "--contimeout=60 --sockopts=TCP_NODELAY";
        for (command, local, expected) in [
            ("rsync", false, format!("rsync {FIRST} --timeout=60 {daemon} {LAST} -- SRC/ DST")),
            ("rsync", true, format!("rsync {FIRST} --timeout=60 {LAST} -- SRC/ DST")),
            (
                "rsync -qaWHe \"ssh -i KEY\"",
                false,
                format!("rsync -qaWHe ssh -i KEY {FIRST} --timeout=60 {LAST} -- SRC/ DST"),
            ),
            (
                "nice rsync --rsh='ssh -l me' --timeout 5",
                false,
                format!("nice rsync --rsh=ssh -l me --timeout 5 {FIRST} {LAST} -- SRC/ DST"),
            ),
        ] {
            assert_eq!(line(command, local, None), expected, "{command}");
        }
        assert!(line("rsync", false, Some("/h/modules/m")).contains(" --link-dest=/h/modules/m -- "));
    }

    #[test]
    fn a_remote_shell_is_found_where_rsync_finds_it() {
        for (command, found) in [
            ("-e ssh", true),
            ("-qaWHe ssh", true),
            ("-essh", true),
            ("--rsh=ssh", true),
            ("--rsh ssh", true),
            ("-qaWH", false),
            ("-f e", false),
            ("-fe", false),
            ("-f -e -e ssh", true),
            ("--exclude=e --delete", false),
            ("--rsh-like", false),
        ] {
            assert_eq!(has_remote_shell(&shell_words::split(command).unwrap()), found, "{command}");
        }
    }
}
