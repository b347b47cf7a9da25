//! Tests of the file: what is written is read again, and whatever somebody has done to it is refused, or changes nothing.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::digest::sha256;
use super::write::Contents;
use super::*;
use crate::layered::{World, manifest, rooted};
use crate::model::duty::Schedule;
use crate::model::module::{Module, ScriptFolder};
use crate::model::names::{NodeName, RunId};
use crate::model::root::LiveRoot;
use crate::model::truth::Label;
use crate::sys::tree::Root;

fn head() -> PlanHead {
    PlanHead {
        node: NodeName::new("web1").unwrap(),
        root: LiveRoot::Own,
        version: "0.1.0".to_owned(),
        run: RunId::new("20120101-1").unwrap(),
        made: "2012-01-01T00:00:00Z".to_owned(),
        label: Label::default(),
        modules: Vec::new(),
        settings: Vec::new(),
        actions: Vec::new(),
        wants: vec![module()],
        schedule: Schedule::default(),
        secrets: Vec::new(),
    }
}

fn module() -> Module {
    let json = json!({"name": "m", "requires": [], "steps": [], "after": ["10.sh"], "checks": ["20"]});
    serde_json::from_value(json).unwrap()
}

fn scripts() -> Vec<LiveScript> {
    let script = |folder, name: &str, bytes: &[u8]| LiveScript {
        module: module().name,
        folder,
        name: name.to_owned(),
        content: bytes.to_vec().into(),
    };
    vec![
        script(ScriptFolder::After, "10.sh", b"echo after\n"),
        script(ScriptFolder::Check, "20", b"\x7fELF\xff"),
    ]
}

/// Fills a tree, and changes it in most ways.
fn world() -> World {
    let world = World::new(|root| {
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/old"), "old\n").unwrap();
        fs::write(root.join("kept"), "kept\n").unwrap();
        fs::write(root.join("mode"), "mode\n").unwrap();
        symlink("nowhere", root.join("link")).unwrap();
    });
    let root = world.after();
    fs::remove_file(root.join("d/old")).unwrap();
    fs::write(root.join("d/new"), "new\n").unwrap();
    fs::hard_link(root.join("kept"), root.join("d/kept2")).unwrap();
    fs::set_permissions(root.join("mode"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    symlink("d", root.join("link")).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    sparse.write_all_at(b"data", 500_000).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    world
}

/// Keeps the differences of a tree as a plan.
fn keep(world: &World, file: &Path) -> Written {
    let scratch = world.scratch(&|_| false);
    let changes = scratch.changes(&[]);
    let objects = objects::of_layer(&changes, &scratch.entries, &scratch.upper, &|_| false).unwrap();
    let live = Root::open(&world.live(), "").unwrap();
    let expected = standing::expected(&changes, &objects, &live, &|_| false).unwrap();
    let contents = Contents {
        head: &head(),
        changes: &changes,
        expected: &expected,
        objects: &objects,
        scripts: &scripts(),
        upper: &scratch.upper,
    };
    write(file, &contents).unwrap()
}

struct Kept {
    dir: tempfile::TempDir,
    world: World,
    written: Written,
}

impl Kept {
    fn new() -> Kept {
        let (dir, world) = (tempfile::tempdir().unwrap(), world());
        let written = keep(&world, &dir.path().join("plan"));
        Kept { dir, world, written }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("plan")
    }

    /// What a file with these bytes is, unpacked; nothing but its own folder may be written for that.
    fn read(&self, bytes: &[u8]) -> Result<Plan, PlanFileError> {
        let (file, into) = (self.dir.path().join("other"), self.dir.path().join("into"));
        fs::write(&file, bytes).unwrap();
        drop(fs::remove_dir_all(&into));
        fs::create_dir(&into).unwrap();
        let read = read(&file, Some(&Root::open(&into, "").unwrap()), &|| false);
        fs::remove_dir_all(&into).unwrap();
        let names = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["other", "plan"], "it has led outside");
        read
    }
}

#[test]
fn what_is_written_is_read_again() {
    let kept = Kept::new();
    let into = kept.dir.path().join("into");
    fs::create_dir(&into).unwrap();
    let plan = read(&kept.file(), Some(&Root::open(&into, "").unwrap()), &|| false).unwrap();
    let bytes = fs::read(kept.file()).unwrap();
    assert_eq!((&plan.digest, plan.size), (&sha256(&bytes), bytes.len() as u64));
    assert_eq!(kept.written, Written { digest: plan.digest.clone(), size: plan.size });
    assert_eq!(fs::metadata(kept.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(bytes.len() < 500_000, "holes are kept out");
    let (head, scratch) = (head(), kept.world.scratch(&|_| false));
    assert_eq!((&plan.head, &plan.changes), (&head, &scratch.changes(&[])));
    let (after, unpacked) = (manifest(&kept.world.after()), manifest(&into));
    for path in ["d/new", "kept", "mode", "link", "sparse", "empty"].map(rooted) {
        let what = |all: &std::collections::BTreeMap<RootedPath, crate::layered::Facts>| {
            let facts = all.get(&path).unwrap();
            crate::layered::Facts { linked: PathBuf::new(), ..facts.clone() }
        };
        assert_eq!(what(&unpacked), what(&after), "{path}");
    }
    assert!(!unpacked.contains_key(&rooted("d/old")));
    assert_eq!(unpacked[&rooted("kept")].linked, unpacked[&rooted("d/kept2")].linked);
    assert_eq!(plan.scripts, scripts());
    scripts::lay(&plan.scripts, &kept.dir.path().join("modules")).unwrap();
    assert_eq!(scripts::read(&[module()], &kept.dir.path().join("modules")).unwrap(), scripts());
    assert_eq!(objects::entries(&plan.objects).len(), plan.objects.len());
}

#[test]
fn a_plan_replaces_a_plan_and_nothing_else() {
    let kept = Kept::new();
    write::is_free(&kept.file()).unwrap();
    write::is_free(&kept.dir.path().join("none")).unwrap();
    for (name, text) in [("text", "text"), ("empty", ""), ("zeros", &"\0".repeat(2048))] {
        let file = kept.dir.path().join(name);
        fs::write(&file, text).unwrap();
        assert!(matches!(write::is_free(&file), Err(PlanFileError::Taken(_))), "{name}");
    }
    assert!(matches!(write::is_free(kept.dir.path()), Err(PlanFileError::Taken(_))));
    let link = kept.dir.path().join("link");
    symlink(kept.file(), &link).unwrap();
    assert!(matches!(write::is_free(&link), Err(PlanFileError::Taken(_))));
}

/// A file of an archive.
#[derive(Clone)]
struct Part {
    name: String,
    kind: tar::EntryType,
    bytes: Vec<u8>,
}

fn parts(file: &Path) -> Vec<Part> {
    let mut archive = tar::Archive::new(fs::File::open(file).unwrap());
    let parts = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        Part { name, kind: tar::EntryType::Regular, bytes }
    });
    parts.filter(|part| part.name != SUMS).collect()
}

/// An archive of these, with sums that are right.
fn assembled(parts: &[Part]) -> Vec<u8> {
    let sums: String = parts.iter().map(|part| format!("{}  {}\n", sha256(&part.bytes), part.name)).collect();
    let mut tar = tar::Builder::new(Vec::new());
    let sums = Part { name: SUMS.to_owned(), kind: tar::EntryType::Regular, bytes: sums.into_bytes() };
    for part in parts.iter().chain([&sums]) {
        let mut header = tar::Header::new_gnu();
        // As somebody hostile does it: past the crate's own look at names.
        header.as_old_mut().name[..part.name.len()].copy_from_slice(part.name.as_bytes());
        header.set_size(part.bytes.len() as u64);
        header.set_entry_type(part.kind);
        header.set_cksum();
        tar.append(&header, &part.bytes[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

fn part<'a>(parts: &'a mut [Part], name: &str) -> &'a mut Part {
    parts.iter_mut().find(|part| part.name == name).unwrap()
}

/// Changes the lines of a table, and how many the front says there are.
fn edit(parts: &mut [Part], table: &str, edit: impl FnOnce(&mut Vec<Value>)) {
    let bytes = &mut part(parts, table).bytes;
    let mut lines: Vec<Value> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    edit(&mut lines);
    *bytes = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let front = &mut part(parts, FRONT).bytes;
    let mut value: Value = serde_json::from_slice(front).unwrap();
    value[table.trim_end_matches(".jsonl")] = json!(lines.len());
    *front = value.to_string().into_bytes();
}

/// The line of that path.
fn at<'a>(lines: &'a mut [Value], path: &str) -> &'a mut Value {
    lines.iter_mut().find(|line| line["path"] == path).unwrap()
}

fn file<'a>(lines: &'a mut [Value], path: &str) -> &'a mut Value {
    &mut at(lines, path)["what"]["file"]
}

type Attack = fn(&mut Vec<Part>);

/// What somebody may have made of a plan, with right sums, and what is said of it.
const ATTACKS: [(Attack, &str); 34] = [
    (|p| edit(p, OBJECTS, |l| at(l, "/d/new")["path"] = json!("/../new")), "not a plain path"),
    (|p| edit(p, OBJECTS, |l| at(l, "/d/new")["path"] = json!("/d/kept3")), "not that of its object"),
    (|p| edit(p, OBJECTS, |l| at(l, "/d/new")["path"] = json!("/zz")), "out of order"),
    (|p| edit(p, OBJECTS, |l| l.insert(0, l[0].clone())), "listed twice"),
    (|p| edit(p, OBJECTS, |l| at(l, "/mode")["path"] = json!("/link/mode")), "no directory"),
    (
        |p| edit(p, OBJECTS, |l| at(l, "/kept")["what"] = json!({"link": {"to": "/etc/passwd"}})),
        "makes no sense",
    ),
    (|p| edit(p, OBJECTS, |l| at(l, "/kept")["what"] = json!({"link": {"to": "/kept"}})), "makes no sense"),
    (|p| edit(p, OBJECTS, |l| drop(l.pop())), "SHA256SUMS is not where"),
    (
        |p| edit(p, OBJECTS, |l| file(l, "/mode")["metadata"]["permissions"] = json!(0o4755)),
        "not that of its object",
    ),
    (
        |p| edit(p, OBJECTS, |l| file(l, "/mode")["metadata"]["permissions"] = json!(0o140_600)),
        "makes no sense",
    ),
    (|p| edit(p, OBJECTS, |l| file(l, "/mode")["metadata"]["kind"] = json!("socket")), "makes no sense"),
    (|p| edit(p, OBJECTS, |l| file(l, "/mode")["metadata"]["uid"] = json!(77)), "not that of its object"),
    (|p| edit(p, OBJECTS, |l| file(l, "/sparse")["data"] = json!([[0, u64::MAX]])), "makes no sense"),
    (|p| edit(p, OBJECTS, |l| file(l, "/sparse")["data"] = json!([[9, 2], [0, 4096]])), "makes no sense"),
    (
        |p| edit(p, OBJECTS, |l| file(l, "/sparse")["data"] = json!([[0, 4096], [4095, 4096]])),
        "makes no sense",
    ),
    (|p| edit(p, OBJECTS, |l| file(l, "/sparse")["data"] = json!([[0, 10]])), "has not the size"),
    (|p| edit(p, OBJECTS, |l| file(l, "/sparse")["size"] = json!(u64::MAX)), "makes no sense"),
    (
        |p| edit(p, CHANGES, |l| at(l, "/d/new")["content"]["after"] = json!("harmless\n")),
        "not that of its object",
    ),
    (
        |p| edit(p, CHANGES, |l| at(l, "/link")["after"]["target"] = json!("harmless")),
        "not that of its object",
    ),
    (|p| edit(p, CHANGES, |l| at(l, "/link")["before"]["target"] = json!("d")), "not that of its object"),
    (|p| edit(p, CHANGES, |l| l.retain(|line| line["path"] != "/d/new")), "no difference"),
    (|p| edit(p, OBJECTS, |l| l.retain(|line| line["path"] != "/link")), "not that of its object"),
    (|p| edit(p, CHANGES, |l| l.reverse()), "out of order"),
    (|p| edit(p, EXPECTED, |l| l.retain(|line| line["path"] != "/d")), "expected at /d"),
    (|p| edit(p, EXPECTED, |l| at(l, "/kept")["state"]["sha256"] = json!("00")), "no difference"),
    (|p| edit(p, EXPECTED, |l| at(l, "/d")["state"] = Value::Null), "no directory"),
    (|p| edit(p, SCRIPTS, |l| l[0]["name"] = json!("../10.sh")), "wanted by nobody"),
    (|p| edit(p, SCRIPTS, |l| l[1]["folder"] = json!("after")), "wanted by nobody"),
    (|p| edit(p, SCRIPTS, |l| drop(l.pop())), "is not there"),
    (|p| part(p, "data/00000001").bytes[0] ^= 1, "is another"),
    (|p| part(p, "data/00000001").name = "../00000001".to_owned(), "not where it belongs"),
    (|p| part(p, "data/00000001").kind = tar::EntryType::Symlink, "not where it belongs"),
    (|p| part(p, "data/00000001").kind = tar::EntryType::GNULongName, "not where it belongs"),
    (|p| p.push(p[5].clone()), "SHA256SUMS is not where it belongs"),
];

#[test]
fn a_plan_whose_parts_say_different_things_is_refused() {
    let kept = Kept::new();
    let honest = parts(&kept.file());
    let again = kept.read(&assembled(&honest)).unwrap();
    assert_eq!(again.objects.len(), 8);
    for (number, (attack, says)) in ATTACKS.iter().enumerate() {
        let mut parts = honest.clone();
        attack(&mut parts);
        let error = kept.read(&assembled(&parts)).expect_err(&format!("attack {number}, {says}"));
        assert!(matches!(error, PlanFileError::Damaged { .. }), "{number}: {error:?}");
        assert!(error.to_string().contains(says), "attack {number}: {error}, and not {says}");
    }
}

#[test]
fn other_files_and_newer_plans_are_told_apart() {
    let kept = Kept::new();
    let mut newer = parts(&kept.file());
    newer[0].bytes = br#"{"disco-plan": 2, "all": "is new"}"#.to_vec();
    assert!(matches!(kept.read(&assembled(&newer)), Err(PlanFileError::Newer { form: 2, .. })));
    let mut other = newer.clone();
    other[0].bytes = br#"{"some": "json"}"#.to_vec();
    let renamed = Part { name: "README".to_owned(), ..other[0].clone() };
    for bytes in [assembled(&other), assembled(&[renamed]), b"text".to_vec(), Vec::new(), vec![0; 10_240]] {
        assert!(matches!(kept.read(&bytes), Err(PlanFileError::Foreign(_))), "{:?}", bytes.len());
    }
    let mut longer = fs::read(kept.file()).unwrap();
    longer.push(0);
    assert!(kept.read(&longer).unwrap_err().to_string().contains("something follows its end"));
    assert!(matches!(read(kept.dir.path(), None, &|| false), Err(PlanFileError::Foreign(_))));
    assert!(matches!(read(&kept.file(), None, &|| true), Err(PlanFileError::Interrupted)));
}

#[test]
fn a_plan_that_is_cut_off_is_refused_wherever_that_is() {
    let kept = Kept::new();
    let bytes = fs::read(kept.file()).unwrap();
    for length in
        (0..bytes.len()).step_by(997).chain([bytes.len() - 1, bytes.len() - 512, bytes.len() - 1024])
    {
        let error = kept.read(&bytes[..length]).expect_err(&format!("{length} of {}", bytes.len()));
        let kind = match &error {
            PlanFileError::Truncated { .. } => length >= 512,
            PlanFileError::Foreign(_) => length < 8192,
            PlanFileError::Damaged { .. } => length > bytes.len() - 512,
            _ => false,
        };
        assert!(kind, "{length}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is between the parts says nothing; everything else is covered by a sum.
    #[test]
    fn damage_is_found_or_changes_nothing(edits in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4)) {
        thread_local! { static KEPT: Kept = Kept::new(); }
        KEPT.with(|kept| {
            let honest = read(&kept.file(), None, &|| false).unwrap();
            let mut bytes = fs::read(kept.file()).unwrap();
            for (index, bits) in edits {
                let at = index.index(bytes.len());
                bytes[at] ^= bits;
            }
            if let Ok(plan) = kept.read(&bytes) {
                assert_eq!((plan.head, plan.changes), (honest.head, honest.changes));
                assert_eq!((plan.expected, plan.objects), (honest.expected, honest.objects));
                assert_eq!(plan.digest, sha256(&bytes));
            }
        });
    }
}
