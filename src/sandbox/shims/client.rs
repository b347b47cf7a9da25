//! The shim itself: disco's program, executed inside the sandbox under another command's name.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::sandbox::protocol::SHIM_SOCKET;
use crate::sandbox::shims::{Answer, Question, name_of};
use crate::sys::channel::Channel;
use crate::sys::{execute, spawn};

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
    let argv: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(SHIM_SOCKET)?)?;
    let channel = Channel::from(socket);
    let directory = execute::current_folder();
    let Called { name, program } = called;
    channel.send(&Question { name: name.to_owned(), program, argv: argv.clone(), directory }, &[])?;
    let Some((answer, fds)) = channel.receive::<Answer>()? else {
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    // Whoever reads may have read enough: the program would have ended by SIGPIPE then, and so does this.
    spawn::default_signals()?;
    match answer {
        Answer::Say { status } => {
            let mut texts = fds.into_iter().map(File::from);
            if let (Some(mut stdout), Some(mut stderr)) = (texts.next(), texts.next()) {
                io::copy(&mut stdout, &mut io::stdout())?;
                io::copy(&mut stderr, &mut io::stderr())?;
                io::stdout().flush()?;
            }
            // An exit status is what fits 8 bits, by definition.
            Ok((status & 0xff) as u8)
        }
        Answer::RunReal => {
            let Some(real) = fds.into_iter().next() else { return Err(io::ErrorKind::InvalidData.into()) };
            // systemctl finds systemd's folder in /run, but its manager is out of reach: this says so.
            Err(execute::descriptor(&real, &argv, &[("SYSTEMD_OFFLINE", "1")]))
        }
    }
}
