//! Tests of the index of runs: what it may have lost, or never had.

use super::*;
use crate::model::change::{Change, ChangeKind, ChangeSet, ContentChange};
use crate::model::step::ModuleRecord;
use crate::runs::fixture::record;

fn change(path: &str) -> Change {
    let lines = r#"{"kind":"regular","device":1,"mode":33188,"uid":0,"gid":0,"owner":"root","group":"root","size":2,
        "md5":null,"target":null,"rdev":null,"selinux":null,"xattrs":{}}"#;
    let after = serde_json::from_str(lines).unwrap();
    let path = RootedPath::new(path).unwrap();
    Change { path, kind: ChangeKind::Created { after }, content: ContentChange::Same }
}

/// Three runs, the second of them live, which changed `/etc/x`.
fn some() -> (tempfile::TempDir, Runs) {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    for (run, mode) in [("2026-1", Mode::Noop), ("2026-2", Mode::Live), ("2026-3", Mode::Noop)] {
        let mut record = RunRecord { mode, outcome: RunOutcome::Unfinished, ..record(run) };
        runs.save(&record).unwrap();
        let (module, changes) = ("m".parse().unwrap(), ChangeSet(vec![change("/etc/x")]));
        runs.add_changes(&record.run, &module, &changes, &Default::default()).unwrap();
        record.add(ModuleRecord::done(module, Vec::new(), (&changes).into()));
        record.outcome = if mode == Mode::Live { RunOutcome::Merged } else { RunOutcome::Shown };
        runs.save(&record).unwrap();
    }
    (home, runs)
}

fn shown(runs: &Runs) -> Vec<String> {
    let path = RootedPath::new("/etc/x").unwrap();
    let one = |listed: &Listed| match listed {
        Listed::Entry(entry) => {
            format!("{} {:?} {}", entry.run, entry.outcome, entry.may_have_changed(&path))
        }
        Listed::Unreadable { run, error } => format!("{run}: {error}"),
    };
    runs.entries().unwrap().iter().map(one).collect()
}

#[test]
fn the_list_is_the_same_whatever_becomes_of_the_index() {
    let (_home, runs) = some();
    let expected = ["2026-1 Shown false", "2026-2 Merged true", "2026-3 Shown false"];
    assert_eq!(shown(&runs), expected);
    let file = runs.index_file();
    let whole = std::fs::read(&file).unwrap();
    for damage in [
        &b""[..],
        b"\xff\xfe\n{",
        &whole[..whole.len() / 2],
        &whole[whole.len() / 2..],
        &[&whole[..whole.len() - 9], &whole[..]].concat(),
        &whole.repeat(50),
    ] {
        std::fs::write(&file, damage).unwrap();
        assert_eq!(shown(&runs), expected);
        assert_eq!(runs.known().unwrap().0.len(), 3, "each run has a line again");
        assert_eq!(shown(&runs), expected, "what was added is as good");
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(shown(&runs), expected);
    assert!(std::fs::read(&file).unwrap().len() <= whole.len(), "it was made again");
}

#[test]
fn a_folder_that_is_gone_or_a_record_that_is_another_is_not_hidden_by_the_index() {
    let (_home, runs) = some();
    let expected = shown(&runs);
    std::fs::remove_dir_all(runs.folder(&"2026-1".parse().unwrap())).unwrap();
    assert_eq!(shown(&runs), expected[1..]);
    // As whoever is killed between the record and the index leaves it.
    let index = std::fs::read(runs.index_file()).unwrap();
    let mut record = runs.load(&"2026-2".parse().unwrap()).unwrap();
    record.outcome = RunOutcome::Undone { reason: "x".into() };
    runs.save(&record).unwrap();
    std::fs::write(runs.index_file(), index).unwrap();
    assert_eq!(shown(&runs)[0], "2026-2 Undone { reason: \"x\" } true");
    std::fs::write(runs.folder(&record.run).join("record.json"), "{").unwrap();
    let damaged = "2026-2: the record of run 2026-2 is damaged";
    assert_eq!(shown(&runs), [damaged, expected[2].as_str()]);
    std::fs::remove_file(runs.folder(&"2026-3".parse().unwrap()).join("record.json")).unwrap();
    assert_eq!(shown(&runs), [damaged]);
}

#[test]
fn the_index_does_not_grow_without_end() {
    let (_home, runs) = some();
    let record = runs.load(&"2026-2".parse().unwrap()).unwrap();
    for _ in 0..200 {
        runs.save(&record).unwrap();
    }
    let length = || std::fs::metadata(runs.index_file()).unwrap().len();
    let before = length();
    runs.entries().unwrap();
    assert!(length() * 20 < before, "{} after {before}", length());
}
