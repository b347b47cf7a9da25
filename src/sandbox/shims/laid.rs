//! What was pretended, laid over what the host answers. Pure: texts of the real programs in, texts as they would be out.
//!
//! Not here: what no text can be made of without the running system, such as a service's log, the processes of a service
//! that was started, addresses and routes.

mod units;

use std::collections::BTreeMap;

pub(super) use units::units;

use crate::actions::Pretended;
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
