//! Windows and blackouts as one types them: `mon,tue 22:00+120`, `2026-12-20..2027-01-05 holidays`. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time as TimeOfDay};
use thiserror::Error;

use super::policy::days::NAMES;
use super::policy::{Blackout, Window};

/// Text that is no window, or no blackout; what one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("use {0}")]
pub struct NoEntry(&'static str);

/// What a window is.
pub const WINDOW: &str = "DAYS HH:MM+MINUTES, such as mon,tue 22:00+120";
/// What a blackout is.
pub const BLACKOUT: &str = "DATE..DATE REASON, such as 2026-12-20..2027-01-05 holidays";

impl FromStr for Window {
    type Err = NoEntry;
    fn from_str(text: &str) -> Result<Window, NoEntry> {
        window(text).ok_or(NoEntry(WINDOW))
    }
}

fn window(text: &str) -> Option<Window> {
    let (days, times) = text.split_once(' ')?;
    let (start, minutes) = times.trim().split_once('+')?;
    let day = |day: &str| NAMES.iter().find(|(name, _)| *name == day).map(|(_, day)| *day);
    let days = match days {
        "daily" => NAMES.map(|(_, day)| day).to_vec(),
        days => days.split(',').map(day).collect::<Option<_>>()?,
    };
    let (hour, minute) = start.split_once(':').filter(|_| start.len() == 5)?;
    let start = TimeOfDay::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
    Some(Window { days, start, minutes: minutes.parse().ok()? })
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |day| NAMES.iter().find(|(_, named)| *named == day).map_or("", |(name, _)| *name);
        let days: Vec<&str> = self.days.iter().map(|day| name(*day)).collect();
        write!(f, "{} ", days.join(","))?;
        // Through the wire it may have seconds, which nobody types.
        match (self.start.second(), self.start.subsec_nanosecond()) {
            (0, 0) => write!(f, "{:02}:{:02}", self.start.hour(), self.start.minute()),
            _ => write!(f, "{}", self.start),
        }?;
        write!(f, "+{}", self.minutes)
    }
}

impl FromStr for Blackout {
    type Err = NoEntry;
    fn from_str(text: &str) -> Result<Blackout, NoEntry> {
        let (days, reason) = text.split_once(' ').unwrap_or((text, ""));
        let (from, to) = days.split_once("..").unwrap_or((days, days));
        let date = |date: &str| -> Option<Date> { date.parse().ok().filter(|_| date.len() == 10) };
        let (from, to) = date(from).zip(date(to)).ok_or(NoEntry(BLACKOUT))?;
        Ok(Blackout { from, to, reason: reason.trim().to_owned() })
    }
}

impl fmt::Display for Blackout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Blackout { from, to, reason } = self;
        f.write_str(format!("{from}..{to} {reason}").trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn they_are_shown_as_they_are_typed() {
        for text in ["mon,tue 22:00+120", "sat 08:30+60"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        assert_eq!("daily 00:00+1".parse::<Window>().unwrap().days.len(), 7);
        for text in ["2026-12-20..2027-01-05 holidays", "2026-12-20..2026-12-20"] {
            assert_eq!(text.parse::<Blackout>().unwrap().to_string(), text);
        }
        let one = "2026-12-20 a day".parse::<Blackout>().unwrap();
        assert_eq!(one.to_string(), "2026-12-20..2026-12-20 a day");
    }

    #[test]
    fn what_is_none_says_what_one_is() {
        for text in [
            "",
            "mon",
            "mon 25:00+1",
            "abc 22:00+1",
            "mon 2:00+1",
            "mon 22:00",
            "mon 22:60+1",
            "mon 22:00+-1",
        ] {
            assert_eq!(text.parse::<Window>(), Err(NoEntry(WINDOW)), "{text}");
        }
        for text in ["", "soon", "2026-02-30", "2026-12-20...2026-12-21", "20261220"] {
            assert_eq!(text.parse::<Blackout>(), Err(NoEntry(BLACKOUT)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_that_is_shown_and_read_again_or_none(text in "\\PC{0,40}", hour in 0..30_u8, length in 0..20_000_u32) {
            let typed = format!("mon,sun {hour:02}:15+{length}");
            for text in [&text, &typed] {
                if let Ok(window) = text.parse::<Window>() {
                    prop_assert_eq!(window.to_string().parse::<Window>(), Ok(window));
                }
            }
            if let Ok(blackout) = text.parse::<Blackout>() {
                prop_assert_eq!(blackout.to_string().parse::<Blackout>(), Ok(blackout));
            }
        }
    }
}
