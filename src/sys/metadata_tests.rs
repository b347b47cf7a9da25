//! Tests of reading and copying metadata, for every type of object. chown and device nodes need root.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;
use crate::model::path::RootedPath;
use crate::sys::tree::Root;

fn object(root: &Root, path: &str) -> Object {
    root.lookup(&RootedPath::new(path).unwrap()).unwrap().unwrap()
}

#[test]
fn metadata_of_every_type_is_copied_through_handles() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path(), "").unwrap();
    let here = root.directory(&RootedPath::default()).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    for side in ["a", "b"] {
        here.make_directory(OsStr::new(&format!("{side}-dir"))).unwrap();
        here.create_file(OsStr::new(&format!("{side}-file"))).unwrap();
        here.make_symlink(OsStr::new(&format!("{side}-link")), OsStr::new("nowhere/at all")).unwrap();
        here.make_node(OsStr::new(&format!("{side}-fifo")), FileKind::Fifo, (0, 0)).unwrap();
        if is_root {
            here.make_node(OsStr::new(&format!("{side}-device")), FileKind::CharacterDevice, (1, 3)).unwrap();
        }
    }
    let kinds = if is_root {
        &["dir", "file", "fifo", "link", "device"][..]
    } else {
        &["dir", "file", "fifo", "link"]
    };
    for kind in kinds {
        let source = object(&root, &format!("a-{kind}"));
        let mut wanted = metadata(&source, &|_| false).unwrap();
        wanted.permissions = if *kind == "link" { 0o777 } else { 0o6751 };
        wanted.mtime = (1_000_000_000, 123_456_789);
        wanted.atime = (900_000_000, 0);
        if is_root {
            (wanted.uid, wanted.gid) = (1234, 4321);
            wanted.xattrs.insert("trusted.disco-test".into(), b"x\0y".to_vec());
        }
        if *kind == "file" || *kind == "dir" {
            // user::rwx user:77:r-- group::r-x mask::r-x other::--x
            let acl: Vec<u8> =
                [(1u16, 7u16, u32::MAX), (2, 4, 77), (4, 5, u32::MAX), (16, 5, u32::MAX), (32, 1, u32::MAX)]
                    .iter()
                    .fold(vec![2, 0, 0, 0], |mut acl, (tag, perm, id)| {
                        acl.extend(tag.to_le_bytes());
                        acl.extend(perm.to_le_bytes());
                        acl.extend(id.to_le_bytes());
                        acl
                    });
            wanted.xattrs.insert("system.posix_acl_access".into(), acl);
        }
        if *kind == "file" && is_root {
            let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            wanted.xattrs.insert("security.capability".into(), capability.to_vec());
        }
        apply(&object(&root, &format!("b-{kind}")), &wanted, Times::Copied).unwrap();
        assert_eq!(metadata(&object(&root, &format!("b-{kind}")), &|_| false).unwrap(), wanted, "{kind}");
        // what isn't wanted any more goes
        wanted.xattrs.clear();
        apply(&object(&root, &format!("b-{kind}")), &wanted, Times::Copied).unwrap();
        assert_eq!(metadata(&object(&root, &format!("b-{kind}")), &|_| false).unwrap(), wanted, "{kind}");
    }
    assert!(object(&root, "a-fifo").read().is_err(), "a special file is never opened");
}

#[test]
fn attributes_are_as_stat_and_md5sum_show_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    std::fs::write(&file, "LOL\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink("tar\nget", dir.path().join("l")).unwrap();
    let root = Root::open(dir.path(), "").unwrap();
    let (me, my_group) = (std::fs::metadata(&file).unwrap().uid(), std::fs::metadata(&file).unwrap().gid());
    let accounts = Accounts::parse(&format!("me:x:{me}:"), &format!("us:x:{my_group}:"));
    let (shown, body) = attributes(&object(&root, "f"), 7, &accounts, &|_| false).unwrap();
    assert_eq!(shown.md5.as_deref(), Some("5732edd7e4e1240b868e15bc95d36339"));
    assert_eq!((shown.mode, shown.device, shown.size), (0o100644, 7, 4));
    assert_eq!((shown.owner.as_str(), shown.group.as_str()), ("me", "us"));
    assert_eq!(body, Some(Body::Text("LOL\n".into())));
    let (shown, body) = attributes(&object(&root, "l"), 7, &accounts, &|_| false).unwrap();
    assert_eq!((shown.target.as_deref(), body), (Some("tar\\nget"), None));
    for (bytes, expected) in
        [(&b"a\0b"[..], Body::Binary), (b"\xff", Body::Binary), (b"", Body::Text("".into()))]
    {
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(content(&object(&root, "f")).unwrap().1, expected);
    }
    std::fs::write(&file, vec![b'a'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(content(&object(&root, "f")).unwrap().1, Body::Large);
}

#[test]
fn holes_survive_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    for base in [dir.path(), Path::new("/dev/shm")] {
        let other = tempfile::tempdir_in(base).unwrap();
        let root = Root::open(dir.path(), "").unwrap();
        let mut source = std::fs::File::create(dir.path().join("sparse")).unwrap();
        source.write_all(b"start").unwrap();
        source.seek(SeekFrom::Start(9 << 20)).unwrap();
        source.write_all(b"middle").unwrap();
        source.set_len(20 << 20).unwrap();
        let target = std::fs::File::create(other.path().join("copy")).unwrap();
        copy_content(&object(&root, "sparse"), &target).unwrap();
        let (a, b) = (
            std::fs::read(dir.path().join("sparse")).unwrap(),
            std::fs::read(other.path().join("copy")).unwrap(),
        );
        assert!(a == b, "the copy differs below {}", base.display());
        assert!(target.metadata().unwrap().blocks() < 2048, "the copy isn't sparse below {}", base.display());
    }
}

#[test]
fn nothing_is_reached_through_a_symbolic_link() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    std::fs::write(dir.path().join("real/x"), "").unwrap();
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    let root = Root::open(dir.path(), "tree:").unwrap();
    assert!(root.lookup(&RootedPath::new("link/x").unwrap()).unwrap().is_none());
    assert_eq!(object(&root, "link").kind(), FileKind::Symlink);
    let refused = root.directory(&RootedPath::new("link").unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "could not enter the directory tree:/link");
    assert!(root.parent(&RootedPath::default()).is_err());
}
