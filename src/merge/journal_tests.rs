//! Tests of journals: what is read of them, whatever was their last line, and what an undo makes of a finished one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::tests::{Merge, change_everything, fill, merge as merge_whole};
use super::*;
use crate::layered::{World, is_litter, manifest, rooted};

#[test]
fn what_somebody_has_changed_since_a_merge_was_stopped_stays_and_is_named() {
    let world = World::new(|lower| {
        for name in ["edited", "deleted", "gone", "attributes", "plain"] {
            fs::write(lower.join(name), "old").unwrap();
        }
    });
    let after = world.after();
    for name in ["edited", "plain", "created"] {
        fs::write(after.join(name), "by the run").unwrap();
    }
    for name in ["deleted", "gone"] {
        fs::remove_file(after.join(name)).unwrap();
    }
    fs::set_permissions(after.join("attributes"), fs::Permissions::from_mode(0o600)).unwrap();
    let merge = Merge::new(world, &|_| false);
    let source = merge.source();
    prepared(&source).unwrap().stop_after(Some(0));
    // An administrator, before the next run.
    let live = merge.world.live();
    for name in ["edited", "deleted", "created"] {
        fs::write(live.join(name), "by somebody else").unwrap();
    }
    fs::remove_file(live.join("gone")).unwrap();
    fs::remove_file(live.join("attributes")).unwrap();
    let [recorded] = &replay::unfinished(&journals(source.home), source.root).unwrap()[..] else {
        panic!("one journal")
    };
    let recovery = recover::recover(recorded.clone(), source.live, source.home).unwrap();
    let Recovered::After { kept, .. } = recovery.how else { panic!("it had begun") };
    let named: Vec<String> = kept.iter().map(RootedPath::to_string).collect();
    assert_eq!(named, ["/attributes", "/created", "/deleted", "/edited"].map(String::from).to_vec());
    let recover::Rest::Finish(merged) = recovery.rest else { panic!("it is merged") };
    merged.keep().unwrap();
    for name in ["edited", "deleted", "created"] {
        assert_eq!(fs::read_to_string(live.join(name)).unwrap(), "by somebody else");
    }
    assert_eq!(fs::read_to_string(live.join("plain")).unwrap(), "by the run");
    assert!(!manifest(&live).keys().any(is_litter), "litter: {:?}", manifest(&live).keys());
}

#[test]
fn a_journal_that_cannot_be_read_is_named_and_of_another_root_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = journals(home.path());
    assert!(replay::unfinished(&folder, &LiveRoot::Own).unwrap().is_empty());
    let image = LiveRoot::new(Path::new("/srv/image")).unwrap();
    let begin = |name: &str| {
        let head = head(&RunId::new(name).unwrap(), &image, Stores::default(), None);
        Journal::begin(&folder, head).unwrap()
    };
    let mut journal = begin("20120101-1");
    assert!(replay::unfinished(&folder, &LiveRoot::Own).unwrap().is_empty());
    assert_eq!(replay::unfinished(&folder, &image).unwrap()[0].phase, replay::Phase::Staging);
    // Not even the first line is there: nothing was begun.
    drop(begin("20120101-2"));
    fs::write(folder.join("20120101-2"), "0000").unwrap();
    replay::sweep(&folder).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // Behind a torn line a note says nothing, and a point of no return is damage.
    let torn = |journal: &Path| {
        let mut text = fs::read(journal).unwrap();
        text.extend_from_slice(b"torn\n");
        fs::write(journal, text).unwrap();
    };
    let path = folder.join("20120101-1");
    torn(&path);
    journal.note(&Note::Confirmed).unwrap();
    let recorded = &replay::unfinished(&folder, &image).unwrap()[0];
    assert_eq!((&recorded.phase, recorded.notes.len()), (&replay::Phase::Staging, 0));
    journal.write(&Line::Commit { changes: 0 }).unwrap();
    let error = replay::unfinished(&folder, &image).unwrap_err();
    assert!(matches!(error, MergeError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("20120101-1"), "{error}");
}

#[test]
fn a_merge_can_be_undone_and_that_too() {
    let world = World::new(fill);
    change_everything(&world.after());
    let mut merge = Merge::new(world, &|_| false);
    merge.root = LiveRoot::Own;
    let live = merge.world.live();
    let home = merge.home.path();
    merge_whole(&merge.source()).unwrap();
    let without_stores = |root: &Path| {
        let mut all = manifest(root);
        all.retain(|path, _| !is_litter(path));
        all
    };
    let merged = without_stores(&live);
    let undo = |of: Option<&str>, id: &str, policy: &str| {
        let run = of.map(|of| RunId::new(of).unwrap());
        let recorded = undo::load(home, run.as_ref())?;
        let id = RunId::new(id).unwrap();
        let (prepared, spared) = undo::prepare(recorded, &merge.live, home, &id, &policy.parse().unwrap())?;
        prepared.commit()?.keep()?;
        Ok::<_, MergeError>(spared)
    };
    undo(None, "20120101-2", "abort").unwrap();
    assert_eq!(without_stores(&live), manifest(&merge.world.lower()));
    assert!(matches!(undo(Some("20120101-1"), "20120101-9", "abort"), Err(MergeError::NoUndo(_))));
    undo(None, "20120101-3", "abort").unwrap();
    assert_eq!(without_stores(&live), merged, "an undo can be undone");
    // Somebody has changed what was merged.
    fs::write(live.join("top"), "theirs\n").unwrap();
    fs::write(live.join("new/mine"), "mine\n").unwrap();
    let Err(MergeError::UndoConflicts { conflicts, .. }) = undo(None, "20120101-4", "abort") else {
        panic!("it was undone")
    };
    let named: Vec<String> = conflicts.0.iter().map(|(path, how)| format!("{path} {how}")).collect();
    assert_eq!(named, ["/top has changed", "/new has changed"]);
    let spared = undo(None, "20120101-5", "theirs=/top mine=/new").unwrap();
    assert_eq!(spared.theirs, [rooted("top")]);
    assert_eq!(fs::read_to_string(live.join("top")).unwrap(), "theirs\n");
    assert!(!live.join("new").exists() && live.join("a/b").is_dir());
    let kept: Vec<String> =
        undo::list(home).unwrap().into_iter().map(|kept| kept.head.run.to_string()).collect();
    assert_eq!(kept, ["20120101-5"]);
    undo::prune(&merge.live, home, undo::Most { runs: 0, seconds: 100, bytes: None }).unwrap();
    assert!(undo::list(home).unwrap().is_empty() && !live.join(".disco-undo").exists());
}

#[test]
fn a_merge_waits_to_be_confirmed_once_all_else_is_done() {
    let home = tempfile::tempdir().unwrap();
    let folder = journals(home.path());
    let head = head(&RunId::new("20120101-1").unwrap(), &LiveRoot::Own, Stores::default(), None);
    let mut journal = Journal::begin(&folder, head).unwrap();
    let confirm = Line::Note(Note::Confirm { until: 7 });
    for (line, waits) in [
        (confirm.clone(), None),
        (Line::Commit { changes: 0 }, None),
        // Stopped here, its duties are still to be done.
        (Line::Applied, None),
        (Line::Note(Note::Began { number: 0 }), None),
        (confirm, Some(7)),
        (Line::Note(Note::Confirmed), None),
    ] {
        journal.write(&line).unwrap();
        let recorded = &replay::unfinished(&folder, &LiveRoot::Own).unwrap()[0];
        assert_eq!(recorded.waits, waits, "{line:?}");
    }
}

/// The same journal as an earlier disco wrote it: what a directory holds is in the line of its change.
fn in_form_2(journal: &Path) {
    let mut lines: Vec<serde_json::Value> = Vec::new();
    crate::sys::durable_log::read(journal, &mut |line| {
        let mut value: serde_json::Value = serde_json::from_str(line.text)?;
        match value["line"].as_str() {
            Some("begin") => value["schema"] = 2.into(),
            Some("change") if value.get("holds").is_some() => value["holds"] = serde_json::json!([]),
            Some("held") => {
                let held = serde_json::json!([value["path"], value["seen"]]);
                lines.last_mut().unwrap()["holds"].as_array_mut().unwrap().push(held);
                return Ok(());
            }
            _ => {}
        }
        lines.push(value);
        Ok(())
    })
    .unwrap();
    fs::remove_file(journal).unwrap();
    let mut log = crate::sys::durable_log::DurableLog::create(journal).unwrap();
    lines.iter().for_each(|line| assert!(log.add(&line.to_string()).is_ok()));
    log.sync().unwrap();
}

#[test]
fn a_journal_of_an_earlier_disco_is_gone_on_with_and_can_be_undone() {
    for meanwhile in [None, Some("new/sub/mine")] {
        let world = World::new(fill);
        change_everything(&world.after());
        fs::write(world.after().join("new/another"), "").unwrap();
        let mut merge = Merge::new(world, &|_| false);
        merge.root = LiveRoot::Own;
        let (source, live) = (merge.source(), merge.world.live());
        prepared(&source).unwrap().stop_after(Some(1));
        let journal = journals(source.home).join("20120101-1");
        in_form_2(&journal);
        let recorded = replay::unfinished(&journals(source.home), source.root).unwrap().remove(0);
        let held = |(_, held): (entry::Entry, entries::HeldLines)| held.map(|held| held.unwrap().path);
        let held: Vec<_> = recorded.entries.whole().flat_map(|whole| held(whole.unwrap())).collect();
        assert_eq!(held, ["new/another", "new/sub", "new/sub/leaf"].map(rooted));
        let recovery = recover::recover(recorded, source.live, source.home).unwrap();
        let recover::Rest::Finish(merged) = recovery.rest else { panic!("it had begun") };
        merged.keep().unwrap();
        meanwhile.iter().for_each(|name| fs::write(live.join(name), "").unwrap());
        let recorded = undo::load(source.home, None).unwrap();
        let id = RunId::new("20120101-2").unwrap();
        let undone = undo::prepare(recorded, source.live, source.home, &id, &"abort".parse().unwrap());
        match (meanwhile, undone) {
            (None, Ok((prepared, _))) => {
                prepared.commit().unwrap().keep().unwrap();
                let mut now = manifest(&live);
                now.retain(|path, _| !is_litter(path));
                assert_eq!(now, manifest(&merge.world.lower()));
            }
            (Some(_), Err(MergeError::UndoConflicts { conflicts, .. })) => {
                assert_eq!(conflicts.0, [(rooted("new"), conflict::Conflict::Changed)]);
            }
            (meanwhile, other) => panic!("{meanwhile:?}: {other:?}"),
        }
    }
}

#[test]
fn a_journal_that_has_lost_what_a_directory_holds_is_refused() {
    let world = World::new(fill);
    change_everything(&world.after());
    let merge = Merge::new(world, &|_| false);
    let source = merge.source();
    prepared(&source).unwrap().stop_after(Some(0));
    let journal = journals(source.home).join("20120101-1");
    let whole = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let held: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(r#""line":"held""#)).collect();
    assert_eq!(held.len(), 2, "{whole}");
    let without = |gone: usize| -> String {
        lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line).collect()
    };
    let change = lines.iter().position(|line| line.contains(r#""holds":2"#)).unwrap();
    for (gone, says) in [(held[0], "lost"), (held[1], "lost"), (change, "out of order")] {
        fs::write(&journal, without(gone)).unwrap();
        let error = replay::unfinished(&journals(source.home), source.root).unwrap_err();
        let MergeError::Journal(error) = error else { panic!("{error}") };
        assert!(error.source.to_string().contains(says), "{gone}: {error:?}");
    }
}
