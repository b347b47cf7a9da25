//! Brings a node's parameters and its modules from the master with rsync, into a folder of one run; then into the cache.
//!
//! A fetch writes nothing but the run's folder, the view: `parameters/NODE/` and `modules/NAME/` as on the master. What the
//! cache holds already is hard-linked, not sent again. [`publish`] makes what was fetched the new cache. Which modules
//! are needed is not known here.

pub mod arguments;
pub mod cache;
pub mod publish;
pub mod source;
pub mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::model::names::{ModuleName, NodeName};
use crate::model::step::Outcome;
use crate::sys::clock::Timed;
use crate::sys::files::{self, FileError};
use crate::sys::process::{Process, ProcessError};

pub use cache::Cache;
pub use publish::{lay_defaults, publish};
pub use source::{Source, SourceError};
pub use trouble::Trouble;

/// What is fetched in one go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The parameters of that node.
    Parameters(NodeName),
    /// That module.
    Module(ModuleName),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Parameters(node) => write!(f, "the parameters of {node}"),
            What::Module(module) => write!(f, "module {module}"),
        }
    }
}

impl What {
    /// Makes the folder that holds it, below `above`. Parameters may hold secrets, so that of parameters is for its owner.
    fn create_parent(&self, above: &Path) -> Result<(), FileError> {
        files::create_dirs(above, 0o755)?;
        match self {
            What::Parameters(_) => files::create_dirs(&above.join("parameters"), 0o700),
            What::Module(_) => files::create_dirs(&above.join("modules"), 0o755),
        }
    }

    /// Its folder below the view, and below disco's own folder.
    pub fn folder(&self) -> PathBuf {
        match self {
            What::Parameters(node) => Path::new("parameters").join(node.as_str()),
            What::Module(module) => Path::new("modules").join(module.as_str()),
        }
    }
}

/// A fetch that did not bring everything. The cache is as it was.
#[derive(Debug, Error)]
pub enum FetchError {
    /// rsync ended with an error.
    #[error("cannot fetch {what} from {from}: {trouble}; rsync said: {said}")]
    Rsync {
        /// What was to be fetched.
        what: What,
        /// From where.
        from: String,
        /// What is wrong.
        trouble: Trouble,
        /// The end of what rsync said.
        said: String,
    },
    /// Several modules could not be fetched.
    #[error("cannot fetch {} modules: {}", .0.len(), joined(.0))]
    Several(Vec<FetchError>),
    /// rsync could not be run.
    #[error("cannot fetch {what}")]
    Process {
        /// What was to be fetched.
        what: What,
        /// Why not.
        #[source]
        source: ProcessError,
    },
    /// Nothing was to be fetched, and the last fetch did not bring it.
    #[error("no fetch has brought {what}, and this run does not fetch")]
    NeverFetched {
        /// What is needed.
        what: What,
    },
    /// Nothing was to be fetched, and other runs replaced it again and again while it was taken.
    #[error("other runs fetch {what} again and again while this one takes it")]
    Replaced {
        /// What is needed.
        what: What,
    },
    /// A file or folder could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// We were told to stop.
    #[error("interrupted")]
    Interrupted,
}

fn joined(errors: &[FetchError]) -> String {
    errors.iter().map(FetchError::to_string).collect::<Vec<_>>().join("; ")
}

impl FetchError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            FetchError::Rsync { what, trouble, .. } => Some(trouble.hint(what)),
            FetchError::Several(errors) => errors.first().and_then(FetchError::hint),
            FetchError::Process { .. } => Some(
                "install rsync, or name it: disco param set disco/client/cmds/rsync '/path/to/rsync'"
                    .to_owned(),
            ),
            FetchError::NeverFetched { .. } => {
                Some("dance once with a fetch: without --no-fetch, and disco/client/fetch true".to_owned())
            }
            FetchError::Replaced { .. } | FetchError::File(_) | FetchError::Interrupted => None,
        }
    }

    /// What is wrong, where rsync ended with an error; of the first where there are several.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            FetchError::Rsync { trouble, .. } => Some(*trouble),
            FetchError::Several(errors) => errors.first().and_then(FetchError::trouble),
            FetchError::Process { .. }
            | FetchError::NeverFetched { .. }
            | FetchError::Replaced { .. }
            | FetchError::File(_)
            | FetchError::Interrupted => None,
        }
    }
}

/// How and where to fetch.
#[derive(Debug, Clone)]
pub struct Fetch<'a> {
    /// The master.
    pub source: &'a Source,
    /// The user's rsync command line, as words; never empty.
    pub rsync: &'a [String],
    /// How long the master may be silent.
    pub timeout: Duration,
    /// How many rsyncs run at a time.
    pub jobs: usize,
    /// disco's own folder, with the cache.
    pub home: &'a Path,
    /// The folder of this run.
    pub view: &'a Path,
    /// Set from outside to stop: every rsync is killed, and the fetch ends with [`FetchError::Interrupted`].
    pub stop: &'a AtomicBool,
}

impl Fetch<'_> {
    /// Fetches the parameters of that node.
    pub fn parameters(&self, node: &NodeName) -> Result<Timed, FetchError> {
        self.one(&What::Parameters(node.clone()))
    }

    /// Fetches these modules, several at a time, and returns what each took; `told` is how many are there so far.
    ///
    /// All modules that the master does not have are named in one error; after any other error no new rsync is started.
    pub fn modules(
        &self,
        names: &BTreeSet<ModuleName>,
        told: &mut dyn FnMut(usize),
    ) -> Result<BTreeMap<ModuleName, Timed>, FetchError> {
        let (mut costs, mut errors) = (BTreeMap::new(), Vec::new());
        for (name, fetched) in self.each(names, told) {
            match fetched {
                Ok(cost) => _ = costs.insert(name, cost),
                Err(FetchError::Interrupted) => return Err(FetchError::Interrupted),
                Err(error) => errors.push(error),
            }
        }
        match errors.len() {
            0 => Ok(costs),
            1 => Err(errors.remove(0)),
            _ => Err(FetchError::Several(errors)),
        }
    }

    /// Fetches these modules, several at a time, and returns what became of each that was begun: after an error other than
    /// that the master has no such module, no new rsync is started. `told` is how many are there so far.
    pub fn each(
        &self,
        names: &BTreeSet<ModuleName>,
        told: &mut dyn FnMut(usize),
    ) -> BTreeMap<ModuleName, Result<Timed, FetchError>> {
        let open = Mutex::new(names.iter());
        let give_up = AtomicBool::new(false);
        let next = || locked(&open).next().filter(|_| !give_up.load(Ordering::Relaxed));
        let (send, arriving) = mpsc::channel();
        let work = |send: mpsc::Sender<_>| {
            while let Some(name) = next() {
                let fetched = self.one(&What::Module(name.clone()));
                let fatal = fetched.as_ref().is_err_and(|error| error.trouble() != Some(Trouble::Absent));
                give_up.fetch_or(fatal, Ordering::Relaxed);
                // Whoever receives outlives this scope.
                let _ = send.send((name.clone(), fetched));
            }
        };
        let (mut done, mut there) = (BTreeMap::new(), 0);
        std::thread::scope(|scope| {
            (0..self.jobs.clamp(1, names.len().max(1))).for_each(|_| {
                let send = send.clone();
                scope.spawn(|| work(send));
            });
            drop(send);
            for (name, fetched) in arriving {
                if fetched.is_ok() {
                    there += 1;
                    told(there);
                }
                done.insert(name, fetched);
            }
        });
        done
    }

    fn one(&self, what: &What) -> Result<Timed, FetchError> {
        let from = self.source.of(what);
        let into = self.view.join(what.folder());
        what.create_parent(self.view)?;
        files::create_dirs(&into, 0o755)?;
        let cached = self.home.join(what.folder());
        let cached = files::look_through(&cached)?.is_some_and(|there| there.is_dir()).then_some(cached);
        let mut words = arguments::command_line(&arguments::Wish {
            command: self.rsync,
            local: matches!(self.source, Source::Folder(_)),
            timeout: self.timeout,
            cached: cached.as_deref(),
            from: &from,
            into: &into,
        });
        let mut process = Process::new(words.remove(0));
        // Every path is absolute, and the folder that we were started in may be gone.
        process.folder = Some("/".into());
        process.args = words;
        // Messages are looked at for what is wrong, so they must come in one language.
        process.environment =
            crate::sys::process::Environment::InheritedWith([("LC_ALL".into(), "C".into())].into());
        let began = Instant::now();
        let ended = process.run(self.stop).map_err(|error| match error {
            ProcessError::Interrupted => FetchError::Interrupted,
            source @ (ProcessError::Start { .. } | ProcessError::Follow { .. }) => {
                FetchError::Process { what: what.clone(), source }
            }
        })?;
        match ended.outcome {
            Outcome::Done => Ok(Timed { began, cost: ended.cost }),
            outcome => {
                let stderr = String::from_utf8_lossy(&ended.stderr);
                let trouble = Trouble::from_rsync(&outcome, &stderr);
                Err(FetchError::Rsync {
                    what: what.clone(),
                    from,
                    trouble,
                    said: trouble::last_words(&stderr),
                })
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What it guards is whole after every statement, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
