//! Decides about the calls that the filter asks about: what is told of each, and what it is answered.
//!
//! That a call goes on here is no wall: whoever calls could change what it points to meanwhile. Whatever goes on is harmless
//! already, by namespaces, capabilities and mounts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::model::attempt::Answer;
use crate::sys::notify::{self, Notice, Reply};
use crate::sys::tree::Root;
use crate::sys::{inspect, signals};

/// What a judge knows of the sandbox.
#[derive(Debug)]
pub(super) struct Judge {
    /// The root that the sandbox shows.
    pub(super) lower: Root,
    /// What was changed of it, in this sandbox and in one that it lies upon.
    pub(super) uppers: Vec<Root>,
    /// Whether steps have the host's network.
    pub(super) shares_network: bool,
    /// Whether writes to the kernel's files are taken by somebody who pretends them and tells.
    pub(super) pretends_knobs: bool,
    /// The number above which the sandbox's processes are, where one could be chosen.
    pub(super) pids_above: Option<u32>,
    /// Processes of the host that were told to end.
    pub(super) ended: Mutex<BTreeSet<i32>>,
}

/// What is decided about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// What it is answered.
    pub(super) reply: Reply,
    /// What is told of it, if anything.
    pub(super) tell: Option<Tell>,
}

/// What is told of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tell {
    /// It was tried.
    Attempt {
        /// On what.
        target: String,
        /// What whoever tried was told.
        answer: Answer,
    },
    /// It is an effect that a command has too.
    Effect {
        /// What it acts on.
        kind: EffectKind,
        /// What of that kind.
        target: String,
        /// The command.
        argv: Vec<String>,
        /// What the rest of the run is to find done.
        deed: Deed,
    },
}

impl Judged {
    /// Nothing to tell: it goes on.
    pub(super) fn pass() -> Judged {
        Judged { reply: Reply::Continue, tell: None }
    }

    /// That was tried.
    pub(super) fn told(reply: Reply, target: String, answer: Answer) -> Judged {
        Judged { reply, tell: Some(Tell::Attempt { target, answer }) }
    }

    /// It goes on, and fails as it would.
    pub(super) fn fails(target: String) -> Judged {
        Judged::told(Reply::Continue, target, Answer::Refused)
    }

    /// It gets that error.
    pub(super) fn refuse(errno: i32, target: impl Into<String>) -> Judged {
        Judged::told(Reply::Error(errno), target.into(), Answer::Refused)
    }

    /// It is told that it was done.
    pub(super) fn pretend(target: impl Into<String>) -> Judged {
        Judged::told(Reply::Value(0), target.into(), Answer::Pretended)
    }

    /// It is told that it was done, and that command does it after a merge.
    pub(super) fn act(kind: EffectKind, target: impl Into<String>, argv: &[&str]) -> Judged {
        let (argv, target) = (argv.iter().map(|word| (*word).to_owned()).collect(), target.into());
        Judged { reply: Reply::Value(0), tell: Some(Tell::Effect { kind, target, argv, deed: Deed::Other }) }
    }

    /// The same, with what the rest of the run is to find done.
    pub(super) fn doing(mut self, done: Deed) -> Judged {
        if let Some(Tell::Effect { deed, .. }) = &mut self.tell {
            *deed = done;
        }
        self
    }
}

/// Whoever calls, and with what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a>(pub(super) &'a Notice);

impl Caller<'_> {
    pub(super) fn pid(&self) -> i32 {
        self.0.pid
    }

    pub(super) fn argument(&self, index: usize) -> u64 {
        self.0.arguments.get(index).copied().unwrap_or(0)
    }

    /// The low half of an argument, as a signed number.
    pub(super) fn number(&self, index: usize) -> i32 {
        self.argument(index) as u32 as i32
    }

    /// The path that an argument points to; `None` where it points nowhere, or to nothing.
    pub(super) fn path(&self, at: u64) -> Option<PathBuf> {
        let text = notify::text(self.pid(), at).ok().filter(|text| !text.is_empty())?;
        Some(inspect::path(text))
    }

    /// The text that an argument points to, for a report; `?` where it cannot be read.
    pub(super) fn words(&self, index: usize) -> String {
        self.path(self.argument(index)).map_or_else(|| "?".to_owned(), |path| inspect::words(&path))
    }

    /// A path from its root on: a relative one starts at that descriptor, or where whoever calls is.
    pub(super) fn absolute(&self, at: Option<u64>, path: &Path) -> PathBuf {
        if path.is_absolute() {
            return path.to_owned();
        }
        let start = match at.map(|at| at as u32 as i32) {
            Some(descriptor) if descriptor >= 0 => inspect::descriptor(self.pid(), descriptor),
            Some(_) | None => inspect::folder(self.pid()),
        };
        start.unwrap_or_else(|_| PathBuf::from("/")).join(path)
    }

    /// What one of its descriptors is, in words.
    pub(super) fn descriptor(&self, index: usize) -> String {
        inspect::descriptor(self.pid(), self.number(index))
            .map_or_else(|_| "?".to_owned(), |path| inspect::words(&path))
    }
}

impl Judge {
    /// Decides about a call. What is pretended, or becomes an effect that root makes, is so for root alone: to others the
    /// kernel would say no. Only a signal to a process of its own is anybody's to send.
    pub(super) fn judge(&self, notice: &Notice) -> Judged {
        let judged = self.of_root(notice);
        let Some(tell) = judged.tell.as_ref().filter(|_| judged.reply == Reply::Value(0)) else {
            return judged;
        };
        let user = inspect::user(notice.pid).ok();
        if user == Some(0) || (user.is_some() && user == self.signalled(&Caller(notice))) {
            return judged;
        }
        let target = match tell {
            Tell::Attempt { target, .. } | Tell::Effect { target, .. } => target.clone(),
        };
        Judged::refuse(libc::EPERM, target)
    }

    /// Decides about a call as if root made it.
    fn of_root(&self, notice: &Notice) -> Judged {
        let caller = Caller(notice);
        if notice.foreign {
            return Judged::refuse(libc::ENOSYS, format!("call {} of another architecture", notice.number));
        }
        let flags = |index| caller.argument(index);
        match notice.number {
            libc::SYS_openat => self.open(&caller, Some(flags(0)), flags(1), flags(2)),
            // Its flags lie in memory: struct open_how begins with them.
            libc::SYS_openat2 => {
                let how = notify::memory(caller.pid(), flags(2), 8).unwrap_or_default();
                let how = how.first_chunk::<8>().map_or(0, |how| u64::from_ne_bytes(*how));
                match how & (libc::O_WRONLY | libc::O_RDWR) as u64 {
                    0 => Judged::pass(),
                    _ => self.open(&caller, Some(flags(0)), flags(1), how),
                }
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => self.open(&caller, None, flags(0), flags(1)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_creat => self.open(&caller, None, flags(0), libc::O_CREAT as u64),
            libc::SYS_connect => self.talk(&caller, flags(0), flags(1), flags(2), None),
            libc::SYS_sendto => self.talk(&caller, flags(0), flags(4), flags(5), Some(flags(1))),
            libc::SYS_sendmsg | libc::SYS_sendmmsg => self.message(&caller),
            libc::SYS_kill
            | libc::SYS_tkill
            | libc::SYS_tgkill
            | libc::SYS_rt_sigqueueinfo
            | libc::SYS_rt_tgsigqueueinfo
            | libc::SYS_pidfd_open
            | libc::SYS_ptrace
            | libc::SYS_process_vm_readv
            | libc::SYS_process_vm_writev
            | libc::SYS_setpriority
            | libc::SYS_ioprio_set
            | libc::SYS_prlimit64
            | libc::SYS_sched_setaffinity
            | libc::SYS_sched_setscheduler
            | libc::SYS_sched_setparam
            | libc::SYS_sched_setattr
            | libc::SYS_migrate_pages
            | libc::SYS_move_pages => self.process(&caller),
            _ => system(&caller),
        }
    }
}

/// Calls that act on the whole system, or that lead to powers which do.
fn system(caller: &Caller<'_>) -> Judged {
    match caller.0.number {
        libc::SYS_mount | libc::SYS_umount2 | libc::SYS_swapon | libc::SYS_swapoff => {
            super::mounts::judge(caller)
        }
        libc::SYS_fsopen => Judged::refuse(libc::ENOSYS, caller.words(0)),
        libc::SYS_fspick | libc::SYS_open_tree | libc::SYS_mount_setattr | super::calls::OPEN_TREE_ATTR => {
            Judged::refuse(libc::ENOSYS, caller.words(1))
        }
        libc::SYS_move_mount => Judged::refuse(libc::ENOSYS, caller.words(3)),
        libc::SYS_fsconfig | libc::SYS_fsmount => Judged::refuse(libc::ENOSYS, "a new file system"),
        libc::SYS_pivot_root => Judged::refuse(libc::EPERM, caller.words(0)),
        libc::SYS_unshare | libc::SYS_clone => {
            Judged::refuse(libc::EPERM, super::calls::namespaces(caller.argument(0)))
        }
        libc::SYS_setns => Judged::refuse(libc::EPERM, caller.descriptor(0)),
        libc::SYS_add_key | libc::SYS_request_key => {
            Judged::refuse(libc::ENOSYS, format!("{} {}", caller.words(0), caller.words(1)))
        }
        libc::SYS_socket | libc::SYS_socketpair => super::calls::socket(caller),
        libc::SYS_io_uring_setup => Judged::refuse(libc::ENOSYS, "a ring, whose calls nobody could see"),
        libc::SYS_ioctl => Judged::refuse(libc::EPERM, format!("typing into {}", caller.descriptor(0))),
        libc::SYS_reboot => power(caller),
        libc::SYS_init_module => Judged::pretend("a kernel module from memory"),
        libc::SYS_finit_module => {
            let file = caller.descriptor(0);
            Judged::act(EffectKind::KernelModule, file.clone(), &["insmod", &file])
        }
        libc::SYS_delete_module => {
            let name = caller.words(0);
            Judged::act(EffectKind::KernelModule, name.clone(), &["rmmod", &name])
                .doing(Deed::Module { name, loaded: false })
        }
        libc::SYS_sethostname => {
            let name = notify::memory(caller.pid(), caller.argument(0), caller.argument(1).min(64) as usize);
            let name = inspect::words(&inspect::path(name.unwrap_or_default()));
            Judged::act(EffectKind::HostName, name.clone(), &["hostname", &name]).doing(Deed::HostName(name))
        }
        libc::SYS_settimeofday => clock(caller, caller.argument(0)),
        libc::SYS_clock_settime => clock(caller, caller.argument(1)),
        libc::SYS_adjtimex => adjust(caller, caller.argument(0)),
        libc::SYS_clock_adjtime => adjust(caller, caller.argument(1)),
        libc::SYS_acct => match caller.argument(0) {
            0 => Judged::act(EffectKind::Setting, "accounting", &["accton", "off"]),
            _ => Judged::act(EffectKind::Setting, "accounting", &["accton", &caller.words(0)]),
        },
        libc::SYS_syslog => Judged::pretend(match caller.number(0) {
            4 | 5 => "the kernel's log is cleared",
            _ => "what the kernel shows on the console",
        }),
        libc::SYS_kexec_load | libc::SYS_kexec_file_load => Judged::pretend("another kernel"),
        libc::SYS_quotactl | libc::SYS_quotactl_fd => Judged::pretend("quotas of a file system"),
        libc::SYS_setdomainname => Judged::pretend("the domain's name"),
        libc::SYS_open_by_handle_at => Judged::refuse(libc::EPERM, "a file by its handle"),
        libc::SYS_bpf => Judged::refuse(libc::EPERM, "a program in the kernel"),
        libc::SYS_perf_event_open => Judged::refuse(libc::EPERM, "counters of the kernel"),
        libc::SYS_userfaultfd => Judged::refuse(libc::EPERM, "page faults"),
        libc::SYS_fanotify_init => Judged::refuse(libc::EPERM, "events of whole file systems"),
        libc::SYS_vhangup => Judged::refuse(libc::EPERM, "everybody at this terminal"),
        libc::SYS_timerfd_create | libc::SYS_timer_create => {
            Judged::refuse(libc::EPERM, "a clock that wakes the machine")
        }
        // The filter asks about nothing else: but for calls that only some architectures have.
        _ => Judged::refuse(libc::EPERM, "ports of devices"),
    }
}

fn power(caller: &Caller<'_>) -> Judged {
    let act = |command: &str| Judged::act(EffectKind::Power, "", &[command]);
    match caller.argument(2) as u32 {
        0x0123_4567 | 0xa1b2_c3d4 => act("reboot"),
        0xcdef_0123 => act("halt"),
        0x4321_fedc => act("poweroff"),
        _ => Judged::pretend("what Ctrl-Alt-Del does"),
    }
}

/// The time that is set begins with its seconds.
fn clock(caller: &Caller<'_>, at: u64) -> Judged {
    let time = notify::memory(caller.pid(), at, 8).unwrap_or_default();
    match time.first_chunk::<8>().map(|seconds| i64::from_ne_bytes(*seconds)) {
        Some(seconds) => {
            Judged::act(EffectKind::Clock, format!("@{seconds}"), &["date", "-s", &format!("@{seconds}")])
        }
        None => Judged::pretend("the clock"),
    }
}

/// `struct timex` begins with what is to be changed; with nothing, it only asks.
fn adjust(caller: &Caller<'_>, at: u64) -> Judged {
    let modes = notify::memory(caller.pid(), at, 4).unwrap_or_default();
    match modes.first_chunk::<4>().map(|modes| u32::from_ne_bytes(*modes)) {
        Some(0) | None => Judged::pass(),
        Some(_) => Judged::pretend("how fast the clock goes"),
    }
}

/// A signal as kill(1) names it.
pub(super) fn signal(number: i32) -> String {
    signals::name(number).map_or_else(|| number.to_string(), str::to_owned)
}
