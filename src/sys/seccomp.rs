//! The filter of system calls that a step runs under: it closes what namespaces and capabilities leave open, and has the
//! supervisor asked about what they stop, so that it can be reported.
//!
//! A classic BPF program (seccomp(2)) that lets everything through but a list of calls. It is installed while CAP_SYS_ADMIN is
//! held, so set-id programs go on working.
#![allow(unsafe_code)] // seccomp(2) has no safe form

use std::io;

mod rules;

use std::os::fd::{FromRawFd, OwnedFd};

use rules::{MORE, RULES, Rule, Test, Verdict};

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

/// Who hears of the calls that rules ask about.
#[derive(Debug)]
pub enum Reporter {
    /// Whoever reads this.
    Listener(OwnedFd),
    /// Nobody: this process was under a filter with a listener of somebody else's already, and the kernel allows one.
    Nobody,
}

/// Puts this process, and whatever it starts, under the filter.
pub fn restrict() -> io::Result<Reporter> {
    #[cfg(debug_assertions)]
    if door::IS_OPEN.load(std::sync::atomic::Ordering::Relaxed) {
        return Ok(Reporter::Nobody);
    }
    let listening = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // So that a signal to whoever waits for an answer does not make the call be asked about twice (Linux 5.19).
    let wanted = [listening | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listening];
    for flags in wanted {
        match install(&program(true), flags) {
            Ok(listener) => {
                let number = i32::try_from(listener).map_err(io::Error::other)?;
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
                return Ok(Reporter::Listener(unsafe { OwnedFd::from_raw_fd(number) }));
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINVAL) => {}
                Some(libc::EBUSY) => break,
                _ => return Err(error),
            },
        }
    }
    install(&program(false), 0).map(|_| Reporter::Nobody)
}

/// Installs a program; returns what the kernel does.
fn install(program: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        // The kernel reads it alone.
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the program and the struct that points to it live until the call ends; the kernel copies them.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) }
    {
        -1 => Err(io::Error::last_os_error()),
        done => Ok(done),
    }
}

/// A way past the filter, for tests that show what the other walls hold without it. No release build has it.
#[cfg(debug_assertions)]
pub mod door {
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) static IS_OPEN: AtomicBool = AtomicBool::new(false);

    /// Whether a test asks for it.
    pub fn is_asked_for() -> bool {
        std::env::var_os("DISCO_TEST_NO_FILTER").is_some()
    }

    /// Leaves the filter out in this process, and in those that it forks.
    pub fn open() {
        IS_OPEN.store(true, Ordering::Relaxed);
    }
}

/// The filter; `asking` says whether somebody hears what is asked.
fn program(asking: bool) -> Vec<libc::sock_filter> {
    let foreign = decided(Verdict::Ask(Some(libc::ENOSYS)), asking);
    let mut program = vec![
        load(ARCHITECTURE),
        jump(libc::BPF_JEQ, ARCH, 1, 0),
        foreign,
        load(NUMBER),
        jump(libc::BPF_JGE, X32, 0, 1),
        foreign,
    ];
    for Rule(number, tests, verdict) in RULES.iter().chain(MORE) {
        let body = body(tests, decided(*verdict, asking));
        // A body is a handful of instructions, and a call's number fits 32 bits.
        program.extend([load(NUMBER), jump(libc::BPF_JEQ, *number as u32, 0, body.len() as u8)]);
        program.extend(body);
    }
    program.push(instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    program
}

/// In a body: to where it ends.
const OUT: u8 = u8::MAX;

/// Instructions that end with `decided` where all tests hold, and leave the rule where one does not.
fn body(tests: &[Test], decided: libc::sock_filter) -> Vec<libc::sock_filter> {
    let mut body = Vec::new();
    for test in tests {
        match *test {
            Test::Has(index, bits) => {
                body.extend([load(argument(index)), jump(libc::BPF_JSET, bits, 0, OUT)])
            }
            Test::Some(index) => body.extend([
                load(argument(index)),
                jump(libc::BPF_JEQ, 0, 0, 2),
                load(argument(index) + 4),
                jump(libc::BPF_JEQ, 0, OUT, 0),
            ]),
            Test::OneOf(index, mask, values) => {
                body.extend([load(argument(index)), and(mask)]);
                let last = values.len().saturating_sub(1);
                body.extend(values.iter().enumerate().map(|(at, value)| {
                    // The last one that is not it leaves; any other that is it goes past those that are left.
                    jump(libc::BPF_JEQ, *value, (last - at) as u8, if at == last { OUT } else { 0 })
                }));
            }
            Test::NoneOf(index, mask, values) => {
                body.extend([load(argument(index)), and(mask)]);
                body.extend(values.iter().map(|value| jump(libc::BPF_JEQ, *value, OUT, 0)));
            }
        }
    }
    body.push(decided);
    let length = body.len();
    for (at, step) in body.iter_mut().enumerate() {
        let out = (length - at - 1) as u8;
        step.jt = if step.jt == OUT { out } else { step.jt };
        step.jf = if step.jf == OUT { out } else { step.jf };
    }
    body
}

/// The end of a rule.
fn decided(verdict: Verdict, asking: bool) -> libc::sock_filter {
    let returned = match (verdict, asking) {
        (Verdict::Ask(_), true) => libc::SECCOMP_RET_USER_NOTIF,
        (Verdict::Refuse(errno) | Verdict::Ask(Some(errno)), _) => {
            libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
        }
        (Verdict::Ask(None), false) => libc::SECCOMP_RET_ALLOW,
    };
    instruction(libc::BPF_RET | libc::BPF_K, returned, 0, 0)
}

fn and(mask: u32) -> libc::sock_filter {
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, mask, 0, 0)
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, value, yes, no)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    // Codes are 16 bits wide by definition.
    libc::sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter returns for a call.
    fn judge(asking: bool, arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let program = program(asking);
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                loaded = match step.k {
                    NUMBER => number,
                    ARCHITECTURE => arch,
                    offset => (arguments[(offset as usize - 16) / 8] >> (8 * ((offset - 16) % 8))) as u32,
                };
            } else if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K {
                loaded &= step.k;
            } else if code == libc::BPF_RET | libc::BPF_K {
                return step.k;
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

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const ASKED: u32 = libc::SECCOMP_RET_USER_NOTIF;

    const fn error(errno: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
    }

    #[test]
    fn the_filter_asks_about_what_it_lists_and_nothing_else() {
        let user = libc::CLONE_NEWUSER as u64;
        let mount = libc::CLONE_NEWNS as u64;
        let (unix, inet, netlink) = (libc::AF_UNIX as u64, libc::AF_INET as u64, libc::AF_NETLINK as u64);
        let cloexec = libc::SOCK_CLOEXEC as u64;
        for (number, arguments, asking, not) in [
            (libc::SYS_read, [0; 6], ALLOW, ALLOW),
            (libc::SYS_unshare, [user | mount, 0, 0, 0, 0, 0], ASKED, error(libc::EPERM)),
            (libc::SYS_unshare, [mount, 0, 0, 0, 0, 0], ASKED, ALLOW),
            (libc::SYS_unshare, [libc::CLONE_FS as u64, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_clone, [user, 0, 0, 0, 0, 0], ASKED, error(libc::EPERM)),
            (libc::SYS_clone3, [0; 6], error(libc::ENOSYS), error(libc::ENOSYS)),
            (libc::SYS_keyctl, [0; 6], error(libc::ENOSYS), error(libc::ENOSYS)),
            (libc::SYS_socket, [unix, 1, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_socket, [libc::AF_INET6 as u64, 1 | cloexec, 6, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_socket, [inet, 1, 132, 0, 0, 0], ASKED, error(libc::EPROTONOSUPPORT)),
            (libc::SYS_socket, [inet, 3 | cloexec, 132, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_socket, [netlink, 3, 0, 0, 0, 0], ALLOW, ALLOW),
            (
                libc::SYS_socket,
                [netlink, 3, 9, 0, 0, 0],
                error(libc::EPROTONOSUPPORT),
                error(libc::EPROTONOSUPPORT),
            ),
            (libc::SYS_socket, [netlink, 3, 12, 0, 0, 0], ASKED, error(libc::EPROTONOSUPPORT)),
            (libc::SYS_socket, [inet, 3, 9, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_socket, [libc::AF_VSOCK as u64, 1, 0, 0, 0, 0], ASKED, error(libc::EAFNOSUPPORT)),
            (libc::SYS_socketpair, [unix, 1, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0], ASKED, error(libc::EPERM)),
            (libc::SYS_ioctl, [0, libc::TCGETS, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_quotactl, [0; 6], ASKED, error(libc::EPERM)),
            (libc::SYS_kill, [0, 15, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_kill, [u64::from(u32::MAX), 15, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_kill, [812, 15, 0, 0, 0, 0], ASKED, ALLOW),
            (libc::SYS_sendto, [3, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_sendto, [3, 0, 0, 0, 1 << 32, 16], ASKED, ALLOW),
            (libc::SYS_sendto, [3, 0, 0, 0, 16, 16], ASKED, ALLOW),
            (libc::SYS_openat, [0, 0, libc::O_CLOEXEC as u64, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_openat, [0, 0, libc::O_RDWR as u64, 0, 0, 0], ASKED, ALLOW),
            (libc::SYS_syslog, [3, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            (libc::SYS_syslog, [5, 0, 0, 0, 0, 0], ASKED, ALLOW),
            (libc::SYS_execve, [0; 6], ALLOW, ALLOW),
        ] {
            assert_eq!(judge(true, ARCH, number as u32, arguments), asking, "{number} {arguments:?}");
            assert_eq!(
                judge(false, ARCH, number as u32, arguments),
                not,
                "{number} {arguments:?} without a listener"
            );
        }
        for (arch, number) in [(ARCH, X32 + 1), (0x4000_0003, libc::SYS_read as u32)] {
            assert_eq!(judge(true, arch, number, [0; 6]), ASKED);
            assert_eq!(judge(false, arch, number, [0; 6]), error(libc::ENOSYS));
        }
    }
}
