//! Whether an effect that a shim was asked for is possible, and how the real command would fail where it is not.

use std::path::Path;
use std::sync::Arc;

use crate::actions::Deed;
use crate::sandbox::shims::decide::{
    Asked, Done, Given, Node, Reply, Step, host, is_felt, numbers, pretend, real, say,
};
use crate::sandbox::shims::laid;
use crate::sandbox::shims::verdict::{Check, Daemon, Missing, Wanted, daemon_asks as asks};
use crate::sys::look::Seen;
use crate::sys::{files, peer};

/// What an invoke-rc.d that is asked says where it would act: it would, it may, or it would by another way.
const WOULD_ACT: [i32; 3] = [104, 105, 106];

/// The step that answers an effect.
pub(super) fn check(asked: &Arc<Asked>, wanted: &Wanted, node: &Node<'_>) -> Step {
    let facts = &asked.facts;
    match &wanted.check {
        Check::Nothing => pretend(asked, wanted),
        Check::Units { verb, units } => units_are_there(asked, wanted, verb, units, node),
        Check::Service(_) if facts.first() == Some(&None) => real(),
        Check::Service(_) => pretend(asked, wanted),
        Check::Allowed(_) => allowed(asked, wanted),
        Check::Paths(missing) => match missing.iter().zip(facts).find(|(_, there)| there.is_none()) {
            Some((Missing { says, status, .. }, _)) => say("", &format!("{says}\n"), *status, false),
            None => pretend(asked, wanted),
        },
        Check::DryRun(arguments) => {
            let (asked, wanted) = (asked.clone(), wanted.clone());
            Step::Inside(
                arguments.clone(),
                false,
                Box::new(move |status, _| match status {
                    0 => pretend(&asked, &wanted),
                    status => say("", "", status, false),
                }),
            )
        }
        Check::Processes { pids, ends } => processes(asked, wanted, pids, *ends, node),
        Check::Matching { arguments, ends } => matching(asked, wanted, arguments, *ends, node),
        Check::Named { names, ends, quiet } => named(asked, wanted, names, *ends, *quiet, node),
        Check::Mounted(targets) => mounted(asked, wanted, targets, node),
        Check::Mountable(mount) => {
            let hint = "       dmesg(1) may have more information after failed mount system call.\n";
            let (source, target) = (&mount.source, &mount.target);
            let there = if source.starts_with("/dev/") {
                is_there(source)
            } else {
                !source.starts_with('/') || facts.get(1).is_none_or(Option::is_some)
            };
            if facts.first() == Some(&None) {
                say("", &format!("mount: {target}: mount point does not exist.\n{hint}"), 32, false)
            } else if !there {
                say(
                    "",
                    &format!("mount: {target}: special device {source} does not exist.\n{hint}"),
                    32,
                    false,
                )
            } else {
                pretend(asked, wanted)
            }
        }
        Check::Loaded(names) => {
            let loaded = files::read_if_there(Path::new("/proc/modules")).ok().flatten().unwrap_or_default();
            let is_loaded = |name: &String| {
                let pretended =
                    node.state.modules().find(|(there, _)| there == name).map(|(_, loaded)| loaded);
                pretended.unwrap_or_else(|| loaded.lines().any(|line| line.split(' ').next() == Some(name)))
            };
            match names.iter().find(|name| !is_loaded(name)) {
                Some(name) => {
                    let says = format!("rmmod: ERROR: Module {name} is not currently loaded\n");
                    say("", &says, 1, node.state.any())
                }
                None => pretend(asked, wanted),
            }
        }
        Check::Daemon(daemon) => start_or_stop(asked, wanted, daemon, node),
    }
}

/// How the real one is asked whether a daemon runs, of a line that asks for that.
pub(super) fn daemon_asks(asked: &Asked) -> Option<Vec<String>> {
    asks(&asked.arguments)
}

/// What kill(1) says of processes that are not there.
pub(super) fn no_such_processes(asked: &Asked, pids: &[i32]) -> String {
    let called = asked.argv.first().map_or("kill", String::as_str);
    pids.iter().map(|pid| format!("{called}: ({pid}): No such process\n")).collect()
}

fn is_there(path: &str) -> bool {
    // What cannot be looked at is taken for not there.
    files::look_through(Path::new(path)).is_ok_and(|there| there.is_some())
}

/// The answer where some of what was named is there and acted on, and some is not; `inside` says that the real one has
/// to act too.
fn partly(
    asked: &Asked,
    wanted: &Wanted,
    without: &[String],
    target: String,
    deeds: Vec<Deed>,
    seen: Option<Seen>,
) -> Step {
    let argv = asked.argv.iter().enumerate().filter(|(at, word)| *at == 0 || !without.contains(word));
    let argv = argv.map(|(_, word)| word.clone()).collect();
    let effect = Some(Done { kind: wanted.kind, target, argv, deeds });
    let given = seen.map_or(Given::Real, Given::Says);
    Step::Reply(Reply { effect, lowers: is_felt(wanted), given })
}

/// What systemd says of units that it has not, of masked ones, and of a reload of what does not run.
fn units_are_there(
    asked: &Arc<Asked>,
    wanted: &Wanted,
    verb: &str,
    units: &[String],
    node: &Node<'_>,
) -> Step {
    let plain = |unit: &String| !unit.contains('*') && !unit.contains('?') && !unit.contains('[');
    let reloads = ["reload", "force-reload"].contains(&verb);
    let sure = |(at, unit): (usize, &String)| {
        let fact = asked.facts.get(at).cloned().flatten();
        fact.as_deref() == Some("known") && (!reloads || node.state.service(unit) == Some(true))
    };
    if units.iter().all(plain) && units.iter().enumerate().all(sure) || !units.iter().all(plain) {
        return pretend(asked, wanted);
    }
    let show =
        ["show", "--no-pager", "--property=LoadState", "--property=ActiveState", "--"].map(str::to_owned);
    let arguments = show.into_iter().chain(units.iter().cloned()).collect();
    let (wanted, verb, units) = (wanted.clone(), verb.to_owned(), units.to_vec());
    host(asked, &asked.program, arguments, move |asked, seen, node| {
        if seen.status != 0 {
            return Step::Reply(Reply { effect: None, lowers: false, given: Given::Says(seen) });
        }
        let shown = String::from_utf8_lossy(&seen.stdout).into_owned();
        let blocks: Vec<&str> = shown.split("\n\n").collect();
        let (mut said, mut status, mut without, mut deeds) = (String::new(), 0, Vec::new(), Vec::new());
        for (at, unit) in units.iter().enumerate() {
            let fact = asked.facts.get(at).cloned().flatten();
            let value = |name: &str| {
                let block = blocks.get(at).copied().unwrap_or_default();
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
            };
            let runs =
                node.state.service(unit).unwrap_or(["active", "reloading"].contains(&value("ActiveState")));
            let fails = if fact.as_deref() == Some("masked")
                || fact.is_none() && value("LoadState") == "masked"
            {
                (verb != "stop").then(|| (format!("Failed to {verb} {unit}: Unit {unit} is masked.\n"), 1))
            } else if fact.is_none() && ["not-found", ""].contains(&value("LoadState")) {
                let how = if verb == "stop" { "loaded" } else { "found" };
                Some((format!("Failed to {verb} {unit}: Unit {unit} not {how}.\n"), 5))
            } else {
                (reloads && !runs).then(|| (format!("{unit} is not active, cannot reload.\n"), 1))
            };
            match fails {
                Some((says, ends)) => {
                    said += &says;
                    status = ends;
                    without.extend([unit.clone(), unit.trim_end_matches(".service").to_owned()]);
                }
                None => deeds.extend(wanted.deeds.get(at).or(wanted.deeds.first()).cloned()),
            }
        }
        let seen = Seen { stdout: Vec::new(), stderr: said.into_bytes(), status };
        if deeds.is_empty() && !units.is_empty() {
            return Step::Reply(Reply { effect: None, lowers: node.state.any(), given: Given::Says(seen) });
        }
        let target = wanted.target.split(' ').filter(|word| !without.iter().any(|it| it == word));
        let target = target.collect::<Vec<_>>().join(" ");
        partly(asked, &wanted, &without, target, deeds, Some(seen))
    })
}

/// A policy of the sandbox's may forbid packages to start their daemons: the real one asks it.
fn allowed(asked: &Arc<Asked>, wanted: &Wanted) -> Step {
    let (there, policy) = (asked.facts.first(), asked.facts.get(1));
    if there == Some(&None) {
        return real();
    }
    if !matches!(policy, Some(Some(_))) {
        return pretend(asked, wanted);
    }
    let query = ["--query".to_owned()].into_iter().chain(asked.arguments.iter().cloned()).collect();
    let (asked, wanted) = (asked.clone(), wanted.clone());
    Step::Inside(
        query,
        true,
        Box::new(
            move |status, _| {
                if WOULD_ACT.contains(&status) { pretend(&asked, &wanted) } else { real() }
            },
        ),
    )
}

/// `process 812 (nginx)`.
fn in_words(processes: &[(i32, String)]) -> String {
    let one = |(pid, name): &(i32, String)| {
        if name.is_empty() { pid.to_string() } else { format!("{pid} ({name})") }
    };
    let words = if processes.len() == 1 { "process" } else { "processes" };
    format!("{words} {}", processes.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn ended(processes: &[(i32, String)], ends: bool) -> Vec<Deed> {
    let ended = processes.iter().filter(|_| ends).map(|(pid, _)| Deed::Ended(*pid));
    ended.chain([Deed::Other]).collect()
}

/// By number: those inside are the real one's, those of the host must be there.
fn processes(asked: &Arc<Asked>, wanted: &Wanted, pids: &[i32], ends: bool, node: &Node<'_>) -> Step {
    let facts = |at: usize| asked.facts.get(at).is_some_and(Option::is_some);
    let (inside, outside): (Vec<_>, Vec<_>) =
        pids.iter().copied().enumerate().partition(|(at, _)| facts(*at));
    if outside.is_empty() {
        return real();
    }
    let is_there = |pid: i32| !node.state.has_ended(pid) && peer::name(pid.wrapping_abs()).is_some();
    let (there, gone): (Vec<i32>, Vec<i32>) =
        outside.iter().map(|(_, pid)| *pid).partition(|pid| is_there(*pid));
    let said = no_such_processes(asked, &gone);
    if there.is_empty() {
        return if inside.is_empty() { say("", &said, 1, node.state.any()) } else { real() };
    }
    let there: Vec<(i32, String)> =
        there.into_iter().map(|pid| (pid, peer::name(pid.wrapping_abs()).unwrap_or_default())).collect();
    let without: Vec<String> =
        gone.iter().chain(inside.iter().map(|(_, pid)| pid)).map(i32::to_string).collect();
    let status = i32::from(!gone.is_empty());
    let seen = inside.is_empty().then(|| Seen { stdout: Vec::new(), stderr: said.into_bytes(), status });
    partly(asked, wanted, &without, in_words(&there), ended(&there, ends), seen)
}

/// By a pattern: pgrep, which has the same one, says whom it finds.
fn matching(asked: &Arc<Asked>, wanted: &Wanted, arguments: &[String], ends: bool, node: &Node<'_>) -> Step {
    let Some(pgrep) = (node.program)("pgrep") else { return pretend(asked, wanted) };
    let wanted = wanted.clone();
    host(asked, &pgrep, arguments.to_vec(), move |asked, seen, node| {
        if seen.status > 1 {
            return real();
        }
        let numbers = numbers(asked, node.state);
        let found = laid::numbers_in(&seen.stdout).filter(|pid| numbers.told(*pid).is_some());
        found_some(asked, &wanted, found.collect(), ends, &numbers, String::new(), 1)
    })
}

/// By names of programs, as killall has them.
fn named(
    asked: &Arc<Asked>,
    wanted: &Wanted,
    names: &[String],
    ends: bool,
    quiet: bool,
    node: &Node<'_>,
) -> Step {
    let numbers = numbers(asked, node.state);
    let (mut found, mut said) = (Vec::new(), String::new());
    let all = peer::processes(None);
    for name in names {
        let base = name.rsplit('/').next().unwrap_or(name);
        let short: String = base.chars().take(15).collect();
        let is_it =
            |process: &&peer::Process| process.name == short && (base.len() <= 15 || process.program == base);
        let before = found.len();
        let pids = all.iter().filter(is_it).map(|process| process.pid);
        found.extend(pids.filter(|pid| numbers.told(*pid).is_some()));
        if found.len() == before && !quiet {
            said += &format!("{name}: no process found\n");
        }
    }
    let status = i32::from(!said.is_empty() || found.is_empty());
    found_some(asked, wanted, found, ends, &numbers, said, status)
}

/// Those of the host are pretended, those inside are the real one's.
fn found_some(
    asked: &Asked,
    wanted: &Wanted,
    found: Vec<i32>,
    ends: bool,
    numbers: &laid::Numbers<'_>,
    said: String,
    status: i32,
) -> Step {
    let (inside, outside): (Vec<i32>, Vec<i32>) =
        found.into_iter().partition(|pid| numbers.inside.contains_key(pid));
    if outside.is_empty() {
        return if inside.is_empty() { say("", &said, 1, numbers.state.any()) } else { real() };
    }
    let outside: Vec<(i32, String)> =
        outside.into_iter().map(|pid| (pid, peer::name(pid).unwrap_or_default())).collect();
    let status = if said.is_empty() { 0 } else { status };
    let seen = inside.is_empty().then(|| Seen { stdout: Vec::new(), stderr: said.into_bytes(), status });
    partly(asked, wanted, &[], in_words(&outside), ended(&outside, ends), seen)
}

fn mounted(asked: &Arc<Asked>, wanted: &Wanted, targets: &[String], node: &Node<'_>) -> Step {
    let table = files::read_if_there(Path::new("/proc/self/mounts")).ok().flatten().unwrap_or_default();
    let on_host = |what: &str| {
        let mut mounts =
            table.lines().map(|line| line.split(' ').take(2).map(laid::unescaped).collect::<Vec<_>>());
        mounts.any(|mount| mount.iter().any(|there| there == what)) && !node.state.is_unmounted(what)
    };
    let is_mounted = |what: &str| {
        let pretended = node.state.mounted().iter().any(|mount| mount.target == what || mount.source == what);
        pretended || on_host(what)
    };
    let says = |(at, target): (usize, &String)| match asked.facts.get(at) {
        _ if is_mounted(target) => None,
        Some(None) => Some(format!("umount: {target}: no mount point specified.\n")),
        Some(Some(_)) | None => Some(format!("umount: {target}: not mounted.\n")),
    };
    let said: String = targets.iter().enumerate().filter_map(says).collect();
    let gone: Vec<String> = targets.iter().filter(|target| !is_mounted(target)).cloned().collect();
    if said.is_empty() {
        return pretend(asked, wanted);
    }
    if gone.len() == targets.len() {
        return say("", &said, 32, node.state.any());
    }
    let there = targets.iter().filter(|target| !gone.contains(target)).cloned().collect::<Vec<_>>();
    let deeds = there.iter().cloned().map(Deed::Unmounted).collect();
    let seen = Seen { stdout: Vec::new(), stderr: said.into_bytes(), status: 32 };
    partly(asked, wanted, &gone, there.join(" "), deeds, Some(seen))
}

/// start-stop-daemon does nothing where there is nothing to do; what the step itself has started is the real one's.
fn start_or_stop(asked: &Arc<Asked>, wanted: &Wanted, daemon: &Daemon, node: &Node<'_>) -> Step {
    let decided = |asked: &Asked, wanted: &Wanted, daemon: &Daemon, runs: bool, lowers: bool| match (
        daemon.starts,
        runs,
    ) {
        (true, true) => {
            let says =
                if daemon.quiet { String::new() } else { format!("{} already running.\n", daemon.name) };
            say(&says, "", i32::from(!daemon.content), lowers)
        }
        (false, false) => real(),
        (true, false) if asked.facts.first() == Some(&None) => real(),
        (true, false) | (false, true) => pretend(asked, wanted),
    };
    if let Some(runs) = node.state.daemon(&daemon.name) {
        return decided(asked, wanted, daemon, runs, true);
    }
    let (wanted, daemon) = (wanted.clone(), daemon.clone());
    host(asked, &asked.program, daemon.asks.clone(), move |asked, seen, node| {
        decided(asked, &wanted, &daemon, seen.status == 0, node.state.any())
    })
}
