//! Who of those who wait would be granted a lock now: the rules, played through in their order, and nothing stored. Pure.

use disco_dlm::model::{HostName, Lock, LockName, Order, Requester, Time};
use disco_dlm::rules::{Answer, Operation, Request, decide};

use super::said::{View, facts};

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// Places in the list of those who wait, in the order in which they are let in.
    pub granted: Vec<usize>,
    /// When it is worth looking again, where somebody is left who has no slot.
    pub again: Option<Time>,
}

/// Lets in those who wait, one after another, until the first is refused: whoever stands behind has no better chance.
pub fn rehearse(lock: Option<&Lock>, name: &LockName, waiting: &[HostName], view: View) -> Rehearsal {
    let mut lock = lock.cloned();
    let mut granted = vec![];
    for place in in_order(lock.as_ref(), waiting) {
        let request = Request {
            requester: Requester::Host(waiting[place].clone()),
            name: name.clone(),
            operation: Operation::Acquire { note: String::new() },
        };
        let decision = decide(lock.as_ref(), &request, &facts(lock.as_ref(), view));
        match &decision.answer {
            Answer::Granted { .. } => granted.push(place),
            Answer::Refused(refusal) => return Rehearsal { granted, again: refusal.retry_at },
            _ => return Rehearsal { granted, again: None },
        }
        lock = decision.lock(lock.as_ref()).cloned();
    }
    Rehearsal { granted, again: None }
}

/// In a fair queue by tickets, who has none last; else as they came.
fn in_order(lock: Option<&Lock>, waiting: &[HostName]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..waiting.len()).collect();
    if let Some(lock) = lock
        && lock.policy.queue.order == Order::Fair
    {
        let ticket = |host: &HostName| lock.tickets.iter().position(|ticket| ticket.host == *host);
        places.sort_by_cached_key(|place| ticket(&waiting[*place]).unwrap_or(usize::MAX));
    }
    places
}

#[cfg(test)]
mod tests {
    use disco_dlm::model::{Holder, Kind, LockId, Policy, Queue, Seconds, Slots, Ticket, Token};

    use super::*;

    fn view() -> View {
        View { now: Time::new(1000, 0), group: 10, stale_hours: 4 }
    }

    fn host(name: &str) -> HostName {
        HostName::new(name).unwrap()
    }

    fn lock(slots: u32, order: Order, holders: &[&str], tickets: &[&str]) -> Lock {
        let mut lock = Lock::new(LockId(1), LockName::new("web").unwrap(), Kind::Update, view().now);
        let queue = Queue { order, poll: Seconds(60) };
        lock.policy = Policy { slots: Slots::Number(slots), queue, ..Policy::default() };
        let (now, note) = (view().now, String::new());
        let holder = |name: &&str| Holder {
            host: host(name),
            since: now,
            renewed: now,
            token: Token(1),
            note: note.clone(),
        };
        lock.holders = holders.iter().map(holder).collect();
        lock.tickets = tickets.iter().map(|name| Ticket { host: host(name), since: now, due: now }).collect();
        lock
    }

    #[test]
    fn as_many_are_let_in_as_there_are_slots_and_in_their_order() {
        use Order::{Fair, None};
        for (case, slots, order, holders, tickets, waiting, granted) in [
            ("nobody waits", 1, None, vec![], vec![], vec![], vec![]),
            ("all slots are held", 1, None, vec!["x"], vec!["a"], vec!["a"], vec![]),
            ("who came first here", 1, None, vec![], vec!["b", "a"], vec!["a", "b"], vec![0]),
            ("two slots", 2, None, vec![], vec![], vec!["a", "b", "c"], vec![0, 1]),
            ("by ticket", 1, Fair, vec![], vec!["b", "a"], vec!["a", "b"], vec![1]),
            ("both, by ticket", 2, Fair, vec![], vec!["b", "a"], vec!["a", "b"], vec![1, 0]),
            ("who waits elsewhere comes first", 1, Fair, vec![], vec!["x", "a"], vec!["a"], vec![]),
            ("no ticket, behind", 1, Fair, vec![], vec!["b"], vec!["a", "b"], vec![1]),
            ("a holder renews", 1, None, vec!["a"], vec![], vec!["a", "b"], vec![0]),
            ("one host twice", 1, None, vec![], vec![], vec!["a", "a", "b"], vec![0, 1]),
        ] {
            let lock = lock(slots, order, &holders, &tickets);
            let waiting: Vec<HostName> = waiting.into_iter().map(host).collect();
            let seen = rehearse(Some(&lock), &lock.name, &waiting, view());
            assert_eq!(seen.granted, granted, "{case}");
            assert_eq!(seen.again.is_some(), granted.len() < waiting.len(), "{case}");
        }
    }

    #[test]
    fn a_lock_that_is_gone_is_made_by_the_first() {
        let waiting = [host("a"), host("b")];
        let seen = rehearse(None, &LockName::new("web").unwrap(), &waiting, view());
        assert_eq!(seen, Rehearsal { granted: vec![0], again: Some(view().now.after(Seconds(60))) });
    }
}
