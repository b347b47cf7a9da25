//! Signals at random moments of a dance: the node is as before or as after, and the next dance needs no help.
//!
//! A sample here; `scripts/endurance` takes `DISCO_MOMENTS` of each kind, and has the counts written to `DISCO_COUNTS`.
//! `DISCO_SEED` repeats the moments of a run that failed, which says its seed.

mod records;

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::world::{Output, World};

/// Signals that ask: whatever the moment.
const ASKING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

/// What every node has before: what a dance then replaces and deletes.
const BEFORE: &str =
    "mkdir -p /etc/moments && cd /etc/moments && for i in {1..80}; do echo old >old.$i; done";
/// What a dance does: many objects, in many renames.
const DANCE: &str = "cd /etc/moments && for i in {1..80}; do echo new >new.$i; if [ $((i % 2)) = 0 ]; then rm -f old.$i; else echo new >old.$i; fi; done; chmod 700 .";
/// A last step that has no end: with it no merge ever begins.
const ENDLESS: &str = "exec sleep 8755";

/// A node that is about to dance.
fn node(endless: bool) -> Option<(World, Start)> {
    let world = World::new()?;
    world.sh(BEFORE).succeeds();
    let groups = world.mount_groups();
    world.module("m").script("10.sh", DANCE).template("etc/moments/t.tera", "{{ hostname }}\n");
    world.module("n").requires("after m").script("10.sh", if endless { ENDLESS } else { "echo n" });
    world.copy_stage_to("/tmp/master");
    world.setting("disco/server/uri", "/tmp/master");
    let start =
        Start { processes: world.processes(), mounts: world.mounts(), traces: world.traces(), groups };
    Some((world, start))
}

/// What a node has of its own before the dance.
struct Start {
    processes: Vec<String>,
    mounts: String,
    traces: Vec<String>,
    /// The folders of its control groups.
    groups: Vec<String>,
}

/// A dance that is let go at a known time.
struct Dance<'a> {
    running: crate::world::Running<'a>,
    pidfd: OwnedFd,
    from: Instant,
}

fn start<'a>(world: &'a World, args: &[&str]) -> Dance<'a> {
    world.sh("rm -f /tmp/gate && mkfifo /tmp/gate").succeeds();
    let waits = ["bash", "-c", "read -r _ </tmp/gate; exec disco \"$@\"", "bash"];
    let running = world.spawn(&[&waits[..], args].concat());
    let pidfd = pidfd_open(running.machine_pid(), PidfdFlags::empty()).expect("it waits at the gate");
    let mut gate = fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/{}/root/tmp/gate", world.pid()))
        .expect("it opens when the dance reads");
    gate.write_all(b"go\n").expect("the dance reads");
    Dance { running, pidfd, from: Instant::now() }
}

impl Dance<'_> {
    /// Waits for the journal of its merge, which is there before anything is staged, or for its end, where that is seen first.
    fn until_staging(&self, world: &World) {
        let folder = PathBuf::from(format!("/proc/{}/fd/9/var/disco/journal", world.pid()));
        let staged = || fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        while !staged() && poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&now)) == Ok(0) {
            assert!(self.from.elapsed() < Duration::from_secs(60), "no merge begins, and no end");
        }
    }

    fn signal_after(self, wait: Duration, signal: Signal) -> Output {
        std::thread::sleep(wait.saturating_sub(self.from.elapsed()));
        match pidfd_send_signal(&self.pidfd, signal) {
            // It was faster than the moment.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(errno) => panic!("{signal:?}: {errno}"),
        }
        self.running.wait()
    }
}

/// How a node looks and how long a dance takes, without any signal.
struct Reference {
    before: Vec<String>,
    after: Vec<String>,
    whole: Duration,
    merge: Duration,
}

fn reference() -> Option<Reference> {
    let (world, _) = node(false)?;
    let before = world.manifest().objects_and_folders();
    let dance = start(&world, &["dance"]);
    let from = dance.from;
    dance.running.wait().succeeds();
    let whole = from.elapsed();
    let record = world.sh("cat /var/disco/runs/*/record.json").succeeds().stdout.clone();
    let record: serde_json::Value = serde_json::from_str(&record).expect("a record is JSON");
    let parts = record["internal"].as_array().expect("a list");
    let merge = parts.iter().find(|part| part["part"] == "merge").expect("it has merged");
    let merge = Duration::from_secs_f64(merge["cost"]["time_real"].as_f64().expect("seconds"));
    Some(Reference { before, after: world.manifest().objects_and_folders(), whole, merge })
}

/// What a node came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Before,
    After,
    /// Nothing is changed, but staged objects lie beside their places.
    BeforeWithStaged,
    /// Everything is changed, but what was replaced lies beside its place.
    AfterWithReplaced,
    Mixed,
}

fn is_set_aside(object: &str) -> bool {
    let path = object.split(": ").next().unwrap_or_default();
    path.rsplit('/').next().is_some_and(|name| name.starts_with(".disco-"))
}

fn state(world: &World, reference: &Reference) -> State {
    let now = world.manifest().objects_and_folders();
    let plain: Vec<String> = now.iter().filter(|object| !is_set_aside(object)).cloned().collect();
    match (plain.len() == now.len(), plain == reference.before, plain == reference.after) {
        (true, true, _) => State::Before,
        (true, _, true) => State::After,
        (false, true, _) => State::BeforeWithStaged,
        (false, _, true) => State::AfterWithReplaced,
        (_, false, false) => State::Mixed,
    }
}

/// After whatever it was, nothing of it is left but its scratchpad, and, where it was killed, an empty control group.
#[track_caller]
fn nothing_is_left(world: &World, start: &Start, killed: bool, what: &str) {
    world.only_has(&start.processes);
    assert_eq!(world.mounts(), start.mounts, "{what}: a mount is left");
    assert_eq!(world.traces(), start.traces, "{what}: a socket, a namespace or memory is left");
    let groups = world.groups(&start.groups);
    assert!(killed || groups.is_empty(), "{what}: {groups:?}");
    for group in groups {
        world.run(&["cat", &format!("{group}/cgroup.procs")]).stdout_is("");
    }
}

/// The next dance brings the node where it should be, and takes away what was left.
#[track_caller]
fn next_dance_works(world: &World, reference: &Reference, start: &Start, what: &str) {
    world.module("n").script("10.sh", "echo n");
    world.copy_stage_to("/tmp/master");
    let next = world.disco(&["dance"]);
    assert_eq!(next.status, Some(0), "{what}\n{next}");
    let now = world.manifest().objects_and_folders();
    let plain: Vec<String> = now.into_iter().filter(|object| !is_set_aside(object)).collect();
    let missing: Vec<_> = reference.after.iter().filter(|object| !plain.contains(object)).collect();
    let surplus: Vec<_> = plain.iter().filter(|object| !reference.after.contains(object)).collect();
    assert_eq!((missing, surplus), (vec![], vec![]), "{what}: the next dance does not bring it there");
    world.run(&["ls", "-A", "/var/disco/scratch"]).stdout_is("");
    nothing_is_left(world, start, false, what);
}

/// Random numbers that a seed repeats (xorshift).
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let said = std::env::var("DISCO_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = said.unwrap_or(now.subsec_nanos() as u64 + 1);
        // Shown when the test fails.
        println!("DISCO_SEED={seed}");
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A share: at least 0, and less than 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A moment of that time.
    fn moment(&mut self, of: Duration) -> Duration {
        of.mul_f64(self.share())
    }
}

/// How many moments of each signal.
fn moments() -> usize {
    std::env::var("DISCO_MOMENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(3)
}

/// Adds a line of counts for the script that asked for them.
fn count(kind: &str, states: &[State]) {
    let Some(path) = std::env::var_os("DISCO_COUNTS") else { return };
    let of = |state: State| states.iter().filter(|it| **it == state).count();
    let line = format!(
        "| {kind} | {} | {} | {} | {} | {} | {} |\n",
        states.len(),
        of(State::Before),
        of(State::BeforeWithStaged),
        of(State::Mixed),
        of(State::AfterWithReplaced),
        of(State::After),
    );
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a file for counts");
    file.write_all(line.as_bytes()).expect("counts can be written");
}

#[test]
fn a_signal_that_asks_leaves_the_node_as_before_or_as_after() {
    let Some(reference) = reference() else { return };
    let mut random = Random::seeded();
    for signal in ASKING {
        let mut states = Vec::new();
        for _ in 0..moments() {
            let Some((world, before)) = node(false) else { return };
            let moment = random.moment(reference.whole.mul_f64(1.1));
            let out = start(&world, &["dance"]).signal_after(moment, signal);
            let what = format!("{signal:?} after {moment:?} of {:?}", reference.whole);
            nothing_is_left(&world, &before, false, &what);
            let state = state(&world, &reference);
            let ended = (state, out.signal_or_status());
            // A merge that has begun is ended, and then the run's end is its own, or the signal's.
            let expected = match state {
                State::Before => ended.1 == 128 + signal.as_raw(),
                State::After => [0, 128 + signal.as_raw()].contains(&ended.1),
                State::BeforeWithStaged | State::AfterWithReplaced | State::Mixed => false,
            };
            assert!(expected, "{what}: {ended:?}\n{out}");
            next_dance_works(&world, &reference, &before, &what);
            states.push(state);
        }
        count(
            &format!(
                "{}, any moment of the dance",
                format!("{signal:?}").replace("Signal::", "").trim_matches('"')
            ),
            &states,
        );
    }
}

#[test]
fn a_kill_before_the_merge_leaves_the_node_as_before() {
    let Some(reference) = reference() else { return };
    let mut random = Random::seeded();
    let mut states = Vec::new();
    for _ in 0..moments() {
        let Some((world, before)) = node(true) else { return };
        let moment = random.moment(reference.whole.mul_f64(1.1));
        let out = start(&world, &["dance"]).signal_after(moment, Signal::KILL);
        let what = format!("KILL after {moment:?} of {:?}", reference.whole);
        assert_eq!(out.signal_or_status(), 137, "{what}\n{out}");
        nothing_is_left(&world, &before, true, &what);
        assert_eq!(state(&world, &reference), State::Before, "{what}");
        next_dance_works(&world, &reference, &before, &what);
        states.push(State::Before);
    }
    count("KILL, any moment before the merge", &states);
}

/// A kill while objects are renamed leaves some renamed and some not, until the next live run: whatever else becomes of
/// that, it first finishes the merge. The counts, for `docs/endurance.md`, are of the node before it.
#[test]
fn a_kill_at_any_moment_is_mended_by_the_next_run() {
    let Some(reference) = reference() else { return };
    let mut random = Random::seeded();
    for in_merge in [false, true] {
        let mut states = Vec::new();
        for number in 0..moments() {
            let Some((world, before)) = node(false) else { return };
            let dance = start(&world, &["dance"]);
            let moment = match in_merge {
                false => random.moment(reference.whole.mul_f64(1.1)),
                true => {
                    dance.until_staging(&world);
                    let later = random.moment(reference.merge.mul_f64(1.1));
                    // The first one meets the merge, however slow the machine is.
                    dance.from.elapsed() + if number == 0 { Duration::ZERO } else { later }
                }
            };
            let out = dance.signal_after(moment, Signal::KILL);
            assert!([0, 137].contains(&out.signal_or_status()), "{out}");
            assert!(!in_merge || number > 0 || out.signal_or_status() == 137, "no merge was met\n{out}");
            let (killed, what) = (state(&world, &reference), format!("KILL after {moment:?}"));
            nothing_is_left(&world, &before, true, &what);
            let next = world.disco(&["dance", "--server", "/none"]);
            next.exits(69);
            let mended = state(&world, &reference);
            let whole = match killed {
                State::Before | State::BeforeWithStaged => [State::Before, State::After].contains(&mended),
                State::Mixed | State::AfterWithReplaced | State::After => mended == State::After,
            };
            assert!(whole, "{what}: {killed:?}, then {mended:?}\n{next}");
            next_dance_works(&world, &reference, &before, &what);
            world.run(&["ls", "-A", "/var/disco/journal"]).stdout_is("");
            states.push(killed);
        }
        count(if in_merge { "KILL, in the merge alone" } else { "KILL, any moment of the dance" }, &states);
    }
}
