//! The kernel's files that act, /proc/sys and /sys first: shown as the host has them, with writes that are pretended. What
//! is written becomes an effect of the step, and is what later reads show, in this run alone.
//!
//! Where that cannot be had, those files are read-only instead: the sandbox is as closed as with it, and less like the node.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disco_fuse::{Keeper, Refusal, Shown, Write};

use crate::actions::knob_effects::KnobWrite;
use crate::actions::knobs::{KnobValues, name_of, shown};
use crate::model::action::Effect;
use crate::sandbox::report::Reporter;
use crate::sys::bell::{Bell, Heard, Ringer, bell};
use crate::sys::files;
use crate::sys::inspect;
use crate::sys::tree::Root;

/// What of /proc acts on the kernel, or on its devices, when it is written.
pub(super) const ACTING: [&str; 11] =
    ["sys", "irq", "bus", "fs", "acpi", "scsi", "sysrq-trigger", "mtrr", "dynamic_debug", "driver", "asound"];

/// Where a node has sysctl(8), the first first.
const SYSCTLS: [&str; 3] = ["/usr/sbin/sysctl", "/sbin/sysctl", "/usr/bin/sysctl"];

/// The knobs of a sandbox, to those who run tasks in it.
#[derive(Debug)]
pub(super) struct Knobs {
    bell: Bell<KnobWrite>,
    sysctl: Option<PathBuf>,
    /// Who is telling all devices that they are new: one command, and a write for each.
    triggering: Cell<Option<i32>>,
    server: Option<disco_fuse::Server>,
    lacking: Option<String>,
    values: Values,
}

/// The file system, until it is served.
#[derive(Debug)]
pub(super) struct Unserved {
    files: disco_fuse::Knobs,
    fuse: OwnedFd,
}

/// What the run has set: one store for all who write and all who look.
type Values = Arc<Mutex<KnobValues>>;

#[derive(Debug)]
struct Pretender {
    values: Values,
    ringer: Ringer<KnobWrite>,
}

impl Knobs {
    /// Those of this host, for a sandbox of that root; `set` are those that are others from the start. What is to be served is
    /// `None` where it cannot be had.
    pub(super) fn prepare(root: &Root, set: KnobValues) -> io::Result<(Knobs, Option<Unserved>)> {
        let (ringer, bell) = bell()?;
        let values: Values = Arc::new(Mutex::new(set));
        let prepared = unserved(Pretender { values: values.clone(), ringer });
        let (unserved, lacking) = match prepared {
            Ok(unserved) => (Some(unserved), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut sysctl = None;
        for path in SYSCTLS.map(Path::new) {
            if sysctl.is_none() && root.leads_to(path)?.is_some() {
                sysctl = Some(path.to_owned());
            }
        }
        Ok((Knobs { bell, sysctl, triggering: Cell::new(None), server: None, lacking, values }, unserved))
    }

    /// Serves them, once they are mounted; `mounted` is why they are not.
    pub(super) fn serve(
        &mut self,
        unserved: Option<Unserved>,
        mounted: Result<(), String>,
    ) -> io::Result<()> {
        match (unserved, mounted) {
            (Some(Unserved { files, fuse }), Ok(())) => {
                self.server = Some(disco_fuse::serve_knobs(files, fuse)?)
            }
            (Some(_), Err(why)) => self.lacking = Some(why),
            (None, _) => {}
        }
        Ok(())
    }

    /// Those that are others than the host's by now.
    pub(super) fn values(&self) -> KnobValues {
        held(&self.values).clone()
    }

    /// Why there are none, where there are none.
    pub(super) fn lacking(&self) -> Option<&str> {
        self.lacking.as_deref()
    }

    /// The next write that somebody waits to have told.
    pub(super) fn hear(&self) -> Option<Heard<KnobWrite>> {
        self.bell.hear()
    }

    /// What such a write asks for; `None` where it is one of many of a command that was told with the first.
    pub(super) fn effect(&self, write: &KnobWrite, reporter: &Reporter) -> Option<Effect> {
        let pid = i32::try_from(write.pid).unwrap_or(0);
        let (name, argv) = (inspect::name(pid), inspect::command_line(pid));
        let triggers = name == "udevadm"
            && argv.get(1).is_some_and(|word| word == "trigger")
            && write.path.file_name().is_some_and(|name| name == "uevent");
        let told = self.triggering.replace(triggers.then_some(pid));
        if triggers && told == Some(pid) {
            return None;
        }
        // What a shell writes by itself is a redirection, and names the file.
        let words = if name.ends_with("sh") { vec![write.path.display().to_string()] } else { argv.clone() };
        let line = reporter.line_of(pid, &words);
        if triggers {
            let (program, target) = (PathBuf::from("udevadm"), "devices".to_owned());
            return Some(Effect { target, program, argv, line, ..write.effect(None) });
        }
        Some(Effect { line, ..write.effect(self.sysctl.as_deref()) })
    }

    /// Waits for the end of who serves them, once nobody has them mounted.
    pub(super) fn finish(self) -> io::Result<()> {
        self.server.map_or(Ok(()), disco_fuse::Server::join)
    }
}

impl AsFd for Knobs {
    /// Can be read while somebody waits to have a write told.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Unserved {
    /// What to mount.
    pub(super) fn fuse(&self) -> BorrowedFd<'_> {
        self.fuse.as_fd()
    }
}

fn unserved(pretender: Pretender) -> io::Result<Unserved> {
    let parts = [
        Shown { folder: Path::new("/proc"), names: &ACTING },
        Shown { folder: Path::new("/sys"), names: &[] },
    ];
    let files = disco_fuse::Knobs::new(&parts, Arc::new(pretender))?;
    Ok(Unserved { files, fuse: files::open_system("/dev/fuse", true)?.into() })
}

fn held(values: &Values) -> MutexGuard<'_, KnobValues> {
    // Whoever panicked with it has left whole values.
    values.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper for Pretender {
    fn shown(&self, path: &Path) -> Option<Vec<u8>> {
        held(&self.values).get(path).map(<[u8]>::to_vec)
    }

    fn take(&self, write: &Write<'_>) -> Result<(), Refusal> {
        // What comes after the first write to an open file of sysctl's the kernel passes over in silence (sysctl_writes_strict).
        if write.offset > 0 && name_of(write.path).is_some() {
            return Ok(());
        }
        let text = shown(write.path, write.now, write.data).map_err(|_| Refusal::Invalid)?;
        if let Some(text) = text {
            held(&self.values).set(write.path, text);
        }
        let write = KnobWrite { path: write.path.to_owned(), written: write.data.to_owned(), pid: write.pid };
        self.ringer.ring(write).map_err(|_| Refusal::Gone)
    }
}
