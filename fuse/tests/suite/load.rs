//! Many at once: nothing waits for ever, and nobody's work is lost.

use crate::world::World;
use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn eight_threads_finish_and_find_what_they_left() {
    let world = World::new(|lower| {
        for directory in 0..4 {
            let directory = lower.join(format!("d{directory}"));
            fs::create_dir(&directory).unwrap();
            for file in 0..40 {
                fs::write(directory.join(format!("f{file}")), "start").unwrap();
            }
            fs::hard_link(directory.join("f0"), directory.join("link")).unwrap();
        }
        fs::write(lower.join("shared"), "").unwrap();
    });
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let world = &world;
            scope.spawn(move || {
                let own = format!("own{thread}");
                for round in 0..40 {
                    let directory = world.at(&format!("d{}", (thread + round) % 4));
                    let file = directory.join(format!("f{}", (thread * 5 + round) % 40));
                    // Others remove and rename the same files: only whole outcomes are right, not which.
                    if let Ok(text) = fs::read_to_string(&file) {
                        // The kernel shows zeros to who reads while a truncation is on its way.
                        let emptied = text.bytes().all(|byte| byte == 0);
                        assert!(text.starts_with("start") || emptied, "{text:?}");
                    }
                    if let Ok(mut file) = fs::File::options().append(true).open(&file) {
                        file.write_all(b"+").unwrap();
                    }
                    let mut shared = fs::File::options().append(true).open(world.at("shared")).unwrap();
                    shared.write_all(b"x").unwrap();
                    fs::create_dir_all(world.at(&format!("{own}/{round}"))).unwrap();
                    fs::write(world.at(&format!("{own}/{round}/file")), own.as_bytes()).unwrap();
                    let renamed = world.at(&format!("{own}/renamed-{round}"));
                    fs::rename(world.at(&format!("{own}/{round}")), &renamed).unwrap();
                    let listed = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
                    assert!(listed.count() > 20);
                    if round % 10 == thread {
                        let _ = fs::remove_file(directory.join(format!("f{}", 39 - thread)));
                        fs::write(directory.join("link"), "start").unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(fs::read(world.at("shared")).unwrap().len(), 8 * 40);
    for thread in 0..8 {
        assert_eq!(fs::read_dir(world.at(&format!("own{thread}"))).unwrap().count(), 40);
        assert_eq!(fs::read(world.at(&format!("own{thread}/renamed-7/file"))).unwrap().len(), 4);
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    world.finish();
}

#[test]
fn what_the_kernel_forgets_is_forgotten() {
    let world = World::new(|lower| {
        for number in 0..2000 {
            fs::write(lower.join(format!("f{number}")), "").unwrap();
        }
    });
    // A neighbour may empty the kernel's caches at any moment: one undisturbed listing is enough.
    let listed = (0..20).any(|_| {
        world.run("ls -l . | wc -l");
        world.overlay.remembered() > 2000
    });
    assert!(listed, "{} nodes are remembered", world.overlay.remembered());
    world.run("echo 2 >/proc/sys/vm/drop_caches; stat f1 >/dev/null");
    let deadline = Instant::now() + Duration::from_secs(5);
    while world.overlay.remembered() > 500 {
        assert!(Instant::now() < deadline, "{} nodes are left", world.overlay.remembered());
        std::thread::sleep(Duration::from_millis(20));
    }
    world.finish();
}

#[test]
fn readers_during_a_copy_up_see_old_or_new_and_new_once_the_writer_has_closed() {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicBool, Ordering};
    const FILES: usize = 150;
    let old = vec![b'o'; 50_000];
    let mut new = old.clone();
    new[30_000] = b'n';
    let world = World::new(|lower| {
        for number in 0..FILES {
            fs::write(lower.join(format!("f{number}")), &old).unwrap();
            if number % 3 == 0 {
                fs::hard_link(lower.join(format!("f{number}")), lower.join(format!("l{number}"))).unwrap();
            }
        }
    });
    let done: Vec<AtomicBool> = (0..FILES).map(|_| AtomicBool::new(false)).collect();
    let start = std::sync::Barrier::new(4);
    // Not at once: who waits at the barrier would wait for ever.
    let faults = std::sync::Mutex::new(Vec::new());
    let check = |right: bool, fault: &str, path: &std::path::Path| {
        if !right {
            faults.lock().unwrap().push(format!("{fault}: {}", path.display()));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (number, done) in done.iter().enumerate() {
                    let path = world.at(&format!("f{number}"));
                    start.wait();
                    let kept = fs::File::open(&path).unwrap();
                    while !done.load(Ordering::Acquire) {
                        let seen = fs::read(&path).unwrap();
                        check(seen == old || seen == new, "a mix", &path);
                    }
                    let mut data = vec![0; old.len()];
                    kept.read_exact_at(&mut data, 0).unwrap();
                    check(data == new, "stale, opened before the end", &path);
                    check(fs::read(&path).unwrap() == new, "stale, opened after the end", &path);
                }
            });
        }
        for (number, done) in done.iter().enumerate() {
            start.wait();
            let file = fs::File::options().write(true).open(world.at(&format!("f{number}"))).unwrap();
            file.write_all_at(b"n", 30_000).unwrap();
            drop(file);
            done.store(true, Ordering::Release);
        }
    });
    assert_eq!(faults.into_inner().unwrap(), Vec::<String>::new());
    world.run("echo 3 >/proc/sys/vm/drop_caches");
    for number in 0..FILES {
        assert!(fs::read(world.at(&format!("f{number}"))).unwrap() == new, "only the page cache had it");
    }
    world.finish();
}
