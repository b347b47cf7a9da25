//! The same random operations on the overlay and on a plain copy of its lower end in the same tree: of one user, and of
//! two at once (`two`). A failure names its seed, and the fewest operations of it that still fail.

mod content;
mod names;
mod op;
mod side;
mod two;

use crate::layer::{apply, copy};
use crate::tree::{Times, differences, tree};
use crate::world::World;
use disco_fuse::Writes;
use nix::sys::stat::Mode;
use op::{Names, Op, Random, Sort, op};
use side::Side;
use std::path::Path;
use std::time::{Duration, Instant};

/// Times before this second are compared.
const START: Times = Times::Since(1_500_000_000);

/// Where a sequence went wrong, and how.
struct Fault {
    at: usize,
    text: String,
}

/// Makes everything old, so that what is new can be told.
fn age(lower: &Path) {
    let old = std::process::Command::new("find")
        .arg(lower)
        .args(["-exec", "touch", "-h", "-d", "@1000000000.25", "--", "{}", "+"])
        .status();
    assert!(old.unwrap().success());
}

/// Lets users without privilege come to the trees, which are in a directory of the test's own. Every other run takes away
/// no right from what is made.
fn open_to_all(world: &World, seed: u64) {
    use std::os::unix::fs::PermissionsExt;
    // This thread's and those of its threads alone, since it left the machine's mount namespace.
    nix::sys::stat::umask(Mode::from_bits_truncate(if seed % 4 < 2 { 0 } else { 0o022 }));
    std::fs::set_permissions(world.outside(), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Fills a lower by the same operations, and makes all of it old.
fn fill(random: &mut Random, names: &Names, lower: &Path) {
    let directories = ["a", "b", "a/a", "a/b", "b/a", "b/b"];
    for name in directories {
        std::fs::create_dir(lower.join(name)).unwrap();
        for file in ["c", "d", "e"].iter().filter(|_| random.below(3) > 0) {
            std::fs::write(lower.join(name).join(file), name.repeat(1000)).unwrap();
        }
    }
    let mut side = Side::new(lower, None);
    for _ in 0..120 {
        // What does not work does not matter here.
        let _ = side.apply(&op(random, names));
    }
    // Further names of what is there, under names that no operation uses: nobody looks them up.
    std::fs::create_dir_all(lower.join("unseen/deep")).unwrap();
    for number in 0..30 {
        let directory = lower.join(random.pick(&["", "unseen", "unseen/deep", "a", "a/b", "b/a"]));
        let link =
            Op::Link { from: names.path(random, Sort::File), to: directory.join(format!("link{number}")) };
        let _ = side.apply(&link);
    }
    age(lower);
}

/// Most ways of the kernel's to write, in turn.
fn writes(seed: u64) -> Writes {
    if seed.is_multiple_of(3) { Writes::Gathered } else { Writes::Through }
}

fn run(seed: u64, words: &[u64]) -> Result<(), Fault> {
    let names = Names::new(&[""], "", false);
    let mut random = Random::new(seed);
    let world = World::with(|lower| fill(&mut random, &names, lower), |_| Vec::new(), writes(seed));
    open_to_all(&world, seed);
    let other = world.outside().join("plain");
    copy(&world.lower, &other);
    let merged = world.outside().join("merged");
    copy(&world.lower, &merged);

    let mut overlay = Side::new(&world.mount, None);
    let mut plain = Side::new(&other, None);
    let mut history = Vec::new();
    let fault = |what: &str, found: &[String], history: &[String]| {
        let text = format!("{what}\n{}\nafter\n{}", found.join("\n"), history.join("\n"));
        Err(Fault { at: history.len(), text })
    };
    for (number, word) in words.iter().enumerate() {
        let op = op(&mut Random::new(*word), &names);
        let seen = overlay.apply(&op);
        let wanted = plain.apply(&op);
        history.push(format!("{number}: {op} -> {wanted:.60?}"));
        if seen != wanted {
            let found = format!("{op}: {seen:.500?} instead of {wanted:.500?}");
            return fault("an answer", &[found], &history).map_err(|fault| Fault { at: number + 1, ..fault });
        }
        // Comparing looks everything up, which every other run does only in the end.
        if number % 50 == 49 && seed.is_multiple_of(2) {
            let found = differences(&tree(&world.mount, START), &tree(&other, START));
            if !found.is_empty() {
                return fault("the tree", &found, &history)
                    .map_err(|fault| Fault { at: number + 1, ..fault });
            }
        }
    }
    apply(&world.settled_upper(), &merged);
    let mut shown = tree(&world.mount, START);
    let found = differences(&shown, &tree(&other, START));
    if !found.is_empty() {
        return fault("the tree in the end", &found, &history)
            .map_err(|fault| Fault { at: words.len(), ..fault });
    }
    drop((overlay, plain));
    let mut merged = tree(&merged, START);
    // The layer says nothing of the root's times.
    for tree in [&mut merged, &mut shown] {
        tree.get_mut(Path::new("")).unwrap().mtime = (0, 0);
    }
    let found = differences(&shown, &merged);
    if !found.is_empty() {
        return fault("the layer", &found, &history).map_err(|fault| Fault { at: words.len(), ..fault });
    }
    world.finish();
    Ok(())
}

/// Takes away what a failing sequence does not need, for a while.
fn shortest(
    mut words: Vec<u64>,
    mut fault: Fault,
    run: impl Fn(&[u64]) -> Result<(), Fault>,
) -> (usize, Fault) {
    let deadline = Instant::now() + Duration::from_secs(60);
    words.truncate(fault.at);
    let mut piece = words.len().div_ceil(2);
    while piece > 0 {
        let mut start = 0;
        while start < words.len() && Instant::now() < deadline {
            let mut fewer = words.clone();
            fewer.drain(start..(start + piece).min(words.len()));
            match run(&fewer) {
                Ok(()) => start += piece,
                Err(again) => {
                    fewer.truncate(again.at);
                    (words, fault) = (fewer, again);
                }
            }
        }
        piece /= 2;
    }
    (words.len(), fault)
}

/// Runs sequences of so many operations, one for each seed.
fn for_seeds(default: std::ops::Range<u64>, length: usize, run: impl Fn(u64, &[u64]) -> Result<(), Fault>) {
    for seed in seeds(default) {
        // Seen when anything below panics.
        eprintln!("DISCO_FUSE_SEEDS={seed}..{}", seed + 1);
        let mut random = Random::new(!seed);
        let words: Vec<u64> = (0..length).map(|_| random.next()).collect();
        if let Err(fault) = run(seed, &words) {
            let first = fault.text.clone();
            let (count, fault) = shortest(words, fault, |words| run(seed, words));
            panic!("seed {seed}: {first}\n\n{count} operations suffice: {}", fault.text);
        }
    }
}

/// `DISCO_FUSE_SEEDS=from..to` runs others, for a longer look.
fn seeds(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match std::env::var("DISCO_FUSE_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").unwrap();
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => default,
    }
}

#[test]
fn random_operations_end_as_on_a_plain_directory() {
    for_seeds(1..13, 400, run);
}
