//! What was pretended of services, laid over the answers of systemctl.

use crate::actions::Pretended;
use crate::sandbox::shims::laid::text;
use crate::sys::look::Seen;

/// Answers of systemctl about units.
pub(in crate::sandbox::shims) fn units(
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
    let status = match units {
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
