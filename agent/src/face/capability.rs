//! What a back end said that it can do, and when. A back end that fails keeps what it said last, and is marked. Pure.

use crate::face::clock::Time;

/// What is known of one back end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cached {
    good: Option<(Vec<String>, Time)>,
    trouble: Option<(String, Time)>,
}

/// What has become different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It fails now, and why; or fails in another way.
    Fails(String),
    /// It answers again.
    Answers,
}

impl Cached {
    /// Takes an answer; what is worth a record of it.
    pub fn take(&mut self, answer: Result<Vec<String>, String>, now: Time) -> Option<Turn> {
        match answer {
            Ok(values) => {
                self.good = Some((values, now));
                self.trouble.take().map(|_| Turn::Answers)
            }
            Err(why) => {
                let since = self.trouble.as_ref().map_or(now, |(_, since)| *since);
                let same = self.trouble.as_ref().is_some_and(|(old, _)| *old == why);
                self.trouble = Some((why.clone(), since));
                (!same).then_some(Turn::Fails(why))
            }
        }
    }

    /// What it can do, as far as it has ever said.
    pub fn values(&self) -> &[String] {
        self.good.as_ref().map_or(&[], |(values, _)| values)
    }

    /// What is wrong with it, since when, and how old its last good answer is; `None` where nothing is wrong.
    pub fn mark(&self, name: &str, now: Time) -> Option<String> {
        let (why, since) = self.trouble.as_ref()?;
        let kept = match &self.good {
            Some((values, at)) if values.is_empty() => {
                format!("its last good answer, {} s old, was none", now.since(*at))
            }
            Some((values, at)) => {
                format!("its last good answer, {} s old, is kept: {}", now.since(*at), values.join(", "))
            }
            None => String::from("it has never answered"),
        };
        Some(format!("capabilities of `{name}` cannot be had for {} s: {why}; {kept}", now.since(*since)))
    }
}
