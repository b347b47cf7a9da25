//! Renders templates in a process of disco's own, `disco __render`: a template is a program that somebody else wrote, and
//! one that never ends, or eats memory, must end nothing but its own step.
//!
//! The process is started with the first template of a run and serves all of them. It has no more memory than
//! [`MOST_MEMORY`], and no longer than its caller says.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::names::ModuleName;
use crate::model::step::Outcome;
use crate::render::{Context, RenderError, render_with};
use crate::sys::channel::Channel;
use crate::sys::helper::Helper;
use crate::sys::interrupt::Interrupt;
use crate::sys::{files, namespace, spool};

/// The most address space that templates may take, in bytes.
pub const MOST_MEMORY: u64 = 512 << 20;
/// The longest message of an error that comes back.
const LONGEST_MESSAGE: usize = 2000;

/// Templates could not be rendered, for no fault of theirs.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The process could not be had or talked to.
    #[error("cannot {action} the process that renders templates")]
    Process {
        /// What could not be done to it.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A signal asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// What became of a template.
#[derive(Debug)]
pub enum Rendered {
    /// Its text, in a nameless file.
    Text(File),
    /// It is wrong.
    Wrong(RenderError),
    /// It was ended: how the step failed.
    Ended(Outcome),
}

/// Renders the templates of a run.
#[derive(Debug)]
pub struct Renderer {
    values: Context,
    worker: RefCell<Option<(Helper, Channel)>>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    module: ModuleName,
    template: String,
}

impl Renderer {
    /// A renderer with these values; nothing is started yet.
    pub fn new(values: Context) -> Renderer {
        Renderer { values, worker: RefCell::new(None) }
    }

    /// Renders the template in that file.
    pub fn render(
        &self,
        module: &ModuleName,
        template: &str,
        text: &Path,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<Rendered, WorkerError> {
        let deadline = Instant::now() + limit;
        let failed = |action| move |source| WorkerError::Process { action, source };
        let source = files::open(text).map_err(|error| failed("give a template to")(error.source))?;
        let target = spool::of_text("").map_err(failed("get a text from"))?;
        let (worker, channel) = match self.worker.take() {
            Some(running) => running,
            None => self.start().map_err(failed("start"))?,
        };
        let request = Request { module: module.clone(), template: template.to_owned() };
        let sent = channel.send(&request, &[source.as_fd(), target.as_fd()]);
        sent.map_err(failed("give a template to"))?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if interrupt.signal().is_some() {
                return Err(WorkerError::Interrupted);
            }
            if left.is_zero() {
                // Dropping the worker kills it.
                return Ok(Rendered::Ended(Outcome::TimedOut { seconds: limit.as_secs() }));
            }
            let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let mut fds = [PollFd::new(&channel, PollFlags::IN), PollFd::new(interrupt, PollFlags::IN)];
            match poll(&mut fds, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed("watch")(errno.into())),
            }
            if !fds[0].revents().is_empty() {
                break;
            }
        }
        match channel.receive::<Result<(), RenderError>>().map_err(failed("hear"))? {
            Some((done, _)) => {
                self.worker.replace(Some((worker, channel)));
                Ok(done.map_or_else(Rendered::Wrong, |()| Rendered::Text(target)))
            }
            None => worker.wait().map(|outcome| Rendered::Ended(died(&outcome))).map_err(failed("wait for")),
        }
    }

    fn start(&self) -> io::Result<(Helper, Channel)> {
        let (channel, theirs) = Channel::pair()?;
        let worker = Helper::start("__render", theirs.into())?;
        let values = spool::of_text(&serde_json::to_string(&self.values)?)?;
        channel.send(&(), &[values.as_fd()])?;
        Ok((worker, channel))
    }
}

/// Why a renderer that ended by itself has failed its template.
fn died(outcome: &Outcome) -> Outcome {
    let reason = match outcome {
        Outcome::Signaled { signal: libc::SIGABRT | libc::SIGKILL } => {
            format!("the template needs more than the {} MiB of memory that it may have", MOST_MEMORY >> 20)
        }
        Outcome::Signaled { signal: libc::SIGSEGV } => "the template nests too deeply".to_owned(),
        other => format!("rendering the template ended unexpectedly: {other}"),
    };
    Outcome::Failed { reason }
}

/// The body of `disco __render`: renders until the other end of the channel, its standard input, is gone.
pub fn main() -> io::Result<()> {
    namespace::die_with_parent().map_err(io::Error::other)?;
    namespace::forbid_core_dumps().map_err(io::Error::other)?;
    namespace::limit_memory(MOST_MEMORY).map_err(io::Error::other)?;
    let channel = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    // How it ends is told by whoever waits for it, in a better way than the runtime would.
    rustix::stdio::dup2_stderr(files::open_system("/dev/null", true)?)?;
    let not_ours = || io::Error::other("this command is disco's own and not for use by hand");
    let ((), fds) = channel.receive()?.ok_or_else(not_ours)?;
    let values: Context = serde_json::from_str(&text_of(fds.into_iter().next().ok_or_else(not_ours)?)?)?;
    let values = tera::Context::from_serialize(&values).map_err(io::Error::other)?;
    while let Some((request, fds)) = channel.receive::<Request>()? {
        let mut fds = fds.into_iter();
        let (source, target) = fds.next().zip(fds.next()).ok_or_else(not_ours)?;
        let text = match text_of(source) {
            Ok(text) => render_with(&request.module, &request.template, &text, &values),
            Err(error) => Err(RenderError {
                module: request.module,
                template: request.template,
                line: None,
                message: format!("it cannot be read: {error}"),
            }),
        };
        let done = match text {
            Ok(text) => {
                File::from(target).write_all(text.as_bytes())?;
                Ok(())
            }
            Err(error) => Err(RenderError { message: shortened(error.message), ..error }),
        };
        channel.send(&done, &[])?;
    }
    Ok(())
}

fn text_of(fd: OwnedFd) -> io::Result<String> {
    let (mut file, mut text) = (File::from(fd), String::new());
    io::Seek::rewind(&mut file)?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_renderer_is_told_in_words() {
        let reason = |outcome| died(&outcome).to_string();
        assert!(reason(Outcome::Signaled { signal: libc::SIGABRT }).contains("512 MiB"));
        assert!(reason(Outcome::Signaled { signal: libc::SIGSEGV }).contains("nests"));
        assert!(reason(Outcome::Exited { status: 101 }).ends_with("unexpectedly: exit status 101"));
        assert_eq!(shortened("ä".repeat(2000)).chars().count(), 1001);
    }
}
