//! All features as they are now, and the log: what a reply is made from. A reply asks nobody for anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::face::capability::{Cached, Turn};
use crate::face::clock::Clock;
use crate::face::entry::{Entry, Info, Logs, Ordered, Version};
use crate::face::feature::{Ask, Feature, FeatureName, Provider, Standing};
use crate::face::log::Log;
use crate::face::module::{Module, Read, State};
use crate::face::ring::Level;
use crate::face::trust::Trust;

/// What the face is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// The version that the proxy says it has.
    pub version: String,
    /// Who may ask for more than names.
    pub trust: Trust,
}

/// All features as they are now, and the log.
pub struct Board {
    /// What the face is set to.
    pub set: Set,
    /// The log.
    pub log: Log,
    clock: Clock,
    slots: Mutex<Vec<Slot>>,
    /// How often settings have been read: whoever asks features waits for that, too.
    reads: watch::Sender<u64>,
}

struct Slot {
    feature: Arc<dyn Feature>,
    module: Module,
    asks: Vec<(Arc<dyn Ask>, Cached)>,
    /// How often its settings have been read: what was asked before that is not taken any more.
    read: u64,
}

/// What is to be asked of a feature.
#[derive(Clone)]
pub struct Wanted {
    /// The feature.
    pub feature: Arc<dyn Feature>,
    /// Its back ends.
    pub asks: Vec<Arc<dyn Ask>>,
    read: u64,
}

/// What was answered: how it stands, and what each back end said (`None` where it was not asked).
pub struct Found {
    /// How it stands.
    pub standing: Standing,
    /// What its back ends said, in their order.
    pub capabilities: Vec<Option<Result<Vec<String>, String>>>,
}

impl Board {
    /// A board with these features, of which nothing has been read.
    pub fn new(set: Set, log: Log, clock: Clock, features: Vec<Arc<dyn Feature>>) -> Board {
        let slot = |feature: Arc<dyn Feature>| Slot {
            module: Module::new(feature.spec()),
            asks: feature.asks().into_iter().map(|ask| (ask, Cached::default())).collect(),
            feature,
            read: 0,
        };
        let slots = Mutex::new(features.into_iter().map(slot).collect());
        Board { set, log, clock, slots, reads: watch::Sender::default() }
    }

    /// Changes whenever settings have been read.
    pub(super) fn reads(&self) -> watch::Receiver<u64> {
        self.reads.subscribe()
    }

    /// Reads the settings of all features, again if they have been read: `read` has them by the name of a feature or provider.
    pub fn load(&self, read: impl Fn(&FeatureName) -> Read) {
        for slot in &mut *self.slots() {
            let name = &slot.module.spec.name;
            let own = read(name);
            if matches!(own, Ok(None)) {
                let message = format!("Couldn't find settings file {name}.yml. Using default settings.");
                self.log.say(Level::Warn, message);
            }
            slot.module = slot.module.load(own, |provider: &Provider| read(&provider.name));
            slot.read += 1;
            if let Some(doubt) = slot.module.doubt() {
                self.log.say(Level::Warn, doubt);
            }
            if let Some(why) = slot.module.state.why() {
                self.log.say(Level::Error, why);
            }
        }
        self.reads.send_modify(|reads| *reads += 1);
    }

    /// What of the settings is worth a warning.
    pub fn doubts(&self) -> Vec<String> {
        self.slots().iter().filter_map(|slot| slot.module.doubt()).collect()
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.slots().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is to be asked of the feature with that number; `None` while it is off or unusable.
    pub fn wanted(&self, number: usize) -> Option<Wanted> {
        let mut slots = self.slots();
        let slot = slots.get_mut(number)?;
        slot.module.start();
        slot.module.is_asked().then(|| Wanted {
            feature: Arc::clone(&slot.feature),
            asks: slot.asks.iter().map(|(ask, _)| Arc::clone(ask)).collect(),
            read: slot.read,
        })
    }

    /// Takes what was answered to [`Board::wanted`].
    pub fn take(&self, number: usize, wanted: &Wanted, found: Found) {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(number).filter(|slot| slot.read == wanted.read) else { return };
        let name = slot.module.spec.name.clone();
        for ((ask, cached), answer) in slot.asks.iter_mut().zip(found.capabilities) {
            let Some(answer) = answer else { continue };
            let message = match cached.take(answer, (self.clock)()) {
                Some(Turn::Fails(why)) => (
                    Level::Error,
                    format!("capabilities of '{name}' from `{}` cannot be had: {why}", ask.name()),
                ),
                Some(Turn::Answers) => {
                    (Level::Info, format!("capabilities of '{name}' from `{}` are had again", ask.name()))
                }
                None => continue,
            };
            self.log.say(message.0, message.1);
        }
        if slot.module.stands(found.standing) {
            match &slot.module.state {
                State::Running => self.log.say(Level::Info, format!("Successfully initialized '{name}'")),
                State::Failed(why) | State::Unusable(why) => self.log.say(Level::Error, why.clone()),
                State::Uninitialized | State::Disabled | State::Loaded | State::Starting => {
                    self.log.say(Level::Info, format!("'{name}' is {}", slot.module.state.word()));
                }
            }
        }
    }

    /// `/features`: the names of what is running, sorted.
    pub fn features(&self) -> Vec<String> {
        let mut names: Vec<String> = self.running().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    /// `/v2/features`: all of all features, in the order in which they were given.
    pub fn v2(&self) -> Ordered<Entry> {
        let entry = |slot: &Slot| {
            let asked = slot.asks.iter().flat_map(|(_, cached)| cached.values());
            (slot.module.spec.name.to_string(), slot.module.entry(asked))
        };
        Ordered(self.slots().iter().map(entry).collect())
    }

    /// `/version`.
    pub fn version(&self) -> Version {
        Version { version: self.set.version.clone(), modules: Ordered(self.running().collect()) }
    }

    /// `/logs` from that second on, as JSON.
    pub fn logs(&self, from: f64) -> serde_json::Result<Vec<u8>> {
        let failed = Ordered(self.failed());
        self.log.read(|ring| {
            serde_json::to_vec(&Logs { info: Info::of(ring, failed), logs: ring.from(from).collect() })
        })
    }

    /// Whether the feature of that name is offered over HTTPS, or over plain HTTP.
    pub fn is_offered(&self, name: &str, https: bool) -> bool {
        self.slots().iter().any(|slot| {
            let (over_http, over_https) = slot.module.offered();
            let running = slot.module.state == State::Running;
            slot.module.spec.name.as_str() == name && running && if https { over_https } else { over_http }
        })
    }

    fn running(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let slots = self.slots();
        let running = slots.iter().filter(|slot| slot.module.state == State::Running);
        let named = running.map(|slot| (slot.module.spec.name.to_string(), slot.module.spec.version.clone()));
        named.collect::<Vec<_>>().into_iter()
    }

    /// Whatever is in trouble, by name: features that have failed with their providers, and back ends that do not answer.
    fn failed(&self) -> Vec<(String, String)> {
        let now = (self.clock)();
        let mut failed: Vec<(String, String)> = vec![];
        for slot in &*self.slots() {
            if let Some(why) = slot.module.state.why() {
                failed.extend(slot.module.members().map(|name| (name.to_owned(), why.to_owned())));
                continue;
            }
            let marks = slot.asks.iter().filter_map(|(ask, cached)| cached.mark(ask.name(), now));
            let marks: Vec<String> = marks.collect();
            if slot.module.state == State::Running && !marks.is_empty() {
                failed.push((slot.module.spec.name.to_string(), marks.join("; ")));
            }
        }
        failed
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
