//! What was pretended, laid over what the host answers. Pure: texts of the real programs in, texts as they would be out.
//!
//! Not here: what no text can be made of without the running system, such as a service's log, the processes of a service
//! that was started, addresses and routes.

use std::collections::BTreeMap;

use crate::actions::{Pretended, path_of_sysctl};
use crate::sys::look::Seen;

/// How numbers of processes of the host are told to a step.
pub(super) struct Numbers<'a> {
    /// Those of the sandbox, with their numbers there.
    pub inside: BTreeMap<i32, i32>,
    /// The shim that asks, which is not what it stands for.
    pub asker: Option<i32>,
    /// What was pretended.
    pub state: &'a Pretended,
}

impl Numbers<'_> {
    /// The number of a process for the step; `None` where it is none for it.
    pub fn told(&self, pid: i32) -> Option<i32> {
        if self.asker == Some(pid) || self.state.has_ended(pid) {
            return None;
        }
        Some(self.inside.get(&pid).copied().unwrap_or(pid))
    }
}

/// The numbers at the starts of lines.
pub(super) fn numbers_in(text: &[u8]) -> impl Iterator<Item = i32> {
    let text = String::from_utf8_lossy(text).into_owned();
    let numbers: Vec<i32> = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    numbers.into_iter()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The same with another text, and the status of a search that finds nothing where nothing is left.
fn found(seen: Seen, lines: Vec<String>, newline: bool) -> Seen {
    let mut stdout = lines.join(if newline { "\n" } else { " " });
    let status = if stdout.is_empty() && seen.status == 0 { 1 } else { seen.status };
    if !stdout.is_empty() && seen.stdout.ends_with(b"\n") {
        stdout.push('\n');
    }
    Seen { stdout: stdout.into_bytes(), status, ..seen }
}

/// Numbers between words: `pidof`, `lsof -t` on lines of their own.
pub(super) fn numbers(seen: Seen, numbers: &Numbers<'_>) -> Seen {
    let told = text(&seen.stdout);
    let lines = told.lines().count() > 1;
    let words = told.split_whitespace().filter_map(|word| match word.parse() {
        Ok(pid) => numbers.told(pid).map(|pid| pid.to_string()),
        Err(_) => Some(word.to_owned()),
    });
    let words = words.collect();
    let indented = told.starts_with(' ');
    let mut seen = found(seen, words, lines);
    if indented && !seen.stdout.is_empty() {
        seen.stdout.insert(0, b' ');
    }
    seen
}

/// A number at the start of each line.
pub(super) fn lines(seen: Seen, numbers: &Numbers<'_>) -> Seen {
    let told = text(&seen.stdout);
    let line = |line: &str| {
        let (pid, rest) = line.find(' ').map_or((line, ""), |at| line.split_at(at));
        match pid.parse() {
            Ok(pid) => numbers.told(pid).map(|pid| format!("{pid}{rest}")),
            Err(_) => Some(line.to_owned()),
        }
    };
    found(seen, told.lines().filter_map(line).collect(), true)
}

/// A table with a column `PID`, and perhaps one `PPID`.
pub(super) fn table(seen: Seen, numbers: &Numbers<'_>) -> Seen {
    let told = text(&seen.stdout);
    let header = told.lines().next().unwrap_or_default();
    let column = |name: &str| header.split_whitespace().position(|word| word == name);
    let (Some(pid), parent) = (column("PID"), column("PPID")) else { return seen };
    let mut lines = vec![header.to_owned()];
    for line in told.lines().skip(1) {
        let number = |at: usize| line.split_whitespace().nth(at)?.parse().ok();
        let told = match number(pid) {
            Some(pid) => match numbers.told(pid) {
                Some(told) => Some((pid, told)),
                None => continue,
            },
            None => None,
        };
        let mut line = line.to_owned();
        if let Some((_, told)) = told.filter(|(pid, told)| pid != told) {
            line = with_word(&line, pid, &told.to_string());
        }
        if let (Some(at), Some(host)) = (parent, parent.and_then(number))
            && let Some(told) = numbers.inside.get(&host)
        {
            line = with_word(&line, at, &told.to_string());
        }
        lines.push(line);
    }
    let mut stdout = lines.join("\n");
    if seen.stdout.ends_with(b"\n") {
        stdout.push('\n');
    }
    Seen { stdout: stdout.into_bytes(), ..seen }
}

/// A line with one of its words replaced; blanks before it give way, so that columns stay where they can.
fn with_word(line: &str, at: usize, word: &str) -> String {
    let mut starts = Vec::new();
    let mut before = ' ';
    for (index, sign) in line.char_indices() {
        if before == ' ' && sign != ' ' {
            starts.push(index);
        }
        before = sign;
    }
    let Some(start) = starts.get(at).copied() else { return line.to_owned() };
    let end = line[start..].find(' ').map_or(line.len(), |length| start + length);
    let blanks = line[..start].len() - line[..start].trim_end_matches(' ').len();
    let width = blanks + (end - start);
    let least = if at == 0 { 0 } else { 1 };
    let padded = format!("{word:>width$}", width = width.max(word.len() + least));
    format!("{}{padded}{}", &line[..start - blanks], &line[end..])
}

/// Answers of systemctl about units.
pub(super) fn units(
    verb: &str,
    units: &[String],
    facts: &[Option<String>],
    arguments: &[String],
    seen: Seen,
    state: &Pretended,
) -> Seen {
    let quiet = arguments.iter().any(|word| word == "-q" || word == "--quiet");
    match verb {
        "is-active" | "is-failed" => is_so(verb == "is-active", quiet, units, seen, state),
        "status" => status(units, facts, seen, state),
        "show" => show(units, arguments, seen, state),
        "list-units" => listed(seen, state),
        _ => seen,
    }
}

/// A line a unit; the status says whether one of them is so.
fn is_so(active: bool, quiet: bool, units: &[String], seen: Seen, state: &Pretended) -> Seen {
    if units.iter().all(|unit| state.service(unit).is_none()) {
        return seen;
    }
    let told = text(&seen.stdout);
    if quiet && units.len() > 1 {
        // Which of them the host means cannot be said.
        let one = units.iter().any(|unit| state.service(unit) == Some(active));
        return Seen { status: if one { 0 } else { seen.status }, ..seen };
    }
    let mut lines = told.lines();
    let words: Vec<&str> = units
        .iter()
        .map(|unit| {
            let host = lines.next().unwrap_or("inactive");
            state.service(unit).map_or(host, |runs| if runs { "active" } else { "inactive" })
        })
        .collect();
    let wanted: &[&str] = if active { &["active", "reloading", "refreshing"] } else { &["failed"] };
    let so = words.iter().any(|word| wanted.contains(word));
    let status = if so {
        0
    } else if active {
        3
    } else {
        1
    };
    let stdout = if quiet { String::new() } else { words.iter().map(|word| format!("{word}\n")).collect() };
    Seen { stdout: stdout.into_bytes(), stderr: seen.stderr, status }
}

/// The line `Active:` of each unit, and the status, which is the worst.
fn status(units: &[String], facts: &[Option<String>], seen: Seen, state: &Pretended) -> Seen {
    if units.is_empty() || units.iter().all(|unit| state.service(unit).is_none()) {
        return seen;
    }
    let words = |runs| if runs { "active (running)" } else { "inactive (dead)" };
    let (mut out, mut current) = (String::new(), None);
    for line in text(&seen.stdout).lines() {
        if let Some(unit) = units.iter().find(|unit| line.split(' ').nth(1) == Some(unit.as_str())) {
            current = Some(unit);
        }
        match (line.trim_start().strip_prefix("Active: "), current.and_then(|unit| state.service(unit))) {
            (Some(_), Some(runs)) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                out += &format!("{indent}Active: {}\n", words(runs));
            }
            // Whose processes and log these were is not running.
            (None, Some(false)) if is_of_a_running_unit(line) => {}
            _ => out += &format!("{line}\n"),
        }
    }
    let mut stderr = String::new();
    for line in text(&seen.stderr).lines() {
        let unknown =
            units.iter().zip(facts).find(|(unit, _)| line == format!("Unit {unit} could not be found."));
        match unknown.and_then(|(unit, fact)| Some((unit, state.service(unit)?, fact.as_ref()?))) {
            // The sandbox has it, and the host not yet.
            Some((unit, runs, _)) => {
                out += &format!("\u{25cf} {unit}\n     Loaded: loaded\n     Active: {}\n", words(runs));
            }
            None => stderr += &format!("{line}\n"),
        }
    }
    let status = match &units[..] {
        [one] => match state.service(one) {
            Some(true) => 0,
            Some(false) => 3,
            None => seen.status,
        },
        all if all.iter().any(|unit| state.service(unit) == Some(false)) => 3,
        _ => seen.status,
    };
    Seen { stdout: out.into_bytes(), stderr: stderr.into_bytes(), status }
}

fn is_of_a_running_unit(line: &str) -> bool {
    let line = line.trim_start();
    ["Main PID:", "Status:", "Tasks:", "Memory:", "CPU:", "CGroup:", "\u{251c}", "\u{2514}"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Lines `Name=value`, or values alone where they were asked for so.
fn show(units: &[String], arguments: &[String], seen: Seen, state: &Pretended) -> Seen {
    if units.iter().all(|unit| state.service(unit).is_none()) {
        return seen;
    }
    let pretended = |name: &str, runs: bool| match (name, runs) {
        ("ActiveState", true) => Some("active"),
        ("ActiveState", false) => Some("inactive"),
        ("SubState", true) => Some("running"),
        ("SubState", false) => Some("dead"),
        ("MainPID" | "ControlPID", false) => Some("0"),
        _ => None,
    };
    let bare = arguments.iter().any(|word| word == "--value" || word == "-P");
    let names: Vec<&str> = arguments
        .windows(2)
        .filter(|pair| ["-p", "-P", "--property"].contains(&pair[0].as_str()))
        .map(|pair| pair[1].as_str())
        .chain(arguments.iter().filter_map(|word| word.strip_prefix("--property=")))
        .flat_map(|names| names.split(','))
        .collect();
    let (mut unit, mut out) = (0, String::new());
    for line in text(&seen.stdout).lines() {
        let runs = units.get(unit).and_then(|unit| state.service(unit));
        if line.is_empty() && !bare {
            unit += 1;
        }
        let replaced = match (line.split_once('='), &names[..], runs) {
            (Some((name, _)), _, Some(runs)) if !bare => {
                pretended(name, runs).map(|value| format!("{name}={value}"))
            }
            // Values come in an order of systemd's own: only a single one is known for what it is.
            (_, [name], Some(runs)) if bare => pretended(name, runs).map(str::to_owned),
            _ => None,
        };
        out += &replaced.unwrap_or_else(|| line.to_owned());
        out.push('\n');
    }
    Seen { stdout: out.into_bytes(), ..seen }
}

/// The rows of units that were pretended about.
fn listed(seen: Seen, state: &Pretended) -> Seen {
    let mut out = String::new();
    for line in text(&seen.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with('\u{25cf}')).collect();
        let runs = match words[..] {
            [unit, _, _, _, ..] if unit.ends_with(".service") => state.service(unit),
            _ => None,
        };
        let skipped = line.split_whitespace().count() - words.len();
        let line = match runs {
            Some(runs) => {
                let (active, sub) = if runs { ("active", "running") } else { ("inactive", "dead") };
                let line = with_left_word(line, skipped + 2, active);
                with_left_word(&line, skipped + 3, sub)
            }
            None => line.to_owned(),
        };
        out += &line;
        out.push('\n');
    }
    Seen { stdout: out.into_bytes(), ..seen }
}

/// A line with one of its words replaced; blanks after it give way.
fn with_left_word(line: &str, at: usize, word: &str) -> String {
    let Some(old) = line.split_whitespace().nth(at) else { return line.to_owned() };
    let start = old.as_ptr() as usize - line.as_ptr() as usize;
    let rest = &line[start + old.len()..];
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    let width = (old.len() + blanks).saturating_sub(1);
    let gap = if rest.is_empty() { "" } else { " " };
    format!("{}{word:<width$}{gap}{}", &line[..start], rest.trim_start_matches(' '))
}

/// Answers of sysctl.
pub(super) fn settings(keys: &[String], arguments: &[String], seen: Seen, state: &Pretended) -> Seen {
    let told = text(&seen.stdout);
    let of = |key: &str| state.setting(&path_of_sysctl(key));
    let bare = arguments.iter().any(|word| {
        word == "--values"
            || word == "--binary"
            || word.starts_with('-') && !word.starts_with("--") && word.contains(['n', 'b'])
    });
    let names = arguments.iter().any(|word| word == "--names" || word == "-N");
    if names {
        return seen;
    }
    let line = |(at, line): (usize, &str)| {
        let replaced = if bare {
            keys.get(at).filter(|_| keys.len() == told.lines().count()).and_then(|key| of(key))
        } else {
            line.split_once(" = ").and_then(|(key, _)| Some(format!("{key} = {}", of(key)?)))
        };
        replaced.unwrap_or_else(|| line.to_owned()) + "\n"
    };
    let stdout: String = told.lines().enumerate().map(line).collect();
    Seen { stdout: stdout.into_bytes(), ..seen }
}

/// What `hostname` says of a name.
pub(super) fn host_name(arguments: &[String], name: &str) -> String {
    let short = arguments.iter().any(|word| word == "-s" || word == "--short");
    if short { name.split('.').next().unwrap_or(name).to_owned() } else { name.to_owned() }
}

/// The table of lsmod.
pub(super) fn modules(seen: Seen, state: &Pretended) -> Seen {
    let told = text(&seen.stdout);
    let of = |line: &str| {
        let name = line.split_whitespace().next()?;
        state.modules().find(|(there, _)| *there == name).map(|(_, loaded)| loaded)
    };
    let mut out: String =
        told.lines().filter(|line| of(line) != Some(false)).map(|line| format!("{line}\n")).collect();
    for (name, _) in state.modules().filter(|(_, loaded)| *loaded) {
        if !told.lines().any(|line| line.split_whitespace().next() == Some(name)) {
            out += &format!("{name:<19} {:>8}  0\n", 0);
        }
    }
    Seen { stdout: out.into_bytes(), ..seen }
}

/// The lines of `mount`.
pub(super) fn mounts(seen: Seen, state: &Pretended) -> Seen {
    let told = text(&seen.stdout);
    let gone = |line: &&str| {
        let source = line.split(" on ").next().unwrap_or_default();
        let target =
            line.split_once(" on ").and_then(|(_, rest)| rest.split_once(" type ")).map(|(target, _)| target);
        state.is_unmounted(source) || target.is_some_and(|target| state.is_unmounted(target))
    };
    let mut out: String = told.lines().filter(|line| !gone(line)).map(|line| format!("{line}\n")).collect();
    for mount in state.mounted() {
        out += &format!("{} on {} type {} ({})\n", mount.source, mount.target, mount.kind, mount.options);
    }
    Seen { stdout: out.into_bytes(), ..seen }
}

/// Whether something is mounted there, and what: `None` where that was not pretended.
pub(super) fn mount_point(name: &str, arguments: &[String], target: &str, state: &Pretended) -> Option<Seen> {
    let mounted = state.is_mounted(target)?;
    let quiet = arguments.iter().any(|word| word == "-q" || word == "--quiet");
    let mount = state.mounted().iter().find(|mount| mount.target == target);
    let stdout = match (name, mount) {
        _ if quiet => String::new(),
        ("mountpoint", _) if mounted => format!("{target} is a mountpoint\n"),
        ("mountpoint", _) => format!("{target} is not a mountpoint\n"),
        (_, Some(mount)) => row(arguments, mount),
        (_, None) => String::new(),
    };
    let fails = if name == "mountpoint" { 32 } else { 1 };
    Some(Seen { stdout: stdout.into_bytes(), stderr: Vec::new(), status: if mounted { 0 } else { fails } })
}

/// A row of findmnt, with its header where it has one.
fn row(arguments: &[String], mount: &crate::actions::Mount) -> String {
    let short = |letter: char| {
        move |word: &String| word.starts_with('-') && !word.starts_with("--") && word.contains(letter)
    };
    let at = arguments.iter().position(|word| word == "--output" || short('o')(word));
    let columns = at.and_then(|at| arguments.get(at + 1)).map(String::as_str);
    let columns = columns.or_else(|| arguments.iter().find_map(|word| word.strip_prefix("--output=")));
    let columns = columns.unwrap_or("TARGET,SOURCE,FSTYPE,OPTIONS").to_ascii_uppercase();
    let value = |column: &str| match column {
        "TARGET" => mount.target.clone(),
        "SOURCE" => mount.source.clone(),
        "FSTYPE" => mount.kind.clone(),
        "OPTIONS" => mount.options.clone(),
        _ => String::new(),
    };
    let columns: Vec<(&str, String)> = columns.split(',').map(|column| (column, value(column))).collect();
    let line = |words: Vec<&str>| {
        let padded = words
            .iter()
            .zip(&columns)
            .map(|(word, (name, value))| format!("{word:<width$}", width = name.len().max(value.len())));
        padded.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
    };
    let header = line(columns.iter().map(|(name, _)| *name).collect());
    let bare = arguments.iter().any(|word| word == "--noheadings" || short('n')(word));
    let values = line(columns.iter().map(|(_, value)| value.as_str()).collect());
    if bare { values } else { header + &values }
}

/// A word of the kernel's table of mounts, with its blanks.
pub(super) fn unescaped(word: &str) -> String {
    word.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
#[path = "laid_tests.rs"]
mod tests;
