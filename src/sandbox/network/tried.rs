//! The names that a step asked for and that are none of the hosts it may reach. Pure.

use std::collections::BTreeMap;

use crate::model::attempt::{Answer, Attempt};
use crate::sandbox::network::dns::Kind;

/// How many different names are told apart; one more stands for all others.
const MOST: usize = 200;

/// Names, in the order of the first time, each with how often it was asked for by kind of question: who wants a connection
/// asks for both kinds of address.
#[derive(Debug, Default)]
pub(super) struct Tried(Vec<Name>);

#[derive(Debug)]
struct Name {
    name: String,
    kinds: BTreeMap<Kind, u64>,
    by: Asker,
}

/// Who asked first: the program's short name, empty where that is not known, and the line of the step's script.
pub(super) type Asker = (String, Option<u32>);

impl Tried {
    /// Whether a name was asked for.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|tried| tried.name == name)
    }

    /// Remembers a name that was asked for; `by` is asked the first time.
    pub(super) fn add(&mut self, name: &str, kind: Kind, by: impl FnOnce() -> Asker) {
        let name = if self.0.len() < MOST || self.has(name) { name } else { "further names" };
        let at = self.0.iter().position(|tried| tried.name == name).unwrap_or_else(|| {
            self.0.push(Name { name: name.to_owned(), kinds: BTreeMap::new(), by: by() });
            self.0.len() - 1
        });
        *self.0[at].kinds.entry(kind).or_default() += 1;
    }

    /// Takes them as attempts, and forgets them.
    pub(super) fn take(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.0).into_iter().map(attempt).collect()
    }
}

fn attempt(tried: Name) -> Attempt {
    let Name { name, kinds, by: (program, line) } = tried;
    Attempt {
        call: "resolve".to_owned(),
        target: name,
        answer: Answer::Refused,
        program,
        line,
        count: kinds.values().copied().max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_once_for_both_kinds_of_address() {
        let mut tried = Tried::default();
        for (name, kind) in [("b", Kind::A), ("b", Kind::Aaaa), ("a", Kind::A), ("b", Kind::A)] {
            tried.add(name, kind, || ("curl".to_owned(), Some(3)));
        }
        assert!(tried.has("a") && !tried.has("c"));
        let told: Vec<String> = tried.take().iter().map(Attempt::to_string).collect();
        assert_eq!(
            told,
            ["resolve : b : refused, by curl, line 3, 2 times", "resolve : a : refused, by curl, line 3"]
        );
        assert!(tried.take().is_empty());
        for number in 0..1000 {
            tried.add(&number.to_string(), Kind::A, || (String::new(), None));
        }
        assert_eq!(tried.take().len(), MOST + 1);
    }
}
