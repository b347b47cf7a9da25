//! The filter of system calls that a step runs under: it closes what namespaces and capabilities leave open.
//!
//! A classic BPF program (seccomp(2)) that lets everything through but a list of calls, which get an error that programs
//! know how to live with. It is installed while CAP_SYS_ADMIN is held, so set-id programs go on working.
#![allow(unsafe_code)] // prctl(2) with a pointer to a program has no safe form

use std::io;

/// What of a call's argument makes a rule match.
#[derive(Debug, Clone, Copy)]
enum Argument {
    Any,
    /// Some of these bits are set in the low half of that argument.
    Has(u32, u32),
    /// The low half of that argument is this.
    Is(u32, u32),
    /// The low half of that argument is none of these.
    IsNone(u32, &'static [u32]),
    /// The first argument is the one value and the third the other.
    FirstAndThird(u32, u32),
}

struct Rule(libc::c_long, Argument, i32);

const AF: &[u32] =
    &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];
const NETLINK_AUDIT: u32 = 9;

/// The calls that are refused, each with why it is no wall's business elsewhere.
const RULES: [Rule; 26] = [
    // A user namespace gives every capability back, over objects of the host that no namespace holds (cgroups).
    Rule(libc::SYS_unshare, Argument::Has(0, libc::CLONE_NEWUSER as u32), libc::EPERM),
    Rule(libc::SYS_clone, Argument::Has(0, libc::CLONE_NEWUSER as u32), libc::EPERM),
    // Its flags lie in memory, which a filter cannot see; the C library falls back to clone.
    Rule(libc::SYS_clone3, Argument::Any, libc::ENOSYS),
    Rule(libc::SYS_setns, Argument::Any, libc::EPERM),
    // Keyrings belong to users, not to namespaces, and outlive the step.
    Rule(libc::SYS_add_key, Argument::Any, libc::ENOSYS),
    Rule(libc::SYS_request_key, Argument::Any, libc::ENOSYS),
    Rule(libc::SYS_keyctl, Argument::Any, libc::ENOSYS),
    // Other families reach past the network namespace (vsock), or load modules into the kernel.
    Rule(libc::SYS_socket, Argument::IsNone(0, AF), libc::EAFNOSUPPORT),
    Rule(libc::SYS_socketpair, Argument::IsNone(0, AF), libc::EAFNOSUPPORT),
    // The audit log is the host's; programs take this answer for a kernel without one.
    Rule(
        libc::SYS_socket,
        Argument::FirstAndThird(libc::AF_NETLINK as u32, NETLINK_AUDIT),
        libc::EPROTONOSUPPORT,
    ),
    // What is asked of a ring passes no filter.
    Rule(libc::SYS_io_uring_setup, Argument::Any, libc::ENOSYS),
    Rule(libc::SYS_io_uring_enter, Argument::Any, libc::ENOSYS),
    Rule(libc::SYS_io_uring_register, Argument::Any, libc::ENOSYS),
    // Typing into a terminal that belongs to somebody else.
    Rule(libc::SYS_ioctl, Argument::Is(1, libc::TIOCSTI as u32), libc::EPERM),
    Rule(libc::SYS_ioctl, Argument::Is(1, libc::TIOCLINUX as u32), libc::EPERM),
    // The kernel itself: programs in it, its counters, its new images, its modules.
    Rule(libc::SYS_bpf, Argument::Any, libc::EPERM),
    Rule(libc::SYS_perf_event_open, Argument::Any, libc::EPERM),
    Rule(libc::SYS_userfaultfd, Argument::Any, libc::EPERM),
    Rule(libc::SYS_fanotify_init, Argument::Any, libc::EPERM),
    Rule(libc::SYS_open_by_handle_at, Argument::Any, libc::EPERM),
    Rule(libc::SYS_kexec_load, Argument::Any, libc::EPERM),
    Rule(libc::SYS_init_module, Argument::Any, libc::EPERM),
    Rule(libc::SYS_finit_module, Argument::Any, libc::EPERM),
    Rule(libc::SYS_delete_module, Argument::Any, libc::EPERM),
    Rule(libc::SYS_reboot, Argument::Any, libc::EPERM),
    Rule(libc::SYS_quotactl, Argument::Any, libc::EPERM),
];

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Numbers from here on are those of the x32 ABI, which is the same architecture under other numbers.
const X32: u32 = 0x4000_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// Puts this process, and whatever it starts, under the filter.
pub fn restrict() -> io::Result<()> {
    let mut program = program();
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program and the struct that points to it live until the call ends; the kernel copies them.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn program() -> Vec<libc::sock_filter> {
    let mut program = vec![
        load(ARCHITECTURE),
        jump(libc::BPF_JEQ, ARCH, 1, 0),
        refuse(libc::ENOSYS),
        load(NUMBER),
        jump(libc::BPF_JGE, X32, 0, 1),
        refuse(libc::ENOSYS),
    ];
    for Rule(number, wanted, errno) in &RULES {
        let mut body = tests(wanted);
        body.push(refuse(*errno));
        // A body is a handful of instructions, and a call's number fits 32 bits.
        program.extend([load(NUMBER), jump(libc::BPF_JEQ, *number as u32, 0, body.len() as u8)]);
        program.extend(body);
    }
    program.push(instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    program
}

/// Instructions that fall through where the argument is as wanted, and leave the rule (one further) where not.
fn tests(wanted: &Argument) -> Vec<libc::sock_filter> {
    match *wanted {
        Argument::Any => vec![],
        Argument::Has(index, bits) => vec![load(argument(index)), jump(libc::BPF_JSET, bits, 0, 1)],
        Argument::Is(index, value) => vec![load(argument(index)), jump(libc::BPF_JEQ, value, 0, 1)],
        Argument::IsNone(index, values) => {
            let left = |at: usize| (values.len() - at) as u8;
            let tests = values.iter().enumerate().map(|(at, value)| jump(libc::BPF_JEQ, *value, left(at), 0));
            std::iter::once(load(argument(index))).chain(tests).collect()
        }
        Argument::FirstAndThird(first, third) => vec![
            load(argument(0)),
            jump(libc::BPF_JEQ, first, 0, 3),
            load(argument(2)),
            jump(libc::BPF_JEQ, third, 0, 1),
        ],
    }
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, value, yes, no)
}

fn refuse(errno: i32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno.unsigned_abs(), 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    // Codes are 16 bits wide by definition.
    libc::sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says of a call: `None` lets it through.
    fn judge(arch: u32, number: u32, arguments: [u32; 3]) -> Option<i32> {
        let program = program();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                loaded = match step.k {
                    NUMBER => number,
                    ARCHITECTURE => arch,
                    offset => arguments[(offset as usize - 16) / 8],
                };
            } else if code == libc::BPF_RET | libc::BPF_K {
                return (step.k != libc::SECCOMP_RET_ALLOW).then_some((step.k & 0xffff) as i32);
            } else {
                let yes = match code & 0xf0 {
                    libc::BPF_JEQ => loaded == step.k,
                    libc::BPF_JGE => loaded >= step.k,
                    libc::BPF_JSET => loaded & step.k != 0,
                    other => panic!("no such jump: {other:x}"),
                };
                at += usize::from(if yes { step.jt } else { step.jf });
            }
        }
    }

    #[test]
    fn the_filter_refuses_what_it_lists_and_nothing_else() {
        let user = libc::CLONE_NEWUSER as u32;
        for (number, arguments, expected) in [
            (libc::SYS_read, [0; 3], None),
            (libc::SYS_unshare, [user | libc::CLONE_NEWNS as u32, 0, 0], Some(libc::EPERM)),
            (libc::SYS_unshare, [libc::CLONE_FS as u32, 0, 0], None),
            (libc::SYS_clone, [libc::SIGCHLD as u32, 0, 0], None),
            (libc::SYS_clone, [user, 0, 0], Some(libc::EPERM)),
            (libc::SYS_clone3, [0; 3], Some(libc::ENOSYS)),
            (libc::SYS_keyctl, [0; 3], Some(libc::ENOSYS)),
            (libc::SYS_socket, [libc::AF_UNIX as u32, 1, 0], None),
            (libc::SYS_socket, [libc::AF_INET6 as u32, 1, 0], None),
            (libc::SYS_socket, [libc::AF_NETLINK as u32, 3, 0], None),
            (libc::SYS_socket, [libc::AF_NETLINK as u32, 3, NETLINK_AUDIT], Some(libc::EPROTONOSUPPORT)),
            (libc::SYS_socket, [libc::AF_INET as u32, 3, NETLINK_AUDIT], None),
            (libc::SYS_socket, [libc::AF_VSOCK as u32, 1, 0], Some(libc::EAFNOSUPPORT)),
            (libc::SYS_socketpair, [libc::AF_UNIX as u32, 1, 0], None),
            (libc::SYS_ioctl, [0, libc::TIOCSTI as u32, 0], Some(libc::EPERM)),
            (libc::SYS_ioctl, [0, libc::TCGETS as u32, 0], None),
            (libc::SYS_quotactl, [0; 3], Some(libc::EPERM)),
            (libc::SYS_execve, [0; 3], None),
        ] {
            assert_eq!(judge(ARCH, number as u32, arguments), expected, "{number} {arguments:?}");
        }
        assert_eq!(judge(ARCH, X32 + 1, [0; 3]), Some(libc::ENOSYS));
        assert_eq!(judge(0x4000_0003, libc::SYS_read as u32, [0; 3]), Some(libc::ENOSYS));
    }
}
