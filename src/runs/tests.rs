//! Records written and read again, damaged, of other forms, in the way.

use super::*;
use crate::model::action::{Action, Effect, EffectKind};
use crate::model::change::{ChangeCounts, ChangeSet, Writers};
use crate::model::path::RootedPath;
use crate::model::step::{Cost, Outcome, StepKind, StepRecord};
use crate::model::truth::Label;
use crate::runs::fixture::record;
use crate::sys::line_log;

#[test]
fn records_are_kept_and_found() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    assert!(matches!(runs.latest(), Err(RunError::NoRuns(_))));
    for run in ["20260102-1", "20260101-1", "20260103-1"] {
        runs.save(&record(run)).unwrap();
    }
    assert_eq!(runs.latest().unwrap(), record("20260103-1"));
    assert!(matches!(runs.load(&RunId::new("20260104-1").unwrap()), Err(RunError::NoSuchRun(_))));
    assert_eq!(runs.list().unwrap().len(), 3);
    let gone = home.path().join("gone");
    assert!(Runs::new(&gone).save(&record("20260101-1")).is_err());
    assert!(!gone.exists(), "a home was made");
}

#[test]
fn what_a_killed_run_had_half_written_goes_and_its_record_stays() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    let ids = ["20260101-1", "20260102-1", "20260103-1"].map(|id| RunId::new(id).unwrap());
    runs.save(&record("20260101-1")).unwrap();
    std::fs::create_dir(runs.folder(&ids[1])).unwrap();
    for run in &ids[..2] {
        std::fs::write(runs.folder(run).join(".disco-aBc123~"), "{").unwrap();
    }
    ids.iter().for_each(|run| runs.tidy(run).unwrap());
    assert_eq!(files::list_dir(&runs.folder(&ids[0])).unwrap(), ["record.json"]);
    assert!(!runs.folder(&ids[1]).exists());
    ids.iter().for_each(|run| std::fs::create_dir_all(runs.folder(run)).unwrap());
    runs.tidy_all(&|run| *run == ids[2]).unwrap();
    let left = files::list_dir(&home.path().join("runs")).unwrap();
    assert_eq!(left, [".index.jsonl", ids[0].as_str(), ids[2].as_str()]);
    // As whoever is killed between the record and what it makes needless leaves it, or at removing a run.
    let aside = home.path().join("runs").join(files::temporary("20260101-9"));
    std::fs::create_dir_all(aside.join("output/m")).unwrap();
    let unfinished = RunRecord { outcome: RunOutcome::Unfinished, ..record("20260104-1") };
    runs.save(&unfinished).unwrap();
    for run in [&ids[0], &unfinished.run] {
        std::fs::write(runs.progress(run), "").unwrap();
        runs.tidy(run).unwrap();
    }
    runs.tidy_names().unwrap();
    assert!(!aside.exists() && !runs.progress(&ids[0]).exists());
    assert!(runs.progress(&unfinished.run).exists(), "it has what the record does not have");
}

#[test]
fn a_run_under_way_is_known_up_to_its_last_module() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    let mut whole = record("20260101-1");
    runs.save(&whole).unwrap();
    for name in ["a", "b"] {
        let action = Action {
            seq: 0,
            module: name.parse().unwrap(),
            step: "s".into(),
            effect: Effect {
                kind: EffectKind::Service,
                target: "x".into(),
                program: "/bin/x".into(),
                argv: vec!["x".into()],
                cwd: "/".into(),
                line: Some(2),
                input: None,
                processes: Vec::new(),
            },
        };
        let script = StepKind::Script { script: "s".into() };
        let step = StepRecord {
            actions: vec![action],
            ..StepRecord::ended(script, Outcome::Done, Cost::default(), Label::default())
        };
        let module = ModuleRecord::done(name.parse().unwrap(), vec![step], ChangeCounts::default());
        runs.add(&whole.run, &module).unwrap();
        whole.add(module);
    }
    let progress = runs.progress(&whole.run);
    let text = std::fs::read_to_string(&progress).unwrap();
    assert_eq!(runs.load(&whole.run).unwrap(), whole);
    std::fs::write(&progress, text.clone() + &text[..text.len() / 3]).unwrap();
    assert_eq!(runs.load(&whole.run).unwrap(), whole, "a line that was cut short counts for nothing");
    runs.save(&whole).unwrap();
    assert!(!progress.exists());
    std::fs::write(&progress, text).unwrap();
    assert_eq!(runs.load(&whole.run).unwrap(), whole, "nothing is there twice");
}

#[test]
fn what_modules_changed_is_kept_also_when_the_last_of_it_is_torn() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    let mut record = RunRecord { outcome: RunOutcome::Unfinished, ..record("20260101-1") };
    runs.save(&record).unwrap();
    assert_eq!(runs.changes(&record.run).unwrap().count(), 0);
    let fixture = Runs::new(&fixtures("v1"));
    let known: Vec<_> = fixture.changes(&fixture.list().unwrap()[0]).unwrap().map(Result::unwrap).collect();
    let changes = ChangeSet(known.iter().map(|recorded| recorded.change.clone()).collect());
    for name in ["a", "b"] {
        let module = name.parse().unwrap();
        runs.add_changes(&record.run, &module, &changes, &Writers::default()).unwrap();
    }
    let told = || -> Vec<_> {
        let all = runs.changes(&record.run).unwrap().map(Result::unwrap);
        all.map(|recorded| (recorded.module.to_string(), recorded.change)).collect()
    };
    let expected: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|name| changes.0.iter().map(|change| ((*name).to_owned(), change.clone())))
        .collect();
    assert_eq!(told(), expected);
    let path = runs.folder(&record.run).join("changes.jsonl.gz");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let left = told();
    assert!(left.len() >= 3 && expected.starts_with(&left), "{left:?}");
    record.outcome = RunOutcome::Merged;
    runs.save(&record).unwrap();
    let told = runs.changes(&record.run).unwrap().last();
    assert!(matches!(told, Some(Err(RunError::File(_)))), "no kill has torn what a run has ended with");
}

fn fixtures(form: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records").join(form)
}

#[test]
fn records_of_form_1_are_read() {
    let runs = Runs::new(&fixtures("v1"));
    let record = runs.latest().unwrap();
    assert_eq!((record.schema, record.changes, record.modules.len()), (1, 3, 1));
    let module = &record.modules[0];
    assert_eq!(module.changes, ChangeCounts { created: 3, modified: 0, deleted: 0 });
    let paths: Vec<_> = runs.changes(&record.run).unwrap().map(|one| one.unwrap().change.path).collect();
    assert_eq!(
        paths,
        ["/etc/web.bin", "/etc/web.conf", "/etc/web.port"].map(|path| RootedPath::new(path).unwrap())
    );
    let output = module.steps[2].output.as_deref().unwrap();
    let printed: Vec<_> = line_log::read(&runs.folder(&record.run).join(output)).unwrap().collect();
    assert_eq!(printed.len(), 3, "{printed:?}");
}

#[test]
fn records_of_form_2_are_read() {
    let runs = Runs::new(&fixtures("v2"));
    let record = runs.latest().unwrap();
    assert_eq!((record.schema, record.changes, record.modules.len()), (2, 3, 1));
    let module = &record.modules[0];
    assert_eq!(module.digest.as_ref().map(String::len), Some(64));
    let path = RootedPath::new("/etc/web.conf").unwrap();
    let at = runs.changes_at(&record.run, &path).unwrap();
    assert_eq!(at.len(), 1);
    assert_eq!(at[0].step.as_deref(), Some("20-port.sh"));
    let earlier: Vec<_> = at[0].earlier.iter().map(|earlier| earlier.step.as_str()).collect();
    assert_eq!(earlier, ["files", "10-hello.sh"]);
    let output = module.steps[2].output.as_deref().unwrap();
    assert_eq!(line_log::read(&runs.folder(&record.run).join(output)).unwrap().count(), 2);
}

#[test]
fn texts_that_would_make_a_record_too_large_are_left_out_and_it_says_so() {
    let (home, v2) = (tempfile::tempdir().unwrap(), Runs::new(&fixtures("v2")));
    let (runs, record) = (Runs::new(home.path()), record("20260101-1"));
    runs.save(&record).unwrap();
    let path = RootedPath::new("/etc/web.conf").unwrap();
    let mut change = v2.changes_at(&v2.newest().unwrap(), &path).unwrap().remove(0).change;
    let after = "x".repeat(1 << 14).into();
    change.content = crate::model::change::ContentChange::Text { before: Default::default(), after };
    let changes = ChangeSet(vec![change; 70]);
    runs.add_changes(&record.run, &"m".parse().unwrap(), &changes, &Writers::default()).unwrap();
    let cut = runs.changes(&record.run).unwrap().filter(|one| one.as_ref().unwrap().cut).count();
    assert!((1..20).contains(&cut), "{cut}");
}

#[test]
fn damage_and_the_future_are_told_apart() {
    let run = RunId::new("20260101-1").unwrap();
    assert!(matches!(parse(&run, "{"), Err(RunError::Damaged { .. })));
    assert!(matches!(parse(&run, "{\"schema\":1}"), Err(RunError::Damaged { .. })));
    assert!(matches!(parse(&run, "{\"schema\":3}"), Err(RunError::Newer { schema: 3, .. })));
}
