//! From settings to a plan: fetches the node's parameters, then its modules and all that these require, and orders them;
//! or takes what the last fetch brought.
//!
//! Nothing runs here. On an error the cache is as it was.

mod ahead;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use thiserror::Error;

use crate::fetch::{self, Cache, Fetch, FetchError, Source, SourceError, What};
use crate::model::facts::Facts;
use crate::model::module::Module;
use crate::model::names::{ModuleName, NameError, NodeName};
use crate::model::params::Params;
use crate::model::plan::Plan;
use crate::modules::{self, ModuleError};
use crate::ops::secrets;
use crate::params::origin::{Traced, trace_merged};
use crate::params::{self, ParamsError};
use crate::plan::{self, PlanError};
use crate::settings::Settings;
use crate::sys::clock::{Meter, Timed};
use crate::sys::files::{self, FileError};
use crate::sys::host;
use crate::sys::tree::Root;

use ahead::Ahead;

/// All that a run needs to know before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// The modules that the node selected.
    pub selected: BTreeSet<ModuleName>,
    /// All modules in their order.
    pub plan: Plan,
    /// The node's parameters with the modules' defaults under them.
    pub params: Params,
    /// The facts of this host.
    pub facts: Facts,
    /// What fetching each module cost; empty where nothing was fetched.
    pub fetched: BTreeMap<ModuleName, Timed>,
    /// What else it cost: `fetch_params`, where something was fetched, and `plan`.
    pub internal: Vec<(&'static str, Timed)>,
}

/// A run that cannot start.
#[derive(Debug, Error)]
pub enum GatherError {
    /// Nobody named the master.
    #[error("no master is set")]
    NoMaster,
    /// The name of the master is none.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The folder that is the master is not there.
    #[error("the master is the folder {}, and there is none", .0.display())]
    NoFolder(PathBuf),
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An entry of the node's `modules/` names no module.
    #[error("the node's parameters select a module that cannot be one")]
    Selected(#[source] NameError),
    /// The node's `modules/` is no folder.
    #[error("the node's modules/ is not a folder")]
    SelectedIn,
    /// A module that was asked for by name is none of the node's.
    #[error("{module} is no module of {node}")]
    NotOurs {
        /// The module.
        module: ModuleName,
        /// The node.
        node: NodeName,
    },
    /// A module cannot be used.
    #[error(transparent)]
    Module(#[from] Box<ModuleError>),
    /// The modules cannot be put in an order.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The parameters cannot be read.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl GatherError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            GatherError::NoMaster => {
                Some("name it: disco param set disco/server/uri rsync://HOST".to_owned())
            }
            GatherError::Source(_) | GatherError::NoFolder(_) => {
                Some("see `disco settings` for where server/uri comes from".to_owned())
            }
            GatherError::Fetch(error) => error.hint(),
            GatherError::Plan(PlanError::Cycle { .. }) => {
                Some("take one of these lines out of the `requires` of its module on the master".to_owned())
            }
            GatherError::NotOurs { .. } => {
                Some("`disco module graph` lists the node's modules as of the last fetch".to_owned())
            }
            GatherError::SelectedIn => {
                Some("make it a folder below parameters/NODE/ on the master, not a link".to_owned())
            }
            GatherError::Params(_) => Some(
                "mend it on the master: parameters/NODE/ is the node's, modules/NAME/ a module's".to_owned(),
            ),
            GatherError::Module(_) => Some(
                "mend it on the master; `disco module lint --path FOLDER` finds the same there".to_owned(),
            ),
            GatherError::Selected(_) => {
                Some("rename or delete it below the node's modules/ on the master".to_owned())
            }
            GatherError::Plan(PlanError::Missing { .. }) | GatherError::File(_) => None,
        }
    }
}

/// Where a run has its modules from.
enum Supply<'a> {
    Master { fetch: Fetch<'a>, ahead: Ahead },
    Cache(Cache<'a>),
}

impl Supply<'_> {
    fn modules(
        &mut self,
        names: &BTreeSet<ModuleName>,
        told: &mut dyn FnMut(usize),
    ) -> Result<BTreeMap<ModuleName, Timed>, FetchError> {
        match self {
            Supply::Master { fetch, ahead } => ahead.complete(fetch, names, told),
            Supply::Cache(cache) => cache.modules(names).map(|()| BTreeMap::new()),
        }
    }
}

/// The master, if this run is to fetch.
fn master(settings: &Settings) -> Result<Option<Source>, GatherError> {
    if !settings.fetch.value {
        return Ok(None);
    }
    let source = Source::parse(settings.server_uri.value.as_deref().ok_or(GatherError::NoMaster)?)?;
    match &source {
        Source::Folder(folder) if files::look_through(Path::new(folder))?.is_none() => {
            Err(GatherError::NoFolder(folder.into()))
        }
        Source::Folder(_) | Source::Url(_) | Source::Host(_) => Ok(Some(source)),
    }
}

/// Fetches into `view`, the folder of this run, all that the node needs, and plans it; then makes what was fetched the
/// cache. Where the settings say so, it fetches nothing and takes the cache as it is. Last it completes the view: the modules' default parameters under the node's, and `parameters/disco/`.
///
/// With `only`, which must be modules of the node, the plan is of these and what they require.
/// The release among the facts is that of `root`. When `stop` is set it ends with [`FetchError::Interrupted`]. `told` is how
/// many modules have been fetched, of how many that are known to be needed.
pub fn gather(
    settings: &Settings,
    view: &Path,
    root: &Root,
    only: &BTreeSet<ModuleName>,
    stop: &AtomicBool,
    told: &mut dyn FnMut(usize, usize),
) -> Result<Gathered, GatherError> {
    let (home, node) = (&settings.home.value, &settings.node.value);
    let source = master(settings)?;
    let (mut supply, fetch_params) = match &source {
        Some(source) => {
            let fetch = Fetch {
                source,
                rsync: &settings.rsync.value,
                timeout: settings.fetch_timeout.value,
                jobs: settings.fetch_jobs.value,
                home,
                view,
                stop,
            };
            let (ahead, cost) = Ahead::fetch(&fetch, node, told)?;
            (Supply::Master { fetch, ahead }, Some(cost))
        }
        None => {
            let cache = Cache { home, view };
            cache.parameters(node)?;
            (Supply::Cache(cache), None)
        }
    };
    let selected = selected(&view.join(What::Parameters(node.clone()).folder()).join("modules"))?;

    let Discovered { modules, names, fetched } = discover(&mut supply, view, &selected, told)?;
    let meter = Meter::start();
    if let Some(stranger) = only.difference(&names).next() {
        return Err(GatherError::NotOurs { module: stranger.clone(), node: node.clone() });
    }
    let strange = |folder: PathBuf| params::load_strange(&folder).map_err(|error| error.said_from(view));
    let own = view.join(What::Parameters(node.clone()).folder()).join("parameters");
    // The two must be good each by itself: laid together nobody could say whose the fault is.
    let of_node = strange(own.clone())?;
    let of_module =
        |name: &ModuleName| strange(view.join(What::Module(name.clone()).folder()).join("parameters"));
    let mut trees = names.iter().map(of_module).collect::<Result<Vec<_>, _>>()?;
    trees.push(of_node);
    secrets::learn_parameters(&settings.secrets.value, trees);
    let plan = plan::plan(if only.is_empty() { &selected } else { only }, &modules)?;
    let planning = meter.timed();

    if let Supply::Master { ahead, .. } = supply {
        ahead.drop_the_rest(view, &fetched)?;
        let mut parts: Vec<What> = names.iter().cloned().map(What::Module).collect();
        parts.push(What::Parameters(node.clone()));
        fetch::publish(view, home, &parts)?;
    }
    fetch::lay_defaults(view, home, node, &names)?;
    let params = strange(own)?;
    let parts = fetch_params.map(|fetched| ("fetch_params", fetched)).into_iter();
    let internal = parts.chain([("plan", planning)]).collect();
    Ok(Gathered { selected, plan, params, facts: host::facts(root)?, fetched, internal })
}

/// The modules that the node selected: the names in that folder, be they files or folders.
fn selected(folder: &Path) -> Result<BTreeSet<ModuleName>, GatherError> {
    match files::look(folder)? {
        None => return Ok(BTreeSet::new()),
        Some(there) if there.is_dir() => {}
        // A link would make modules of the names of any folder of this host.
        Some(_) => return Err(GatherError::SelectedIn),
    }
    files::list_dir(folder)?
        .iter()
        .map(|name| name.to_string_lossy())
        .filter(|name| !name.ends_with('~'))
        .map(|name| ModuleName::new(name).map_err(GatherError::Selected))
        .collect()
}

/// The parameters of the node as its next step would see them, as of the last fetch, each with where it comes from.
/// Modules that were not fetched say nothing. `false` where nothing of the node was ever fetched.
pub fn origins(home: &Path, node: &NodeName) -> Result<(Vec<Traced>, bool), GatherError> {
    let cached = home.join(What::Parameters(node.clone()).folder());
    let folder = |name: &ModuleName| home.join(What::Module(name.clone()).folder());
    let mut modules = BTreeSet::new();
    let mut open: Vec<ModuleName> = selected(&cached.join("modules"))?.into_iter().collect();
    while let Some(name) = open.pop() {
        match modules::read_requires(&folder(&name), &name) {
            Ok(requires) if modules.insert(name) => {
                open.extend(requires.into_iter().map(|requirement| requirement.module));
            }
            Ok(_) | Err(ModuleError::Missing { .. }) => {}
            Err(error) => return Err(Box::new(error).into()),
        }
    }
    let mut defaults = Vec::new();
    for name in modules {
        let own = params::load(&folder(&name).join("parameters"))?;
        defaults.push((name, own));
    }
    let traced = trace_merged(params::load(&cached.join("parameters"))?, defaults);
    Ok((traced, files::look_through(&cached)?.is_some()))
}

struct Discovered {
    modules: Vec<Module>,
    names: BTreeSet<ModuleName>,
    fetched: BTreeMap<ModuleName, Timed>,
}

/// Fetches the selected modules, then what they require, until nothing new appears.
fn discover(
    supply: &mut Supply<'_>,
    view: &Path,
    selected: &BTreeSet<ModuleName>,
    told: &mut dyn FnMut(usize, usize),
) -> Result<Discovered, GatherError> {
    let (mut modules, mut names) = (Vec::new(), BTreeSet::new());
    let mut fetched = BTreeMap::new();
    let mut open = selected.clone();
    while !open.is_empty() {
        let (before, known) = (names.len(), names.len() + open.len());
        told(before, known);
        fetched.append(&mut supply.modules(&open, &mut |done| told(before + done, known))?);
        names.extend(open.iter().cloned());
        let mut required = BTreeSet::new();
        for name in &open {
            let folder = view.join(What::Module(name.clone()).folder());
            let module = modules::read(&folder, name).map_err(Box::new)?;
            required.extend(module.requires.iter().map(|requirement| requirement.module.clone()));
            modules.push(module);
        }
        open = required.into_iter().filter(|name| !names.contains(name)).collect();
    }
    Ok(Discovered { modules, names, fetched })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::settings::Flags;

    fn gathered(master: &[(&str, &str)]) -> (tempfile::TempDir, Result<Gathered, GatherError>) {
        let dir = tempfile::tempdir().unwrap();
        let result = gathered_again(dir.path(), "view", master);
        (dir, result)
    }

    fn gathered_again(dir: &Path, view: &str, master: &[(&str, &str)]) -> Result<Gathered, GatherError> {
        let server = dir.join("server");
        for (path, content) in master {
            let path = server.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let environment = [
            ("DISCO_HOME".to_owned(), dir.join("home").to_str().unwrap().to_owned()),
            ("DISCO_SERVER_URI".to_owned(), server.to_str().unwrap().to_owned()),
        ];
        let settings =
            crate::settings::resolve(&Flags::new(), &environment.into(), &Params::default(), "node").unwrap();
        let (root, stop) = (Root::open(Path::new("/"), "").unwrap(), AtomicBool::new(false));
        gather(&settings, &dir.join(view), &root, &BTreeSet::new(), &stop, &mut |_, _| {})
    }

    #[test]
    fn a_wrong_guess_of_what_is_needed_leaves_no_trace() {
        let (dir, first) = gathered(&[
            ("parameters/node/modules/web", ""),
            ("modules/web/requires", "after base\n"),
            ("modules/base/scripts/a.sh", ""),
        ]);
        first.unwrap();
        // web is no longer the node's, and base is not even there any more.
        for gone in ["parameters/node/modules/web", "modules/base/scripts/a.sh"] {
            fs::remove_file(dir.path().join("server").join(gone)).unwrap();
        }
        for gone in ["modules/base/scripts", "modules/base"] {
            fs::remove_dir(dir.path().join("server").join(gone)).unwrap();
        }
        let again = [("parameters/node/modules/db", ""), ("modules/db/scripts/b.sh", "")];
        let second = gathered_again(dir.path(), "again", &again).unwrap();
        assert_eq!(second.fetched.keys().map(ModuleName::as_str).collect::<Vec<_>>(), ["db"]);
        assert_eq!(files::list_dir(&dir.path().join("again/modules")).unwrap(), ["db"]);
        let third = gathered_again(dir.path(), "third", &[("modules/db/scripts/b.sh", "changed")]).unwrap();
        assert_eq!(third.fetched.len(), 1);
        assert_eq!(fs::read_to_string(dir.path().join("third/modules/db/scripts/b.sh")).unwrap(), "changed");
    }

    #[test]
    fn what_is_required_is_found_ordered_and_cached() {
        let (dir, gathered) = gathered(&[
            ("parameters/node/parameters/x", "node\n"),
            ("parameters/node/modules/web", ""),
            ("modules/web/requires", "after base\n"),
            ("modules/base/requires", "before late\n"),
            ("modules/base/parameters/x", "default\n"),
            ("modules/base/parameters/y", "default\n"),
            ("modules/late/scripts/a.sh", ""),
            ("modules/unused/requires", "gone"),
        ]);
        let gathered = gathered.unwrap();
        let order: Vec<_> =
            gathered.plan.modules.iter().map(|planned| planned.module.name.as_str()).collect();
        assert_eq!(order, ["base", "late", "web"]);
        assert_eq!(serde_json::to_string(&gathered.params).unwrap(), r#"{"x":"node","y":"default"}"#);
        assert_eq!(gathered.fetched.len(), 3);
        fs::create_dir_all(dir.path().join("home/modules/stale/parameters")).unwrap();
        fs::write(dir.path().join("home/modules/stale/parameters/z"), "no module of the node's any more")
            .unwrap();
        let (traced, fetched) = origins(&dir.path().join("home"), &NodeName::new("node").unwrap()).unwrap();
        assert_eq!(
            crate::params::origin::dump(&traced),
            "x = node  # node\ny = default  # default of base\n",
            "the parameters that the run has"
        );
        assert!(fetched);
        let stranger = origins(&dir.path().join("home"), &NodeName::new("stranger").unwrap()).unwrap();
        assert_eq!(stranger, (Vec::new(), false));
        assert_eq!(
            gathered.internal.iter().map(|(part, _)| *part).collect::<Vec<_>>(),
            ["fetch_params", "plan"]
        );
        assert!(dir.path().join("home/modules/late/scripts/a.sh").exists());
        assert!(
            !dir.path().join("home/parameters/node/parameters/y").exists(),
            "defaults are no part of the cache"
        );
    }

    #[test]
    fn what_is_wrong_stops_it_before_the_cache_changes() {
        for (master, message) in [
            (
                &[("parameters/node/modules/a", ""), ("modules/a/requires", "gone")][..],
                "cannot fetch module gone from ",
            ),
            (
                &[("parameters/node/modules/a", ""), ("modules/a/requires", "a")],
                "modules require each other in a circle, each before the next: a -> a",
            ),
            (
                &[("parameters/node/modules/a b", "")],
                "the node's parameters select a module that cannot be one",
            ),
            (&[("parameters/node/modules/a", ""), ("modules/a/requires", "x y z")], "module a: "),
            (&[("parameters/other/x", "")], "cannot fetch the parameters of node from "),
        ] {
            let (dir, result) = gathered(master);
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
            assert!(!dir.path().join("home").exists());
        }
    }
}
