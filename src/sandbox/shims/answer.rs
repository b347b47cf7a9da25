//! Answers what the shims of a task ask, and notes what it means for the task. When to listen is the loop's to say
//! ([`crate::sandbox::watch`]).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::model::action::{Effect, EffectKind};
use crate::model::truth::{Label, Truth};
use crate::sandbox::shims::verdict::{Verdict, verdict};
use crate::sandbox::shims::{self, Answer, Question};
use crate::sandbox::{Event, Looks, Sandbox};
use crate::sys::channel::Channel;
use crate::sys::look;

/// How long the host may take to answer a look.
const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// The shims of one task: what they have asked for so far.
pub(in crate::sandbox) struct Shims<'a> {
    stop: &'a AtomicBool,
    label: Label,
}

impl<'a> Shims<'a> {
    /// Nothing was asked yet; `stop` ends a look at the host.
    pub(in crate::sandbox) fn new(stop: &'a AtomicBool) -> Shims<'a> {
        Shims { stop, label: Label::default() }
    }

    /// How true what is known of the task is, for all that was asked.
    pub(in crate::sandbox) fn take_label(&mut self) -> Label {
        std::mem::take(&mut self.label)
    }

    /// Answers one shim. A shim that cannot be answered gets no answer, says so itself, and fails its caller.
    pub(in crate::sandbox) fn answer(&mut self, sandbox: &Sandbox, on_event: &mut dyn FnMut(Event<'_>)) {
        let Some(Ok((channel, question, asker))) = hear(sandbox) else { return };
        let Ok((answer, fds)) = self.decide(sandbox, &question, asker, on_event) else { return };
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        // A shim that has gone meanwhile needs no answer.
        let _ = channel.send(&answer, &fds);
    }

    /// Notes what was asked by those that did not live to hear the answer: in this task, and not in the next.
    pub(in crate::sandbox) fn note_rest(&mut self, sandbox: &Sandbox, on_event: &mut dyn FnMut(Event<'_>)) {
        while let Some(heard) = hear(sandbox) {
            if let Ok((_, question, asker)) = heard
                && (asker.may_act() || !acts(&question))
            {
                self.note(&question, on_event);
            }
        }
    }

    fn decide(
        &mut self,
        sandbox: &Sandbox,
        question: &Question,
        asker: Asker,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let say = |stdout: &[u8], stderr: &[u8], status| {
            Ok((Answer::Say { status }, vec![look::page(stdout)?, look::page(stderr)?]))
        };
        let failed = |error: &dyn std::error::Error| {
            say(&[], format!("{}: {error}\n", question.program.display()).as_bytes(), 1)
        };
        if !asker.may_act() && acts(question) {
            // As on the node: it is the program that fails.
            let real = look::open_program(sandbox.layers.lower(), &question.program)?;
            return Ok((Answer::RunReal, vec![real]));
        }
        match (self.note(question, on_event), sandbox.live.looks) {
            (Verdict::Effect, _) => Ok((Answer::Say { status: 0 }, Vec::new())),
            (Verdict::Look, Looks::Host) => {
                let arguments = question.argv.get(1..).unwrap_or_default();
                match look::run(&question.program, arguments, LOOK_LIMIT, self.stop) {
                    Ok(look::Seen { stdout, stderr, status }) => say(&stdout, &stderr, status),
                    Err(error) => failed(&error),
                }
            }
            (Verdict::Look, Looks::Inside) | (Verdict::Files | Verdict::FilesAndEffect, _) => {
                match look::open_program(sandbox.layers.lower(), &question.program) {
                    Ok(real) => Ok((Answer::RunReal, vec![real])),
                    Err(error) => failed(&error),
                }
            }
        }
    }

    /// Judges a question, and tells and remembers what it means for the task.
    fn note(&mut self, question: &Question, on_event: &mut dyn FnMut(Event<'_>)) -> Verdict {
        let verdict = verdict(&question.name, question.argv.get(1..).unwrap_or_default());
        if verdict != Verdict::Files {
            self.label.lower(Truth::Approximate, &question.name);
        }
        if matches!(verdict, Verdict::Effect | Verdict::FilesAndEffect) {
            on_event(Event::Asked(&Effect {
                kind: EffectKind::Service,
                target: String::new(),
                program: question.program.clone(),
                argv: question.argv.clone(),
                cwd: question.directory.clone(),
                line: None,
            }));
        }
        verdict
    }
}

/// Who asks, as the kernel says.
#[derive(Debug, Clone, Copy)]
struct Asker {
    user: u32,
}

impl Asker {
    /// Whether what it asks for can become an effect: those are made by root, and a step's other users may have nothing made
    /// that they could not do themselves.
    fn may_act(self) -> bool {
        self.user == 0
    }
}

/// Whether a question asks for an effect.
fn acts(question: &Question) -> bool {
    let verdict = verdict(&question.name, question.argv.get(1..).unwrap_or_default());
    matches!(verdict, Verdict::Effect | Verdict::FilesAndEffect)
}

/// The next one that asks, with its question; `None` where nobody does, an error where what it says is no question
/// about a program of this node.
fn hear(sandbox: &Sandbox) -> Option<io::Result<(Channel, Question, Asker)>> {
    let socket = rustix::net::accept_with(&sandbox.shims, rustix::net::SocketFlags::CLOEXEC).ok()?;
    let heard = || -> io::Result<(Channel, Question, Asker)> {
        let asker = Asker { user: rustix::net::sockopt::socket_peercred(&socket)?.uid.as_raw() };
        let (patience, timeout) = (Some(Duration::from_secs(2)), rustix::net::sockopt::Timeout::Recv);
        rustix::net::sockopt::set_socket_timeout(&socket, timeout, patience)?;
        let channel = Channel::from(socket);
        let (mut question, _) = channel.receive::<Question>()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        question.program = shims::program_of(&sandbox.live.tree, &question)?;
        Ok((channel, question, asker))
    };
    Some(heard())
}
