//! Where secrets are found: parameters that are marked, files that only root can read, disco's own environment. What they are
//! is said in [`crate::secrets`], which knows them from then on.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::model::names::NodeName;
use crate::model::params::{Param, Params};
use crate::model::path::RootedPath;
use crate::model::secret::{PARAMETER, Patterns};
use crate::params;
use crate::plans::Plan;
use crate::sandbox::Layers;
use crate::secrets::known;
use crate::secrets::private::{self, ALWAYS};
use crate::settings::Settings;
use crate::sys::peek::{self, Mark};
use crate::sys::tree::Root;
use crate::sys::{files, host, user_namespace};

/// The most opened files of which is looked whether they have changed.
const MOST_WATCHED: usize = 32;

/// Learns what this node's parameters hold as of the last fetch, disco's own environment, and files of a root that are secret on
/// every node. What cannot be read is left to whoever needs it: that says so.
pub fn learn(settings: &Settings, root: Option<&Root>) {
    if user_namespace::is_settled() {
        known::own_files();
    }
    let (home, node) = (&settings.home.value, &settings.node.value);
    learn_parameters(&settings.secrets.value, trees(home, node));
    learn_environment(&settings.secrets.value);
    if let Some(root) = root {
        learn_files(root);
    }
}

/// The node's own settings, its parameters, and those of the modules that the folder has.
fn trees(folder: &Path, node: &NodeName) -> Vec<Params> {
    let mut found = Vec::new();
    if let Ok(settings) = params::load(&folder.join("parameters/disco")) {
        found.push(Params([("disco".to_owned(), Param::Folder(settings))].into()));
    }
    let modules = files::list_dir(&folder.join("modules")).unwrap_or_default();
    let modules = modules.iter().map(|name| folder.join("modules").join(name).join("parameters"));
    let own = folder.join("parameters").join(node.as_str()).join("parameters");
    found.extend(modules.chain([own]).filter_map(|tree| params::load(&tree).ok()));
    found
}

/// What marks parameters: what is marked everywhere, and what these trees say. What is no pattern marks nothing, and is told.
pub(super) fn patterns<'a>(trees: impl Iterator<Item = &'a Params>) -> Patterns {
    let (mut patterns, name) = (Patterns::new(), PARAMETER.parse().ok());
    for text in trees.filter_map(|tree| tree.value(name.as_ref()?)) {
        if let Err(why) = patterns.add(text) {
            known::learn(|secrets| secrets.warn(format!("Parameter {PARAMETER} marks nothing: {why}")));
        }
    }
    patterns
}

/// Learns the marked values of these trees, by patterns of each of them and `more`.
pub(super) fn learn_parameters(more: &str, trees: Vec<Params>) {
    let mut patterns = patterns(trees.iter());
    and_of_setting(&mut patterns, more);
    known::learn(|secrets| {
        for tree in &trees {
            for (name, value) in patterns.values(tree) {
                secrets.add(&name, value.as_bytes());
            }
        }
    });
}

/// The setting was looked through when it was read.
fn and_of_setting(patterns: &mut Patterns, text: &str) {
    patterns.add(text).unwrap_or_default();
}

fn learn_environment(more: &str) {
    let mut patterns = Patterns::new();
    and_of_setting(&mut patterns, more);
    known::learn(|secrets| {
        for (name, value) in host::environment() {
            if patterns.mark(&name) {
                secrets.add(&format!("env {name}"), value.as_bytes());
            }
        }
    });
}

/// Learns what a plan brings of the secrets of its run.
pub(super) fn learn_plan(plan: &Plan) {
    known::learn(|secrets| {
        plan.head.secrets.iter().for_each(|secret| secrets.add(&secret.name, secret.value.as_bytes()));
        secrets.add_withheld(&plan.changes);
    });
}

/// Learns the passwords and host keys of a root.
fn learn_files(root: &Root) {
    let folder = RootedPath::new("/etc/ssh").ok().and_then(|folder| root.directory(&folder).ok());
    let names = folder.and_then(|folder| folder.names().ok()).unwrap_or_default();
    let keys = names.iter().map(|name| name.to_string_lossy());
    let keys = keys.filter(|name| name.starts_with("ssh_host_") && name.ends_with("_key"));
    let keys = keys.map(|name| format!("/etc/ssh/{name}")).collect::<Vec<_>>();
    for path in ALWAYS.into_iter().chain(keys.iter().map(String::as_str)) {
        let file = RootedPath::new(path).ok().and_then(|at| root.lookup(&at).ok()?);
        if let Some(content) = file.and_then(|file| peek::read(&file.read().ok()?, private::MOST).ok()) {
            known::learn(|secrets| secrets.add_file(path, &content));
        }
    }
}

/// Watches which files steps open that only root can read, and learns what stands in them.
#[derive(Debug)]
pub(super) struct Opened {
    layers: Layers,
    watched: VecDeque<(String, Arc<File>, Option<Mark>)>,
}

impl Opened {
    /// In a sandbox with these layers.
    pub(super) fn watch(layers: &Layers) -> Opened {
        Opened { layers: layers.clone(), watched: VecDeque::new() }
    }

    /// Learns what was opened, and what was written there since the last look. Asked before anything that a step has said is
    /// told, for what it says it has read before.
    pub(super) fn look(&mut self) {
        self.look_at(false);
    }

    /// The same once a step has ended: files that only pass are learned, too, where they have stayed.
    pub(super) fn ended(&mut self) {
        self.look_at(true);
    }

    fn look_at(&mut self, ended: bool) {
        for (path, file) in self.layers.take_private() {
            if private::is_looked_for(&path) {
                self.watched.push_front((path, file, None));
            }
        }
        for (path, file, known) in &mut self.watched {
            if private::is_passing(path) && !(ended && peek::is_private(file)) {
                continue;
            }
            let Ok(now) = peek::mark(file) else { continue };
            if known.is_none_or(|known| known != now)
                && let Ok(content) = peek::read(file, private::MOST)
            {
                *known = Some(now);
                known::learn(|secrets| secrets.add_file(path, &content));
            }
        }
        self.watched.truncate(MOST_WATCHED);
    }
}
