//! Differences and data without secrets.

use std::collections::BTreeMap;

use super::*;
use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::ChangeKind;
use crate::model::step::Outcome;

fn file(mode: u32) -> Attributes {
    Attributes {
        kind: FileKind::Regular,
        device: 1,
        mode: libc::S_IFREG | mode,
        uid: 0,
        gid: 0,
        owner: "root".into(),
        group: "root".into(),
        size: 1,
        md5: None,
        target: None,
        rdev: None,
        selinux: None,
        xattrs: BTreeMap::new(),
    }
}

fn change(path: &str, modes: (u32, u32), before: &str, after: &str) -> Change {
    Change {
        path: RootedPath::new(path).unwrap(),
        kind: ChangeKind::Modified { before: file(modes.0).into(), after: file(modes.1).into() },
        content: ContentChange::Text { before: before.into(), after: after.into() },
    }
}

fn hider(changes: &ChangeSet) -> Hider {
    let mut secrets = Secrets::default();
    secrets.add("db/password", b"hunter2hunter2");
    secrets.add_withheld(changes);
    Hider::new(secrets.redactor())
}

fn sides(hider: &Hider, before: &str, after: &str) -> (String, String) {
    hider.sides(&before.into(), &after.into()).unwrap_or((before.into(), after.into()))
}

#[test]
fn what_only_root_can_read_is_withheld_and_not_told_by_another_file() {
    let line = "root:!:19000:0:99999:7:::\n";
    let changes = ChangeSet(vec![
        change("/etc/a", (0o644, 0o644), "", line),
        change("/etc/hunter2hunter2", (0o644, 0o644), "", "public\n"),
        change("/etc/shadow", (0o640, 0o644), line, ""),
        change("/etc/x", (0o644, 0o600), "", "else\n"),
        change("/etc/y", (0o644, 0o604), "", "plain text\n"),
    ]);
    let hidden = hider(&changes).changes(&changes).into_owned().0;
    let text = |after: &str| ContentChange::Text { before: "".into(), after: after.into() };
    let withheld = |before, after| ContentChange::Withheld { before, after };
    let expected = [
        text("[secret: /etc/shadow]\n"),
        text("public\n"),
        withheld(26, 0),
        withheld(0, 5),
        text("plain text\n"),
    ];
    assert_eq!(hidden.iter().map(|change| change.content.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(hidden[1].path.to_string(), "/etc/[secret: db:password]");
    let plain = ChangeSet(changes.0[4..].to_vec());
    assert!(matches!(hider(&plain).changes(&plain), Cow::Borrowed(_)));
}

#[test]
fn what_a_secret_was_before_is_hidden_by_what_is_around_it() {
    let hider = hider(&ChangeSet::default());
    for ((before, after), expected) in [
        (
            ("user=x\npass=\"oldoldold\"\nz\n", "user=x\npass=\"hunter2hunter2\"\nz\n"),
            (
                "user=x\npass=\"[secret: db/password, another value]\"\nz\n",
                "user=x\npass=\"[secret: db/password]\"\nz\n",
            ),
        ),
        // The other way round, and a file of nothing but the secret.
        (("hunter2hunter2", "new"), ("[secret: db/password]", "[secret: db/password, another value]")),
        (
            ("a\nold\n", "a\nhunter2hunter2\n"),
            ("a\n[secret: db/password, another value]\n", "a\n[secret: db/password]\n"),
        ),
        (("old", "new"), ("old", "new")),
        // An empty line has no place for one.
        (("a\n\n", "a\nhunter2hunter2\n"), ("a\n\n", "a\n[secret: db/password]\n")),
    ] {
        let (before, after) = sides(&hider, before, after);
        assert_eq!((before.as_str(), after.as_str()), expected);
    }
}

#[test]
fn any_text_of_any_data_is_looked_through_and_words_of_ours_stay() {
    let mut secrets = Secrets::default();
    secrets.add("x", b"signaled");
    secrets.add("db/password", b"hunter2hunter2");
    let hider = Hider::new(secrets.redactor());
    let failed = |reason: &str| Outcome::Failed { reason: reason.into() };
    assert_eq!(*hider.data(&failed("it is hunter2hunter2")).unwrap(), failed("it is [secret: db/password]"));
    assert_eq!(*hider.data(&Outcome::Signaled { signal: 9 }).unwrap(), Outcome::Signaled { signal: 9 });
    assert!(matches!(hider.data(&Outcome::Done).unwrap(), Cow::Borrowed(_)));
}
