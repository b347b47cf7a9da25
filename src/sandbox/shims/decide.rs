//! What a shim is answered: from the verdict on its command line, what is pretended so far, and what the host says where it
//! has to be asked first. Each [`Step`] says what is to be done next; who does it is [`crate::sandbox::shims::answer`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::actions::{Deed, Pretended};
use crate::model::action::EffectKind;
use crate::sandbox::Looks;
use crate::sandbox::shims::checks;
use crate::sandbox::shims::laid::{self, Numbers};
use crate::sandbox::shims::verdict::{Look, Verdict, Wanted};
use crate::sys::look::Seen;
use crate::sys::peer;

/// What a shim has asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// The command that it stands for.
    pub name: String,
    /// The command's path.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub argv: Vec<String>,
    /// Where it was called.
    pub directory: PathBuf,
    /// What it was given to read.
    pub input: Option<String>,
    /// What it found out where it was called, in the order of the verdict's questions.
    pub facts: Vec<Option<String>>,
    /// The process that asked, as it is numbered here.
    pub pid: Option<i32>,
    /// What its command line asks for.
    pub verdict: Verdict,
    /// Its arguments, as the command that it stands for has them.
    pub arguments: Vec<String>,
}

/// What is known while a shim is answered.
pub(super) struct Node<'a> {
    /// What was pretended so far.
    pub state: &'a Pretended,
    /// Who answers looks.
    pub looks: Looks,
    /// Where the node has a command, among the folders of the system.
    pub program: &'a dyn Fn(&str) -> Option<PathBuf>,
}

/// What is done next.
pub(super) enum Step {
    /// The shim is answered.
    Reply(Reply),
    /// The host is asked.
    Host(PathBuf, Vec<String>, Then<Seen>),
    /// The shim runs the real one with other arguments, silently or not, and says how it ended.
    Inside(Vec<String>, bool, Then<i32>),
}

/// What comes after that.
pub(super) type Then<T> = Box<dyn FnOnce(T, &Node<'_>) -> Step + Send>;

/// The answer, and what it means for the run.
#[derive(Debug)]
pub(super) struct Reply {
    /// The effect that was asked for, if it is one that could be made.
    pub effect: Option<Done>,
    /// Whether the course of whoever asked may be another than on the live system.
    pub lowers: bool,
    /// What the shim does.
    pub given: Given,
}

/// An effect that is pretended.
#[derive(Debug)]
pub(super) struct Done {
    pub kind: EffectKind,
    pub target: String,
    pub argv: Vec<String>,
    pub deeds: Vec<Deed>,
}

/// What a shim does.
#[derive(Debug)]
pub(super) enum Given {
    /// It prints that, and ends so.
    Says(Seen),
    /// It becomes the real program.
    Real,
    /// It becomes the real program, which is told that no manager runs.
    Offline,
}

/// The first step.
pub(super) fn first(asked: &Arc<Asked>, node: &Node<'_>) -> Step {
    match &asked.verdict {
        Verdict::RunReal => real(),
        Verdict::Files => Step::Reply(Reply { effect: None, lowers: false, given: Given::Offline }),
        Verdict::Look(_) if node.looks == Looks::Inside => real(),
        Verdict::Look(look) => look_at(asked, look, node),
        Verdict::Effect(wanted) if node.looks == Looks::Inside => pretend(asked, wanted),
        Verdict::Effect(wanted) => checks::check(asked, wanted, node),
        Verdict::FilesAndEffect(wanted) => {
            let effect = Some(done(asked, wanted));
            Step::Reply(Reply { effect, lowers: true, given: Given::Offline })
        }
    }
}

/// The effect as it was asked for, of somebody who is not there any more to hear how it went.
pub(super) fn unheard(asked: &Asked) -> Option<Done> {
    asked.verdict.wanted().map(|wanted| done(asked, wanted))
}

/// It becomes the real program, and nothing that was pretended could have changed its course.
pub(super) fn real() -> Step {
    Step::Reply(Reply { effect: None, lowers: false, given: Given::Real })
}

/// It prints that, which is what it would have got.
pub(super) fn say(stdout: &str, stderr: &str, status: i32, lowers: bool) -> Step {
    let seen = Seen { stdout: stdout.into(), stderr: stderr.into(), status };
    Step::Reply(Reply { effect: None, lowers, given: Given::Says(seen) })
}

/// It is told that it was done.
pub(super) fn pretend(asked: &Asked, wanted: &Wanted) -> Step {
    let seen = Seen { stdout: wanted.says.clone().into(), stderr: Vec::new(), status: 0 };
    Step::Reply(Reply {
        effect: Some(done(asked, wanted)),
        lowers: is_felt(wanted),
        given: Given::Says(seen),
    })
}

/// Nobody's course depends on who reads a message.
pub(super) fn is_felt(wanted: &Wanted) -> bool {
    wanted.kind != EffectKind::Message
}

pub(super) fn done(asked: &Asked, wanted: &Wanted) -> Done {
    let Wanted { kind, target, deeds, .. } = wanted;
    Done { kind: *kind, target: target.clone(), argv: asked.argv.clone(), deeds: deeds.clone() }
}

/// Whether a program is one of the system's own: somebody's own one of that name may do more than look.
fn is_of_the_system(program: &Path) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|folder| program.parent() == Some(Path::new(folder)))
}

/// Has the host answer, and does something with that.
pub(super) fn host(
    asked: &Arc<Asked>,
    program: &Path,
    arguments: Vec<String>,
    then: impl FnOnce(&Asked, Seen, &Node<'_>) -> Step + Send + 'static,
) -> Step {
    if !is_of_the_system(program) {
        return real();
    }
    let asked = asked.clone();
    Step::Host(program.to_owned(), arguments, Box::new(move |seen, node| then(&asked, seen, node)))
}

/// The host's answer with what was pretended laid over; exact as long as nothing was.
fn look_at(asked: &Arc<Asked>, look: &Look, node: &Node<'_>) -> Step {
    let state = node.state;
    let lowers = state.any();
    let answered = |asked: &Arc<Asked>, over: fn(&Asked, Seen, &Node<'_>) -> Seen| {
        host(asked, &asked.program, asked.arguments.clone(), move |asked, seen, node| {
            let given = Given::Says(over(asked, seen, node));
            Step::Reply(Reply { effect: None, lowers: node.state.any(), given })
        })
    };
    match look {
        Look::Plain => answered(asked, |_, seen, _| seen),
        Look::Units { .. } => answered(asked, |asked, seen, node| match &asked.verdict {
            Verdict::Look(Look::Units { verb, units }) => {
                laid::units(verb, units, &asked.facts, &asked.arguments, seen, node.state)
            }
            _ => seen,
        }),
        // Nobody on the host knows of one that only the sandbox has; and the real one says that there is none.
        Look::Service(_) if asked.facts == [None] => real(),
        Look::Service(name) => match state.service(name) {
            Some(true) => say(&format!("{name} is running.\n"), "", 0, lowers),
            Some(false) => say(&format!("{name} is not running.\n"), "", 3, lowers),
            None => answered(asked, |_, seen, _| seen),
        },
        Look::Numbers => {
            answered(asked, |asked, seen, node| laid::numbers(seen, &numbers(asked, node.state)))
        }
        Look::Lines => answered(asked, |asked, seen, node| laid::lines(seen, &numbers(asked, node.state))),
        Look::Table => answered(asked, |asked, seen, node| laid::table(seen, &numbers(asked, node.state))),
        Look::Alive(pids) => alive(asked, pids, node),
        Look::HostName => match state.host_name() {
            Some(name) => say(&format!("{}\n", laid::host_name(&asked.arguments, name)), "", 0, lowers),
            None => real(),
        },
        Look::Modules if state.modules().next().is_none() => real(),
        Look::Modules => answered(asked, |_, seen, node| laid::modules(seen, node.state)),
        Look::Mounts => answered(asked, |_, seen, node| laid::mounts(seen, node.state)),
        Look::MountPoint(target) => match laid::mount_point(&asked.name, &asked.arguments, target, state) {
            Some(seen) => Step::Reply(Reply { effect: None, lowers, given: Given::Says(seen) }),
            None => answered(asked, |_, seen, _| seen),
        },
        Look::Rule(rule) => match state.rule(rule) {
            Some(true) => say("", "", 0, lowers),
            Some(false) => {
                say("", "iptables: Bad rule (does a matching rule exist in that chain?).\n", 1, lowers)
            }
            None => answered(asked, |_, seen, _| seen),
        },
        Look::Daemon(name) => match (state.daemon(name), checks::daemon_asks(asked)) {
            (Some(runs), _) => say("", "", if runs { 0 } else { 3 }, lowers),
            (None, Some(asks)) => host(asked, &asked.program, asks, |_, seen, node| match seen.status {
                0 => Step::Reply(Reply { effect: None, lowers: node.state.any(), given: Given::Says(seen) }),
                // It may be one that the step has started itself.
                _ => real(),
            }),
            (None, None) => real(),
        },
    }
}

/// How numbers of processes are told to whoever asks.
pub(super) fn numbers<'a>(asked: &Asked, state: &'a Pretended) -> Numbers<'a> {
    Numbers { inside: asked.pid.map(peer::inside).unwrap_or_default(), asker: asked.pid, state }
}

/// `kill -0`: the real one knows of those inside.
fn alive(asked: &Arc<Asked>, pids: &[i32], node: &Node<'_>) -> Step {
    let outside: Vec<i32> =
        pids.iter().zip(&asked.facts).filter(|(_, inside)| inside.is_none()).map(|(pid, _)| *pid).collect();
    if outside.is_empty() {
        return real();
    }
    let (ended, there): (Vec<i32>, Vec<i32>) = outside.iter().partition(|pid| node.state.has_ended(**pid));
    let said = checks::no_such_processes(asked, &ended);
    if there.is_empty() {
        return say("", &said, 1, node.state.any());
    }
    let arguments = ["-0".to_owned()].into_iter().chain(there.iter().map(i32::to_string)).collect();
    host(asked, &asked.program, arguments, move |asked, mut seen, node| {
        let (program, called) =
            (asked.program.display().to_string(), asked.argv.first().cloned().unwrap_or_default());
        let text = String::from_utf8_lossy(&seen.stderr).replace(&program, &called);
        seen.stderr = (said.clone() + &text).into_bytes();
        if !said.is_empty() {
            seen.status = 1;
        }
        Step::Reply(Reply { effect: None, lowers: node.state.any(), given: Given::Says(seen) })
    })
}
