//! When the registration with a Foreman is looked after, and what of it is said. A trouble is said once, and that it is over; a Foreman
//! that does not do it is asked less and less often: it locks out addresses that fail too often. Pure.

use std::time::{Duration, Instant};

/// How many troubles are remembered.
const MOST: usize = 8;

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// All is as it was; nobody is registered, too.
    Unchanged,
    /// The Foreman has taken this.
    Told(String),
    /// This node is not ready to be told of: its own face does not answer, a file is wrong.
    NotReady(String),
    /// The Foreman did not do it.
    Refused(String),
}

/// What there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Good to know.
    Note(String),
    /// Somebody should look.
    Trouble(String),
}

/// The longest time between two questions to a Foreman that does not do it.
const LONGEST: Duration = Duration::from_secs(3600);

/// When the next look is due, and what was said last.
#[derive(Debug)]
pub struct Tending {
    every: Duration,
    due: Instant,
    failures: u32,
    /// What was said since all was well, so that troubles that take turns are said once, too.
    said: Vec<String>,
}

impl Tending {
    /// Looks every so often, for the first time after that: the listener has to be there first.
    pub fn new(every: Duration, now: Instant) -> Tending {
        Tending { every, due: now + every, failures: 0, said: vec![] }
    }

    /// How long there is nothing to do.
    pub fn wait(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    /// Takes what a look came to; what there is to say of it.
    pub fn took(&mut self, came: Came, now: Instant) -> Option<Line> {
        self.failures = if matches!(came, Came::Refused(_)) { self.failures.saturating_add(1) } else { 0 };
        self.due = now + self.pause();
        match came {
            Came::Unchanged => {
                let over = "the registration with the Foreman is as it should be again";
                let was_bad = !std::mem::take(&mut self.said).is_empty();
                was_bad.then(|| Line::Note(over.to_owned()))
            }
            Came::Told(text) => {
                self.said.clear();
                Some(Line::Note(text))
            }
            Came::NotReady(why) | Came::Refused(why) if self.said.contains(&why) => None,
            Came::NotReady(why) | Came::Refused(why) => {
                // One that has another text each time must not fill the memory.
                self.said.truncate(MOST - 1);
                self.said.push(why.clone());
                Some(Line::Trouble(why))
            }
        }
    }

    fn pause(&self) -> Duration {
        // The first failure is asked again at the usual time.
        let doubled = 1u32.checked_shl(self.failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.every.saturating_mul(doubled).min(LONGEST.max(self.every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(300);

    #[test]
    fn a_foreman_that_says_no_is_asked_less_and_less_often_and_told_of_once() {
        let start = Instant::now();
        let mut tending = Tending::new(EVERY, start);
        assert_eq!(tending.wait(start), EVERY);
        let mut now = start;
        let (mut waits, mut said) = (vec![], vec![]);
        for _ in 0..40 {
            said.extend(tending.took(Came::Refused("no".to_owned()), now));
            waits.push(tending.wait(now).as_secs());
            now += tending.wait(now);
        }
        assert_eq!(waits[..6], [300, 600, 1200, 2400, 3600, 3600]);
        assert_eq!((waits[39], said), (3600, vec![Line::Trouble("no".to_owned())]));
        let another = tending.took(Came::Refused("another".to_owned()), now);
        assert_eq!(another, Some(Line::Trouble("another".to_owned())));
        let told = tending.took(Came::Told("refreshed".to_owned()), now);
        assert_eq!((told, tending.wait(now)), (Some(Line::Note("refreshed".to_owned())), EVERY));
        assert_eq!(tending.took(Came::Unchanged, now), None);
    }

    #[test]
    fn a_node_that_is_not_ready_is_looked_at_as_often_as_ever() {
        let now = Instant::now();
        let mut tending = Tending::new(EVERY, now);
        for said in [Some(Line::Trouble("not yet".to_owned())), None, None] {
            assert_eq!(tending.took(Came::NotReady("not yet".to_owned()), now), said);
            assert_eq!(tending.wait(now), EVERY);
        }
        let other = Came::Refused("no".to_owned());
        assert_eq!(tending.took(other.clone(), now), Some(Line::Trouble("no".to_owned())));
        assert_eq!(tending.took(Came::NotReady("not yet".to_owned()), now), None, "they take turns");
        assert_eq!(tending.took(other, now), None);
        for number in 0..100 {
            tending.took(Came::NotReady(number.to_string()), now);
        }
        assert_eq!(tending.said.len(), MOST);
        assert!(
            matches!(tending.took(Came::Unchanged, now), Some(Line::Note(text)) if text.ends_with("again"))
        );
        assert_eq!(tending.took(Came::Unchanged, now), None);
    }
}
