//! What calls are called, and some of their arguments in words.

use crate::sandbox::report::judge::{Caller, Judged};

/// `open_tree_attr(2)`, of Linux 6.15, which libc does not know yet.
pub(super) const OPEN_TREE_ATTR: i64 = 467;

macro_rules! names {
    ($($name:ident = $number:ident),* $(,)?) => {
        /// The names of the calls that are asked about.
        const NAMES: &[(i64, &str)] = &[$((libc::$number, stringify!($name))),*];
    };
}

names! {
    unshare = SYS_unshare, clone = SYS_clone, setns = SYS_setns, add_key = SYS_add_key, request_key = SYS_request_key,
    socket = SYS_socket, socketpair = SYS_socketpair, io_uring_setup = SYS_io_uring_setup, ioctl = SYS_ioctl, bpf = SYS_bpf,
    perf_event_open = SYS_perf_event_open, userfaultfd = SYS_userfaultfd, fanotify_init = SYS_fanotify_init,
    open_by_handle_at = SYS_open_by_handle_at, kexec_load = SYS_kexec_load, kexec_file_load = SYS_kexec_file_load,
    init_module = SYS_init_module, finit_module = SYS_finit_module, delete_module = SYS_delete_module, reboot = SYS_reboot,
    syslog = SYS_syslog, acct = SYS_acct, settimeofday = SYS_settimeofday, clock_settime = SYS_clock_settime,
    adjtimex = SYS_adjtimex, clock_adjtime = SYS_clock_adjtime, sethostname = SYS_sethostname,
    setdomainname = SYS_setdomainname, mount = SYS_mount, umount = SYS_umount2, fsopen = SYS_fsopen, fspick = SYS_fspick,
    fsconfig = SYS_fsconfig, fsmount = SYS_fsmount, move_mount = SYS_move_mount, open_tree = SYS_open_tree,
    mount_setattr = SYS_mount_setattr, pivot_root = SYS_pivot_root, swapon = SYS_swapon, swapoff = SYS_swapoff,
    quotactl = SYS_quotactl, quotactl_fd = SYS_quotactl_fd, kill = SYS_kill, tkill = SYS_tkill, tgkill = SYS_tgkill,
    rt_sigqueueinfo = SYS_rt_sigqueueinfo, rt_tgsigqueueinfo = SYS_rt_tgsigqueueinfo, pidfd_open = SYS_pidfd_open,
    ptrace = SYS_ptrace, process_vm_readv = SYS_process_vm_readv, process_vm_writev = SYS_process_vm_writev,
    setpriority = SYS_setpriority, ioprio_set = SYS_ioprio_set, prlimit = SYS_prlimit64,
    sched_setaffinity = SYS_sched_setaffinity, sched_setscheduler = SYS_sched_setscheduler,
    sched_setparam = SYS_sched_setparam, sched_setattr = SYS_sched_setattr, migrate_pages = SYS_migrate_pages,
    move_pages = SYS_move_pages, connect = SYS_connect, sendto = SYS_sendto, sendmsg = SYS_sendmsg, sendmmsg = SYS_sendmmsg,
    vhangup = SYS_vhangup, timerfd_create = SYS_timerfd_create, timer_create = SYS_timer_create,
    open = SYS_openat, open = SYS_openat2,
}

/// What a call is called.
pub(super) fn name(number: i64, foreign: bool) -> &'static str {
    if foreign {
        return "foreign call";
    }
    #[cfg(target_arch = "x86_64")]
    match number {
        libc::SYS_open | libc::SYS_creat => return "open",
        libc::SYS_iopl => return "iopl",
        libc::SYS_ioperm => return "ioperm",
        _ => {}
    }
    match number {
        OPEN_TREE_ATTR => "open_tree_attr",
        _ => NAMES.iter().find(|(its, _)| *its == number).map_or("unknown call", |(_, name)| *name),
    }
}

/// The namespaces that flags of clone(2) ask for, in words.
pub(super) fn namespaces(flags: u64) -> String {
    let asked: Vec<&str> = [
        (libc::CLONE_NEWUSER, "user"),
        (libc::CLONE_NEWNS, "mount"),
        (libc::CLONE_NEWPID, "pid"),
        (libc::CLONE_NEWNET, "network"),
        (libc::CLONE_NEWIPC, "ipc"),
        (libc::CLONE_NEWUTS, "uts"),
        (libc::CLONE_NEWCGROUP, "cgroup"),
    ]
    .into_iter()
    .filter(|(flag, _)| flags & *flag as u64 != 0)
    .map(|(_, name)| name)
    .collect();
    format!("new namespaces: {}", asked.join(", "))
}

/// A socket of a kind that nobody gets.
pub(super) fn socket(caller: &Caller<'_>) -> Judged {
    let (family, protocol) = (caller.number(0), caller.number(2));
    match family {
        libc::AF_NETLINK => Judged::refuse(libc::EPROTONOSUPPORT, format!("netlink, protocol {protocol}")),
        libc::AF_INET | libc::AF_INET6 => {
            Judged::refuse(libc::EPROTONOSUPPORT, format!("protocol {protocol}"))
        }
        _ => Judged::refuse(libc::EAFNOSUPPORT, format!("family {}", family_name(family))),
    }
}

fn family_name(family: i32) -> String {
    let known = [
        (libc::AF_PACKET, "packet"),
        (libc::AF_VSOCK, "vsock"),
        (libc::AF_ALG, "alg"),
        (libc::AF_BLUETOOTH, "bluetooth"),
        (libc::AF_CAN, "can"),
        (libc::AF_TIPC, "tipc"),
        (libc::AF_XDP, "xdp"),
        (libc::AF_KEY, "key"),
    ];
    known
        .iter()
        .find(|(its, _)| *its == family)
        .map_or_else(|| family.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_names() {
        assert_eq!(name(libc::SYS_connect, false), "connect");
        assert_eq!(name(libc::SYS_connect, true), "foreign call");
        assert_eq!(name(OPEN_TREE_ATTR, false), "open_tree_attr");
        assert_eq!(
            namespaces((libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64),
            "new namespaces: user, mount"
        );
    }
}
