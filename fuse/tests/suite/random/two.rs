//! Two threads at once. Each has a directory and names of its own; both have names in shared directories, and names of
//! each other's files. What each sees does not depend on the other, so a plain copy gets one's operations after the
//! other's.

use super::op::{Names, Random, Sort, op};
use super::side::Side;
use super::{Fault, START, age, for_seeds, open_to_all, writes};
use crate::layer::{apply, copy};
use crate::tree::{differences, tree};
use crate::world::World;
use rustix::io::Errno;
use std::path::Path;
use std::sync::Barrier;

const ENDS: [&str; 2] = ["0", "1"];

fn names(thread: usize) -> Names {
    let own = ["p0", "p1"][thread];
    Names::new(&[own, "s", "s/t"], ENDS[thread], true)
}

/// Fills a lower in both threads' names, some of them links of one file of which only one thread is the writer.
fn fill(random: &mut Random, lower: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for name in ["p0", "p1", "s", "s/t"] {
        std::fs::create_dir(lower.join(name)).unwrap();
        std::fs::set_permissions(lower.join(name), std::fs::Permissions::from_mode(0o777)).unwrap();
        for end in ENDS.iter().filter(|end| !name.starts_with('p') || name.ends_with(*end)) {
            for directory in [format!("a{end}"), format!("b{end}"), format!("b{end}/a{end}")] {
                let directory = lower.join(name).join(directory);
                std::fs::create_dir(&directory).unwrap();
                for file in ["c", "d"] {
                    std::fs::write(directory.join(format!("{file}{end}")), name.repeat(2000)).unwrap();
                }
            }
        }
    }
    for thread in [0, 1] {
        let mut side = Side::new(lower, Some(ENDS[thread]));
        for _ in 0..60 {
            // What does not work does not matter here.
            let _ = side.apply(&op(random, &names(thread)));
        }
    }
    // The writer's names are ordinary ones, the other's are foreign ones. Those that are taken stay what they are.
    for (writer, other) in [(0, 1), (1, 0)] {
        for number in 0..3 {
            let source = lower.join(format!("source{writer}{number}"));
            std::fs::write(&source, number.to_string().repeat(5000)).unwrap();
            for to in [
                names(writer).path(random, Sort::File),
                names(writer).path(random, Sort::File),
                names(other).foreign(random),
            ] {
                let _ = std::fs::hard_link(&source, lower.join(to));
            }
            if number > 0 {
                std::fs::remove_file(&source).unwrap();
            }
        }
    }
    age(lower);
}

/// What a thread saw: the operation's number, and the answer.
type Seen = Vec<Result<String, Errno>>;

/// The words at odd places are one thread's, the others the other's.
fn of(thread: usize, words: &[u64]) -> impl Iterator<Item = u64> {
    words.iter().copied().skip(thread).step_by(2)
}

fn run(seed: u64, words: &[u64]) -> Result<(), Fault> {
    let mut random = Random::new(seed);
    let world = World::with(|lower| fill(&mut random, lower), |_| Vec::new(), writes(seed));
    open_to_all(&world, seed);
    let (other, merged) = (world.outside().join("plain"), world.outside().join("merged"));
    copy(&world.lower, &other);
    copy(&world.lower, &merged);
    let mut overlay = ENDS.map(|end| Side::new(&world.mount, Some(end)));
    let mut plain = ENDS.map(|end| Side::new(&other, Some(end)));
    let mut history = Vec::new();
    let fault = |what: &str, found: &[String], history: &[String]| {
        let text = format!("{what}\n{}\nafter, thread by thread,\n{}", found.join("\n"), history.join("\n"));
        Err(Fault { at: words.len(), text })
    };
    for batch in words.chunks(120) {
        let start = Barrier::new(2);
        let seen: Vec<Seen> = std::thread::scope(|scope| {
            let started = overlay.iter_mut().enumerate().map(|(thread, side)| {
                let (start, names) = (&start, names(thread));
                let act = move || {
                    start.wait();
                    of(thread, batch).map(|word| side.apply(&op(&mut Random::new(word), &names))).collect()
                };
                scope.spawn(act)
            });
            let started: Vec<_> = started.collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (thread, seen) in seen.iter().enumerate() {
            for (word, seen) in of(thread, batch).zip(seen) {
                let op = op(&mut Random::new(word), &names(thread));
                let wanted = plain[thread].apply(&op);
                history.push(format!("{thread}: {op} -> {wanted:.60?}"));
                if *seen != wanted {
                    let found = format!("{thread}: {op}: {seen:.500?} instead of {wanted:.500?}");
                    return fault("an answer", &[found], &history);
                }
            }
        }
        let found = differences(&tree(&world.mount, START), &tree(&other, START));
        if !found.is_empty() {
            return fault("the tree", &found, &history);
        }
        let found = world.damage();
        if !found.is_empty() {
            return fault("the lower", &found, &history);
        }
    }
    apply(&world.settled_upper(), &merged);
    drop((overlay, plain));
    let [mut merged, mut shown] = [&merged, &world.mount].map(|root| tree(root, START));
    // The layer says nothing of the root's times.
    for tree in [&mut merged, &mut shown] {
        tree.get_mut(Path::new("")).unwrap().mtime = (0, 0);
    }
    let found = differences(&shown, &merged);
    if !found.is_empty() {
        return fault("the layer", &found, &history);
    }
    world.finish();
    Ok(())
}

#[test]
fn two_threads_at_once_end_as_one_after_the_other_on_a_plain_directory() {
    for_seeds(1..9, 480, run);
}
