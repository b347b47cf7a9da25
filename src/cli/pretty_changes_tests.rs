//! Tests of the changes in the calm view: a change a row.

use std::collections::BTreeMap;

use super::*;
use crate::model::path::RootedPath;

fn attributes(kind: FileKind, mode: u32) -> Attributes {
    Attributes {
        kind,
        device: 0xfd00,
        mode,
        uid: 0,
        gid: 0,
        owner: "root".into(),
        group: "root".into(),
        size: 0,
        md5: None,
        target: None,
        rdev: None,
        selinux: None,
        xattrs: BTreeMap::new(),
    }
}

fn file(mode: u32) -> Attributes {
    attributes(FileKind::Regular, mode)
}

fn link(target: &str) -> Attributes {
    Attributes { target: Some(target.into()), ..attributes(FileKind::Symlink, 0o777) }
}

fn text(before: &str, after: &str) -> ContentChange {
    ContentChange::Text { before: before.into(), after: after.into() }
}

fn change(path: &str, kind: ChangeKind, content: ContentChange) -> Change {
    Change { path: RootedPath::new(path).unwrap(), kind, content }
}

fn shown(all: Vec<Change>, detail: Detail, signs: &Signs) -> Vec<String> {
    changes(&ChangeSet(all), detail, signs).iter().map(|line| line.render(false, str::to_owned)).collect()
}

#[test]
fn each_kind_of_change_is_one_line() {
    use ChangeKind::{Created, Deleted, Modified};
    let same = ContentChange::Same;
    let www = Attributes { owner: "www".into(), group: "web".into(), ..file(0o600) };
    let device = Attributes { rdev: Some((1, 3)), ..attributes(FileKind::CharacterDevice, 0o666) };
    let labelled = Attributes { selinux: Some("a:b".into()), ..file(0o644) };
    let acl = Attributes { xattrs: [("user.x".into(), "00".into())].into(), ..file(0o644) };
    for (kind, content, expected) in [
        (Created { after: file(0o644).into() }, same.clone(), "+ /x  created, root:root 644, empty"),
        (
            Created { after: acl.clone().into() },
            text("", "a\nb\n"),
            "+ /x  created, root:root 644, 2 lines, with user.x",
        ),
        (
            Created { after: file(0o4755).into() },
            ContentChange::Binary { before: 0, after: 4096 },
            "+ /x  created, root:root 4755, 4.0K",
        ),
        (
            Created { after: attributes(FileKind::Directory, 0o755).into() },
            same.clone(),
            "+ /x/  created, root:root 755",
        ),
        (Created { after: link("/y").into() }, text("", "/y"), "+ /x  created, link to /y"),
        (
            Created { after: device.into() },
            same.clone(),
            "+ /x  created, character device, root:root 666, device 1,3",
        ),
        (Deleted { before: file(0o644).into() }, text("a\n", ""), "- /x  deleted, 1 line"),
        (Deleted { before: attributes(FileKind::Directory, 0o755).into() }, same.clone(), "- /x/  deleted"),
        (Deleted { before: link("/y").into() }, text("/y", ""), "- /x  deleted, link"),
        (
            Modified { before: file(0o644).into(), after: www.into() },
            text("a\nb\n", "a\nc\nd\n"),
            "~ /x  content +2 -1, owner root → www, group root → web, mode 644 → 600",
        ),
        (
            Modified { before: link("/y").into(), after: link("/z").into() },
            text("/y", "/z"),
            "~ /x  target /y → /z",
        ),
        (
            Modified { before: file(0o644).into(), after: labelled.into() },
            same.clone(),
            "~ /x  label none → a:b",
        ),
        (
            Modified { before: file(0o644).into(), after: acl.into() },
            same.clone(),
            "~ /x  extended attributes",
        ),
        (
            Modified { before: file(0o644).into(), after: file(0o644).into() },
            ContentChange::Binary { before: 2048, after: 1 },
            "~ /x  binary content 2.0K → 1B",
        ),
        (
            Modified { before: file(0o777).into(), after: link("/z").into() },
            same,
            "~ /x  type file → link, target none → /z",
        ),
    ] {
        let lines = shown(vec![change("/x", kind, content)], Detail::Enough, &Signs::UTF8);
        assert_eq!(lines[0], format!("  {expected}"));
    }
}

#[test]
fn a_difference_stands_below_its_path_in_the_form_that_was_asked_for() {
    let all = || {
        let kind = ChangeKind::Modified { before: file(0o644).into(), after: file(0o644).into() };
        let created = change("/b", ChangeKind::Created { after: file(0o644).into() }, text("", "new\n"));
        vec![change("/a", kind, text("a\nb\n", "a\nc")), created]
    };
    let unified = [
        "  ~ /a  content +1 -1",
        "    @@ -1,2 +1,2 @@",
        "     a",
        "    -b",
        "    +c",
        "    \\ No newline at end of file",
        "  + /b  created, root:root 644, 1 line",
        "    +new",
    ];
    assert_eq!(shown(all(), Detail::Enough, &Signs::UTF8), unified);
    assert_eq!(shown(all(), Detail::All(DiffStyle::Unified), &Signs::UTF8), unified);
    let normal = shown(all(), Detail::All(DiffStyle::Normal), &Signs::UTF8);
    assert_eq!(normal[..4], ["  ~ /a  content +1 -1", "    2c2", "    < b", "    ---"]);
    assert_eq!(
        shown(all(), Detail::All(DiffStyle::Stat), &Signs::UTF8),
        ["  ~ /a  content +1 -1", "  + /b  created, root:root 644, 1 line"]
    );
    assert_eq!(shown(all(), Detail::All(DiffStyle::None), &Signs::UTF8)[0], "  ~ /a  content");
}

#[test]
fn what_is_cut_is_counted_and_all_of_it_is_there_for_the_asking() {
    let lines = |count: usize| "line\n".repeat(count);
    let created = |path: &str, count| {
        change(path, ChangeKind::Created { after: file(0o644).into() }, text("", &lines(count)))
    };
    let count = |all, detail| shown(all, detail, &Signs::UTF8).len();
    let cut = shown(vec![created("/a", 100)], Detail::Enough, &Signs::UTF8);
    assert_eq!((cut.len(), cut[41].as_str()), (42, "    … 60 more lines; --diff unified shows all"));
    assert_eq!(count(vec![created("/a", 41)], Detail::Enough), 42, "to say so would be as long");
    assert_eq!(count(vec![created("/a", 100)], Detail::All(DiffStyle::Unified)), 101);
    let many = || (0..30).map(|at| created(&format!("/f{at}"), 40)).collect::<Vec<_>>();
    let cut = shown(many(), Detail::Enough, &Signs::ASCII);
    assert_eq!(cut.len(), 30 + MOST_OF_MODULE + 1);
    assert_eq!(cut[cut.len() - 1], "    ... and the content of 20 more files; --diff unified shows all");
    assert!(cut.iter().all(|line| line.is_ascii()));
    let wide = change("/w", ChangeKind::Created { after: file(0o644).into() }, text("", &"é".repeat(2000)));
    let cut = shown(vec![wide.clone()], Detail::Enough, &Signs::UTF8);
    assert_eq!((cut[1].chars().count(), cut[1].ends_with('…')), (4 + LONGEST + 1, true));
    assert_eq!(shown(vec![wide], Detail::All(DiffStyle::Unified), &Signs::UTF8)[1].chars().count(), 4 + 2001);
}
