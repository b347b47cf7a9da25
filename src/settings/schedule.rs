//! The settings of runs by timer, below `disco/schedule/`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use disco_dlm::model::words::{BLACKOUT, WINDOW};
use disco_dlm::model::{Blackout, Calendar, Window, ZoneName};
use serde::{Deserialize, Serialize};

use crate::settings::resolve::{Said, seconds};
use crate::settings::table::{Name, Setting, parameter};
use crate::settings::{SettingsError, Sourced};

/// When no run by timer begins: the windows and days of a calendar, in the words of a lock's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed(pub Calendar);

impl FromStr for Closed {
    type Err = String;

    /// `zone=NAME`, windows and blackouts, with `;` or lines between; empty is never.
    fn from_str(text: &str) -> Result<Closed, String> {
        let mut zone = None;
        let mut calendar = Calendar::default();
        for entry in text.split([';', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
            if let Some(name) = entry.strip_prefix("zone=") {
                zone = Some(ZoneName::try_from(name.to_owned()).map_err(|error| error.to_string())?);
            } else if let Ok(window) = entry.parse::<Window>() {
                calendar.windows.push(window);
            } else if let Ok(blackout) = entry.parse::<Blackout>() {
                calendar.blackouts.push(blackout);
            } else {
                return Err(format!("{entry:?}: use zone=NAME; {WINDOW}; {BLACKOUT}"));
            }
        }
        match zone {
            Some(_) if calendar == Calendar::default() => {
                return Err(format!("it names no times: zone=NAME; {WINDOW}; {BLACKOUT}"));
            }
            Some(zone) => calendar.zone = zone,
            None if calendar == Calendar::default() => {}
            // Another clock than the one that was meant would let runs through.
            None => return Err("name the zone of these times: zone=Europe/Berlin; …".to_owned()),
        }
        calendar.check().map_err(|error| error.to_string())?;
        Ok(Closed(calendar))
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calendar { zone, windows, blackouts } = &self.0;
        if windows.is_empty() && blackouts.is_empty() {
            return Ok(());
        }
        write!(f, "zone={}", zone.as_str())?;
        windows.iter().try_for_each(|window| write!(f, "; {window}"))?;
        blackouts.iter().try_for_each(|blackout| write!(f, "; {blackout}"))
    }
}

/// When runs by timer are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// How often; none where only whoever starts disco knows.
    pub interval: Sourced<Option<Duration>>,
    /// Over how much time nodes are spread; none is all of the interval.
    pub splay: Sourced<Option<Duration>>,
    /// When no such run begins.
    pub blackout: Sourced<Closed>,
    /// How long such a run may take until its merge; none is any time.
    pub time_limit: Sourced<Option<Duration>>,
}

impl Schedule {
    /// Those that are said.
    pub(super) fn resolve(said: &Said<'_>) -> Result<Schedule, SettingsError> {
        let some = |text: &str| match text {
            "" => Ok(None),
            text => seconds(text).map(Some),
        };
        Ok(Schedule {
            interval: said.parse(Name::Interval, |text| match some(text)? {
                Some(short) if short < SHORTEST => {
                    Err(format!("use {} seconds at least", SHORTEST.as_secs()))
                }
                other => Ok(other),
            })?,
            splay: said.parse(Name::Splay, |text| match text {
                "0" => Ok(Some(Duration::ZERO)),
                text => some(text),
            })?,
            blackout: said.parse(Name::Blackout, str::parse)?,
            time_limit: said.parse(Name::TimeLimit, some)?,
        })
    }

    /// The value of one of them and where it came from; `None` for the name of another setting.
    pub(super) fn row(&self, name: Name) -> Option<(String, String)> {
        let time = |sourced: &Sourced<Option<Duration>>| {
            let value = sourced.value.map_or_else(String::new, |time| time.as_secs().to_string());
            Some((value, sourced.origin.to_string()))
        };
        match name {
            Name::Interval => time(&self.interval),
            Name::Splay => time(&self.splay),
            Name::Blackout => Some((self.blackout.value.to_string(), self.blackout.origin.to_string())),
            Name::TimeLimit => time(&self.time_limit),
            _ => None,
        }
    }
}

/// Nothing runs more often.
const SHORTEST: Duration = Duration::from_secs(60);

/// Their rows of the table, in the order in which they are shown.
pub(super) const ROWS: [Setting; 4] = [
    parameter(
        Name::Interval,
        "schedule/interval",
        None,
        "",
        "seconds between runs by timer (disco dance --scheduled); empty: whenever that is called",
    ),
    parameter(
        Name::Splay,
        "schedule/splay",
        None,
        "",
        "seconds over which nodes are spread, each at a moment of its own; empty: the whole interval",
    ),
    parameter(
        Name::Blackout,
        "schedule/blackout",
        None,
        "",
        "when no run by timer begins: zone=NAME; mon,tue 08:00+600; 2026-12-20..2027-01-05 holidays",
    ),
    parameter(
        Name::TimeLimit,
        "schedule/time_limit",
        None,
        "",
        "seconds that a run by timer may take until its merge; empty: any time",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_blackout_is_typed_as_it_is_shown() {
        for (typed, shown) in [
            ("", ""),
            (" ;\n", ""),
            (
                "zone=Europe/Berlin; mon,tue 08:00+600\n2026-12-20..2027-01-05 holidays; sat 00:00+1440;",
                "zone=Europe/Berlin; mon,tue 08:00+600; sat 00:00+1440; 2026-12-20..2027-01-05 holidays",
            ),
        ] {
            assert_eq!(typed.parse::<Closed>().unwrap().to_string(), shown);
        }
        for (typed, said) in [
            ("mon 08:00+600", "name the zone"),
            ("zone=UTC;", "it names no times: zone=NAME; DAYS HH:MM+MINUTES"),
            ("zone=Europe/Bonn; mon 08:00+600", "time zone \"Europe/Bonn\": not known here"),
            ("zone=UTC; monday 08:00+600", "\"monday 08:00+600\": use zone=NAME; DAYS HH:MM+MINUTES"),
            ("zone=UTC; mon 08:00+0", "it has 0 minutes"),
            ("zone=UTC; 2027-01-05..2026-12-20 late", "ends before it begins"),
        ] {
            let error = typed.parse::<Closed>().unwrap_err();
            assert!(error.contains(said), "{typed}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_or_refused(text in "\\PC{0,60}", zone in "UTC|Asia/Tokyo", entries in "((mon|daily|sun,tue) [012][0-9]:00\\+[0-9]{1,4}; ?){0,4}") {
            for text in [text, format!("zone={zone}; {entries}")] {
                if let Ok(closed) = text.parse::<Closed>() {
                    prop_assert_eq!(closed.to_string().parse::<Closed>().unwrap().to_string(), closed.to_string());
                }
            }
        }
    }
}
