//! Tests of the classic text: the lines of the first README are the law.

use std::collections::BTreeMap;

use super::*;
use crate::model::path::RootedPath;
use crate::model::text::Text;

fn attributes(kind: FileKind, mode: u32, content: &str) -> Attributes {
    let md5 = (kind == FileKind::Regular).then(|| format!("{:x}", md5::compute(content)));
    Attributes {
        kind,
        device: 0xfd00,
        mode,
        uid: 0,
        gid: 0,
        owner: "root".into(),
        group: "root".into(),
        size: content.len() as u64,
        md5,
        target: None,
        rdev: None,
        selinux: None,
        xattrs: BTreeMap::new(),
    }
}

fn created(path: &str, after: Attributes, text: &str) -> Change {
    let content = match text {
        "" => ContentChange::Same,
        text => ContentChange::Text { before: Text::default(), after: text.into() },
    };
    Change {
        path: RootedPath::new(path).unwrap(),
        kind: ChangeKind::Created { after: after.into() },
        content,
    }
}

#[test]
fn the_seeds_lines_are_printed_to_the_letter() {
    let cfg = "HOST=localhost.localdomain\nKEY_VALUE=LOLTHISKEYMEANSNOTHING\n";
    let changes = ChangeSet(vec![
        created("/etc/othermodule", attributes(FileKind::Directory, 0o40755, ""), ""),
        created("/etc/othermodule/stuff.cfg", attributes(FileKind::Regular, 0o100644, cfg), cfg),
    ]);
    assert_eq!(
        change_set(&changes, DiffStyle::Normal),
        "info: File: file: /etc/othermodule/stuff.cfg : Created : type=[regular file] device=[fd00] mode=[81a4] \
         selinux=[?] md5=[77b20e4840b1be13a577e152edc6b443] perms=[root:root 644]\n\
         0a1,2\n> HOST=localhost.localdomain\n> KEY_VALUE=LOLTHISKEYMEANSNOTHING\n"
    );
    let changes = ChangeSet(vec![created("/bin/myhotbash", attributes(FileKind::Regular, 0o100644, ""), "")]);
    assert_eq!(
        change_set(&changes, DiffStyle::Normal),
        "info: File: file: /bin/myhotbash : Created : type=[regular empty file] device=[fd00] mode=[81a4] selinux=[?] \
         md5=[d41d8cd98f00b204e9800998ecf8427e] perms=[root:root 644]\n"
    );
}

#[test]
fn only_what_differs_is_printed_and_in_the_seeds_order() {
    let (old, new) =
        (attributes(FileKind::Regular, 0o100000, "a"), attributes(FileKind::Regular, 0o100644, "b"));
    let modified = |before: &Attributes, after: &Attributes, content| Change {
        path: RootedPath::new("/etc/shadow").unwrap(),
        kind: ChangeKind::Modified { before: before.clone().into(), after: after.clone().into() },
        content,
    };
    let text = ContentChange::Text { before: "a\n".into(), after: Text::default() };
    assert_eq!(
        change(&modified(&old, &new, text.clone()), DiffStyle::Normal),
        "info: File: file: /etc/shadow : Modified : md5=[0cc175b9c0f1b6a831c399e269772661 => \
         92eb5ffee6ae2fec3ad71c777531578f] perms=[root:root 0 => root:root 644] mode=[8000 => 81a4]\n1d0\n< a\n"
    );
    let mut labelled = old.clone();
    labelled.selinux = Some("unconfined_u:object_r:admin_home_t:s0".into());
    assert_eq!(
        change(&modified(&labelled, &old, ContentChange::Same), DiffStyle::Normal),
        "info: File: file: /etc/shadow : Modified : selinux=[unconfined_u:object_r:admin_home_t:s0 => ?]\n"
    );
    let mut link = attributes(FileKind::Symlink, 0o120777, "");
    link.target = Some("/tmp/x".into());
    assert_eq!(
        change(&modified(&old, &link, ContentChange::Same), DiffStyle::Normal),
        "info: File: file: /etc/shadow : Modified : type=[regular file => symbolic link] \
         md5=[0cc175b9c0f1b6a831c399e269772661 => ?] perms=[root:root 0 => root:root 777] mode=[8000 => a1ff] \
         target=[? => /tmp/x]\n"
    );
    let with = |style| change(&modified(&old, &new, text.clone()), style);
    assert!(with(DiffStyle::Stat).ends_with("81a4]\n+0 -1\n"));
    assert!(with(DiffStyle::None).ends_with("81a4]\n"));
    assert!(with(DiffStyle::Unified).ends_with("--- /etc/shadow\n+++ /etc/shadow\n@@ -1 +0,0 @@\n-a\n"));
}

#[test]
fn deletions_and_what_is_no_text_are_short() {
    let gone = Change {
        path: RootedPath::new("/etc/passwd").unwrap(),
        kind: ChangeKind::Deleted { before: attributes(FileKind::Regular, 0o100644, "root\n").into() },
        content: ContentChange::Text { before: "root\n".into(), after: Text::default() },
    };
    assert_eq!(change(&gone, DiffStyle::Normal), "info: File: file: /etc/passwd : Deleted\n1d0\n< root\n");
    let binary = Change { content: ContentChange::Binary { before: 5, after: 0 }, ..gone };
    assert_eq!(
        change(&binary, DiffStyle::Normal),
        "info: File: file: /etc/passwd : Deleted\nbinary content: 5 bytes, md5 74cc1c60799e0a786ac7094b532f01b1\n"
    );
}

#[test]
fn a_directory_that_says_something_itself_is_printed() {
    let file = created("/srv/x/file", attributes(FileKind::Regular, 0o100644, ""), "");
    let plain = created("/srv/x", attributes(FileKind::Directory, 0o40755, ""), "");
    let private = created("/srv/x", attributes(FileKind::Directory, 0o40700, ""), "");
    let lines = |changes: &[&Change]| {
        let set = ChangeSet(changes.iter().map(|change| (*change).clone()).collect());
        change_set(&set, DiffStyle::Normal).lines().count()
    };
    assert_eq!((lines(&[&plain, &file]), lines(&[&private, &file]), lines(&[&plain])), (1, 2, 1));
}
