//! What a step does to processes by their numbers. Those of the host are not in the sandbox: a signal to one is an effect.

use std::sync::PoisonError;

use crate::actions::Deed;
use crate::model::action::EffectKind;
use crate::sandbox::report::judge::{Caller, Judge, Judged, Tell, signal};
use crate::sys::inspect;
use crate::sys::notify::Reply;

/// Programs whose command line says only which script they run.
const INTERPRETERS: [&str; 10] =
    ["bash", "sh", "dash", "zsh", "ksh", "python", "perl", "ruby", "lua", "busybox"];

/// Whose process a number is, as whoever calls means it.
enum Whose {
    /// The sandbox's, or nobody's: the call goes its way.
    Own,
    /// The host's.
    Host(String),
}

impl Judge {
    fn whose(&self, caller: &Caller<'_>, number: i32) -> Whose {
        // Number 1 is who the host's first process is for every script; here it waits for the step's processes.
        let sandboxes = number != 1
            && match self.pids_above {
                Some(above) => number.unsigned_abs() > above,
                None => inspect::is_numbered_beside(caller.pid(), number),
            };
        match number > 0 && !sandboxes && inspect::exists(number) {
            true => Whose::Host(format!("process {number} ({})", inspect::name(number))),
            false => Whose::Own,
        }
    }

    /// The user of the process that a call sends a signal to.
    pub(super) fn signalled(&self, caller: &Caller<'_>) -> Option<u32> {
        match caller.0.number {
            libc::SYS_kill
            | libc::SYS_tkill
            | libc::SYS_tgkill
            | libc::SYS_rt_sigqueueinfo
            | libc::SYS_rt_tgsigqueueinfo => {
                inspect::user(caller.number(0)).ok().filter(|_| caller.number(0) > 0)
            }
            _ => None,
        }
    }

    /// A call about a process.
    pub(super) fn process(&self, caller: &Caller<'_>) -> Judged {
        let call = caller.0.number;
        let (number, given) = match call {
            libc::SYS_kill | libc::SYS_rt_sigqueueinfo | libc::SYS_tkill => {
                (caller.number(0), caller.number(1))
            }
            libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo => (caller.number(0), caller.number(2)),
            libc::SYS_ptrace | libc::SYS_setpriority | libc::SYS_ioprio_set => (caller.number(1), 0),
            _ => (caller.number(0), 0),
        };
        if self.has_ended(number) {
            return match call {
                libc::SYS_prlimit64 if caller.argument(2) == 0 => Judged::pass(),
                _ => Judged { reply: Reply::Error(libc::ESRCH), tell: None },
            };
        }
        // A negative one is a group, known by its first process.
        let Whose::Host(target) = self.whose(caller, number.saturating_abs()) else { return Judged::pass() };
        match call {
            libc::SYS_kill
            | libc::SYS_tkill
            | libc::SYS_tgkill
            | libc::SYS_rt_sigqueueinfo
            | libc::SYS_rt_tgsigqueueinfo => match given {
                // It only asks whether that process is there, and it is: for who may send it a signal.
                0 => {
                    let user = inspect::user(caller.pid()).ok();
                    let may = user == Some(0) || (user.is_some() && user == self.signalled(caller));
                    let reply = if may { Reply::Value(0) } else { Reply::Error(libc::EPERM) };
                    Judged { reply, tell: None }
                }
                _ => self.kill(number, given, target),
            },
            libc::SYS_ptrace | libc::SYS_process_vm_readv | libc::SYS_process_vm_writev => {
                Judged::refuse(libc::EPERM, target)
            }
            libc::SYS_pidfd_open => Judged::fails(target),
            // With no new limit it only asks; and not about a process that it does not see.
            libc::SYS_prlimit64 if caller.argument(2) == 0 => Judged::pass(),
            _ => by_command_line(caller, target),
        }
    }
}

impl Judge {
    /// Whether a process of the host was told to end, so that whoever asks finds it gone.
    fn has_ended(&self, number: i32) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    /// Remembers that.
    pub(super) fn note_ended(&self, number: i32) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    }

    fn kill(&self, number: i32, given: i32, target: String) -> Judged {
        let judged = kill(number, given, target);
        match given {
            libc::SIGTERM | libc::SIGKILL | libc::SIGINT | libc::SIGQUIT => judged.doing(Deed::Ended(number)),
            _ => judged,
        }
    }
}

fn kill(number: i32, given: i32, target: String) -> Judged {
    let (option, number) = (format!("-{}", signal(given)), number.to_string());
    let argv: &[&str] =
        if number.starts_with('-') { &["kill", &option, "--", &number] } else { &["kill", &option, &number] };
    Judged::act(EffectKind::Process, target, argv)
}

/// It is pretended. The command that does it later is that of whoever calls, unless that is a script.
fn by_command_line(caller: &Caller<'_>, target: String) -> Judged {
    let program = inspect::program(caller.pid()).unwrap_or_default();
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let argv = inspect::command_line(caller.pid());
    match argv.is_empty() || INTERPRETERS.iter().any(|interpreter| name.starts_with(interpreter)) {
        true => Judged::pretend(target),
        false => Judged {
            reply: Reply::Value(0),
            tell: Some(Tell::Effect { kind: EffectKind::Process, target, argv, deed: Deed::Other }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_the_command_that_sends_it() {
        let argv = |judged: Judged| match judged.tell {
            Some(Tell::Effect { argv, .. }) => argv.join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(argv(kill(812, libc::SIGHUP, String::new())), "kill -HUP 812");
        assert_eq!(argv(kill(-812, 40, String::new())), "kill -40 -- -812");
    }
}
