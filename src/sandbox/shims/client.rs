//! The shim itself: disco's program, executed inside the sandbox under another command's name.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::sandbox::protocol::SHIM_SOCKET;
use crate::sandbox::shims::places::name_of;
use crate::sandbox::shims::verdict;
use crate::sandbox::shims::{Answer, FromShim, Question, facts};
use crate::sys::channel::Channel;
use crate::sys::{execute, look, spawn};

/// The status of a shim that cannot reach its supervisor (EX_UNAVAILABLE of sysexits(3)).
const UNREACHABLE: u8 = 69;

/// Whether this process was executed under the name of a shim; if so, the path it was executed by.
pub fn called_as() -> Option<Called> {
    let program = PathBuf::from(std::ffi::OsStr::from_bytes(rustix::param::linux_execfn().to_bytes()));
    name_of(&program).map(|name| Called { name, program })
}

/// How a shim was executed.
#[derive(Debug)]
pub struct Called {
    name: &'static str,
    program: PathBuf,
}

/// Asks the supervisor, does as it says, returns the exit status.
pub fn main(called: Called) -> u8 {
    match ask(called) {
        Ok(status) => status,
        Err(error) => {
            // Nothing else can be done with a message that cannot be written.
            let _ = writeln!(io::stderr(), "disco: cannot reach the supervisor of this sandbox: {error}");
            UNREACHABLE
        }
    }
}

fn ask(called: Called) -> io::Result<u8> {
    let Called { name, program } = called;
    let argv: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let (command, arguments) = verdict::command(name, &argv);
    let verdict = verdict::verdict(command, arguments, facts::booted());
    let facts = Some(facts::all(&verdict.facts()));
    let input = match verdict.wanted() {
        Some(wanted) if wanted.reads => Some(look::spool(io::stdin())?),
        Some(_) | None => None,
    };
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(SHIM_SOCKET)?)?;
    let channel = Channel::from(socket);
    let directory = execute::current_folder();
    let question = Question { name: name.to_owned(), program, argv: argv.clone(), directory, facts };
    let fds: Vec<_> = input.iter().map(AsFd::as_fd).collect();
    channel.send(&FromShim::Asks(question), &fds)?;
    loop {
        let Some((answer, fds)) = channel.receive::<Answer>()? else {
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        let mut fds = fds.into_iter();
        let mut next = || fds.next().ok_or(io::ErrorKind::InvalidData);
        match answer {
            Answer::Try { arguments, silent } => {
                let argv: Vec<String> = argv.iter().take(1).cloned().chain(arguments).collect();
                let status = execute::try_descriptor(&next()?, &argv, &[], silent)?;
                channel.send(&FromShim::Tried { status }, &[])?;
            }
            Answer::Say { status } => {
                // Whoever reads may have read enough: the program would have ended by SIGPIPE then, and so does this.
                spawn::default_signals()?;
                io::copy(&mut File::from(next()?), &mut io::stdout())?;
                io::copy(&mut File::from(next()?), &mut io::stderr())?;
                io::stdout().flush()?;
                // An exit status is what fits 8 bits, by definition.
                return Ok((status & 0xff) as u8);
            }
            Answer::RunReal { offline, without } => {
                let real = next()?;
                spawn::default_signals()?;
                // systemctl finds systemd's folder in /run, but its manager is out of reach: this says so.
                let told: &[(&str, &str)] = if offline { &[("SYSTEMD_OFFLINE", "1")] } else { &[] };
                let argv: Vec<String> =
                    argv.into_iter().filter(|word| Some(word) != without.as_ref()).collect();
                return Err(execute::descriptor(&real, &argv, told));
            }
        }
    }
}
