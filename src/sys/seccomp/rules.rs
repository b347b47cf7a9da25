//! The table of the filter: which calls are not simply let through, and what becomes of them.

use libc::{c_long, c_uint};

/// Something that must hold of a call's argument, of which the low half counts where nothing else is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    /// Some of these bits are set in that argument.
    Has(u32, c_uint),
    /// That argument, masked, is one of these.
    OneOf(u32, c_uint, &'static [c_uint]),
    /// That argument, masked, is none of these.
    NoneOf(u32, c_uint, &'static [c_uint]),
    /// Any bit of that argument is set, also in its high half.
    Some(u32),
}

/// What becomes of a call that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gets that error, and nobody hears of it.
    Refuse(i32),
    /// The supervisor is asked. Where nobody can be asked it gets that error, or is let through where there is none: then
    /// namespaces and capabilities are what holds it, and only the report is missing.
    Ask(Option<i32>),
}

/// A call, what must hold of its arguments, and what becomes of it then. The first rule that matches decides.
pub(super) struct Rule(pub(super) c_long, pub(super) &'static [Test], pub(super) Verdict);

const FAMILIES: &[c_uint] =
    &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];
const INTERNET: &[c_uint] = &[libc::AF_INET as u32, libc::AF_INET6 as u32];
const NETLINK: &[c_uint] = &[libc::AF_NETLINK as u32];
const NETLINK_ROUTE: c_uint = 0;
const NETLINK_AUDIT: c_uint = 9;
/// What every kernel has built in: ICMP, TCP, UDP, ICMPv6, UDP-Lite, raw, MPTCP. For others it loads modules.
const PROTOCOLS: &[c_uint] = &[0, 1, 6, 17, 58, 136, 255, 262];
const RAW: &[c_uint] = &[libc::SOCK_RAW as u32];
/// Every namespace but those of time, whose bit means something else to clone(2).
const NAMESPACES: c_uint = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as c_uint;
const USER: c_uint = libc::CLONE_NEWUSER as c_uint;
const ATTACH: &[c_uint] = &[libc::PTRACE_ATTACH, libc::PTRACE_SEIZE];
const TYPING: &[c_uint] = &[libc::TIOCSTI as u32, libc::TIOCLINUX as u32];
const ALARMS: &[c_uint] = &[libc::CLOCK_REALTIME_ALARM as u32, libc::CLOCK_BOOTTIME_ALARM as u32];
/// Reading the kernel's log, and its size.
const LOG_READS: &[c_uint] = &[2, 3, 9, 10];
/// This process itself, its group, everybody: none of them leaves the pid namespace.
const OWN: &[c_uint] = &[0, u32::MAX];
const WRITES: c_uint = (libc::O_WRONLY | libc::O_RDWR) as c_uint;
/// `open_tree_attr(2)`, of Linux 6.15, which libc does not know yet.
const SYS_OPEN_TREE_ATTR: c_long = 467;

use Test::{Has, NoneOf, OneOf};

const ALL: c_uint = c_uint::MAX;

const fn refuse(errno: i32) -> Verdict {
    Verdict::Refuse(errno)
}

/// Asked; where nobody can be asked, refused.
const fn ask_or(errno: i32) -> Verdict {
    Verdict::Ask(Some(errno))
}

/// Asked; where nobody can be asked, let through: something else stops it.
const ASK: Verdict = Verdict::Ask(None);

/// The rules that every architecture has.
pub(super) const RULES: &[Rule] = &[
    // A user namespace gives every capability back, over objects of the host that no namespace holds (cgroups). The others
    // fail for want of a capability.
    Rule(libc::SYS_unshare, &[Has(0, USER)], ask_or(libc::EPERM)),
    Rule(libc::SYS_unshare, &[Has(0, NAMESPACES)], ASK),
    Rule(libc::SYS_clone, &[Has(0, USER)], ask_or(libc::EPERM)),
    Rule(libc::SYS_clone, &[Has(0, NAMESPACES)], ASK),
    // Its flags lie in memory, which a filter cannot see; the C library falls back to clone.
    Rule(libc::SYS_clone3, &[], refuse(libc::ENOSYS)),
    Rule(libc::SYS_setns, &[], ask_or(libc::EPERM)),
    // Keyrings belong to users, not to namespaces, and outlive the step. Every log-in looks for one: nothing to tell.
    Rule(libc::SYS_keyctl, &[], refuse(libc::ENOSYS)),
    Rule(libc::SYS_add_key, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_request_key, &[], ask_or(libc::ENOSYS)),
    // The audit log is the host's; programs take this answer for a kernel without one, and every log-in asks.
    Rule(
        libc::SYS_socket,
        &[OneOf(0, ALL, NETLINK), OneOf(2, ALL, &[NETLINK_AUDIT])],
        refuse(libc::EPROTONOSUPPORT),
    ),
    // Other protocols of netlink load modules into the kernel.
    Rule(
        libc::SYS_socket,
        &[OneOf(0, ALL, NETLINK), NoneOf(2, ALL, &[NETLINK_ROUTE])],
        ask_or(libc::EPROTONOSUPPORT),
    ),
    // Other families reach past the network namespace (vsock); they and other protocols load modules into the kernel.
    Rule(libc::SYS_socket, &[NoneOf(0, ALL, FAMILIES)], ask_or(libc::EAFNOSUPPORT)),
    Rule(libc::SYS_socketpair, &[NoneOf(0, ALL, FAMILIES)], ask_or(libc::EAFNOSUPPORT)),
    Rule(
        libc::SYS_socket,
        &[OneOf(0, ALL, INTERNET), NoneOf(1, 0xf, RAW), NoneOf(2, ALL, PROTOCOLS)],
        ask_or(libc::EPROTONOSUPPORT),
    ),
    // What is asked of a ring passes no filter.
    Rule(libc::SYS_io_uring_setup, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_io_uring_enter, &[], refuse(libc::ENOSYS)),
    Rule(libc::SYS_io_uring_register, &[], refuse(libc::ENOSYS)),
    // Typing into a terminal that belongs to somebody else.
    Rule(libc::SYS_ioctl, &[OneOf(1, ALL, TYPING)], ask_or(libc::EPERM)),
    // The kernel itself: programs in it, its counters, its new images, its modules, its log.
    Rule(libc::SYS_bpf, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_perf_event_open, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_userfaultfd, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_fanotify_init, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_open_by_handle_at, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_kexec_load, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_kexec_file_load, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_init_module, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_finit_module, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_delete_module, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_reboot, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_syslog, &[NoneOf(0, ALL, LOG_READS)], ASK),
    Rule(libc::SYS_acct, &[], ASK),
    Rule(libc::SYS_vhangup, &[], ask_or(libc::EPERM)),
    // Clock and names; and the clocks that wake the machine.
    Rule(libc::SYS_timerfd_create, &[OneOf(0, ALL, ALARMS)], ask_or(libc::EPERM)),
    Rule(libc::SYS_timer_create, &[OneOf(0, ALL, ALARMS)], ask_or(libc::EPERM)),
    Rule(libc::SYS_settimeofday, &[], ASK),
    Rule(libc::SYS_clock_settime, &[], ASK),
    Rule(libc::SYS_adjtimex, &[], ASK),
    Rule(libc::SYS_clock_adjtime, &[], ASK),
    Rule(libc::SYS_sethostname, &[], ASK),
    Rule(libc::SYS_setdomainname, &[], ASK),
    // What is mounted. The newer calls do not exist for whoever asks, and programs fall back to mount(2).
    Rule(libc::SYS_mount, &[], ASK),
    Rule(libc::SYS_umount2, &[], ASK),
    Rule(libc::SYS_fsopen, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_fspick, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_fsconfig, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_fsmount, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_move_mount, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_open_tree, &[], ask_or(libc::ENOSYS)),
    Rule(SYS_OPEN_TREE_ATTR, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_mount_setattr, &[], ask_or(libc::ENOSYS)),
    Rule(libc::SYS_pivot_root, &[], ASK),
    Rule(libc::SYS_swapon, &[], ASK),
    Rule(libc::SYS_swapoff, &[], ASK),
    Rule(libc::SYS_quotactl, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_quotactl_fd, &[], ask_or(libc::EPERM)),
    // Processes: whose number is one of the host's and none of the sandbox's.
    Rule(libc::SYS_kill, &[NoneOf(0, ALL, OWN)], ASK),
    Rule(libc::SYS_tkill, &[], ASK),
    Rule(libc::SYS_tgkill, &[], ASK),
    Rule(libc::SYS_rt_sigqueueinfo, &[], ASK),
    Rule(libc::SYS_rt_tgsigqueueinfo, &[], ASK),
    Rule(libc::SYS_pidfd_open, &[], ASK),
    Rule(libc::SYS_ptrace, &[OneOf(0, ALL, ATTACH)], ASK),
    Rule(libc::SYS_process_vm_readv, &[], ASK),
    Rule(libc::SYS_process_vm_writev, &[], ASK),
    Rule(libc::SYS_setpriority, &[NoneOf(1, ALL, &[0])], ASK),
    Rule(libc::SYS_ioprio_set, &[NoneOf(1, ALL, &[0])], ASK),
    Rule(libc::SYS_prlimit64, &[NoneOf(0, ALL, &[0])], ASK),
    Rule(libc::SYS_sched_setaffinity, &[NoneOf(0, ALL, &[0])], ASK),
    Rule(libc::SYS_sched_setscheduler, &[NoneOf(0, ALL, &[0])], ASK),
    Rule(libc::SYS_sched_setparam, &[NoneOf(0, ALL, &[0])], ASK),
    Rule(libc::SYS_sched_setattr, &[NoneOf(0, ALL, &[0])], ASK),
    Rule(libc::SYS_migrate_pages, &[NoneOf(0, ALL, &[0])], ASK),
    Rule(libc::SYS_move_pages, &[NoneOf(0, ALL, &[0])], ASK),
    // Whom it talks to.
    Rule(libc::SYS_connect, &[], ASK),
    Rule(libc::SYS_sendto, &[Test::Some(4)], ASK),
    Rule(libc::SYS_sendmsg, &[], ASK),
    Rule(libc::SYS_sendmmsg, &[], ASK),
    // What it opens to write: device nodes, FIFOs, files of the kernel.
    Rule(libc::SYS_openat, &[Has(2, WRITES)], ASK),
    Rule(libc::SYS_openat2, &[], ASK),
];

/// Those that only this architecture has.
#[cfg(target_arch = "x86_64")]
pub(super) const MORE: &[Rule] = &[
    Rule(libc::SYS_open, &[Has(1, WRITES)], ASK),
    Rule(libc::SYS_creat, &[], ASK),
    Rule(libc::SYS_iopl, &[], ask_or(libc::EPERM)),
    Rule(libc::SYS_ioperm, &[], ask_or(libc::EPERM)),
];
/// Those that only this architecture has.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const MORE: &[Rule] = &[];
