//! Watches one task: its lines, its shims' questions, its time limit, the request to stop. One loop, so that what a
//! script printed before it asked for an action is told before the action.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::model::action::Effect;
use crate::model::attempt::Attempt;
use crate::model::step::{Cost, Metrics, Outcome, Stream};
use crate::model::truth::{Label, Truth};
use crate::sandbox::limits::Begun;
use crate::sandbox::lines::Lines;
use crate::sandbox::network::Network;
use crate::sandbox::protocol::{Command, FromInside, Task, TaskEnd, ToInside};
use crate::sandbox::report::Asked;
use crate::sandbox::shims::answer::Shims;
use crate::sandbox::{Sandbox, SandboxError, cannot};
use crate::sys::interrupt::Interrupt;

/// A time limit for who has none: ten years.
const FOREVER: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Why a report is less than exact where nobody hears what is tried: somebody else's filter has the one listener there can be.
const UNHEARD: &str = "calls that nobody could report";

/// How often the size of files is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Something that a running task did.
#[derive(Debug)]
pub enum Event<'a> {
    /// It printed a line.
    Line {
        /// Where.
        stream: Stream,
        /// What, without the newline.
        text: &'a str,
        /// Whether the next line is at hand already.
        more: bool,
    },
    /// It asked for an effect on the running system, which was not made.
    Asked(&'a Effect),
}

/// How a task went.
#[derive(Debug, Clone)]
pub struct TaskRun {
    /// How it ended.
    pub outcome: Outcome,
    /// What it cost.
    pub cost: Cost,
    /// What else is known of that.
    pub metrics: Metrics,
    /// How true what is known of it is: less than exact where a stub or a stopped call could have changed its course.
    pub label: Label,
    /// What it tried to do to the world outside, in the order of the first time; what has become an effect apart.
    pub attempts: Vec<Attempt>,
}

impl Sandbox {
    /// Runs one task to its end. `files` are the descriptors beyond its streams that it names. A task that outlives
    /// `limit` is ended with everything that it started; so is one during which a signal asks to stop.
    pub fn run(
        &mut self,
        task: Task,
        files: &[&File],
        limit: Duration,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<TaskRun, SandboxError> {
        let (stdout, theirs_out) = cannot(
            "make a pipe",
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Into::into),
        )?;
        let (stderr, theirs_err) = cannot(
            "make a pipe",
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Into::into),
        )?;
        let mut fds = vec![theirs_out.as_fd(), theirs_err.as_fd()];
        fds.extend(files.iter().map(|file| file.as_fd()));
        let begun = self.limited.begin(&self.layers.overlay, files)?;
        self.send(task, fds)?;
        drop((theirs_out, theirs_err));
        let lines = |stream, from| {
            Lines::new(stream, from).map_err(|source| SandboxError::Cannot { action: "make a pipe", source })
        };
        let mut watch = Watch {
            streams: vec![lines(Stream::Stdout, stdout)?, lines(Stream::Stderr, stderr)?],
            shims: Shims::new(),
            label: Label::default(),
            begun,
            files,
            on_event,
        };
        self.follow(&mut watch, limit, interrupt)
    }

    /// Runs a command on the caller's own streams (standard input, output, error), without a time limit. With
    /// `own_terminal` they are a terminal that nobody else has, and it controls the command's session.
    pub fn attend(
        &mut self,
        command: Command,
        streams: [BorrowedFd<'_>; 3],
        own_terminal: bool,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<TaskRun, SandboxError> {
        let [stdin, stdout, stderr] = streams;
        // The inside has the kernel forget before such a task: what is shown now is what counts.
        self.layers.overlay.look_afresh();
        let begun = self.limited.begin(&self.layers.overlay, &[])?;
        self.send(Task::Attend { command, own_terminal }, vec![stdout, stderr, stdin])?;
        let (shims, label) = (Shims::new(), Label::default());
        let mut watch = Watch { streams: Vec::new(), shims, label, begun, files: &[], on_event };
        self.follow(&mut watch, FOREVER, interrupt)
    }

    /// Sends a task with its descriptors, and the doors for the one after it.
    fn send<'a>(&'a self, task: Task, mut fds: Vec<BorrowedFd<'a>>) -> Result<(), SandboxError> {
        let own = fds.len();
        fds.extend(self.limited.doors());
        cannot("reach the inside", self.channel.send(&ToInside::Run { task, own }, &fds))
    }

    /// Follows the task that was just sent, to its end.
    fn follow(
        &mut self,
        watch: &mut Watch<'_>,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<TaskRun, SandboxError> {
        let (end, stopped) = self.supervise(watch, Instant::now() + limit, interrupt)?;
        for lines in &mut watch.streams {
            while cannot("read what a step printed", lines.drain(watch.on_event))? {}
            lines.finish(watch.on_event);
        }
        // Whoever asked and did not live to hear the answer has asked in this step, and not in the next.
        watch.shims.note_rest(self, watch.on_event);
        self.tell_asked(watch)?;
        self.tell_writes(watch);
        let met = self.limited.end(&self.layers.overlay, &watch.begun);
        let metrics = self.limited.metrics(&self.layers.overlay, &mut watch.begun);
        self.reporter.end();
        let mut attempts = self.reporter.attempts();
        attempts.extend(self.network.iter().flat_map(Network::take_tried));
        let mut label = watch.shims.take_label().and(&watch.label);
        for attempt in &attempts {
            label.lower(Truth::Approximate, &attempt.call);
        }
        let outcome = match stopped {
            Some(Stop::Interrupted) => return Err(SandboxError::Interrupted),
            Some(Stop::TimedOut) => Outcome::TimedOut { seconds: limit.as_secs() },
            Some(Stop::Printed) => self.limited.too_much(),
            None => met.unwrap_or(end.outcome),
        };
        Ok(TaskRun { outcome, cost: end.cost, metrics, label, attempts })
    }

    /// Tells and remembers what was written to the kernel's files and pretended.
    fn tell_writes(&self, watch: &mut Watch<'_>) {
        while let Some(write) = self.knobs.hear() {
            // Whoever writes is there until this is told.
            watch.label.lower(Truth::Approximate, &write.what.because());
            if let Some(effect) = self.knobs.effect(&write.what, &self.reporter) {
                (watch.on_event)(Event::Asked(&effect));
            }
        }
    }

    /// The loop, until the inside says that the task has ended; and why it was ended early, if it was.
    fn supervise(
        &self,
        watch: &mut Watch<'_>,
        deadline: Instant,
        interrupt: &Interrupt,
    ) -> Result<(TaskEnd, Option<Stop>), SandboxError> {
        let mut stopped = None;
        loop {
            let mut fds = vec![
                PollFd::new(&self.channel, PollFlags::IN),
                PollFd::new(&self.shims, PollFlags::IN),
                PollFd::new(&self.reporter, PollFlags::IN),
                PollFd::new(&self.knobs, PollFlags::IN),
            ];
            if stopped.is_none() {
                fds.push(PollFd::new(interrupt, PollFlags::IN));
            }
            fds.extend(
                watch
                    .streams
                    .iter()
                    .filter(|lines| !lines.ended())
                    .map(|lines| PollFd::new(lines, PollFlags::IN)),
            );
            let left = deadline.saturating_duration_since(Instant::now());
            // What goes to a file rings no bell here.
            let left = if watch.files.is_empty() { left } else { left.min(TICK) };
            let wait = stopped
                .is_none()
                .then(|| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() });
            match poll(&mut fds, wait.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return cannot("watch a step", Err(errno.into())),
            }
            let [said, asked, tried] = [0, 1, 2].map(|at| !fds[at].revents().is_empty());
            drop(fds);
            for lines in &mut watch.streams {
                cannot("read what a step printed", lines.drain(watch.on_event))?;
            }
            if asked {
                watch.shims.answer(self, watch.on_event);
            }
            self.tell_writes(watch);
            if tried {
                self.tell_asked(watch)?;
            }
            if said {
                match cannot("reach the inside", self.channel.receive())? {
                    Some((FromInside::Begun { grouped }, listener)) => {
                        watch.begun.grouped = grouped;
                        self.begin(watch, listener);
                    }
                    Some((FromInside::Ended(end), _)) => return Ok((end, stopped)),
                    Some((FromInside::Failed(reason), _)) => return Err(SandboxError::Inside(reason)),
                    Some(_) | None => return Err(SandboxError::Lost),
                }
            }
            if stopped.is_none() {
                stopped = match interrupt.signal() {
                    Some(_) => Some(Stop::Interrupted),
                    None if Instant::now() >= deadline => Some(Stop::TimedOut),
                    None if self.limited.is_too_much(&watch.begun, watch.printed(), watch.files)? => {
                        Some(Stop::Printed)
                    }
                    None => None,
                };
                if stopped.is_some() {
                    cannot("end a step", self.channel.send(&ToInside::Kill, &[]))?;
                }
            }
        }
    }
}

impl Sandbox {
    /// A task begins: its system calls are heard of, where its filter could have a listener.
    fn begin(&self, watch: &mut Watch<'_>, listener: Vec<OwnedFd>) {
        match listener.into_iter().next() {
            Some(listener) => self.reporter.listen(listener),
            None => watch.label.lower(Truth::Approximate, UNHEARD),
        }
    }

    /// Tells the effects that were asked for by system calls.
    fn tell_asked(&self, watch: &mut Watch<'_>) -> Result<(), SandboxError> {
        for Asked { effect, call, deed } in cannot("hear what a step tries", self.reporter.asked())? {
            watch.label.lower(Truth::Approximate, call);
            self.shims.with_state(|state| state.apply(&deed));
            (watch.on_event)(Event::Asked(&effect));
        }
        Ok(())
    }
}

enum Stop {
    TimedOut,
    Printed,
    Interrupted,
}

struct Watch<'a> {
    streams: Vec<Lines>,
    shims: Shims,
    label: Label,
    begun: Begun,
    files: &'a [&'a File],
    on_event: &'a mut dyn FnMut(Event<'_>),
}

impl Watch<'_> {
    /// How many bytes it has printed so far.
    fn printed(&self) -> u64 {
        self.streams.iter().map(Lines::read).sum()
    }
}
