//! What a step may take at most, its time apart: memory, processes, what it prints, the scratchpad's disk. Who passes a limit
//! is ended or refused, and the step fails with the name of the setting.
//!
//! Memory and processes are bounded by a control group of the run's own where disco may have one, and else counted by the
//! step's first process (`inside`).

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::thread::JoinHandle;

use crate::model::names::RunId;
use crate::model::step::{Metrics, Outcome};
use crate::sandbox::protocol::Counted;
use crate::sandbox::{SandboxError, cannot};
use crate::settings::{Amount, Settings};
use crate::sys::cgroup::of_step::{StepGroup, StepGroups};
use crate::sys::cgroup::{Bounds, Group, Held};

/// The limits of each step of a sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Processes at once.
    pub processes: u32,
    /// Memory of all of them together, in bytes.
    pub memory: Option<u64>,
    /// What is printed, in bytes.
    pub output: u64,
    /// Of what is free on the scratchpad's disk when it begins.
    pub disk: Amount,
}

impl Limits {
    /// Those that the settings state, on a machine with so much memory, in bytes.
    pub fn of(settings: &Settings, memory: u64) -> Limits {
        Limits {
            processes: settings.step_processes.value,
            memory: settings.step_memory.value.bytes_of(memory),
            output: settings.step_output.value << 20,
            disk: settings.step_disk.value,
        }
    }
}

/// The most that is kept free on a disk by itself, in bytes.
const RESERVE: u64 = 1 << 30;
/// What a group holds beside a step's processes: those of the sandbox.
const OURS: u64 = 4;

/// The limits, with what holds steps to them.
#[derive(Debug)]
pub(super) struct Limited {
    limits: Limits,
    /// Where the groups of steps come from. Before the run's, which they are below.
    groups: Option<StepGroups>,
    /// That of the task that comes next: its first process is in it already.
    next: Option<StepGroup>,
    /// That of a task that has ended.
    ended: Option<StepGroup>,
    group: Option<Group>,
}

/// What there was when a step began.
pub(super) struct Begun {
    held: Held,
    /// The groups that it alone is in.
    group: Option<StepGroup>,
    /// Whether it is in them.
    pub(super) grouped: bool,
    work: disco_fuse::Work,
    /// What it may take of the disk, in bytes.
    room: u64,
    /// What its files held already.
    spooled: u64,
}

/// A process on its way into the run's group.
pub(super) struct Joining(Option<JoinHandle<Joined>>);

/// The run's group, and where those of its steps come from.
type Joined = io::Result<(Group, StepGroups)>;

impl Limited {
    /// Those limits, in the group of that run. The process goes there meanwhile, with all that it will start.
    pub(super) fn start(limits: Limits, run: &RunId, pid: u32) -> Result<(Limited, Joining), SandboxError> {
        let bounds = Bounds { memory: limits.memory, processes: u64::from(limits.processes) + OURS };
        let thread = Group::create(run.as_str(), bounds).map(|mut group| {
            std::thread::Builder::new().name("joining".to_owned()).spawn(move || {
                group.add(pid)?;
                let groups = StepGroups::start(&group)?;
                Ok((group, groups))
            })
        });
        let thread = cannot("start a thread", thread.transpose())?;
        let (groups, next, ended, group) = (None, None, None, None);
        Ok((Limited { limits, groups, next, ended, group }, Joining(thread)))
    }

    /// What is counted inside, whether there is a group or not.
    pub(super) fn counted(&self) -> Counted {
        Counted { processes: self.limits.processes, memory: self.limits.memory }
    }

    /// Waits until the process is in its group. Nothing may run before.
    pub(super) fn joined(&mut self, joining: Joining) {
        // Who may not join one that he could make is counted, as where there is none.
        if let Some((group, groups)) = joining.0.and_then(|thread| thread.join().ok()?.ok()) {
            (self.group, self.groups) = (Some(group), Some(groups));
        }
        self.prepare();
    }

    /// The doors of the next task's groups, for its first process.
    pub(super) fn doors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.next.iter().flat_map(StepGroup::doors)
    }

    fn prepare(&mut self) {
        let ended = self.ended.take();
        self.next = self.groups.as_ref().and_then(|groups| groups.next(ended));
    }

    /// A step begins, for which these files are open. From now on the next task's doors are those of another one.
    pub(super) fn begin(
        &mut self,
        overlay: &disco_fuse::Overlay,
        files: &[&File],
    ) -> Result<Begun, SandboxError> {
        let group = self.next.take();
        self.prepare();
        let (free, there) = cannot("look at the scratchpad's disk", overlay.disk())?;
        let room = self.limits.disk.bytes_of(free);
        overlay.keep_free(room.map_or(0, |room| kept(free, there, room)));
        Ok(Begun {
            held: self.group.as_ref().map(Group::held).unwrap_or_default(),
            group,
            grouped: false,
            work: overlay.work(),
            room: room.unwrap_or(free),
            spooled: cannot("look at what a step wrote", size(files))?,
        })
    }

    /// Whether it has put out too much: that many bytes on its streams, and what is in its files.
    pub(super) fn is_too_much(
        &self,
        begun: &Begun,
        printed: u64,
        files: &[&File],
    ) -> Result<bool, SandboxError> {
        let spooled = cannot("look at what a step wrote", size(files))?.saturating_sub(begun.spooled);
        Ok(printed.saturating_add(spooled) > self.limits.output)
    }

    /// The outcome of a step that was ended for that.
    pub(super) fn too_much(&self) -> Outcome {
        let most = self.limits.output >> 20;
        failed(format!("more than {most} MiB of output (setting client/step_output), ended"))
    }

    /// The step has ended: which limit it has met without being ended for it, if any. A step that did not notice would have
    /// gone on with half of what it made.
    pub(super) fn end(&self, overlay: &disco_fuse::Overlay, begun: &Begun) -> Option<Outcome> {
        overlay.keep_free(0);
        let refused = overlay.take_refused();
        if overlay.take_filled() {
            let reason = match refused {
                true => format!(
                    "no space is left for the scratchpad, of whose disk a step may take {} MiB here (settings \
                     client/step_disk, client/storage)",
                    begun.room >> 20
                ),
                false => "no space is left for the scratchpad (setting client/storage)".to_owned(),
            };
            return Some(failed(reason));
        }
        let held = self.group.as_ref().map(Group::held).unwrap_or_default();
        let own = begun.group.as_ref().map(StepGroup::held).unwrap_or_default();
        let killed = own.killed > 0 || held.killed > begun.held.killed;
        let memory = self.limits.memory.filter(|_| killed);
        if let Some(most) = memory {
            return Some(failed(out_of_memory(most)));
        }
        (own.refused > 0 || held.refused > begun.held.refused).then(|| {
            let most = self.limits.processes;
            failed(format!("more than {most} processes and threads at once (setting client/step_processes)"))
        })
    }

    /// What a step that has ended has used beside its cost. Its group goes.
    pub(super) fn metrics(&mut self, overlay: &disco_fuse::Overlay, begun: &mut Begun) -> Metrics {
        let (before, now) = (begun.work, overlay.work());
        let more = |before: Option<u64>, now: Option<u64>| Some(now?.saturating_sub(before?));
        self.ended = begun.group.take();
        let of_group = self.ended.as_ref().filter(|_| begun.grouped).map(StepGroup::metrics);
        Metrics {
            overlay_requests: Some(now.requests.saturating_sub(before.requests)),
            overlay_cpu: Some(now.cpu.saturating_sub(before.cpu).as_secs_f64()),
            overlay_read: more(before.read, now.read),
            overlay_written: more(before.written, now.written),
            ..of_group.unwrap_or_default()
        }
    }
}

/// Why a step that had used its memory up has failed.
pub(super) fn out_of_memory(most: u64) -> String {
    format!("more than {} MiB of memory (setting client/step_memory), ended", most >> 20)
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { reason }
}

/// What a step leaves free of a disk that has so much, of which so much is free: it may take `room`, and never so much that
/// others have nothing to write on.
fn kept(free: u64, there: u64, room: u64) -> u64 {
    let reserve = RESERVE.min(there / 20).min(free / 2);
    free.saturating_sub(room).max(reserve)
}

fn size(files: &[&File]) -> io::Result<u64> {
    let sizes = files.iter().map(|file| Ok(u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0)));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_never_takes_the_whole_disk() {
        const GIB: u64 = 1 << 30;
        for (free, there, room, expected) in [
            (100 * GIB, 200 * GIB, 50 * GIB, 50 * GIB),
            (100 * GIB, 200 * GIB, GIB, 99 * GIB),
            (100 * GIB, 200 * GIB, 500 * GIB, GIB),
            (10 * GIB, 10 * GIB, 10 * GIB, GIB / 2),
            (GIB, 200 * GIB, GIB, GIB / 2),
            (0, 200 * GIB, 0, 0),
        ] {
            assert_eq!(kept(free, there, room), expected, "{free} of {there}, {room}");
        }
    }
}
