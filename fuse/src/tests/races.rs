//! Readers of a file while others bring it into the upper.

use super::{look, overlay};
use crate::Overlay;
use crate::attributes::Change;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const FILES: usize = 1500;
const SIZE: usize = 20_000;

/// A way to change the last byte of the file, or to add one.
type Way = fn(&Overlay, u64);

fn write(overlay: &Overlay, id: u64) {
    overlay.write(id, SIZE as u64 - 1, b"n", false).unwrap();
}

fn truncate(overlay: &Overlay, id: u64) {
    let change = Change { size: Some(SIZE as u64 + 1), ..Change::default() };
    overlay.set_attributes(id, &change).unwrap();
}

fn read(overlay: &Overlay, id: u64) -> Vec<u8> {
    overlay.read(id, 0, 2 * SIZE, |data| data.unwrap().to_vec())
}

/// Waits without sleeping: the moments that matter here are shorter than waking up takes.
fn wait(mut until: impl FnMut() -> bool) {
    while !until() {
        std::thread::yield_now();
    }
}

#[test]
fn whoever_reads_during_a_copy_up_sees_old_or_new_and_new_once_the_writer_is_done() {
    let old = vec![b'o'; SIZE];
    let ways: [(Way, Vec<u8>); 2] =
        [(write, [&old[1..], b"n"].concat()), (truncate, [&old[..], b"\0"].concat())];
    for (way, new) in &ways {
        let (_directory, overlay) = overlay(|lower| {
            for number in 0..FILES {
                fs::write(lower.join(format!("f{number}")), &old).unwrap();
                if number % 5 == 0 {
                    fs::hard_link(lower.join(format!("f{number}")), lower.join(format!("l{number}")))
                        .unwrap();
                }
            }
        });
        let ids: Vec<u64> = (0..FILES).map(|number| look(&overlay, &format!("f{number}")).unwrap()).collect();
        // The file that is being changed, and how many have been; the reader says how far it is in turn.
        let (started, done, read_by) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let reader = || {
            let mut faults = Vec::new();
            for (number, id) in ids.iter().enumerate() {
                let is_done = || done.load(Ordering::Acquire) > number;
                wait(|| started.load(Ordering::Acquire) > number);
                // A little later every time: some of these fall into the moment of the switch.
                let begin = Instant::now() + Duration::from_nanos(number as u64 % 500 * 300);
                wait(|| Instant::now() >= begin);
                while number % 2 == 0 && !is_done() {
                    let seen = read(&overlay, *id);
                    if seen != old && seen != *new {
                        faults.push(format!("{number}: neither the old nor the new content"));
                    }
                }
                wait(is_done);
                if read(&overlay, *id) != *new {
                    faults.push(format!("{number}: stale after the end of the change"));
                }
                read_by.store(number + 1, Ordering::Release);
            }
            faults
        };
        std::thread::scope(|scope| {
            let reader = scope.spawn(reader);
            for (number, id) in ids.iter().enumerate() {
                started.store(number + 1, Ordering::Release);
                way(&overlay, *id);
                done.store(number + 1, Ordering::Release);
                wait(|| read_by.load(Ordering::Acquire) > number || reader.is_finished());
            }
            assert_eq!(reader.join().unwrap(), Vec::<String>::new());
        });
    }
}
