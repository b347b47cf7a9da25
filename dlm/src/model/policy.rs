//! What governs a lock beyond Foreman's rules. The default is Foreman's: one slot, no expiry, no windows, no order.

use std::num::NonZeroU32;

use jiff::civil::{Date, Time as TimeOfDay, Weekday};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::time::Seconds;

/// The longest window: a week.
pub const LONGEST_WINDOW: u32 = 7 * 24 * 60;
/// The most windows, and the most blackouts, of one calendar.
pub const MOST_ENTRIES: usize = 100;

/// A policy, or a part of one, that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A share that is none.
    #[error("{0} percent: use 1 to 100")]
    Percent(u32),
    /// A time zone that is not in the database.
    #[error("time zone {0:?}: not known here; use a name of the IANA database, such as Europe/Berlin or UTC")]
    Zone(String),
    /// A window without days.
    #[error("the window at {0}: name at least one day")]
    NoDays(TimeOfDay),
    /// A window that is never open, or longer than a week.
    #[error("the window at {start}: it has {minutes} minutes; use 1 to {LONGEST_WINDOW}")]
    Length {
        /// When it opens.
        start: TimeOfDay,
        /// Its length.
        minutes: u32,
    },
    /// A blackout that ends before it begins.
    #[error("the blackout from {from} to {to}: it ends before it begins")]
    Backwards {
        /// Its first day.
        from: Date,
        /// Its last day.
        to: Date,
    },
    /// More than is looked through for one request.
    #[error("{0} windows or blackouts: use {MOST_ENTRIES} at most")]
    TooMany(usize),
    /// Waiters that would have to ask all the time.
    #[error("a queue with polls of 0 seconds: use 1 at least")]
    NoPoll,
}

/// A share of a group, 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Percent(u32);

impl TryFrom<u32> for Percent {
    type Error = PolicyError;
    fn try_from(percent: u32) -> Result<Percent, PolicyError> {
        if (1..=100).contains(&percent) { Ok(Percent(percent)) } else { Err(PolicyError::Percent(percent)) }
    }
}

impl From<Percent> for u32 {
    fn from(percent: Percent) -> u32 {
        percent.0
    }
}

/// How many hosts may hold a lock at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slots {
    /// So many; with 0 nothing is granted.
    Number(u32),
    /// A share of the group, rounded down, but never less than one: or a small group could never be updated.
    Percent(Percent),
}

impl Slots {
    /// How many that is in a group of this size.
    pub fn of(self, group: u64) -> u64 {
        match self {
            Slots::Number(number) => u64::from(number),
            // The quotient of a u64 times at most 100 by 100 is a u64 again.
            Slots::Percent(percent) => {
                let share = u128::from(group) * u128::from(percent.0) / 100;
                u64::try_from(share).unwrap_or(u64::MAX).max(1)
            }
        }
    }
}

/// The name of a time zone of the IANA database, as it is in this program, so that every server of one version decides alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(String);

impl ZoneName {
    /// UTC.
    pub fn utc() -> ZoneName {
        ZoneName("UTC".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ZoneName {
    type Error = PolicyError;
    fn try_from(name: String) -> Result<ZoneName, PolicyError> {
        match jiff_zone(&name) {
            Some(_) => Ok(ZoneName(name)),
            None => Err(PolicyError::Zone(name)),
        }
    }
}

impl From<ZoneName> for String {
    fn from(zone: ZoneName) -> String {
        zone.0
    }
}

/// The zone of this name, from the database in this program.
pub(crate) fn jiff_zone(name: &str) -> Option<jiff::tz::TimeZone> {
    // Data in this program, and no file of the machine: that is why it is no effect.
    static ZONES: std::sync::LazyLock<jiff::tz::TimeZoneDatabase> =
        std::sync::LazyLock::new(jiff::tz::TimeZoneDatabase::bundled);
    ZONES.get(name).ok()
}

/// A time of the week at which a lock may be granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The days on which it opens.
    #[serde(with = "days")]
    pub days: Vec<Weekday>,
    /// When it opens, by the clocks of the calendar's zone. A time that they skip is taken an hour later.
    pub start: TimeOfDay,
    /// How long it is open, in minutes that pass, whatever clocks are put to meanwhile; it may reach into the next days.
    pub minutes: u32,
}

/// Days on which nothing is granted, whatever the windows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blackout {
    /// The first day.
    pub from: Date,
    /// The last day, itself included.
    pub to: Date,
    /// Why, for those who are refused; may be empty.
    pub reason: String,
}

/// When a lock may be granted. Who holds it may renew and release at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The zone of all its days and times.
    pub zone: ZoneName,
    /// The windows; with none it is always open.
    pub windows: Vec<Window>,
    /// The blackouts.
    pub blackouts: Vec<Blackout>,
}

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar { zone: ZoneName::utc(), windows: vec![], blackouts: vec![] }
    }
}

/// Whether the order in which hosts first asked binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Whoever asks while a slot is free has it. Tickets only say who waits.
    None,
    /// Whoever waits has a slot before those who came later.
    Fair,
}

/// How hosts wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Whether their order binds.
    pub order: Order,
    /// How often those who wait are expected to ask; after three polls missed their ticket is void.
    pub poll: Seconds,
}

/// What governs one lock. What an old record lacks is as by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// How many may hold it.
    pub slots: Slots,
    /// After how long without renewal a grant ends by itself; `None` is never, as in Foreman.
    pub expires_after: Option<Seconds>,
    /// After how long without renewal a holder is called stale; Foreman's default is four hours.
    pub stale_after: Option<Seconds>,
    /// When it may be granted.
    pub calendar: Calendar,
    /// How long after one grant the next may be.
    pub gap: Option<Seconds>,
    /// After how many hosts' failures nothing is granted until somebody thaws it.
    pub freeze_after: Option<NonZeroU32>,
    /// How hosts wait.
    pub queue: Queue,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            slots: Slots::Number(1),
            expires_after: None,
            stale_after: Some(Seconds(4 * 3600)),
            calendar: Calendar::default(),
            gap: None,
            freeze_after: None,
            queue: Queue { order: Order::None, poll: Seconds(60) },
        }
    }
}

impl Policy {
    /// Nothing where the policy makes sense, or what does not.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.calendar.check()?;
        if self.queue.poll.0 == 0 { Err(PolicyError::NoPoll) } else { Ok(()) }
    }
}

impl Calendar {
    /// Nothing where the calendar makes sense, or what does not.
    pub fn check(&self) -> Result<(), PolicyError> {
        let Calendar { windows, blackouts, .. } = self;
        let most = windows.len().max(blackouts.len());
        if most > MOST_ENTRIES {
            return Err(PolicyError::TooMany(most));
        }
        for Window { days, start, minutes } in windows {
            if days.is_empty() {
                return Err(PolicyError::NoDays(*start));
            }
            if !(1..=LONGEST_WINDOW).contains(minutes) {
                return Err(PolicyError::Length { start: *start, minutes: *minutes });
            }
        }
        for Blackout { from, to, .. } in blackouts {
            if to < from {
                return Err(PolicyError::Backwards { from: *from, to: *to });
            }
        }
        Ok(())
    }
}

/// Days of the week by their English names, for jiff gives them no form of their own.
pub(super) mod days {
    use jiff::civil::Weekday;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(in crate::model) const NAMES: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];

    pub fn serialize<S: Serializer>(days: &[Weekday], to: S) -> Result<S::Ok, S::Error> {
        let name = |day: &Weekday| NAMES.iter().find(|(_, named)| named == day).map(|(name, _)| *name);
        days.iter().filter_map(name).collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Weekday>, D::Error> {
        let day = |name: String| match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, day)) => Ok(*day),
            None => Err(D::Error::custom(format!("day {name:?}: use mon, tue, wed, thu, fri, sat or sun"))),
        };
        Vec::<String>::deserialize(from)?.into_iter().map(day).collect()
    }
}
