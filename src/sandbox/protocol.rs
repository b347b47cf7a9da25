//! What the two sides of a sandbox say to each other: plain data over a `sys::channel`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::names::ModuleName;
use crate::model::step::{Cost, Outcome};

/// Where the step's shims reach the supervisor, inside the sandbox.
pub const SHIM_SOCKET: &str = "/dev/disco";

/// From the supervisor to the inside.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToInside {
    /// The first message, with an open /dev/fuse for each file system to mount: raise the walls.
    Setup(Setup),
    /// Whatever is started from now on is in the run's control group, if there is one: get ready for tasks. Comes with the
    /// doors of the first task's own groups.
    Begin,
    /// Run this task.
    Run {
        /// What is to be done.
        task: Task,
        /// How many descriptors are the task's: its standard output and standard error, then those that it names. What comes
        /// after them are the doors of the next task's groups.
        own: usize,
    },
    /// Open a terminal pair of the sandbox's own.
    OpenTerminal,
    /// End the running task at once.
    Kill,
}

/// How the sandbox is laid out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    /// An empty folder of the host to mount the overlay on, in the sandbox's mount namespace alone.
    pub mountpoint: PathBuf,
    /// Another one, for the kernel's knobs, where they are served.
    pub knobs: Option<PathBuf>,
    /// disco's home, as it is inside, where it shows the view and nothing else.
    pub home: PathBuf,
    /// The folder of the host with the `parameters/` and `modules/` that are shown in the home.
    pub view: PathBuf,
    /// Further folders that are shown empty, as they are inside.
    pub hidden: Vec<PathBuf>,
    /// Folders that the root lacks and that something is mounted on; made in the scratchpad.
    pub make: Vec<PathBuf>,
    /// What the sandbox's host is called; the node's own name where there is none.
    pub host_name: Option<String>,
    /// Whether the sandbox has a network of its own, in which nobody else is.
    pub own_network: bool,
    /// What a task may have at most, as far as it is counted inside.
    pub counted: Counted,
    /// Whether it is in a user namespace that is not the first: root there is not root of the host.
    pub unprivileged: bool,
    /// The number above which a task's processes are, where one could be chosen.
    pub pids_above: Option<u32>,
    /// Whether steps run without the filter of system calls: for tests.
    #[cfg(debug_assertions)]
    pub no_filter: bool,
}

/// What the first process of a task counts, and ends the task for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Counted {
    /// How many processes it may have at once.
    pub processes: u32,
    /// How much memory they may have together, in bytes.
    pub memory: Option<u64>,
}

/// A piece of work inside the sandbox, in a pid namespace of its own. Paths are paths inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Execute a program.
    Execute(Command),
    /// Execute a program for somebody who attends to it: the third descriptor is its standard input.
    Attend {
        /// What to execute.
        command: Command,
        /// Whether its standard input is a terminal that nobody else has, and becomes the one that controls it.
        own_terminal: bool,
    },
    /// Execute a program with its standard output going to a third descriptor; when it succeeds, that is the file.
    Fill {
        /// What to execute.
        command: Command,
        /// The file to write.
        target: PathBuf,
        /// The mode of a new file.
        mode: u32,
    },
    /// Make files from templates of tera, one after another up to the first that fails. The third descriptor holds the
    /// values, as JSON; to the fourth goes the [`TaskEnd`] of each that ends, a line of JSON.
    Render {
        /// The module that they are of.
        module: ModuleName,
        /// Its folder of templates.
        folder: PathBuf,
        /// What to make; at most [`MOST_TEMPLATES`].
        templates: Vec<Template>,
    },
    /// Lay a folder over the root.
    Lay {
        /// The folder.
        source: PathBuf,
    },
}

/// How many templates a task may name, so that it fits a message of the channel.
pub const MOST_TEMPLATES: usize = 128;

/// The memory that rendering may take, in bytes: a template can double a value in a loop.
pub const MOST_MEMORY: u64 = 512 << 20;

/// A template, and the file that it makes. A new file has the template's mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its path in the folder of templates.
    pub template: String,
    /// The file to write.
    pub target: PathBuf,
}

/// A program to execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its path and arguments.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub directory: PathBuf,
}

/// From the inside to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromInside {
    /// The overlay is mounted, and must be served now; comes with the network namespace, where the sandbox has its own.
    Mounted {
        /// Why the kernel's knobs are not, if they are not.
        knobs: Result<(), String>,
    },
    /// The walls are up; comes with the listening socket of the shims.
    Ready,
    /// A task is about to begin; comes with the listener of its system calls, where it could have one.
    Begun {
        /// Whether its first process, and so all of it, is in the groups that were made for it.
        grouped: bool,
    },
    /// A terminal pair: comes with the side of whoever attends, then the task's.
    Terminal,
    /// A wall could not be raised, or a task not be started: why.
    Failed(String),
    /// The task has ended.
    Ended(TaskEnd),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// How.
    pub outcome: Outcome,
    /// What all its processes cost together.
    pub cost: Cost,
}
