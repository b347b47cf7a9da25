//! Tests of which records are kept.

use super::*;
use crate::model::run::{RunOutcome, RunRecord};
use crate::runs::fixture::record;

/// Runs by their last digit, oldest first: `n` a dry run, `l` a live one, `r` a live one on another root; each of 10 bytes.
fn all(kinds: &str) -> Vec<Listed> {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    for (at, kind) in kinds.chars().enumerate() {
        let mode = if kind == 'n' { Mode::Noop } else { Mode::Live };
        let root = LiveRoot::new(if kind == 'r' { "/srv/i" } else { "/" }.as_ref()).unwrap();
        runs.save(&RunRecord { mode, root, outcome: RunOutcome::Shown, ..record(&format!("2026-{at}")) })
            .unwrap();
    }
    let mut all = runs.entries().unwrap();
    for listed in &mut all {
        if let Listed::Entry(entry) = listed {
            entry.bytes = 10;
        }
    }
    all
}

#[test]
fn the_oldest_go_and_what_is_needed_stays() {
    let unlimited = Keep { runs: 100, seconds: 1000, bytes: None };
    for (kinds, keep, needed, expected) in [
        ("nnn", unlimited, "", ""),
        ("nnnn", Keep { runs: 2, ..unlimited }, "", "01"),
        ("llnnnn", Keep { runs: 2, ..unlimited }, "", "23"),
        ("lllnnnn", Keep { runs: 2, ..unlimited }, "0", "34"),
        // The last live run on each root, and the newest.
        ("rlnnnn", Keep { runs: 1, ..unlimited }, "", "234"),
        ("nln", Keep { seconds: 0, ..unlimited }, "", "0"),
        ("lnn", Keep { seconds: 1, ..unlimited }, "", ""),
        ("llnn", Keep { seconds: 1, ..unlimited }, "", "0"),
        // By size: dry runs first.
        ("lllnnn", Keep { bytes: Some(40), ..unlimited }, "", "34"),
        ("lllnnn", Keep { bytes: Some(25), ..unlimited }, "", "0134"),
        ("lllnnn", Keep { bytes: Some(0), ..unlimited }, "0", "134"),
    ] {
        let all = all(kinds);
        let number = |run: &RunId| run.as_str()[5..].to_owned();
        let needed = |run: &RunId| needed.contains(&number(run));
        let age = |entry: &Entry| Some(kinds.len() as u64 - 1 - number(&entry.run).parse::<u64>().unwrap());
        let gone: String = surplus(&all, keep, &needed, &age).iter().map(number).collect();
        assert_eq!(gone, expected, "{kinds} {keep:?}");
    }
}

#[test]
fn what_is_beyond_the_number_is_removed_and_a_hundred_dry_runs_leave_the_live_ones() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    for at in 0..5 {
        let mode = if at < 2 { Mode::Live } else { Mode::Noop };
        runs.save(&RunRecord { mode, ..record(&format!("2026-{at}")) }).unwrap();
    }
    let keep = Keep { runs: 2, seconds: u64::MAX, bytes: None };
    assert!(runs.prune(keep, &|_| true).unwrap().is_empty(), "a run under way keeps its record");
    assert_eq!(runs.prune(keep, &|_| false).unwrap(), ["2026-2".parse().unwrap()]);
    let left: Vec<_> = runs.list().unwrap().iter().map(|run| run.as_str().to_owned()).collect();
    assert_eq!(left, ["2026-0", "2026-1", "2026-3", "2026-4"]);
    assert_eq!(runs.entries().unwrap().len(), 4);
}
