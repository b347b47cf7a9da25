//! Damage to the files of a record: an error that names the run, or what is left; never a panic, and never another run less.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::model::names::RunId;
use crate::model::path::RootedPath;
use crate::runs::{Listed, Runs};
use crate::sys::line_log;

/// The fixtures of all forms in one home, and the run of each.
fn home() -> (tempfile::TempDir, Vec<RunId>) {
    let home = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for form in ["v1", "v2"] {
        let runs = Runs::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records").join(form));
        for run in runs.list().unwrap() {
            copy(&runs.folder(&run), &Runs::new(home.path()).folder(&run));
            all.push(run);
        }
    }
    (home, all)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)
        } else {
            assert!(std::fs::copy(entry.path(), to).is_ok())
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    files
}

/// Reads all that there is of a run.
fn read(runs: &Runs, run: &RunId) -> Vec<String> {
    let mut wrong = Vec::new();
    let path = RootedPath::new("/etc/web.conf").unwrap();
    match runs.load(run) {
        Ok(record) => {
            let outputs = record
                .modules
                .iter()
                .flat_map(|module| &module.steps)
                .filter_map(|step| step.output.as_ref());
            for output in outputs {
                match line_log::read(&runs.folder(run).join(output)) {
                    Ok(lines) => {
                        wrong.extend(lines.filter_map(|line| line.err().map(|error| error.to_string())))
                    }
                    Err(error) => wrong.push(error.to_string()),
                }
            }
        }
        Err(error) => wrong.push(error.to_string()),
    }
    match runs.changes(run) {
        Ok(changes) => wrong.extend(changes.filter_map(|one| one.err().map(|error| error.to_string()))),
        Err(error) => wrong.push(error.to_string()),
    }
    wrong.extend(runs.changes_at(run, &path).err().map(|error| error.to_string()));
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_told_and_hides_no_other_run(
        which in 0..2_usize, file: prop::sample::Index, at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let (home, all) = home();
        let (runs, run, other) = (Runs::new(home.path()), &all[which], &all[1 - which]);
        runs.entries().unwrap();
        let files = files(&runs.folder(run));
        let path = &files[file.index(files.len())];
        let mut bytes = std::fs::read(path).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        std::fs::write(path, bytes).unwrap();

        for wrong in read(&runs, run) {
            prop_assert!(wrong.contains(run.as_str()), "{wrong}");
        }
        prop_assert_eq!(read(&runs, other), Vec::<String>::new());
        let listed = runs.entries().unwrap();
        prop_assert_eq!(listed.len(), 2);
        let whole = |listed: &Listed| matches!(listed, Listed::Entry(entry) if entry.run == *other);
        prop_assert!(listed.iter().any(whole));
    }
}
