//! Mounts and swap that a step asks for: the command that does the same.

use crate::actions::{Deed, Mount};
use crate::model::action::EffectKind;
use crate::sandbox::report::judge::{Caller, Judged};

/// Decides about `mount(2)`, `umount2(2)`, `swapon(2)`, `swapoff(2)`.
pub(super) fn judge(caller: &Caller<'_>) -> Judged {
    let act = |target: String, argv: &[&str]| Judged::act(EffectKind::Mount, target, argv);
    match caller.0.number {
        libc::SYS_umount2 => {
            let at = place(caller, 0);
            let lazy: &[&str] =
                if caller.argument(1) & libc::MNT_DETACH as u64 != 0 { &["--lazy"] } else { &[] };
            act(at.clone(), &[&["umount"], lazy, &[&*at]].concat()).doing(Deed::Unmounted(at))
        }
        libc::SYS_swapon => act(place(caller, 0), &["swapon", &place(caller, 0)]),
        libc::SYS_swapoff => act(place(caller, 0), &["swapoff", &place(caller, 0)]),
        _ => {
            let (source, at) = (caller.words(0), place(caller, 1));
            let kind = if caller.argument(2) == 0 { String::new() } else { caller.words(2) };
            // Data may be anything: only text is of use.
            let data = if caller.argument(4) == 0 { String::new() } else { caller.words(4) };
            let flags = caller.argument(3);
            let argv = command(&source, &at, &kind, flags, &data);
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            let judged = act(at.clone(), &argv);
            match flags
                & (libc::MS_REMOUNT
                    | libc::MS_SHARED
                    | libc::MS_PRIVATE
                    | libc::MS_SLAVE
                    | libc::MS_UNBINDABLE)
            {
                0 => judged.doing(Deed::Mounted(Mount { source, target: at, kind, options: data })),
                _ => judged,
            }
        }
    }
}

fn place(caller: &Caller<'_>, index: usize) -> String {
    caller.path(caller.argument(index)).map_or_else(
        || "?".to_owned(),
        |path| crate::sys::inspect::words(&super::opens::plain(&caller.absolute(None, &path))),
    )
}

/// The flags of mount(2) that are options of mount(8).
const OPTIONS: [(libc::c_ulong, &str); 9] = [
    (libc::MS_RDONLY, "ro"),
    (libc::MS_NOSUID, "nosuid"),
    (libc::MS_NODEV, "nodev"),
    (libc::MS_NOEXEC, "noexec"),
    (libc::MS_SYNCHRONOUS, "sync"),
    (libc::MS_NOATIME, "noatime"),
    (libc::MS_NODIRATIME, "nodiratime"),
    (libc::MS_RELATIME, "relatime"),
    (libc::MS_STRICTATIME, "strictatime"),
];

/// Those that say what is shared with other mounts.
const SHARING: [(libc::c_ulong, &str); 4] = [
    (libc::MS_SHARED, "shared"),
    (libc::MS_PRIVATE, "private"),
    (libc::MS_SLAVE, "slave"),
    (libc::MS_UNBINDABLE, "unbindable"),
];

fn command(source: &str, at: &str, kind: &str, flags: u64, data: &str) -> Vec<String> {
    let has = |flag: libc::c_ulong| flags & flag != 0;
    let mut argv = vec!["mount".to_owned()];
    if let Some((_, sharing)) = SHARING.iter().find(|(flag, _)| has(*flag)) {
        let all = if has(libc::MS_REC) { "r" } else { "" };
        argv.extend([format!("--make-{all}{sharing}"), at.to_owned()]);
        return argv;
    }
    if has(libc::MS_MOVE) {
        argv.extend(["--move".to_owned(), source.to_owned(), at.to_owned()]);
        return argv;
    }
    let mut options: Vec<&str> =
        OPTIONS.iter().filter(|(flag, _)| has(*flag)).map(|(_, name)| *name).collect();
    let binds = has(libc::MS_BIND);
    if has(libc::MS_REMOUNT) {
        options.insert(0, if binds { "remount,bind" } else { "remount" });
    } else if binds {
        argv.push(if has(libc::MS_REC) { "--rbind" } else { "--bind" }.to_owned());
    } else if !kind.is_empty() {
        argv.extend(["-t".to_owned(), kind.to_owned()]);
    }
    if !data.is_empty() && !binds {
        options.push(data);
    }
    if !options.is_empty() {
        argv.extend(["-o".to_owned(), options.join(",")]);
    }
    if !has(libc::MS_REMOUNT) {
        argv.push(source.to_owned());
    }
    argv.push(at.to_owned());
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_the_command_that_makes_it() {
        for (source, kind, flags, data, expected) in [
            ("/dev/sdb1", "ext4", 0, "", "mount -t ext4 /dev/sdb1 /mnt"),
            (
                "tmpfs",
                "tmpfs",
                libc::MS_NOSUID | libc::MS_NODEV,
                "size=1m",
                "mount -t tmpfs -o nosuid,nodev,size=1m tmpfs /mnt",
            ),
            ("/srv", "none", libc::MS_BIND, "", "mount --bind /srv /mnt"),
            ("/srv", "", libc::MS_BIND | libc::MS_REC, "", "mount --rbind /srv /mnt"),
            ("none", "", libc::MS_REMOUNT | libc::MS_RDONLY, "", "mount -o remount,ro /mnt"),
            (
                "none",
                "",
                libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY,
                "",
                "mount -o remount,bind,ro /mnt",
            ),
            ("none", "", libc::MS_REC | libc::MS_PRIVATE, "", "mount --make-rprivate /mnt"),
            ("/a", "", libc::MS_MOVE, "", "mount --move /a /mnt"),
        ] {
            assert_eq!(command(source, "/mnt", kind, flags, data).join(" "), expected);
        }
    }
}
