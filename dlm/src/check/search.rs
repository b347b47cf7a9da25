//! The search for an order of calls. It is Wing and Gong's ("Testing and verifying concurrent objects", 1993), as Lowe made it
//! ("Testing for linearizability", 2017): along the returns, each call put into the order just in time, and the same calls
//! done with the same state after them gone on from only once.
//!
//! An unknown outcome is a call that never returns: it may be put into the order at any time after its invocation, or never. So of
//! two ways to come to one state the one that used fewer of these can do all that the other can, and the other is forgotten;
//! and of those that ask the same it does not matter which was used. Without this each unknown outcome would double the work.

use std::collections::HashMap;

use super::history::{Call, Saw};
use super::spec::State;
use crate::model::Requester;

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order: the calls by their places in the history. What is not in it never returned, and need not have had an effect.
    Linearizable(Vec<usize>),
    /// There is none.
    Violation {
        /// An order that explains all that had returned before.
        longest: Vec<usize>,
        /// The call whose return no order explains.
        stuck: usize,
    },
    /// The limit came first.
    Undecided,
}

/// An order of the calls of a lock, from this state on, that the rules explain and that never puts a call before one that had
/// returned when it was invoked. Gives up after looking at `limit` ways to begin.
pub fn linearize(from: &State, calls: &[Call], limit: usize) -> Verdict {
    let mut spec = Spec::new(from, calls);
    let mut search = Search { pending: vec![], lost: vec![], trail: vec![], looked: 0, limit };
    let mut ways = vec![Way { state: 0, done: vec![], used: vec![], end: None }];
    for event in events(calls) {
        match event {
            Event::Invoke(call) if calls[call].returned.is_some() => search.pending.push(call),
            Event::Invoke(call) => search.lose(call, spec.same[call]),
            Event::Return(call) => {
                let Some(next) = search.past(&ways, call, &mut spec) else { return Verdict::Undecided };
                if next.is_empty() {
                    let longest = ways.first().map_or(vec![], |way| search.order(way));
                    return Verdict::Violation { longest, stuck: call };
                }
                search.pending.retain(|pending| *pending != call);
                ways = next;
            }
        }
    }
    Verdict::Linearizable(ways.first().map_or(vec![], |way| search.order(way)))
}

enum Event {
    Invoke(usize),
    Return(usize),
}

/// Invocations and returns in the order of time. Of one moment, invocations come first: then the calls overlap, and nothing is
/// called a violation that may be none.
fn events(calls: &[Call]) -> impl Iterator<Item = Event> {
    let mut events = vec![];
    for (number, call) in calls.iter().enumerate() {
        events.push((call.invoked, false, number));
        events.extend(call.returned.as_ref().map(|returned| (returned.at, true, number)));
    }
    events.sort_unstable();
    events
        .into_iter()
        .map(|(_, is_return, call)| if is_return { Event::Return(call) } else { Event::Invoke(call) })
}

/// A way to explain all returns so far.
#[derive(Debug, Clone)]
struct Way {
    state: usize,
    /// Which of the pending calls are in the order already, sorted.
    done: Vec<usize>,
    /// How many of each class of lost calls are in the order; classes after the last one used are left out.
    used: Vec<u16>,
    /// The last call of the order, in the trail.
    end: Option<usize>,
}

/// Lost calls that ask the same, in the order of their invocation.
struct Lost {
    request: usize,
    calls: Vec<usize>,
}

struct Search {
    /// Calls that were invoked and have not returned yet, but will.
    pending: Vec<usize>,
    lost: Vec<Lost>,
    /// Orders, as calls with the place of the one before.
    trail: Vec<(usize, Option<usize>)>,
    looked: usize,
    limit: usize,
}

impl Search {
    fn lose(&mut self, call: usize, request: usize) {
        match self.lost.iter_mut().find(|lost| lost.request == request) {
            Some(lost) => lost.calls.push(call),
            None => self.lost.push(Lost { request, calls: vec![call] }),
        }
    }

    /// All ways, but those that others stand for, in which this call returned with what its client saw; `None` past the limit.
    fn past(&mut self, ways: &[Way], call: usize, spec: &mut Spec<'_>) -> Option<Vec<Way>> {
        let (mut seen, mut past) = (Ways::default(), Ways::default());
        let mut todo: Vec<Way> = ways.iter().filter(|way| seen.add(way)).cloned().collect();
        while let Some(mut way) = todo.pop() {
            self.looked += 1;
            if self.looked > self.limit {
                return None;
            }
            if let Ok(at) = way.done.binary_search(&call) {
                way.done.remove(at);
                past.add(&way);
                continue;
            }
            if let Some(look) = self.look(&way, spec) {
                self.trail.push((look, way.end));
                way.end = Some(self.trail.len() - 1);
                let at = way.done.partition_point(|done| *done < look);
                way.done.insert(at, look);
                todo.extend(Some(way).filter(|way| seen.add(way)));
                continue;
            }
            for pending in &self.pending {
                if let Err(at) = way.done.binary_search(pending)
                    && let Some(state) = spec.step(way.state, *pending)
                {
                    let mut next = Way { state, ..way.clone() };
                    next.done.insert(at, *pending);
                    self.trail.push((*pending, way.end));
                    next.end = Some(self.trail.len() - 1);
                    todo.extend(Some(next).filter(|next| seen.add(next)));
                }
            }
            for (class, lost) in self.lost.iter().enumerate() {
                let used = way.used.get(class).copied().unwrap_or(0);
                if let Some(number) = lost.calls.get(usize::from(used))
                    && let Some(state) = spec.step(way.state, *number)
                    && state != way.state
                {
                    let mut next = Way { state, ..way.clone() };
                    next.used.resize(next.used.len().max(class + 1), 0);
                    next.used[class] += 1;
                    self.trail.push((*number, way.end));
                    next.end = Some(self.trail.len() - 1);
                    todo.extend(Some(next).filter(|next| seen.add(next)));
                }
            }
        }
        Some(past.0.into_values().flatten().collect())
    }

    /// A pending call that fits now and changes nothing, now or ever: no way is lost by putting it into the order at once.
    fn look(&self, way: &Way, spec: &mut Spec<'_>) -> Option<usize> {
        let mut pending = self.pending.iter().filter(|pending| way.done.binary_search(pending).is_err());
        pending
            .find(|call| spec.only_looked(**call) && spec.step(way.state, **call) == Some(way.state))
            .copied()
    }

    /// The order of a way.
    fn order(&self, way: &Way) -> Vec<usize> {
        let mut order = vec![];
        let mut at = way.end;
        while let Some(place) = at {
            let (call, before) = self.trail[place];
            order.push(call);
            at = before;
        }
        order.reverse();
        order
    }
}

/// Ways of which none stands for another, by state and pending calls done.
#[derive(Default)]
struct Ways(HashMap<(usize, Vec<usize>), Vec<Way>>);

impl Ways {
    /// Adds a way, in place of those that it stands for, unless there is one that stands for it; whether it did.
    fn add(&mut self, way: &Way) -> bool {
        let ways = self.0.entry((way.state, way.done.clone())).or_default();
        if ways.iter().any(|other| stands_for(other, way)) {
            return false;
        }
        ways.retain(|other| !stands_for(way, other));
        ways.push(way.clone());
        true
    }
}

/// Whether a way used no more of any class of lost calls than another in the same place.
fn stands_for(one: &Way, other: &Way) -> bool {
    let used = |way: &Way, class: usize| way.used.get(class).copied().unwrap_or(0);
    (0..one.used.len()).all(|class| used(one, class) <= used(other, class))
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
        let first =
            |at, call: &Call| calls.iter().position(|other| other.request == call.request).unwrap_or(at);
        let same = calls.iter().enumerate().map(|(at, call)| first(at, call)).collect();
        let numbers = HashMap::from([(from.clone(), 0)]);
        Spec { calls, same, states: vec![from.clone()], numbers, steps: HashMap::new() }
    }

    /// The state after this call, if what its client saw fits.
    fn step(&mut self, state: usize, call: usize) -> Option<usize> {
        let key = (state, self.same[call]);
        if !self.steps.contains_key(&key) {
            let (after, saw) = self.states[state].after(&self.calls[call].request);
            let number = self.number(after);
            self.steps.insert(key, (number, saw));
        }
        let (after, saw) = self.steps.get(&key)?;
        let fits = self.calls[call].returned.as_ref().is_none_or(|returned| returned.saw == *saw);
        fits.then_some(*after)
    }

    /// Whether what came back says that the call changed nothing. (A user's acquire is refused, and may make the lock.)
    fn only_looked(&self, call: usize) -> bool {
        let call = &self.calls[call];
        match call.returned.as_ref().map(|returned| &returned.saw) {
            Some(Saw::Missing | Saw::Shown { .. }) => true,
            Some(Saw::Refused) => matches!(call.request.requester, Requester::Host(_)),
            Some(Saw::Granted | Saw::Released | Saw::Done) | None => false,
        }
    }

    fn number(&mut self, state: State) -> usize {
        if let Some(number) = self.numbers.get(&state) {
            return *number;
        }
        self.states.push(state.clone());
        self.numbers.insert(state, self.states.len() - 1);
        self.states.len() - 1
    }
}
