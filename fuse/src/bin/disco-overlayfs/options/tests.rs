//! What options mean, case by case.

use super::*;

fn parsed(options: &[&str]) -> Result<Wanted, OptionError> {
    match parse(&options.iter().map(OsString::from).collect::<Vec<_>>())? {
        Asked::Mount(wanted) => Ok(wanted),
        Asked::Remount(flags) => panic!("a remount: {flags:?}"),
    }
}

#[test]
fn a_remount_has_flags_alone() {
    // As mount(8) passes it on.
    let option = "ro,nodev,relatime,remount,user_id=0,group_id=0,default_permissions,allow_other,suid";
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_RELATIME;
    assert_eq!(parse(&[option.into()]), Ok(Asked::Remount(flags)));
    assert_eq!(parse(&["remount,rw,dev".into()]), Ok(Asked::Remount(MsFlags::empty())));
    assert_eq!(parse(&["remount,rdev".into()]), Err(OptionError::Unknown("rdev".into())));
}

fn lowers_of(options: &str) -> Vec<String> {
    parsed(&[options]).unwrap().lower.iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn directories_are_split_and_unescaped() {
    for (options, expected) in [
        ("lowerdir=a", vec!["a"]),
        ("lowerdir=/a:/b:c", vec!["/a", "/b", "c"]),
        (r"lowerdir=/a\:b:/c", vec!["/a:b", "/c"]),
        (r"lowerdir=/a\,b:/c", vec!["/a,b", "/c"]),
        (r"lowerdir=/a\\:/b", vec![r"/a\", "/b"]),
        (r"lowerdir=/run/x\x2dy", vec![r"/run/x\x2dy"]),
        ("lowerdir=/a=b", vec!["/a=b"]),
        (r"lowerdir=a\", vec![r"a\"]),
        ("lowerdir=/old,lowerdir=/new", vec!["/new"]),
    ] {
        assert_eq!(lowers_of(options), expected, "{options}");
    }
}

#[test]
fn several_lists_are_one() {
    let wanted = parsed(&["lowerdir=l,", "upperdir=u\\:1", "workdir=w,fsname=a b,,volatile"]).unwrap();
    assert_eq!(wanted.changes, Some(Changes { upper: "u:1".into(), work: "w".into() }));
    assert_eq!(wanted.fsname, Some("a b".into()));
    assert_eq!(wanted.kept, Kept::Volatile);
    assert_eq!(wanted.flags, MsFlags::MS_NODEV);
}

#[test]
fn a_path_need_not_be_text() {
    let option = OsString::from_vec(b"lowerdir=/\xff\xfe".to_vec());
    let Ok(Asked::Mount(wanted)) = parse(&[option]) else { panic!("no mount") };
    assert_eq!(wanted.lower[0].as_os_str().as_bytes(), b"/\xff\xfe");
}

#[test]
fn the_last_flag_counts_and_no_device_works_unless_asked_for() {
    let with_upper = "lowerdir=l,upperdir=u,workdir=w";
    for (options, expected) in [
        ("", MsFlags::MS_NODEV),
        ("rw,dev,suid", MsFlags::empty()),
        ("dev,nodev", MsFlags::MS_NODEV),
        ("dev,nosuid,noexec,noatime", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME),
        ("dev,nosuid,suid,ro,rw,noexec,exec,noatime,atime", MsFlags::empty()),
        ("ro", MsFlags::MS_RDONLY | MsFlags::MS_NODEV),
        ("defaults,allow_other,default_permissions,x-systemd.automount,nofail", MsFlags::MS_NODEV),
    ] {
        assert_eq!(parsed(&[with_upper, options]).unwrap().flags, expected, "{options}");
    }
}

#[test]
fn without_an_upper_the_mount_is_read_only() {
    let wanted = parsed(&["lowerdir=l,rw"]).unwrap();
    assert_eq!((wanted.changes, wanted.flags), (None, MsFlags::MS_RDONLY | MsFlags::MS_NODEV));
}

#[test]
fn what_is_wrong_is_named() {
    let refused = |name: &str, why| OptionError::Refused { name: name.into(), why };
    for (options, expected) in [
        ("upperdir=u,workdir=w", OptionError::NoLower),
        ("lowerdir=", OptionError::NoValue("lowerdir")),
        ("lowerdir", OptionError::NoValue("lowerdir")),
        ("lowerdir=a::b", OptionError::EmptyLower("a::b".into())),
        ("lowerdir=a:", OptionError::EmptyLower("a:".into())),
        ("lowerdir=l,upperdir=u", OptionError::Half { given: "upperdir", missing: "workdir" }),
        ("lowerdir=l,workdir=u", OptionError::Half { given: "workdir", missing: "upperdir" }),
        ("lowerdir=l,ro=1", OptionError::HasValue("ro".into())),
        ("lowerdir=l,lowerdri=k", OptionError::Unknown("lowerdri".into())),
        // What follows an unprotected comma of a path.
        ("lowerdir=/a,b", OptionError::Unknown("b".into())),
        ("lowerdir=l,uidmapping=0:1000:1", refused("uidmapping", OWNERS)),
        ("lowerdir=l,gidmapping=0:1000:1", refused("gidmapping", OWNERS)),
        ("lowerdir=l,squash_to_root", refused("squash_to_root", OWNERS)),
        ("lowerdir=l,squash_to_uid=5", refused("squash_to_uid", OWNERS)),
        ("lowerdir=l,metacopy=on", refused("metacopy", "a file is copied whole")),
    ] {
        let error = parsed(&[options]).unwrap_err();
        assert!(!error.hint().is_empty());
        assert_eq!(error, expected, "{options}");
    }
}

#[test]
fn a_refusal_says_its_option_and_not_supported() {
    for (name, _) in REFUSED {
        let text = parsed(&["lowerdir=l", name]).unwrap_err().to_string();
        assert!(text.contains(name) && text.contains("not supported"), "{text}");
    }
}
