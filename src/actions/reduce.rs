//! What steps ask of one service, one after another, as the least that leaves it the same: a restart makes an earlier start
//! or reload needless, a stop all that was before it. Pure.

use crate::actions::ask;
use crate::model::action::Effect;
use crate::model::duty::{DutyOrigin, ServiceDeed, ServiceVerb};

/// A command with its place in the order of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// Where it stands: the number of the action, and its place among the commands that this one became.
    pub place: (u32, usize),
    /// Who wants it.
    pub origin: DutyOrigin,
    /// The command.
    pub effect: Effect,
    /// What it does to which service.
    pub service: Option<ServiceDeed>,
}

impl Draft {
    fn verb(&self) -> Option<ServiceVerb> {
        self.service.as_ref().map(|deed| deed.verb)
    }

    /// Does the other's work too: of two that ask for one thing, the one that asks for it without an if.
    pub(super) fn absorb(&mut self, other: Draft) {
        if self.verb() == other.verb()
            && ask::has_conditions(&self.effect)
            && !ask::has_conditions(&other.effect)
        {
            self.effect = other.effect;
        }
        let origin = std::mem::replace(&mut self.origin, DutyOrigin::UnitFiles);
        self.origin = match (origin, other.origin) {
            (DutyOrigin::Actions { mut seqs }, DutyOrigin::Actions { seqs: more }) => {
                seqs.extend(more);
                seqs.sort_unstable();
                seqs.dedup();
                DutyOrigin::Actions { seqs }
            }
            // What steps have asked for was told as theirs.
            (_, asked @ DutyOrigin::Actions { .. }) => asked,
            (first, _) => first,
        };
    }

    /// Takes the other's place, which is later, and does its work.
    fn follow(&mut self, other: Draft) {
        self.place = self.place.max(other.place);
        self.absorb(other);
    }
}

/// Adds what is asked of a service to what was asked of it before: at most a stop, then at most two commands.
pub(super) fn add(asked: &mut Vec<Draft>, mut new: Draft) {
    let at = |asked: &[Draft], verbs: &[ServiceVerb]| {
        asked.iter().rposition(|draft| draft.verb().is_some_and(|verb| verbs.contains(&verb)))
    };
    use ServiceVerb::{Reload, Restart, Start, Stop, TryRestart};
    let stops = at(asked, &[Stop]).is_some();
    let starts_anew = at(asked, &[Restart]).or_else(|| at(asked, &[Start]).filter(|_| stops));
    match new.verb() {
        Some(Stop) => {
            asked.drain(..).for_each(|old| new.absorb(old));
            asked.push(new);
        }
        Some(Restart) => {
            for old in asked.extract_if(.., |draft| draft.verb() != Some(Stop)) {
                new.absorb(old);
            }
            asked.push(new);
        }
        Some(Start) => match (at(asked, &[Start, Restart]), at(asked, &[Reload])) {
            // Later starts find it started.
            (Some(there), _) => asked[there].absorb(new),
            // One that can be reloaded runs, or is started first.
            (None, Some(reload)) if !stops => {
                new.place = asked[reload].place;
                asked.insert(reload, new);
            }
            (None, Some(reload)) => {
                new.absorb(asked.remove(reload));
                asked.push(new);
            }
            (None, None) => asked.push(new),
        },
        Some(TryRestart) => match (starts_anew, at(asked, &[Start])) {
            (Some(there), _) => asked[there].follow(new),
            (None, None) if stops => asked[0].absorb(new),
            (None, Some(_) | None) => {
                for old in asked.extract_if(.., |draft| matches!(draft.verb(), Some(Reload | TryRestart))) {
                    new.absorb(old);
                }
                asked.push(new);
            }
        },
        Some(Reload) => match starts_anew.or_else(|| at(asked, &[TryRestart])) {
            Some(there) => asked[there].follow(new),
            None => {
                for old in asked.extract_if(.., |draft| draft.verb() == Some(Reload)) {
                    new.absorb(old);
                }
                asked.push(new);
            }
        },
        None => asked.push(new),
    }
}

/// Adds what is asked of a daemon by start-stop-daemon: an end and a start that stand together, where the last start stood.
pub(super) fn add_daemon(asked: &mut Vec<(bool, Draft)>, starts: bool, mut new: Draft) {
    if starts {
        match asked.last_mut() {
            Some((true, there)) => there.absorb(new),
            Some((false, _)) | None => {
                if let Some((_, end)) = asked.last_mut() {
                    end.place = (new.place.0, 0);
                }
                new.place.1 = 1;
                asked.push((true, new));
            }
        }
        return;
    }
    for (_, old) in asked.drain(..) {
        new.absorb(old);
    }
    asked.push((false, new));
}
