//! The attacks, as they are written in `attacks/*.sh`: one file a class; in it `## NAME`, what the attack needs and how it is
//! judged as `# KEY: VALUE`, and then the attack, for bash. Not how they are run.
//!
//! | key | |
//! |---|---|
//! | `canary` | run in the node before: makes what the attack is made at |
//! | `escaped` | run in the node afterwards, outside of any sandbox: succeeds where the attack did |
//! | `says` | for what leaves nothing to look at: the line that the attack prints where its call has reached the kernel |
//! | `needs` | run in the node before: fails where this kernel or machine does not have what is attacked |
//! | `report` | any of these names in the record says that it was tried: a call, a command; `change` is a change of its file |
//! | `unnamed` | why nobody could say that it was tried |
//! | `filter` | why the filter of system calls is the only wall in front of it |
//! | `alone` | it takes so much with it that it is run last, and in a node of its own where nothing stops it |

/// An attack.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub class: &'static str,
    pub name: &'static str,
    pub canary: &'static str,
    pub escaped: Option<&'static str>,
    pub says: Option<&'static str>,
    pub needs: Option<&'static str>,
    pub report: Vec<&'static str>,
    pub unnamed: Option<&'static str>,
    pub filter: Option<&'static str>,
    pub alone: bool,
    pub body: String,
}

macro_rules! classes {
    ($($class:literal),*) => { [$(($class, include_str!(concat!("attacks/", $class, ".sh")))),*] };
}

/// All of them; a file that is not in its form is a failure.
pub fn all() -> Vec<Row> {
    let classes = classes![
        "files",
        "descriptors",
        "mounts",
        "devices",
        "processes",
        "kernel",
        "ipc",
        "network",
        "terminals",
        "time",
        "supervisor"
    ];
    let mut rows: Vec<Row> = classes.into_iter().flat_map(|(class, text)| read(class, text)).collect();
    rows.sort_by_key(|row| row.alone);
    rows
}

fn read(class: &'static str, text: &'static str) -> Vec<Row> {
    let parts = text.split("\n## ").skip(1);
    parts.map(|part| row(class, part)).collect()
}

fn row(class: &'static str, part: &'static str) -> Row {
    let mut lines = part.lines();
    let name = lines.next().expect("a name");
    let mut row = Row { class, name, ..Row::default() };
    for line in lines {
        let Some(note) = line.strip_prefix("# ") else {
            row.body += line;
            row.body.push('\n');
            continue;
        };
        let (key, value) = note.split_once(": ").unwrap_or((note, ""));
        match key {
            "canary" => row.canary = value,
            "escaped" => row.escaped = Some(value),
            "says" => row.says = Some(value),
            "needs" => row.needs = Some(value),
            "report" => row.report = value.split(' ').collect(),
            "unnamed" => row.unnamed = Some(value),
            "filter" => row.filter = Some(value),
            "alone" => row.alone = true,
            other => panic!("{class}: {name}: {other} is no key"),
        }
    }
    row.body = row.body.trim().to_owned();
    row
}

#[test]
fn every_attack_is_judged_and_either_named_or_said_why_not() {
    let rows = all();
    assert!(rows.len() >= 60, "{} attacks", rows.len());
    let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len(), "two attacks have one name");
    for row in rows {
        let name = row.name;
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name:?} is no name");
        assert!(row.escaped.is_some() != row.says.is_some(), "{name}: one judge");
        assert!(row.report.is_empty() == row.unnamed.is_some(), "{name}: a report, or why there can be none");
        assert!(!row.body.is_empty(), "{name}: no attack");
    }
}
