//! Tests of which merges stand.

use super::*;
use crate::model::run::RunRecord;

/// Runs of a table, each in words: its letter, `merged`, `shown`, `failed` or `undone`, the one that it undoes, its root.
fn all(runs: &[&str]) -> Vec<Listed> {
    let home = tempfile::tempdir().unwrap();
    let kept = Runs::new(home.path());
    for (at, words) in runs.iter().enumerate() {
        let words: Vec<&str> = words.split(' ').collect();
        let outcome = match words[0] {
            "merged" => RunOutcome::Merged,
            "noop" | "shown" => RunOutcome::Shown,
            "failed" => RunOutcome::Failed,
            "undone" => RunOutcome::Undone { reason: "x".into() },
            other => panic!("{other}"),
        };
        let rest = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let record: RunRecord = serde_json::from_value(serde_json::json!({
            "schema": 2, "run": format!("2026-{at}"), "node": "n", "version": "0", "started": "", "ended": "",
            "mode": if words[0] == "noop" { "noop" } else { "live" },
            "root": rest("root=").unwrap_or("/"), "undoes": rest("of=").map(|of| format!("2026-{of}")),
            "outcome": outcome, "plan": [], "truth": "exact", "because": [], "internal": [], "modules": [],
            "actions": [],
        }))
        .unwrap();
        kept.save(&record).unwrap();
    }
    kept.entries().unwrap()
}

#[test]
fn what_was_taken_back_stands_no_more_unless_that_was_taken_back() {
    for (runs, expected) in [
        (&["merged", "noop", "failed", "merged"][..], "03"),
        (&["undone", "merged of=0"], ""),
        // Killed before the record of the first was marked.
        (&["merged", "merged of=0"], ""),
        (&["undone"], ""),
        (&["undone", "undone of=0", "merged of=1"], "0"),
        (&["undone", "undone of=0", "merged of=1", "merged of=0"], ""),
        (&["undone", "undone of=0", "undone of=1", "merged of=2"], ""),
        // Only shown.
        (&["merged", "shown of=0"], "0"),
        (&["merged", "merged root=/srv/i"], "0"),
    ] {
        let all = all(runs);
        let standing = standing(&all, &LiveRoot::Own);
        let standing: String = standing.iter().map(|entry| &entry.run.as_str()[5..]).collect();
        assert_eq!(standing, expected, "{runs:?}");
    }
    let all = all(&["merged", "merged root=/srv/i"]);
    let image = LiveRoot::new("/srv/i".as_ref()).unwrap();
    assert_eq!(standing(&all, &image).len(), 1);
}
