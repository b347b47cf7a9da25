//! The search for an order. It is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of
//! what was tried ("Testing for linearizability", 2017): the same calls done, in whatever order, with the same state after
//! them, need to be gone on from only once.
//!
//! An unknown outcome is a call that returns after all others, with any answer: a call that never had an effect is one that
//! has it after everything that anybody saw.

use std::collections::{HashMap, HashSet};

use super::history::{Call, Saw};
use super::spec::State;

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order: the calls by their places in the history.
    Linearizable(Vec<usize>),
    /// There is none.
    Violation {
        /// As far as the best order goes.
        longest: Vec<usize>,
        /// The call that returned without a place in any order, once that far.
        stuck: usize,
    },
    /// The limit came first.
    Undecided,
}

/// An order of the calls of a lock, from this state on, that the rules explain and that never puts a call before one that had
/// returned when it was invoked. Gives up after remembering `limit` ways to begin.
pub fn linearize(from: &State, calls: &[Call], limit: usize) -> Verdict {
    let mut pending = Pending::new(calls);
    let mut spec = Spec::new(from, calls);
    let mut state = 0;
    let mut done = Done::new(calls.len());
    let mut tried: HashSet<(Done, usize)> = HashSet::new();
    let mut order: Vec<(usize, usize)> = vec![];
    let mut best: (Vec<usize>, usize) = (vec![], 0);
    let mut at = pending.first();
    while let Some(entry) = at {
        let Entry::Invoke(call) = pending.entries[entry] else {
            // Somebody has the answer of a call that is not in the order: go back, and leave out what was put last.
            let Entry::Return(stuck) = pending.entries[entry] else { break };
            if order.len() > best.0.len() || best.0.is_empty() {
                best = (order.iter().map(|(call, _)| *call).collect(), stuck);
            }
            let Some((last, before)) = order.pop() else {
                return Verdict::Violation { longest: best.0, stuck: best.1 };
            };
            pending.put_back(last);
            done.remove(last);
            state = before;
            at = pending.next(pending.invoke[last]);
            continue;
        };
        let (after, fits) = spec.step(state, call);
        if fits {
            done.insert(call);
            if tried.insert((done.clone(), after)) {
                if tried.len() > limit {
                    return Verdict::Undecided;
                }
                order.push((call, state));
                state = after;
                pending.take(call);
                at = pending.first();
                continue;
            }
            done.remove(call);
        }
        at = pending.next(entry);
    }
    Verdict::Linearizable(order.into_iter().map(|(call, _)| call).collect())
}

/// Which calls are in the order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn new(calls: usize) -> Done {
        Done(vec![0; calls.div_ceil(64)])
    }

    fn insert(&mut self, call: usize) {
        self.0[call / 64] |= 1 << (call % 64);
    }

    fn remove(&mut self, call: usize) {
        self.0[call / 64] &= !(1 << (call % 64));
    }
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    /// The end of the list.
    End,
    Invoke(usize),
    Return(usize),
}

/// Invocations and returns in the order of time, less those of the calls that are in the order; a list with two links each.
struct Pending {
    entries: Vec<Entry>,
    after: Vec<usize>,
    before: Vec<usize>,
    /// Where the invocation and the return of each call are.
    invoke: Vec<usize>,
    ret: Vec<usize>,
}

impl Pending {
    fn new(calls: &[Call]) -> Pending {
        // Of one moment, invocations come first: then the calls overlap, and nothing is called a violation that may be none.
        let mut events: Vec<((Option<u64>, bool), Entry)> = vec![];
        for (number, call) in calls.iter().enumerate() {
            events.push(((Some(call.invoked), false), Entry::Invoke(number)));
            let returned = call.returned.as_ref().map(|returned| returned.at);
            events.push(((returned, true), Entry::Return(number)));
        }
        // What never returned is last.
        events.sort_by_key(|((at, is_return), _)| (at.is_none(), *at, *is_return));
        let mut pending =
            Pending { entries: vec![Entry::End], after: vec![], before: vec![], invoke: vec![], ret: vec![] };
        (pending.invoke, pending.ret) = (vec![0; calls.len()], vec![0; calls.len()]);
        for (_, entry) in events {
            let place = pending.entries.len();
            match entry {
                Entry::End => {}
                Entry::Invoke(call) => pending.invoke[call] = place,
                Entry::Return(call) => pending.ret[call] = place,
            }
            pending.entries.push(entry);
        }
        let count = pending.entries.len();
        pending.after = (0..count).map(|place| (place + 1) % count).collect();
        pending.before = (0..count).map(|place| (place + count - 1) % count).collect();
        pending
    }

    /// The first entry; `None` where no call is left.
    fn first(&self) -> Option<usize> {
        self.next(0)
    }

    fn next(&self, entry: usize) -> Option<usize> {
        Some(self.after[entry]).filter(|next| *next != 0)
    }

    fn take(&mut self, call: usize) {
        for place in [self.invoke[call], self.ret[call]] {
            let (before, after) = (self.before[place], self.after[place]);
            self.after[before] = after;
            self.before[after] = before;
        }
    }

    /// The reverse of the last `take` that was not reversed.
    fn put_back(&mut self, call: usize) {
        for place in [self.ret[call], self.invoke[call]] {
            let (before, after) = (self.before[place], self.after[place]);
            self.after[before] = place;
            self.before[after] = place;
        }
    }
}

/// The specification with its states numbered, each step of it decided once.
struct Spec<'a> {
    calls: &'a [Call],
    /// For each call the first one that asks the same.
    same: Vec<usize>,
    states: Vec<State>,
    numbers: HashMap<State, usize>,
    steps: HashMap<(usize, usize), (usize, Saw)>,
}

impl<'a> Spec<'a> {
    fn new(from: &State, calls: &'a [Call]) -> Spec<'a> {
        let same = calls
            .iter()
            .enumerate()
            .map(|(at, call)| {
                calls[..at].iter().position(|other| other.request == call.request).unwrap_or(at)
            })
            .collect();
        let numbers = HashMap::from([(from.clone(), 0)]);
        Spec { calls, same, states: vec![from.clone()], numbers, steps: HashMap::new() }
    }

    /// The state after this call, and whether what its client saw fits.
    fn step(&mut self, state: usize, call: usize) -> (usize, bool) {
        let key = (state, self.same[call]);
        if !self.steps.contains_key(&key) {
            let (after, saw) = self.states[state].after(&self.calls[call].request);
            let number = match self.numbers.get(&after) {
                Some(number) => *number,
                None => {
                    self.states.push(after.clone());
                    self.numbers.insert(after, self.states.len() - 1);
                    self.states.len() - 1
                }
            };
            self.steps.insert(key, (number, saw));
        }
        let (after, saw) = &self.steps[&key];
        let fits = self.calls[call].returned.as_ref().is_none_or(|returned| returned.saw == *saw);
        (*after, fits)
    }
}
