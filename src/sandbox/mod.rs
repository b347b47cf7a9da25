//! The sandbox: a copy-on-write view of a root, by default the node's own, in namespaces of its own, in which tasks run one after
//! another. [`Sandbox`] is open for tasks; sealed, it becomes a [`Scratch`], and only that can be merged.
//!
//! This side supervises; `inside` is the other side, in a process of its own. This process serves the overlay and must
//! never touch the mount, which is seen only inside.

mod drift;
pub mod inside;
mod knobs;
mod layers;
pub mod limits;
mod lines;
pub mod network;
pub mod protocol;
mod report;
mod script_line;
pub mod shims;
mod watch;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::actions::Pretended;
use crate::actions::knobs::KnobValues;
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::sandbox::knobs::Knobs;
use crate::sandbox::limits::{Limited, Limits};
use crate::sandbox::network::{Network, Reach};
use crate::sandbox::protocol::{FromInside, Setup, ToInside};
use crate::sandbox::report::Reporter;
use crate::sandbox::script_line::Scripts;
use crate::sandbox::shims::answer::Desk;
use crate::sys::channel::Channel;
use crate::sys::files;
use crate::sys::helper::Helper;
use crate::sys::pids;
use crate::sys::tree::Root;
use crate::sys::user_namespace;

pub use drift::Drift;
pub use watch::{Event, TaskRun};

/// A sandbox that could not be opened, used or sealed.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A part of it could not be had.
    #[error("cannot {action}")]
    Cannot {
        /// What could not be done.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Who is not root needs a user namespace.
    #[error("not root, and no user namespace can be had")]
    NoUserNamespace(#[source] io::Error),
    /// The overlay refused its layers.
    #[error("cannot lay out the overlay")]
    Overlay(#[source] disco_fuse::Error),
    /// The inside could not raise a wall; nothing has run.
    #[error("the sandbox could not be closed, so nothing runs in it: {0}")]
    Open(String),
    /// The inside could not start a task.
    #[error("the sandbox could not run a step: {0}")]
    Inside(String),
    /// The inside has ended without a word.
    #[error("the inside of the sandbox has ended unexpectedly")]
    Lost,
    /// A signal asked to stop; the running task was ended.
    #[error("interrupted")]
    Interrupted,
}

fn cannot<T>(action: &'static str, result: io::Result<T>) -> Result<T, SandboxError> {
    result.map_err(|source| SandboxError::Cannot { action, source })
}

/// What a sandbox is made of.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// The run that it is for, which has one at a time.
    pub run: RunId,
    /// The root that it shows.
    pub root: &'a LiveRoot,
    /// What an earlier sandbox of that root has left, where it is shown too: its changes upon the root, and what was pretended.
    pub upon: Option<&'a Scratch>,
    /// A folder of this sandbox's own, on the host; the scratchpad and the mount point go there.
    pub scratch: &'a Path,
    /// disco's home, as it is inside.
    pub home: PathBuf,
    /// The folder with this run's `parameters/` and `modules/`.
    pub view: &'a Path,
    /// Folders that are shown empty, as they are inside.
    pub hidden: Vec<PathBuf>,
    /// Folders that the root lacks and that something is mounted on; made in the scratchpad.
    pub make: Vec<PathBuf>,
    /// What the sandbox's host is called; the node's own name where there is none.
    pub host_name: Option<String>,
    /// What of the network it reaches.
    pub network: Reach,
    /// What a task may take at most.
    pub limits: Limits,
}

/// An open sandbox. Dropping it ends whatever runs in it, and waits for that.
#[derive(Debug)]
pub struct Sandbox {
    layers: Layers,
    live: Live,
    channel: Channel,
    shims: Desk,
    reporter: Reporter,
    knobs: Knobs,
    server: disco_fuse::Server,
    inside: Helper,
    network: Option<Network>,
    /// Dropped after those who are in its group have ended.
    limited: Limited,
}

/// The root that a sandbox shows, as it is outside of it.
#[derive(Debug)]
struct Live {
    tree: Root,
    looks: Looks,
}

/// Who answers a step's look at the running system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// The host: it is the system that runs on this root.
    Host,
    /// The real program, inside: no system runs on this root, and it sees that.
    Inside,
}

/// A sealed sandbox: nothing runs in it any more, its mount is gone, its scratchpad does not change.
#[derive(Debug)]
pub struct Scratch {
    layers: Layers,
    /// What was asked of the running system in it, and not done.
    pretended: Pretended,
    knobs: KnobValues,
}

/// The two layers of a sandbox, read directly and never through its mount.
#[derive(Debug, Clone)]
pub struct Layers {
    overlay: Arc<disco_fuse::Overlay>,
    /// The root, without what the sandbox was laid upon.
    lower: Arc<OwnedFd>,
}

impl Sandbox {
    /// Opens a sandbox over a root: walls up, overlay served, ready for tasks.
    pub fn open(spec: &Spec<'_>) -> Result<Sandbox, SandboxError> {
        let layer = spec.scratch.join("layer");
        let mountpoint = spec.scratch.join("root");
        let knobs_point = spec.scratch.join("knobs");
        for folder in [&layer, &mountpoint, &knobs_point] {
            cannot(
                "make the scratchpad",
                files::create_new_dir(folder, 0o755).map_err(|error| error.source),
            )?;
        }
        let root = spec.root.path();
        let live = Live {
            tree: cannot("open the root", Root::open(&root, "").map_err(io::Error::other))?,
            looks: if spec.root.is_own() { Looks::Host } else { Looks::Inside },
        };
        let unprivileged = user_namespace::is_in_one();
        if unprivileged {
            disco_fuse::be_unprivileged(user_namespace::is_settled());
        }
        let lower = cannot("clone the root read-only", disco_fuse::read_only_clone(&root))?;
        let mut shown = Vec::new();
        if let Some(earlier) = spec.upon {
            shown.push(cannot("clone the scratchpad read-only", earlier.layers.overlay.as_lower())?);
        }
        shown.push(cannot("reach the layers", lower.try_clone())?);
        let options = disco_fuse::Options {
            lower: shown,
            scratch: disco_fuse::Scratch::New(layer),
            shims: shims(&live)?,
        };
        let overlay = Arc::new(disco_fuse::Overlay::open(options).map_err(SandboxError::Overlay)?);
        overlay.watch();
        let fuse: OwnedFd = cannot("open /dev/fuse", files::open_system("/dev/fuse", true))?.into();
        let (channel, theirs) = cannot("open a channel", Channel::pair())?;
        let inside = cannot("start the inside of the sandbox", Helper::start("__enter", theirs.into()))?;
        let pids_above = cannot("choose numbers for processes", pids::above_the_hosts())?;
        let (mut knobs, unserved) =
            cannot("prepare the kernel's settings", Knobs::prepare(&live.tree, set_before(spec)))?;
        let (mut limited, joining) = Limited::start(spec.limits, &spec.run, inside.id())?;
        let setup = Setup {
            mountpoint,
            knobs: unserved.is_some().then_some(knobs_point),
            home: spec.home.clone(),
            view: spec.view.to_owned(),
            hidden: spec.hidden.clone(),
            make: spec.make.clone(),
            host_name: spec.host_name.clone(),
            own_network: spec.network != Reach::Everything,
            counted: limited.counted(),
            unprivileged,
            pids_above,
            #[cfg(debug_assertions)]
            no_filter: crate::sys::seccomp::door::is_asked_for(),
        };
        let fds: Vec<_> =
            [fuse.as_fd()].into_iter().chain(unserved.as_ref().map(knobs::Unserved::fuse)).collect();
        cannot("reach the inside", channel.send(&ToInside::Setup(setup), &fds))?;
        let mut mounted = Ok(());
        let namespace = expect(&channel, |message| match message {
            FromInside::Mounted { knobs } => {
                mounted = knobs.clone();
                true
            }
            _ => false,
        })?
        .into_iter()
        .next();
        let server = cannot(
            "serve the overlay",
            disco_fuse::serve(overlay.clone(), fuse, disco_fuse::Writes::Through),
        )?;
        cannot("serve the kernel's settings", knobs.serve(unserved, mounted))?;
        let copy = |fd: BorrowedFd<'_>| {
            cannot("reach the layers", fd.try_clone_to_owned()).map(|fd| Root::from_fd(fd, ""))
        };
        let scripts = || {
            let lower = copy(live.tree.as_fd())?;
            let inside = inside.id().cast_signed();
            Ok(Scripts { home: spec.home.clone(), view: spec.view.to_owned(), lower, inside })
        };
        // While the inside raises its walls.
        let network = match (&spec.network, namespace) {
            (Reach::Hosts(policy), Some(namespace)) => Some(cannot(
                "open the way to the package sources",
                Network::open(namespace.into(), policy.clone(), scripts()?),
            )?),
            (Reach::Hosts(_), None) => return Err(SandboxError::Lost),
            (Reach::Nothing | Reach::Everything, _) => None,
        };
        let fds = expect(&channel, |message| matches!(message, FromInside::Ready))?;
        let listener = fds.into_iter().next().ok_or(SandboxError::Lost)?;
        let pretended = spec.upon.map(|earlier| earlier.pretended.clone()).unwrap_or_default();
        let shims = cannot("listen to the shims", Desk::new(listener, pretended.clone()))?;
        limited.joined(joining);
        let doors: Vec<_> = limited.doors().collect();
        cannot("reach the inside", channel.send(&ToInside::Begin, &doors))?;
        let earlier = spec.upon.map(|earlier| earlier.layers.upper());
        let uppers = std::iter::once(overlay.upper_dir()).chain(earlier).map(copy);
        let ground = report::Ground {
            lower: copy(live.tree.as_fd())?,
            uppers: uppers.collect::<Result<_, _>>()?,
            scripts: scripts()?,
            shares_network: spec.network == Reach::Everything,
            pretends_knobs: knobs.lacking().is_none(),
            pids_above,
        };
        let reporter = cannot("listen for what steps try", Reporter::start(ground))?;
        for pid in pretended.ended() {
            reporter.note_ended(pid);
        }
        let layers = Layers { overlay, lower: Arc::new(lower) };
        Ok(Sandbox { layers, live, channel, shims, reporter, knobs, server, inside, network, limited })
    }

    /// Why writes to the kernel's settings are refused in it and not pretended, where that is so.
    pub fn lacks_knobs(&self) -> Option<&str> {
        self.knobs.lacking()
    }

    /// The layers as they are now; whole between two tasks.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// A terminal pair of the sandbox's own: the side of whoever attends, then the one for a task.
    pub fn open_terminal(&mut self) -> Result<(OwnedFd, OwnedFd), SandboxError> {
        cannot("reach the inside", self.channel.send(&ToInside::OpenTerminal, &[]))?;
        let mut fds = expect(&self.channel, |message| matches!(message, FromInside::Terminal))?.into_iter();
        fds.next().zip(fds.next()).ok_or(SandboxError::Lost)
    }

    /// Ends the inside, waits until the mount is gone, and hands over the layers, of which no file is open any more.
    pub fn seal(self) -> Result<Scratch, SandboxError> {
        let Sandbox { layers, live: _, channel, shims, reporter, knobs, server, inside, network, limited } =
            self;
        let (pretended, values) = (shims.with_state(std::mem::take), knobs.values());
        drop((channel, shims));
        cannot("end the inside of the sandbox", inside.finish())?;
        // The run's group goes once nobody is in it.
        drop((reporter, network, limited));
        cannot("end the overlay", server.join())?;
        layers.overlay.close_files();
        cannot("end the kernel's settings", knobs.finish())?;
        Ok(Scratch { layers, pretended, knobs: values })
    }
}

impl Scratch {
    /// The layers, which do not change any more.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }
}

/// Whether this process is itself in a sandbox of disco's, where no second one can be opened.
pub fn is_inside() -> bool {
    // A socket is made there by the supervisor alone, and what cannot be looked at is none.
    files::look(Path::new(protocol::SHIM_SOCKET))
        .is_ok_and(|there| there.is_some_and(|it| files::is_socket(&it)))
}

/// The lower layer of a sandbox over that root: a read-only clone of its mounts.
pub fn lower_of(root: &LiveRoot) -> io::Result<OwnedFd> {
    disco_fuse::read_only_clone(&root.path())
}

/// Whether an extended attribute of the scratchpad is the overlay's own.
pub fn is_private_xattr(name: &std::ffi::OsStr) -> bool {
    disco_fuse::is_private_xattr(name)
}

/// The kernel's settings that are other ones than the host's from the start.
fn set_before(spec: &Spec<'_>) -> KnobValues {
    let mut values = spec.upon.map(|earlier| earlier.knobs.clone()).unwrap_or_default();
    if let Some(name) = spec.host_name.as_ref().filter(|_| spec.upon.is_none()) {
        values.set(Path::new("/proc/sys/kernel/hostname"), format!("{name}\n").into_bytes());
    }
    values
}

/// disco's own program under every shim's path.
fn shims(live: &Live) -> Result<Vec<disco_fuse::Shim>, SandboxError> {
    let shim = |path| Ok(disco_fuse::Shim { path, program: files::open_system("/proc/self/exe", false)? });
    cannot(
        "prepare the shims",
        shims::places::locate(&live.tree, live.looks).and_then(|paths| paths.into_iter().map(shim).collect()),
    )
}

/// The descriptors of the one message that may come now.
fn expect(
    channel: &Channel,
    mut wanted: impl FnMut(&FromInside) -> bool,
) -> Result<Vec<OwnedFd>, SandboxError> {
    match cannot("reach the inside", channel.receive::<FromInside>())? {
        Some((message, fds)) if wanted(&message) => Ok(fds),
        Some((FromInside::Failed(reason), _)) => Err(SandboxError::Open(reason)),
        Some(_) | None => Err(SandboxError::Lost),
    }
}
