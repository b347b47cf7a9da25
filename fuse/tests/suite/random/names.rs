//! One thread changes files for the first time, while another moves, removes and makes other names of the same files: for
//! each file both begin at the same moment, or nearly. In the end all is as if they had done so one after the other.

use super::op::{Bytes, Op, Random};
use super::side::Side;
use super::{START, age, seeds};
use crate::layer::{apply, copy};
use crate::tree::{differences, tree};
use crate::world::World;
use rustix::fs::{OFlags, RenameFlags};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, Instant};

const FILES: usize = 96;

fn fill(lower: &Path) {
    for directory in ["own", "shared", "theirs"] {
        std::fs::create_dir(lower.join(directory)).unwrap();
    }
    for number in 0..FILES {
        let own = lower.join(format!("own/f{number}"));
        std::fs::write(&own, number.to_string().repeat(500)).unwrap();
        std::fs::create_dir(lower.join(format!("theirs/d{number}"))).unwrap();
        std::fs::write(lower.join(format!("theirs/d{number}/plain")), "plain").unwrap();
        for name in ["theirs/k", "shared/k"] {
            std::fs::hard_link(&own, lower.join(format!("{name}{number}"))).unwrap();
        }
        std::fs::hard_link(&own, lower.join(format!("theirs/d{number}/k"))).unwrap();
    }
    age(lower);
}

/// The first change of a file.
fn change(number: usize) -> Op {
    let path = PathBuf::from(format!("own/f{number}"));
    match number / 8 % 4 {
        0 => Op::Write { path, flags: OFlags::WRONLY | OFlags::APPEND, at: 0, data: Bytes(b'+', 9), mode: 0 },
        1 => Op::Chmod { path, mode: 0o640 },
        2 => Op::Truncate { path, size: 700 },
        _ => Op::SetXattr { path, name: "user.one", value: b"1".to_vec() },
    }
}

/// What happens to other names of it meanwhile.
fn moves(number: usize) -> Vec<Op> {
    let path = |name: &str| PathBuf::from(name.replace('#', &number.to_string()));
    let rename = |from: &str, to: &str, flags| Op::Rename { from: path(from), to: path(to), flags };
    let (plain, exchange) = (RenameFlags::empty(), RenameFlags::EXCHANGE);
    match number % 8 {
        0 => vec![rename("theirs/k#", "theirs/moved#", plain), rename("shared/k#", "theirs/k#", plain)],
        1 => ["theirs/k#", "shared/k#", "theirs/d#/k"].map(|name| Op::Unlink { path: path(name) }).to_vec(),
        2 => vec![
            Op::Link { from: path("shared/k#"), to: path("shared/again#") },
            Op::Unlink { path: path("theirs/k#") },
        ],
        3 => vec![rename("theirs/d#", "shared/d#", plain), rename("shared/d#/k", "theirs/from#", plain)],
        4 => vec![
            rename("theirs/d#/plain", "theirs/k#", exchange),
            rename("shared/k#", "theirs/d#/plain", exchange),
        ],
        5 => vec![rename("theirs/d#/plain", "shared/k#", plain), rename("theirs/d#", "theirs/e#", plain)],
        6 => {
            let remade = Op::Mkdir { path: path("shared/k#"), mode: 0o755 };
            vec![Op::Unlink { path: path("shared/k#") }, remade, rename("theirs/k#", "shared/k#/k", plain)]
        }
        _ => vec![
            Op::Kind { path: path("shared/k#") },
            Op::Symlink { target: path("x"), path: path("theirs/new#") },
            rename("theirs/new#", "theirs/k#", plain),
        ],
    }
}

#[test]
fn names_come_and_go_while_their_file_is_changed_elsewhere() {
    for seed in seeds(0..2) {
        eprintln!("DISCO_FUSE_SEEDS={seed}..{}", seed + 1);
        let world = World::new(fill);
        let (plain, merged) = (world.outside().join("plain"), world.outside().join("merged"));
        copy(&world.lower, &plain);
        copy(&world.lower, &merged);
        let start = Barrier::new(2);
        let [mut changing, mut moving] = [0, 1].map(|_| Side::new(&world.mount, Some("")));
        let seen = std::thread::scope(|scope| {
            let start = &start;
            let changing = scope.spawn(move || {
                let act = |number| {
                    start.wait();
                    changing.apply(&change(number))
                };
                (0..FILES).map(act).collect::<Vec<_>>()
            });
            let mut random = Random::new(seed);
            let act = |number| {
                let later = Duration::from_nanos(random.below(400_000));
                start.wait();
                let begin = Instant::now();
                while begin.elapsed() < later {
                    std::hint::spin_loop();
                }
                moves(number).iter().map(|op| moving.apply(op)).collect::<Vec<_>>()
            };
            let moved: Vec<_> = (0..FILES).map(act).collect();
            changing.join().unwrap().into_iter().zip(moved).collect::<Vec<_>>()
        });
        let mut side = Side::new(&plain, Some(""));
        for (number, (changed, moved)) in seen.into_iter().enumerate() {
            assert_eq!(changed, side.apply(&change(number)), "{}", change(number));
            for (op, moved) in moves(number).iter().zip(moved) {
                assert_eq!(moved, side.apply(op), "{op} beside {}", change(number));
            }
        }
        apply(&world.settled_upper(), &merged);
        let [plain, mut shown, mut merged] = [&plain, &world.mount, &merged].map(|root| tree(root, START));
        let found = differences(&shown, &plain);
        assert!(found.is_empty(), "the tree\n{}", found.join("\n"));
        // The layer says nothing of the root's times.
        for tree in [&mut merged, &mut shown] {
            tree.get_mut(Path::new("")).unwrap().mtime = (0, 0);
        }
        let found = differences(&shown, &merged);
        assert!(found.is_empty(), "the layer\n{}", found.join("\n"));
        world.finish();
    }
}
