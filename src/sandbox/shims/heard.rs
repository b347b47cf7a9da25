//! What a shim's question is about: its command, its verdict, and the node's programs behind it. Nothing in it is trusted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::sandbox::shims::decide::Asked;
use crate::sandbox::shims::verdict::{Verdict, command, verdict};
use crate::sandbox::shims::{self, FromShim, Question, facts, places};
use crate::sandbox::{Looks, Sandbox};
use crate::sys::channel::Channel;
use crate::sys::look;

/// The most that a command may be given to read, in bytes.
const MOST_INPUT: usize = 1 << 20;

/// Commands whose looks show everybody the same.
const FOR_ALL: [&str; 11] = [
    "systemctl",
    "ps",
    "pgrep",
    "pidof",
    "mount",
    "findmnt",
    "mountpoint",
    "lsmod",
    "ip",
    "ifconfig",
    "hostname",
];

/// The real program, and the one of the command's own name, by that name and the path that was called: found once in a run.
pub(super) type Programs = HashMap<(String, PathBuf), (PathBuf, PathBuf)>;

/// Where the node has a command of the system's own.
pub(super) fn system_program(name: &str) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| crate::sys::files::look_through(path).is_ok_and(|there| there.is_some());
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(is_there)
}

/// What a shim asks, and where the real program is; `None` where that is no question about a program of this node.
pub(super) fn heard(
    channel: &Channel,
    pid: Option<i32>,
    may_act: bool,
    sandbox: &Sandbox,
    programs: &mut Programs,
) -> Option<(Arc<Asked>, PathBuf)> {
    // Whoever talks nonsense, or is gone, gets no answer.
    let Ok(Some((FromShim::Asks(question), fds))) = channel.receive::<FromShim>() else { return None };
    let Question { name, program, argv, directory, facts: told } = question;
    let called = shims::NAMES.into_iter().find(|known| name == *known)?;
    let (name, arguments) = command(called, &argv);
    let name = if shims::NAMES.contains(&name) { name } else { called };
    let key = (name.to_owned(), program.clone());
    if !programs.contains_key(&key) {
        let tree = &sandbox.live.tree;
        let real = places::program_of(tree, called, &program).ok()?;
        let acts = if name == called {
            real.clone()
        } else {
            places::program_of(tree, name, &program).unwrap_or(real.clone())
        };
        programs.insert(key.clone(), (real, acts));
    }
    let (real, program) = programs.get(&key)?.clone();
    // Nothing runs on another root; what is asked for there is told all the same.
    let booted = sandbox.live.looks == Looks::Inside || facts::booted();
    let verdict = match verdict(name, arguments, booted) {
        // The real one, inside, refuses it as it would.
        Verdict::Effect(_) if !may_act => Verdict::RunReal,
        Verdict::FilesAndEffect(_) if !may_act => Verdict::Files,
        // The host answers as root.
        Verdict::Look(_) if !may_act && !FOR_ALL.contains(&name) => Verdict::RunReal,
        verdict => verdict,
    };
    let wanted = verdict.facts();
    // Somebody who tells nothing is believed to have looked.
    let facts = match told {
        Some(facts) if facts.len() == wanted.len() => facts,
        Some(_) | None => wanted.iter().map(|_| Some("known".to_owned())).collect(),
    };
    let input = fds.into_iter().next().and_then(|fd| look::text_of(fd, MOST_INPUT).ok());
    let (name, arguments) = (name.to_owned(), arguments.to_vec());
    let asked = Asked { name, program, argv, directory, input, facts, pid, verdict, arguments };
    Some((Arc::new(asked), real))
}
