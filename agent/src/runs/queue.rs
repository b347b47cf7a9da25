//! Which run is under way and which come next: pure, a question and the time in, a decision out. At most one is under way; behind it
//! waits at most one of each kind, dry and live, and whoever asks for that kind meanwhile gets the one that waits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::runs::state::{RunState, State, TriggerId};

/// The version of the form of [`Kept`].
pub const SCHEMA: u32 = 1;
/// How long a key leads to its run, in seconds.
pub const KEY_LASTS: i64 = 24 * 3600;
/// The most modules of one run; who wants more wants all.
pub const MOST_MODULES: usize = 256;
/// How many of those who have asked for one run are named.
const MOST_NAMED: usize = 32;
/// The most keys of one run: each of them makes its file longer, which is written anew for whoever joins it.
pub const MOST_KEYS: usize = 256;

/// A run as it is kept in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The version of this form.
    pub schema: u32,
    /// How it stands.
    #[serde(flatten)]
    pub run: RunState,
    /// The keys that lead to it.
    #[serde(default)]
    pub keys: Vec<Key>,
}

/// A key that leads to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Whose it is: two who choose the same word do not get each other's run.
    pub by: String,
    /// The word.
    pub key: String,
    /// Since when: seconds since 1970.
    pub since: i64,
    /// What was asked for with it: half of a SHA-256. Keys of older versions have none, and lead to their runs whatever is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<String>,
}

/// A run that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whether it changes nothing.
    pub noop: bool,
    /// Only these modules; none is all of them.
    pub modules: Vec<String>,
    /// Who wants it.
    pub by: String,
    /// With the same key they get the same run.
    pub key: Option<String>,
    /// Refused where another one is under way or waits.
    pub alone: bool,
}

/// What has become of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It waits now, in this form: to be kept.
    Waits(Kept),
    /// That run was got before with the same key.
    Known(TriggerId),
    /// Another one was asked for with the same key: whoever asks would take its end for that of what he asks for now.
    Differs,
    /// Another run is in the way of one that is wanted alone.
    Busy,
    /// It and the one that waits would have too many modules.
    Crowded,
    /// [`MOST_KEYS`] lead to the one that waits.
    TooManyKeys,
}

/// What has become of a run that somebody wants no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dropped {
    /// It waits no more, and has ended in this form: to be kept.
    Waited(Box<Kept>),
    /// It is under way, and has to be asked to end.
    UnderWay,
    /// It is neither.
    Neither,
}

/// Where a key leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Led {
    to: TriggerId,
    since: i64,
    wish: Option<String>,
}

/// What is under way, and what waits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    under_way: Option<TriggerId>,
    /// The oldest first; never two of a kind.
    waiting: Vec<Kept>,
    keys: BTreeMap<(String, String), Led>,
}

impl Queue {
    /// As it was before whoever kept it went down: from all that is kept, and the one whose runner lives. Of two of a kind that wait,
    /// which nobody has left who is one of ours, the second is not taken up; it is returned.
    pub fn of(mut kept: Vec<Kept>, under_way: Option<TriggerId>) -> (Queue, Vec<Kept>) {
        let (mut queue, mut over) = (Queue { under_way, ..Queue::default() }, Vec::new());
        kept.sort_by(|one, other| (one.run.asked, &one.run.id).cmp(&(other.run.asked, &other.run.id)));
        for one in kept {
            for key in &one.keys {
                let of = (key.by.clone(), key.key.clone());
                let led = Led { to: one.run.id.clone(), since: key.since, wish: key.wish.clone() };
                queue.keys.insert(of, led);
            }
            let waits = one.run.state == State::Queued && queue.under_way.as_ref() != Some(&one.run.id);
            match waits {
                true if queue.waits(one.run.noop).is_some() => over.push(one),
                true => queue.waiting.push(one),
                false => {}
            }
        }
        (queue, over)
    }

    /// The one that is under way.
    pub fn under_way(&self) -> Option<&TriggerId> {
        self.under_way.as_ref()
    }

    /// Whether nothing is under way, and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.waiting.is_empty()
    }

    /// One that waits.
    pub fn waiting(&self, id: &TriggerId) -> Option<&Kept> {
        self.waiting.iter().find(|one| one.run.id == *id)
    }

    fn waits(&self, noop: bool) -> Option<usize> {
        self.waiting.iter().position(|one| one.run.noop == noop)
    }

    /// Takes a wish; `id` is for a new run.
    pub fn take(&mut self, wanted: Wanted, id: TriggerId, now: i64) -> Taken {
        if let Some(known) = self.known(&wanted, now) {
            return known;
        }
        if wanted.alone && !self.is_idle() {
            return Taken::Busy;
        }
        let at = match self.waits(wanted.noop) {
            Some(at) => {
                let Kept { run, keys, .. } = &mut self.waiting[at];
                let leading = keys.iter().filter(|key| leads(key.since, now)).count();
                if wanted.key.is_some() && leading >= MOST_KEYS {
                    return Taken::TooManyKeys;
                }
                let Some(modules) = union(&run.modules, &wanted.modules) else { return Taken::Crowded };
                run.modules = modules;
                if !run.by.contains(&wanted.by) && run.by.len() < MOST_NAMED {
                    run.by.push(wanted.by.clone());
                }
                at
            }
            None => {
                let Some(modules) = union(&wanted.modules, &wanted.modules) else { return Taken::Crowded };
                let run = RunState {
                    id,
                    noop: wanted.noop,
                    modules,
                    by: vec![wanted.by.clone()],
                    state: State::Queued,
                    asked: now,
                    began: None,
                    ended: None,
                    run: None,
                };
                self.waiting.push(Kept { schema: SCHEMA, run, keys: Vec::new() });
                self.waiting.len() - 1
            }
        };
        let kept = &mut self.waiting[at];
        if let Some(key) = wanted.key {
            let wish = wish(wanted.noop, &wanted.modules);
            kept.keys.retain(|key| leads(key.since, now));
            let led = Led { to: kept.run.id.clone(), since: now, wish: Some(wish.clone()) };
            kept.keys.push(Key { by: wanted.by.clone(), key: key.clone(), since: now, wish: Some(wish) });
            self.keys.insert((wanted.by, key), led);
        }
        Taken::Waits(kept.clone())
    }

    /// What becomes of a wish by its key alone: [`Taken::Known`] or [`Taken::Differs`]; `None` where its key leads nowhere. Keys that are
    /// too old go.
    pub fn known(&mut self, wanted: &Wanted, now: i64) -> Option<Taken> {
        let key = wanted.key.clone()?;
        self.keys.retain(|_, led| leads(led.since, now));
        let led = self.keys.get(&(wanted.by.clone(), key))?;
        let wish = wish(wanted.noop, &wanted.modules);
        let same = led.wish.as_ref().is_none_or(|before| *before == wish);
        Some(if same { Taken::Known(led.to.clone()) } else { Taken::Differs })
    }

    /// A run is gone, with all that is kept of it: no key leads to it any more.
    pub fn forget(&mut self, id: &TriggerId) {
        self.keys.retain(|_, led| led.to != *id);
    }

    /// The one that is to begin now, which from now on is under way; none where another is, or nothing waits.
    pub fn begin(&mut self) -> Option<Kept> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        let kept = self.waiting.remove(0);
        self.under_way = Some(kept.run.id.clone());
        Some(kept)
    }

    /// It has ended, if it was under way.
    pub fn ended(&mut self, id: &TriggerId) {
        if self.under_way.as_ref() == Some(id) {
            self.under_way = None;
        }
    }

    /// Somebody wants that run no more.
    pub fn remove(&mut self, id: &TriggerId, by: &str, now: i64) -> Dropped {
        if self.under_way.as_ref() == Some(id) {
            return Dropped::UnderWay;
        }
        let Some(at) = self.waiting.iter().position(|one| one.run.id == *id) else { return Dropped::Neither };
        let mut kept = self.waiting.remove(at);
        kept.run.state = State::Aborted { by: by.to_owned() };
        kept.run.ended = Some(now);
        Dropped::Waited(Box::new(kept))
    }
}

/// Whether a key of that time still leads to its run. One of the future is one of a clock that was put back.
fn leads(since: i64, now: i64) -> bool {
    (now - KEY_LASTS..=now + KEY_LASTS).contains(&since)
}

/// A short text that is the same for the same wish.
fn wish(noop: bool, modules: &[String]) -> String {
    let modules: BTreeSet<&str> = modules.iter().map(String::as_str).collect();
    let mut digest = Sha256::new();
    digest.update([u8::from(noop)]);
    for name in modules {
        // No name has one in it.
        digest.update(name.as_bytes());
        digest.update(b"\0");
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The modules of both, sorted; none stands for all. `None` where these are too many.
fn union(one: &[String], other: &[String]) -> Option<Vec<String>> {
    if one.is_empty() || other.is_empty() {
        return Some(Vec::new());
    }
    let mut both: Vec<String> = one.iter().chain(other).cloned().collect();
    both.sort();
    both.dedup();
    (both.len() <= MOST_MODULES).then_some(both)
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
