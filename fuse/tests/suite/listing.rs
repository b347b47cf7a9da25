//! Two users of one large directory: each sees all of his own names, each once, whatever the other does meanwhile.

use crate::world::World;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So many that one answer does not hold them.
const OWN: usize = 700;
const ROUNDS: usize = 25;

/// One who changes his names, lists the directory, and remembers what it must show him.
struct User {
    end: &'static str,
    directory: PathBuf,
    names: BTreeSet<String>,
}

impl User {
    fn name(&self, number: usize) -> String {
        format!("{number}-{}", self.end)
    }

    /// Changes some names: removes, makes and renames what is a file, a directory or a link.
    fn change(&mut self, round: usize) {
        let at = |name: &str| self.directory.join(name);
        for number in (round * 7..OWN).step_by(97) {
            let (name, other) = (self.name(number), format!("other-{number}-{}", self.end));
            if self.names.remove(&name) {
                fs::rename(at(&name), at(&other)).unwrap();
                self.names.insert(other);
            } else if self.names.remove(&other) {
                match fs::symlink_metadata(at(&other)).unwrap().is_dir() {
                    true => fs::remove_dir(at(&other)).unwrap(),
                    false => fs::remove_file(at(&other)).unwrap(),
                }
            } else {
                match number % 3 {
                    0 => fs::write(at(&name), "new").unwrap(),
                    1 => fs::create_dir(at(&name)).unwrap(),
                    _ => std::os::unix::fs::symlink("x", at(&name)).unwrap(),
                }
                self.names.insert(name);
            }
        }
    }

    /// Lists the directory, slowly or at once, and says what is wrong.
    fn look(&self, slowly: bool) -> Option<String> {
        let mut seen = Vec::new();
        for (number, entry) in fs::read_dir(&self.directory).unwrap().enumerate() {
            if slowly && number % 100 == 0 {
                std::thread::sleep(Duration::from_micros(300));
            }
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(self.end) {
                seen.push(name);
            }
        }
        let count = seen.len();
        let seen: BTreeSet<String> = seen.into_iter().collect();
        let differ: Vec<_> = seen.symmetric_difference(&self.names).take(5).collect();
        (count != seen.len() || seen != self.names)
            .then(|| format!("{}: {count} entries, {} names, wrong are {differ:?}", self.end, seen.len()))
    }
}

#[test]
fn own_names_are_seen_once_while_another_changes_his() {
    let ends = ["mine", "yours"];
    let fill = |lower: &Path| {
        fs::create_dir(lower.join("d")).unwrap();
        for (number, end) in (0..OWN).flat_map(|number| ends.map(|end| (number, end))) {
            fs::write(lower.join(format!("d/{number}-{end}")), "").unwrap();
        }
    };
    let world = World::new(fill);
    let start = Instant::now();
    let faults: Vec<String> = std::thread::scope(|scope| {
        let users = ends.map(|end| {
            let directory = world.at("d");
            scope.spawn(move || {
                let mut user = User { end, directory, names: BTreeSet::new() };
                user.names = (0..OWN).map(|number| user.name(number)).collect();
                let round = |round| {
                    user.change(round);
                    user.look(round % 2 == 0)
                };
                (0..ROUNDS).filter_map(round).collect::<Vec<_>>()
            })
        });
        users.into_iter().flat_map(|user| user.join().unwrap()).collect()
    });
    assert_eq!(faults, Vec::<String>::new());
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    world.finish();
}
