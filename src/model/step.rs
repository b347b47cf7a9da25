//! One step of a module, and what became of it.

use serde::{Deserialize, Serialize};

use crate::model::action::Action;
use crate::model::attempt::Attempt;
use crate::model::change::ChangeCounts;
use crate::model::names::ModuleName;
use crate::model::path::RootedPath;
use crate::model::truth::Label;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StepKind {
    /// Lays the module's `files/` over the root.
    Files,
    /// Makes one file from a template.
    Template {
        /// The template below `templates/`.
        template: String,
        /// The file it makes.
        target: RootedPath,
        /// What turns it into text.
        engine: TemplateEngine,
    },
    /// Runs one script.
    Script {
        /// Its name below `scripts/`.
        script: String,
    },
    /// Runs one validator, on the final tree; nothing that it does is kept.
    Validator {
        /// Its name below `validate/`.
        script: String,
    },
}

impl StepKind {
    /// What the step is called in reports: the template's or script's name, or `files`.
    pub fn label(&self) -> &str {
        match self {
            StepKind::Files => "files",
            StepKind::Template { template, .. } => template,
            StepKind::Script { script } | StepKind::Validator { script } => script,
        }
    }
}

/// What turns a template into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateEngine {
    /// A bash script whose standard output is the file.
    Bash,
    /// tera, from the parameters and facts.
    Tera,
}

/// How a process, step or action ended. A failure is a value, not an error of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// It ended with an exit status other than 0.
    Exited {
        /// The status, 1 to 255.
        status: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// It ran longer than it may, and was ended.
    TimedOut {
        /// The limit in seconds.
        seconds: u64,
    },
    /// It could not be carried out; the reason in words.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Cost {
    /// Both together: times, faults and blocks add up, the larger memory counts; the wall time stays this one's.
    pub fn with(self, other: Cost) -> Cost {
        Cost {
            time_real: self.time_real,
            time_user: self.time_user + other.time_user,
            time_sys: self.time_sys + other.time_sys,
            mem_max: self.mem_max.max(other.mem_max),
            mem_faults_major: self.mem_faults_major + other.mem_faults_major,
            mem_faults_minor: self.mem_faults_minor + other.mem_faults_minor,
            io_fsin: self.io_fsin + other.io_fsin,
            io_fsout: self.io_fsout + other.io_fsout,
            switches_voluntary: self.switches_voluntary + other.switches_voluntary,
            switches_involuntary: self.switches_involuntary + other.switches_involuntary,
        }
    }
}

impl Outcome {
    /// Whether it did what it should.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done)
    }

    /// The exit status as a shell would show it: 128 + the signal, 124 for a time-out, 1 for what could not be carried out.
    pub fn exit_status(&self) -> i32 {
        match self {
            Outcome::Done => 0,
            Outcome::Exited { status } => *status,
            Outcome::Signaled { signal } => 128 + signal,
            Outcome::TimedOut { .. } => 124,
            Outcome::Failed { .. } => 1,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Exited { status } => write!(f, "exit status {status}"),
            Outcome::Signaled { signal } => write!(f, "killed by signal {signal}"),
            Outcome::TimedOut { seconds } => write!(f, "still running after {seconds} s, ended"),
            Outcome::Failed { reason } => f.write_str(reason),
        }
    }
}

/// What a piece of work cost: the fields of getrusage(2), as wait4(2) gives them for its processes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Wall time in seconds.
    pub time_real: f64,
    /// User time in seconds.
    pub time_user: f64,
    /// System time in seconds.
    pub time_sys: f64,
    /// Largest resident set of any one process, in KiB.
    pub mem_max: u64,
    /// Page faults that needed I/O.
    pub mem_faults_major: u64,
    /// Page faults that needed none.
    pub mem_faults_minor: u64,
    /// Blocks of 512 bytes read.
    pub io_fsin: u64,
    /// Blocks of 512 bytes written.
    pub io_fsout: u64,
    /// Context switches that the process asked for, by waiting.
    pub switches_voluntary: u64,
    /// Context switches forced on it.
    pub switches_involuntary: u64,
}

/// What the kernel and the sandbox know of a step beside its [`Cost`]. What they cannot tell is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// The most memory that all its processes had together, in bytes: its cgroup's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_peak: Option<u64>,
    /// Bytes that were read from devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_read: Option<u64>,
    /// Bytes that were written to devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_written: Option<u64>,
    /// Seconds in which some of its processes waited for a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_pressure: Option<f64>,
    /// The most processes that it had at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Requests to the file system that the overlay answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_requests: Option<u64>,
    /// Seconds of CPU that the overlay used for them, in disco's own process: none of them is in the step's cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_cpu: Option<f64>,
    /// Bytes that the overlay read from devices for them: what a step reads of its root is read there, and is not in `io_read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_read: Option<u64>,
    /// Bytes that the overlay wrote to devices for them, or is going to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_written: Option<u64>,
}

/// One line that a step printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputLine {
    /// When, in seconds since the step began; absent in records of form 1.
    pub at: Option<f64>,
    /// Where it printed it.
    pub stream: Stream,
    /// The line without its newline; bytes that are not UTF-8 replaced.
    pub text: String,
}

/// A standard stream of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What it was.
    #[serde(flatten)]
    pub step: StepKind,
    /// How it ended.
    pub outcome: Outcome,
    /// What was started, with its arguments; absent where it was no program, and in records of form 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// When it began, in seconds since the run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<f64>,
    /// What it cost.
    pub cost: Cost,
    /// What else is known of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// How true its report is.
    #[serde(flatten)]
    pub label: Label,
    /// The file below the run's folder that holds what it printed; `None` where it printed nothing.
    pub output: Option<String>,
    /// What it asked of the running system.
    pub actions: Vec<Action>,
    /// What else it tried to do to the world outside, in the order of the first time.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

impl StepRecord {
    /// A step that has ended so, of which nothing else is known yet.
    pub fn ended(step: StepKind, outcome: Outcome, cost: Cost, label: Label) -> StepRecord {
        let (actions, attempts) = (Vec::new(), Vec::new());
        let (command, began, metrics, output) = (None, None, None, None);
        StepRecord { step, outcome, command, began, cost, metrics, label, output, actions, attempts }
    }

    /// Puts steps that ran one after another into their places in time, the first having begun so many seconds after the run.
    pub fn place_in_time(records: &mut [StepRecord], began: f64) {
        let mut at = began;
        for record in records {
            record.began = Some(at);
            at += record.cost.time_real;
        }
    }
}

/// What became of one module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Which module.
    pub module: ModuleName,
    /// How it ended.
    pub outcome: ModuleOutcome,
    /// How true its report is: that of all its steps.
    #[serde(flatten)]
    pub label: Label,
    /// Its steps, as far as they were run.
    pub steps: Vec<StepRecord>,
    /// When it began, in seconds since the run did; absent where it was skipped, and in records of form 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<f64>,
    /// The sha256 of all its files, in hex: which version of it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// How much it changed, against the state before it. The differences are in a file of their own.
    pub changes: ChangeCounts,
    /// What fetching it cost.
    pub fetch: Option<Cost>,
    /// When that began, in seconds since the run did; several are fetched at a time. Absent in records of form 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_began: Option<f64>,
    /// What finding its differences cost.
    pub diff: Option<Cost>,
    /// When that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff_began: Option<f64>,
}

impl ModuleRecord {
    /// A module that has succeeded, by what its steps were and what it changed.
    pub fn done(module: ModuleName, steps: Vec<StepRecord>, changes: ChangeCounts) -> ModuleRecord {
        let label = Label::of_all(steps.iter().map(|step| &step.label));
        let (began, digest, outcome) = (None, None, ModuleOutcome::Done);
        let (fetch, fetch_began, diff, diff_began) = (None, None, None, None);
        ModuleRecord {
            module,
            outcome,
            label,
            steps,
            began,
            digest,
            changes,
            fetch,
            fetch_began,
            diff,
            diff_began,
        }
    }
}

/// How a module ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "kebab-case")]
pub enum ModuleOutcome {
    /// All its steps succeeded.
    Done,
    /// A step failed; the later ones were not run.
    Failed {
        /// The step's name.
        step: String,
        /// Why, in words.
        reason: String,
    },
    /// Not run, because a module that it needs did not succeed.
    Skipped {
        /// The module that it needs.
        because: ModuleName,
    },
}
