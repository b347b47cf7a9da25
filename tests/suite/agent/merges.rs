//! kill -9 in the midst of a merge that somebody has asked for: at each moment of it, of each process and of all of them. The dance is
//! held (SIGSTOP) at the moment, which its journal tells, so that each is met, and none by chance.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::*;

/// How the node is before each run.
const BEFORE: &str =
    "rm -rf /etc/many && mkdir -p /etc/many && cd /etc/many && for i in {1..200}; do echo old >old.$i; done";
/// What the run makes of it: many objects, in many renames.
const CHANGE: &str = "cd /etc/many && for i in {1..200}; do echo new >new.$i; done; for i in {1..199..2}; do echo new >old.$i; done; rm -f old.{2..200..2}; chmod 700 .";
/// What belongs to the merge, and waits while there is something at /run/hold.
const AFTER: &str = "while [ -e /run/hold ]; do sleep 0.05; done";

/// The moments of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// What is new is made beside its place, and nothing has changed.
    Staging,
    /// Its changes are made, one by one.
    Renaming,
    /// They are made, and what comes after them is under way.
    Applied,
}

const MOMENTS: [Moment; 3] = [Moment::Staging, Moment::Renaming, Moment::Applied];

/// A node where a run can be held in its merge.
struct Held<'a> {
    node: Node<'a>,
    before: Vec<String>,
    after: Vec<String>,
}

/// A live run that stands still in its merge.
struct Merging {
    run: RunState,
    runner: OwnedFd,
    dance: OwnedFd,
}

fn objects(world: &World) -> Vec<String> {
    let all = world.manifest().objects_and_folders();
    all.into_iter().filter(|object| object.starts_with("/etc/many")).collect()
}

/// What the journal of the merge that is under way says; `None` where there is none.
fn journal(world: &World) -> Option<String> {
    let folder = format!("/proc/{}/fd/9/var/disco/journal", world.pid());
    let entry = fs::read_dir(folder).ok()?.flatten().next()?;
    // It may be gone by now.
    fs::read_to_string(entry.path()).ok()
}

fn moment(world: &World) -> Option<Moment> {
    let text = journal(world)?;
    let has = |line: &str| text.contains(&format!("{{\"line\":\"{line}\""));
    Some(match (has("commit"), has("applied")) {
        (false, _) => Moment::Staging,
        (true, false) => Moment::Renaming,
        (true, true) => Moment::Applied,
    })
}

/// The one process that this one has started, as the machine numbers them.
fn child(of: Pid) -> Option<Pid> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).ok()?.flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<i32> = children
        .flat_map(|text| text.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    all.first().copied().and_then(Pid::from_raw)
}

/// How a process is, in a letter of proc_pid_stat(5); `None` where there is none.
fn letter(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name, which is in parentheses, may have anything in it.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn alive(pid: Pid) -> bool {
    !matches!(letter(pid), Some('Z' | 'X') | None)
}

/// Has a process stop, and waits until it has; `false` where it has ended.
fn stands_still(pid: Pid, process: &OwnedFd) -> bool {
    while alive(pid) && pidfd_send_signal(process, Signal::STOP).is_ok() {
        if letter(pid) == Some('T') {
            return true;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    false
}

fn signal(process: &OwnedFd, signal: Signal) {
    pidfd_send_signal(process, signal).expect("it is there");
}

impl<'a> Held<'a> {
    fn new(world: &'a World) -> Held<'a> {
        world.module("m").script("10.sh", CHANGE).any("after/10-wait", AFTER);
        world.module("n").script("10.sh", "echo n");
        world.master();
        let node = Node::new(world);
        world.sh(BEFORE).succeeds();
        let before = objects(world);
        assert_eq!(node.end(&node.ask(false, &["m"]).id).state, State::Done { exit: 2 });
        let after = objects(world);
        assert!(before != after && after.len() > 300, "{after:#?}");
        Held { node, before, after }
    }

    /// Asks for a run and holds it at that moment; again, where it was past that before it was seen.
    fn hold(&self, wanted: Moment) -> Merging {
        for _ in 0..10 {
            let (run, merging) = self.begin(wanted);
            if let Some(merging) = merging {
                return merging;
            }
            self.node.end(&run);
        }
        panic!("never held while {wanted:?}");
    }

    /// A run that is held at that moment; or one that was past it.
    fn begin(&self, wanted: Moment) -> (TriggerId, Option<Merging>) {
        let world = self.node.world;
        world.sh(BEFORE).succeeds();
        if wanted == Moment::Applied {
            world.sh("touch /run/hold").succeeds();
        }
        let run = self.node.ask(false, &["m"]);
        let until = Instant::now() + Duration::from_secs(60);
        let found = |of: Pid| loop {
            assert!(Instant::now() < until, "no process is started: {:#?}", world.processes());
            if let Some(pid) = child(of) {
                return (pid, pidfd_open(pid, PidfdFlags::empty()).expect("it is there"));
            }
        };
        let (pid, runner) = found(self.node.helper.machine_pid());
        let (pid, dance) = found(pid);
        while moment(world).is_none() && alive(pid) {
            assert!(Instant::now() < until, "no merge: {}", self.node.log(&run.id));
            std::thread::sleep(Duration::from_micros(200));
        }
        // From here it goes in steps of a few milliseconds, and stands still while it is looked at: the moments are short.
        while stands_still(pid, &dance) {
            match moment(world) {
                Some(now) if now == wanted => {
                    return (run.id.clone(), Some(Merging { run, runner, dance }));
                }
                Some(Moment::Applied) => {
                    signal(&dance, Signal::CONT);
                    break;
                }
                Some(Moment::Staging | Moment::Renaming) | None => signal(&dance, Signal::CONT),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        (run.id, None)
    }

    /// Kills the helper and these at once; then there is another helper.
    fn kill_with_helper(self, processes: &[&OwnedFd]) -> Held<'a> {
        let Held { node: Node { world, helper, client }, before, after } = self;
        let handle = pidfd_open(helper.machine_pid(), PidfdFlags::empty()).expect("it is there");
        std::iter::once(&handle).chain(processes.iter().copied()).for_each(|one| signal(one, Signal::KILL));
        assert_eq!(helper.wait().signal, Some(9));
        Held { node: Node { world, helper: start(world), client }, before, after }
    }

    fn go_on(&self, merging: &Merging) {
        self.node.world.sh("rm -f /run/hold").succeeds();
        signal(&merging.dance, Signal::CONT);
    }

    /// What is told of the newest run: by the helper's verbs and by the command.
    #[track_caller]
    fn told(&self, id: &TriggerId, state: &State, words: &str) {
        let listed = self.node.client.list().expect("the helper answers");
        assert_eq!((&listed[0].id, &listed[0].state, &self.node.look(id).state), (id, state, state));
        let said = self.node.world.disco(&["agent", "status"]);
        said.stdout_has(&format!("last      live run {id} {words}"));
    }

    /// Where a merge was stopped it is told, and finished or taken back by whatever comes next: the next run, or `disco recover`.
    #[track_caller]
    fn is_mended(&self, moment: Moment, by_hand: bool) {
        let (node, world) = (&self.node, self.node.world);
        assert!(journal(world).is_some(), "{moment:?}: a merge was stopped");
        let trouble = node.client.standing().expect("the helper answers").trouble;
        assert!(
            trouble.as_deref().is_some_and(|why| why.contains("disco recover")),
            "{moment:?}: {trouble:?}"
        );
        world.sh("rm -f /run/hold").succeeds();
        // What is done on the live system is not bound to the dance: a service that it starts is to stay.
        world.wait_until("what it has started ends", || pids(world, "after/10-wait").is_empty());
        if by_hand {
            world.disco(&["recover"]).succeeds();
            let wanted = if moment == Moment::Staging { &self.before } else { &self.after };
            assert_eq!(&objects(world), wanted, "{moment:?}");
            assert_eq!(node.client.standing().expect("the helper answers").trouble, None);
        }
        let next = node.end(&node.ask(false, &["m"]).id);
        assert!(next.state.is_success(), "{moment:?}: {next:?}\n{}", node.log(&next.id));
        assert_eq!(objects(world), self.after, "{moment:?}");
        assert_eq!(
            (journal(world), node.client.standing().expect("the helper answers").trouble),
            (None, None),
            "{moment:?}"
        );
    }

    /// Its runner has gone, and its dance has not: the run goes on, and nothing else begins before its end.
    #[track_caller]
    fn goes_on_to_its_end(&self, moment: Moment, merging: &Merging) {
        let node = &self.node;
        let next = node.ask(true, &["n"]);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(node.look(&merging.run.id).state, State::Running, "{moment:?}: its dance is there");
        assert_eq!(node.look(&next.id).state, State::Queued, "{moment:?}");
        let standing = node.client.standing().expect("the helper answers");
        assert_eq!(
            (standing.running.as_ref(), standing.trouble),
            (Some(&merging.run.id), None),
            "{moment:?}"
        );
        self.go_on(merging);
        let end = node.end(&merging.run.id);
        assert_eq!(end.state, State::Done { exit: 2 }, "{moment:?}: by its record: {}", node.log(&end.id));
        assert_eq!((objects(node.world), journal(node.world)), (self.after.clone(), None), "{moment:?}");
        assert_eq!(node.end(&next.id).state, State::Done { exit: 0 }, "{moment:?}: its turn has come");
    }
}

#[test]
fn a_dance_that_is_killed_in_its_merge_is_told_as_killed() {
    let Some(world) = World::new() else { return };
    let held = Held::new(&world);
    for (moment, by_hand) in MOMENTS.into_iter().zip([false, true, false]) {
        let merging = held.hold(moment);
        signal(&merging.dance, Signal::KILL);
        let end = held.node.end(&merging.run.id);
        assert_eq!(end.state, State::Killed { signal: 9 }, "{moment:?}");
        assert!(end.run.is_some(), "{moment:?}: its record is known");
        held.told(&end.id, &end.state, "was ended by signal 9 at ");
        held.is_mended(moment, by_hand);
    }
}

#[test]
fn a_merge_whose_runner_is_killed_goes_on_to_its_end() {
    let Some(world) = World::new() else { return };
    let held = Held::new(&world);
    for moment in MOMENTS {
        let merging = held.hold(moment);
        signal(&merging.runner, Signal::KILL);
        held.goes_on_to_its_end(moment, &merging);
    }
}

#[test]
fn a_merge_whose_runner_and_helper_are_killed_goes_on_to_its_end() {
    let Some(world) = World::new() else { return };
    let mut held = Held::new(&world);
    for moment in MOMENTS {
        let merging = held.hold(moment);
        held = held.kill_with_helper(&[&merging.runner]);
        held.goes_on_to_its_end(moment, &merging);
    }
}

#[test]
fn a_run_all_of_whose_processes_are_killed_in_its_merge_is_lost_and_the_next_one_mends_it() {
    let Some(world) = World::new() else { return };
    let mut held = Held::new(&world);
    for (moment, by_hand) in MOMENTS.into_iter().zip([true, false, true]) {
        let merging = held.hold(moment);
        held = held.kill_with_helper(&[&merging.runner, &merging.dance]);
        let end = held.node.end(&merging.run.id);
        assert_eq!(end.state, State::Lost, "{moment:?}");
        held.told(&end.id, &end.state, "is lost, found at ");
        held.is_mended(moment, by_hand);
    }
}

#[test]
fn an_abort_in_the_merge_comes_too_late_and_that_is_told() {
    let Some(world) = World::new() else { return };
    let held = Held::new(&world);
    for moment in MOMENTS {
        let merging = held.hold(moment);
        let state = held.node.abort(&merging.run.id).state;
        assert_eq!(state, State::Running, "{moment:?}");
        std::thread::sleep(Duration::from_millis(300));
        held.go_on(&merging);
        let end = held.node.end(&merging.run.id);
        assert_eq!(end.state, State::Done { exit: 2 }, "{moment:?}");
        assert_eq!((objects(&world), journal(&world)), (held.after.clone(), None), "{moment:?}");
        held.told(&end.id, &end.state, "ended with 2 at ");
        let log = held.node.log(&end.id);
        assert!(log.contains("info: bob wanted to abort it, too late: it went on to its end\n"), "{log}");
    }
}
