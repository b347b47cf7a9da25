//! `disco doctor`: what a sandbox needs of this machine, each really tried, and in the end a sandbox.

mod own;

use std::io;

use crate::model::requirement::{Requirement, Standing};
use crate::model::root::LiveRoot;
use crate::sandbox;
use crate::settings::Settings;
use crate::sys::host;
use crate::sys::probe::machine::Call;
use crate::sys::probe::{Found, cgroup, filter, machine, trying, walls};

/// What a requirement that is not met makes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// There is no sandbox.
    Needed,
    /// There is one, and something does not hold.
    Wanted,
}
use Weight::{Needed, Wanted};

/// Name, what it is needed for, what still holds without it, what to do.
type Row = (&'static str, Weight, &'static str, &'static str, &'static str);

const NOTHING: &str = "nothing can be run";
const CONTAINER: &str = "in a container: give it CAP_SYS_ADMIN, or run disco on its host";

/// The oldest kernel that has all calls that a sandbox cannot do without.
const OLDEST: (u32, u32) = (5, 12);

/// Looks at everything. For a process with one thread; what it tries it tries in children, and nothing of it stays.
pub fn doctor(settings: &Settings) -> Vec<Requirement> {
    let mut all = kernel();
    all.extend(walls());
    all.extend(reporter());
    all.extend(limits());
    all.extend(own::own_files(settings));
    all.push(own::whole(settings));
    all
}

fn requirement((name, weight, needed_for, without, todo): Row, found: Found) -> Requirement {
    let (standing, found) = match (found, weight) {
        (Ok(found), _) => (Standing::Ok, found),
        (Err(error), Needed) => (Standing::Missing, error.to_string()),
        (Err(error), Wanted) => (Standing::Degraded, error.to_string()),
    };
    let found = found.replace(char::is_control, " ");
    Requirement { name, standing, found, needed_for, without, todo }
}

fn kernel() -> Vec<Requirement> {
    let newer = "boot a newer kernel";
    let mut all = vec![requirement(
        ("kernel", Needed, "read-only clones of mounts (Linux 5.12)", NOTHING, newer),
        machine::kernel(OLDEST),
    )];
    for (name, call, needed_for) in [
        ("close-range", Call::CloseRange, "closing what a step must not inherit"),
        ("openat2", Call::OpenAt2, "following paths inside of a root only"),
        ("mount-setattr", Call::MountSetAttr, "the read-only clone of the root"),
        ("pidfd", Call::PidFd, "waiting for a step"),
        ("pidfd-getfd", Call::PidFdGetFd, "hearing of the calls that a step is kept from"),
    ] {
        let todo = "boot a newer kernel; in a container: let its seccomp profile allow this call";
        all.push(requirement((name, Needed, needed_for, NOTHING, todo), machine::call(call)));
    }
    all.push(requirement(
        (
            "security-module",
            Wanted,
            "mounts and namespaces, which SELinux and AppArmor may forbid",
            "what the rows below say, for they have tried",
            "allow disco what its sandbox needs, or run it unconfined",
        ),
        machine::security(),
    ));
    all
}

fn walls() -> Vec<Requirement> {
    let as_root = "run disco as root";
    let mut all = vec![
        requirement(
            (
                "root",
                Wanted,
                "dances, merges, and files of other users in a sandbox",
                "`disco try` and `disco shell` in a user namespace, without a merge",
                as_root,
            ),
            machine::root(),
        ),
        requirement(
            ("capability-sys-admin", Needed, "namespaces and mounts", NOTHING, CONTAINER),
            machine::capability("CAP_SYS_ADMIN"),
        ),
        requirement(
            (
                "capability-net-admin",
                Needed,
                "the loopback of a network in which nobody else is",
                "with --network host everything",
                "in a container: give it CAP_NET_ADMIN, or run disco on its host",
            ),
            machine::capability("CAP_NET_ADMIN"),
        ),
        requirement(
            (
                "capability-sys-ptrace",
                Needed,
                "hearing of the calls that a step is kept from",
                NOTHING,
                "in a container: give it CAP_SYS_PTRACE, or run disco on its host",
            ),
            machine::capability("CAP_SYS_PTRACE"),
        ),
        requirement(
            (
                "capabilities",
                Wanted,
                "steps that change owners, make device nodes or bind low ports",
                "everything else; such steps fail as they would on this machine",
                "run disco as root, in a container with these capabilities",
            ),
            machine::capabilities(),
        ),
        user_namespaces(),
    ];
    let namespaces = [
        ("mount-namespace", "the view that steps have of the root", walls::mounts()),
        (
            "pid-namespace",
            "ending all that a step starts",
            walls::processes(|| Ok("one of its own, with a /proc".to_owned())),
        ),
        ("network-namespace", "a network in which nobody else is", walls::network()),
        ("ipc-namespace", "shared memory and queues of its own", walls::ipc()),
        ("uts-namespace", "a host name of its own", walls::host_name()),
        ("cgroup-namespace", "hiding the cgroups of the host", walls::cgroups()),
        (
            "pivot-root",
            "taking the live root out of reach (it cannot be had on an initramfs)",
            walls::pivot(),
        ),
    ];
    for (name, needed_for, found) in namespaces {
        all.push(requirement((name, Needed, needed_for, NOTHING, CONTAINER), found));
    }
    all.push(requirement(
        ("read-only-clone", Needed, "a lower layer that nobody can write to", NOTHING, CONTAINER),
        trying(|| {
            walls::alone()?;
            sandbox::lower_of(&LiveRoot::Own).map(|_| "the root's mounts can be cloned read-only".to_owned())
        }),
    ));
    let fuse = "modprobe fuse; in a container: give it the device /dev/fuse";
    all.push(requirement(
        ("fuse-device", Needed, "the copy-on-write view of the root", NOTHING, fuse),
        walls::fuse_device(),
    ));
    all.push(requirement(
        ("fuse-mount", Needed, "the copy-on-write view of the root", NOTHING, fuse),
        walls::fuse_mount(),
    ));
    all.push(requirement(
        ("fuse-passthrough", Wanted, "nothing: the overlay does not use it", "everything", "nothing"),
        Ok("not needed".to_owned()),
    ));
    all
}

/// As root nothing depends on them; for others everything does.
fn user_namespaces() -> Requirement {
    let row = |weight| {
        (
            "user-namespaces",
            weight,
            "`disco try` and `disco shell` of users that are not root",
            "all that root does",
            "sysctl user.max_user_namespaces=10000; on some systems also kernel.unprivileged_userns_clone=1 or \
             kernel.apparmor_restrict_unprivileged_userns=0",
        )
    };
    let found = walls::user_namespace().map_err(|error| match machine::most_user_namespaces() {
        Some(0) => io::Error::other("none is allowed (user.max_user_namespaces is 0)"),
        Some(_) | None => error,
    });
    requirement(row(if host::is_root() { Wanted } else { Needed }), found)
}

fn reporter() -> Vec<Requirement> {
    let told = "the walls; what steps try is stopped, and not told";
    vec![
        requirement(
            (
                "seccomp-filter",
                Needed,
                "closing system calls that reach around namespaces",
                NOTHING,
                "boot a kernel with CONFIG_SECCOMP_FILTER; in a container: let its seccomp profile allow seccomp(2)",
            ),
            filter::filter(),
        ),
        requirement(
            (
                "seccomp-listener",
                Wanted,
                "telling what steps try and are kept from",
                told,
                "run disco outside of whatever listens: on the container's host, with a profile without notifications",
            ),
            filter::listener(),
        ),
        requirement(
            (
                "seccomp-features",
                Wanted,
                "telling it quickly, and undisturbed by signals",
                "all walls and reports; a told call takes longer",
                "boot Linux 6.6 or newer",
            ),
            filter::features(),
        ),
    ]
}

fn limits() -> Vec<Requirement> {
    let own = (
        "limits",
        Wanted,
        "the supervisor's own files and memory",
        "runs that need little, or none: what the last row says",
        "ulimit -n 4096 -v unlimited -f unlimited",
    );
    let cgroups = "mount the cgroups writable, or have them delegated to disco (systemd: Delegate=yes)";
    vec![
        requirement(own, machine::limits()),
        requirement(
            (
                "pid-numbers",
                Wanted,
                "numbers of a step's processes that no pid file of the host names",
                "all walls: a step that kills by an old number may meet a process of its own",
                "boot a kernel with CONFIG_CHECKPOINT_RESTORE",
            ),
            walls::processes(walls::numbers),
        ),
        requirement(
            (
                "pid-limit",
                Wanted,
                "a limit of processes a step that the kernel keeps (Linux 6.14)",
                "the limit of processes, by counting five times a second",
                "boot Linux 6.14 or newer",
            ),
            machine::kernel((6, 14)),
        ),
        requirement(
            (
                "cgroup-memory",
                Wanted,
                "the limit of memory a step, all its processes together",
                "a limit for each process alone",
                cgroups,
            ),
            cgroup::controller("memory"),
        ),
        requirement(
            (
                "cgroup-pids",
                Wanted,
                "the limit of processes a step, by the kernel",
                "the limit of processes, by counting or by the pid namespace",
                cgroups,
            ),
            cgroup::controller("pids"),
        ),
    ]
}
