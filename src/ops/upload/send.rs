//! Sends what waits, for each target in its order: a Foreman and a webhook at the same time, so that one that hangs takes nothing
//! from the other.

use std::time::{Duration, Instant};

use crate::model::told::in_full;
use crate::settings::Settings;
use crate::sys::clock;
use crate::sys::http::{Answer, Ask, Trouble};
use crate::uploads::answer::{self, Meaning};
use crate::uploads::item::{Item, Target};
use crate::uploads::spool::{Aside, Waiting};
use crate::uploads::{Spool, SpoolError, facts, report, webhook};

use super::reach::{self, Reach};
use super::{ANSWER, UploadError, goes_to, is_set};

/// Which of it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// What is due: a server that did not take anything is left alone for a while.
    Due,
    /// All.
    Now,
}

/// Why something stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// For whom it waits.
    pub target: Target,
    /// How much waits for it.
    pub number: usize,
    /// Where it would go.
    pub to: String,
    /// Why it did not.
    pub why: String,
    /// Whether it was tried, or is left alone for now.
    pub tried: bool,
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Round {
    /// How much was taken.
    pub sent: usize,
    /// What was refused for good: of which target, by whom, with which answer.
    pub refused: Vec<(Target, String)>,
    /// What stays.
    pub stays: Vec<Stays>,
}

impl Round {
    /// What the user of a run should know of it.
    pub fn told(&self) -> impl Iterator<Item = String> {
        let refused = self.refused.iter().map(|(target, why)| {
            format!("the {} is refused, and put aside (`disco upload --list`): {why}", target.word())
        });
        let stays = self.stays.iter().filter(|stays| stays.tried);
        // Report and facts go the same way, and mostly fail for the same reason.
        let mut said: Vec<(&str, &str, usize)> = Vec::new();
        for one in stays {
            match said.iter_mut().find(|(to, why, _)| (*to, *why) == (&one.to, &one.why)) {
                Some((_, _, number)) => *number += one.number,
                None => said.push((&one.to, &one.why, one.number)),
            }
        }
        let stays: Vec<String> = said
            .into_iter()
            .map(|(to, why, number)| {
                let waits =
                    if number == 1 { "1 upload waits".to_owned() } else { format!("{number} uploads wait") };
                format!("{waits} for {to}: {why}")
            })
            .collect();
        refused.chain(stays).collect::<Vec<_>>().into_iter()
    }

    fn and(mut self, other: Round) -> Round {
        self.sent += other.sent;
        self.refused.extend(other.refused);
        self.stays.extend(other.stays);
        self
    }
}

/// Sends what waits, within that time. One at a time does so.
pub fn send(settings: &Settings, when: When, within: Duration) -> Result<Round, UploadError> {
    let spool = Spool::of(&settings.home.value);
    let until = Instant::now() + within;
    if spool.waiting()?.is_empty() {
        return if is_set(settings) { Ok(Round::default()) } else { Err(UploadError::NotSet) };
    }
    let Some(_lock) = spool.lock(until)? else { return Err(UploadError::Busy) };
    spool.tidy()?;
    let waiting = spool.waiting()?;
    let of = |target: Target| -> Vec<Waiting> {
        waiting.iter().filter(|one| one.target == target).cloned().collect()
    };
    let way = |targets: &[Target]| -> Result<Round, SpoolError> {
        let mut round = Round::default();
        let mut down = None;
        for target in targets {
            let queue = Queue { settings, spool: &spool, target: *target, waiting: of(*target), when, until };
            let (done, failed) = queue.send(down.take())?;
            round = round.and(done);
            down = failed;
        }
        Ok(round)
    };
    let (foreman, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| way(&[Target::Webhook]));
        let foreman = way(&[Target::Report, Target::Facts]);
        // It does not panic; if it did, what it sends waits as before.
        (foreman, other.join().unwrap_or_else(|_| Ok(Round::default())))
    });
    Ok(foreman?.and(other?))
}

/// What waits for a target.
struct Queue<'a> {
    settings: &'a Settings,
    spool: &'a Spool,
    target: Target,
    waiting: Vec<Waiting>,
    when: When,
    until: Instant,
}

/// Why nothing more goes out.
struct Stop {
    why: String,
    retry_after: Option<u64>,
    /// Whether the server did not answer: then nothing else is asked of it.
    silent: bool,
}

impl Stop {
    fn of(why: impl Into<String>) -> Stop {
        Stop { why: why.into(), retry_after: None, silent: false }
    }
}

impl Queue<'_> {
    /// Sends what there is. `down` says why the same server does not answer. Returns why it does not, too.
    fn send(&self, down: Option<String>) -> Result<(Round, Option<String>), SpoolError> {
        let mut round = Round::default();
        if self.waiting.is_empty() {
            return Ok((round, down));
        }
        let Some(to) = goes_to(self.settings, self.target) else {
            let (why, to) = ("it is not set any more".to_owned(), "nobody".to_owned());
            round.stays.push(self.stays(self.waiting.len(), to, why, false));
            return Ok((round, None));
        };
        let standing = self.spool.standing(self.target)?;
        if self.when == When::Due && !standing.is_due(clock::since_epoch().as_secs()) {
            let why = standing.why.unwrap_or_default();
            round.stays.push(self.stays(self.waiting.len(), to, why, false));
            return Ok((round, None));
        }
        let stop = match down {
            Some(why) => Some(Stop { why, retry_after: None, silent: true }),
            None => match reach::reach(self.settings, self.target) {
                Ok(Some(reach)) => self.send_to(&reach, &mut round)?,
                Ok(None) => None,
                Err(error) => Some(Stop::of(in_full(&error))),
            },
        };
        let Some(stop) = stop else { return Ok((round, None)) };
        self.spool.takes_not(self.target, &stop.why, stop.retry_after)?;
        let left = self.spool.waiting()?.iter().filter(|one| one.target == self.target).count();
        round.stays.push(self.stays(left, to, stop.why.clone(), true));
        Ok((round, stop.silent.then_some(stop.why)))
    }

    fn stays(&self, number: usize, to: String, why: String, tried: bool) -> Stays {
        Stays { target: self.target, number, to, why, tried }
    }

    /// Returns why not all has gone out. An item that the server fails over is passed over once: if the next one goes, it was that
    /// item's fault, and it is put aside; if not, all stays.
    fn send_to(&self, reach: &Reach, round: &mut Round) -> Result<Option<Stop>, SpoolError> {
        let mut suspect: Option<(&Waiting, Item, Answer)> = None;
        for waiting in &self.waiting {
            let Some(item) = self.spool.read(waiting)? else { continue };
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(Stop::of("there was no time for all of it")));
            }
            let answer = match self.ask(reach, &item, left.min(ANSWER)) {
                Ok(answer) => answer,
                Err(trouble) => {
                    let silent = trouble.passes();
                    return Ok(Some(Stop { why: in_full(&trouble), retry_after: None, silent }));
                }
            };
            match answer::meaning(self.target, answer.status, &answer.body) {
                Meaning::Taken | Meaning::TakenBefore => {
                    self.spool.remove(waiting)?;
                    self.spool.takes(self.target)?;
                    round.sent += 1;
                    if let Some((waiting, item, answer)) = suspect.take() {
                        self.refuse(waiting, item, &answer, reach, round)?;
                    }
                }
                Meaning::Refused => self.refuse(waiting, item, &answer, reach, round)?,
                Meaning::Suspect if suspect.is_none() => suspect = Some((waiting, item, answer)),
                Meaning::Suspect => return Ok(Some(failing(&answer, "it fails"))),
                Meaning::Later(why) => return Ok(Some(failing(&answer, why))),
            }
        }
        Ok(suspect.map(|(_, _, answer)| failing(&answer, "it fails")))
    }

    fn refuse(
        &self,
        waiting: &Waiting,
        item: Item,
        answer: &Answer,
        reach: &Reach,
        round: &mut Round,
    ) -> Result<(), SpoolError> {
        let said = answer::said(&answer.body);
        round.refused.push((self.target, format!("{} answers {}: {said}", reach.shown, answer.status)));
        let (to, refused) = (reach.shown.clone(), clock::now());
        let aside = Aside { item, to, refused, status: answer.status, answer: said };
        self.spool.put_aside(waiting, &aside)
    }

    fn ask(&self, reach: &Reach, item: &Item, within: Duration) -> Result<Answer, Trouble> {
        let secret = self.settings.upload.webhook_secret.value.as_deref();
        let signed = secret.map(|secret| webhook::signature(secret, &item.body));
        let delivery = item.delivery();
        let mut headers = Vec::new();
        let url = match self.target {
            Target::Report => format!("{}{}", reach.url, report::PATH),
            Target::Facts => format!("{}{}", reach.url, facts::PATH),
            Target::Webhook => {
                headers.extend([(webhook::EVENT, "run"), (webhook::DELIVERY, delivery.as_str())]);
                headers.extend(signed.as_deref().map(|signed| (webhook::SIGNATURE, signed)));
                reach.url.clone()
            }
        };
        let (login, body) = (reach.login.as_deref(), Some(item.body.as_str()));
        let ask = Ask { method: "POST", url: &url, login, headers: &headers, body, within };
        reach.http.ask(&ask)
    }
}

fn failing(answer: &Answer, why: &str) -> Stop {
    let said = answer::said(&answer.body);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let why = format!("{why} (status {}){said}", answer.status);
    Stop { why, retry_after: answer.retry_after, silent: false }
}
