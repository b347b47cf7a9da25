//! The control groups of single steps, below the run's: for figures of that step alone. They are bounded by the run's.
//!
//! To make one and remove it takes half a millisecond, a quarter of what a small step does: so a thread does both, while steps
//! run. Whoever goes into one writes a 0 to its doors.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::model::step::Metrics;
use crate::sys::cgroup::places::Place;
use crate::sys::cgroup::{Group, Held, figures, held, remove};

/// One step's groups, one of each hierarchy.
#[derive(Debug)]
pub struct StepGroup {
    places: Vec<Place>,
    doors: Vec<File>,
}

impl StepGroup {
    /// Makes those of that number; `None` where one cannot be made, since what only some of them told would be half of it.
    fn create(run: &[Place], number: u64) -> Option<StepGroup> {
        let mut made = StepGroup { places: Vec::new(), doors: Vec::new() };
        for place in run {
            let folder = place.folder.join(format!("step-{number}"));
            let doors = fs::create_dir(&folder).and_then(|()| {
                made.places.push(Place { folder: folder.clone(), ..place.clone() });
                File::options().write(true).open(folder.join("cgroup.procs"))
            });
            match doors {
                Ok(door) => made.doors.push(door),
                Err(_) => {
                    made.remove();
                    return None;
                }
            }
        }
        Some(made)
    }

    /// What [`enter`] takes. A process with them needs no other way to the groups, and can only bring itself.
    pub fn doors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.doors.iter().map(AsFd::as_fd)
    }

    /// What the kernel has counted in them.
    pub fn metrics(&self) -> Metrics {
        figures::of(&self.places)
    }

    /// How often the kernel has held those in it to the run's bounds.
    pub fn held(&self) -> Held {
        held(&self.places)
    }

    /// Removes what of it can be removed now; whether nothing is left.
    fn tidy(&mut self) -> bool {
        self.places.retain(|place| {
            let removed = fs::remove_dir(&place.folder);
            removed.is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
        });
        self.places.is_empty()
    }

    fn remove(self) {
        for place in self.places {
            remove(&place.folder);
        }
    }
}

/// Brings the calling process, which must have one thread, into the groups with these doors. The kernel may take 20 ms.
pub fn enter(doors: &[impl AsFd]) -> io::Result<()> {
    for door in doors {
        rustix::io::write(door, b"0")?;
    }
    Ok(())
}

/// Makes groups of steps ahead, and removes them. Dropping it waits until all that it made are gone.
#[derive(Debug)]
pub struct StepGroups {
    /// Each asks for one more, and brings one to remove.
    ask: Option<Sender<Option<StepGroup>>>,
    made: Receiver<Option<StepGroup>>,
    thread: Option<JoinHandle<()>>,
}

impl StepGroups {
    /// Begins with the first one. Somebody must be in the run's group by now: other runs remove what nobody is in.
    pub fn start(run: &Group) -> io::Result<StepGroups> {
        let (ask, asked) = channel::<Option<StepGroup>>();
        let (tell, made) = channel();
        let places = run.places.clone();
        let work = move || {
            let mut leaving: Vec<StepGroup> = Vec::new();
            for (number, ended) in (1..).zip(asked.iter()) {
                if tell.send(StepGroup::create(&places, number)).is_err() {
                    break;
                }
                leaving.extend(ended);
                // The first process of a step may need a moment more.
                leaving.retain_mut(|group| !group.tidy());
            }
            leaving.into_iter().for_each(StepGroup::remove);
        };
        let thread = std::thread::Builder::new().name("groups".to_owned()).spawn(work)?;
        let groups = StepGroups { ask: Some(ask), made, thread: Some(thread) };
        groups.ask(None);
        Ok(groups)
    }

    /// The next one, or `None` where it cannot be made. Begins to make the one after it, and to remove one that has ended.
    pub fn next(&self, ended: Option<StepGroup>) -> Option<StepGroup> {
        self.ask(ended);
        self.made.recv().ok().flatten()
    }

    fn ask(&self, ended: Option<StepGroup>) {
        if let Some(ask) = &self.ask {
            // A thread that has panicked makes none, and `next` says so.
            let _ = ask.send(ended);
        }
    }
}

impl Drop for StepGroups {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // It has said why, if it has panicked.
            let _ = thread.join();
        }
        self.made.try_iter().flatten().for_each(StepGroup::remove);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_makes_no_doors_makes_no_groups() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { folder: dir.path().to_owned(), unified: true, controls: Vec::new() };
        let run = Group::of_places(vec![place]);
        let groups = StepGroups::start(&run).unwrap();
        assert!(groups.next(None).is_none() && groups.next(None).is_none());
        drop(groups);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something is left");
    }
}
