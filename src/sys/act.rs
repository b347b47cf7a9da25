//! Runs a recorded action on the live system.
//!
//! Its output goes to a file and not to a pipe: a service that it starts keeps its streams, and a pipe would be waited
//! on for as long as the service lives. For the same reason it is not bound to this process's life.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::action::Effect;
use crate::model::step::Outcome;
use crate::sys::{inspect, wait};

/// The most of an action's output that is told.
const MOST_OUTPUT: u64 = 1 << 20;

/// How an action went on the live system.
#[derive(Debug)]
pub struct Acted {
    /// How it ended.
    pub outcome: Outcome,
    /// What it printed on both streams, in order.
    pub output: String,
}

/// Runs it in its folder (or `/`, where that is only the sandbox's), with `added` in its environment, for at most `limit`. What it would do to processes that
/// have ended since is done: their numbers may be others' by now.
pub fn run(effect: &Effect, added: &[(String, String)], limit: Duration) -> Acted {
    let gone = gone(effect);
    let sends = effect.argv.first().is_some_and(|name| name == "kill" || name.ends_with("/kill"));
    if !gone.is_empty() && (!sends || gone.len() == effect.processes.len()) {
        let numbers = gone.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
        let output = format!("process {numbers} has ended since: nothing is left to do\n");
        return Acted { outcome: Outcome::Done, output };
    }
    let mut effect = effect.clone();
    effect
        .argv
        .retain(|word| word.parse().map_or(true, |number: i32| !gone.contains(&number.saturating_abs())));
    attempt(&effect, added, limit).unwrap_or_else(|error| {
        let reason = format!("cannot execute {}: {error}", effect.program.display());
        Acted { outcome: Outcome::Failed { reason }, output: String::new() }
    })
}

/// The processes that it names and that are not there any more.
fn gone(effect: &Effect) -> Vec<i32> {
    let all = effect.processes.iter();
    all.filter(|process| inspect::started(process.pid) != Some(process.started))
        .map(|process| process.pid)
        .collect()
}

fn attempt(effect: &Effect, added: &[(String, String)], limit: Duration) -> io::Result<Acted> {
    let mut spool = tempfile::tempfile()?;
    let directory = if effect.cwd.is_dir() { &effect.cwd } else { std::path::Path::new("/") };
    let mut command = Command::new(&effect.program);
    if let Some(name) = effect.argv.first() {
        command.arg0(name);
    }
    let child = command
        .args(effect.argv.iter().skip(1))
        .env_clear()
        .envs(super::execute::ENVIRONMENT)
        .envs(added.iter().map(|(name, value)| (name, value)))
        .current_dir(directory)
        .stdin(input(effect.input.as_deref())?)
        .stdout(spool.try_clone()?)
        .stderr(spool.try_clone()?)
        .process_group(0)
        .spawn()?;
    let outcome = wait_within(child.id(), limit)?;
    Ok(Acted { outcome, output: told(&mut spool)? })
}

/// What it reads: a file, so that nobody has to feed it.
fn input(text: Option<&str>) -> io::Result<Stdio> {
    let Some(text) = text else { return Ok(Stdio::null()) };
    let mut spool = tempfile::tempfile()?;
    spool.write_all(text.as_bytes())?;
    spool.rewind()?;
    Ok(Stdio::from(spool))
}

fn wait_within(pid: u32, limit: Duration) -> io::Result<Outcome> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let target = rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = rustix::process::pidfd_open(target, rustix::process::PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    let mut timed_out = false;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait =
            rustix::event::Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut watched = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        match rustix::event::poll(&mut watched, Some(&wait)) {
            Ok(0) => {
                timed_out = true;
                rustix::process::kill_process_group(target, rustix::process::Signal::KILL)?;
                break;
            }
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    match wait::wait(pid)? {
        Some(_) if timed_out => Ok(Outcome::TimedOut { seconds: limit.as_secs() }),
        Some(ended) => Ok(ended.outcome),
        None => Err(io::Error::other("it was waited for elsewhere")),
    }
}

fn told(spool: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    spool.rewind()?;
    spool.take(MOST_OUTPUT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::EffectKind;

    fn effect(script: &str) -> Effect {
        Effect {
            kind: EffectKind::Service,
            target: String::new(),
            program: "/bin/bash".into(),
            argv: vec!["bash".into(), "-c".into(), script.into()],
            cwd: "/no/such/folder".into(),
            line: None,
            input: None,
            processes: Vec::new(),
        }
    }

    #[test]
    fn a_service_that_stays_does_not_hold_us() {
        let started = Instant::now();
        let acted = run(&effect("sleep 20 & echo started; echo $! "), &[], Duration::from_secs(15));
        assert!(acted.outcome.is_done() && started.elapsed() < Duration::from_secs(10));
        let mut lines = acted.output.lines();
        assert_eq!(lines.next(), Some("started"));
        let pid = rustix::process::Pid::from_raw(lines.next().unwrap().trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn what_it_was_given_is_given_again() {
        let acted =
            run(&Effect { input: Some("a\nb\n".into()), ..effect("cat -n") }, &[], Duration::from_secs(5));
        assert_eq!(acted.output, "     1\ta\n     2\tb\n");
        assert_eq!(run(&effect("cat"), &[], Duration::from_secs(5)).output, "");
    }

    #[test]
    fn endings_are_told() {
        assert_eq!(
            run(&effect("exit 4"), &[], Duration::from_secs(5)).outcome,
            Outcome::Exited { status: 4 }
        );
        assert_eq!(
            run(&effect("exec sleep 20"), &[], Duration::from_millis(1)).outcome,
            Outcome::TimedOut { seconds: 0 }
        );
        let missing = Effect { program: "/no/such/program".into(), ..effect("") };
        assert!(matches!(run(&missing, &[], Duration::from_secs(5)).outcome, Outcome::Failed { .. }));
    }

    #[test]
    fn a_number_that_is_another_process_by_now_is_left_alone() {
        let mut victims: Vec<_> = (0..2).map(|_| Command::new("sleep").arg("60").spawn().unwrap()).collect();
        let pids: Vec<String> = victims.iter().map(|victim| victim.id().to_string()).collect();
        let mut processes = inspect::processes_in(&pids);
        processes[0].started += 1;
        let words = ["kill", "-KILL", &pids[0], &pids[1]].map(str::to_owned);
        let kill = Effect { program: "kill".into(), argv: words.to_vec(), processes, ..effect("") };
        assert!(run(&kill, &[], Duration::from_secs(5)).outcome.is_done());
        assert!(victims[1].wait().unwrap().code().is_none() && victims[0].try_wait().unwrap().is_none());
        let again = run(
            &Effect { argv: words[..3].to_vec(), processes: kill.processes[..1].to_vec(), ..kill },
            &[],
            Duration::from_secs(5),
        );
        assert!(again.outcome.is_done() && again.output.contains("has ended since"), "{again:?}");
        assert!(victims[0].try_wait().unwrap().is_none());
        victims[0].kill().unwrap();
        victims[0].wait().unwrap();
    }
}
