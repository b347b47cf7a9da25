//! Whether a calendar lets a lock be granted at a time, and from when on if not.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use super::answer::Closed;
use crate::model::policy::jiff_zone;
use crate::model::{Blackout, Calendar, Time, Window};

/// Days that are looked at before a time: as many as the longest window has, and one for zones that skipped a day.
const DAYS_BEFORE: i32 = 8;
/// Days that are looked at after it: windows come again every week, but for skipped times.
const DAYS_AFTER: i32 = 15;

/// What a calendar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Grants may be made.
    Open,
    /// None may.
    Closed {
        /// Why.
        why: Closed,
        /// From when on they may; `None` where that is never, or further than a calendar reaches.
        until: Option<Time>,
    },
}

/// What this calendar says at this time.
pub fn opening(calendar: &Calendar, now: Time) -> Opening {
    if calendar.windows.is_empty() && calendar.blackouts.is_empty() {
        return Opening::Open;
    }
    let known = jiff_zone(calendar.zone.as_str()).zip(instant(now));
    let Some((zone, now)) = known else {
        return Opening::Closed { why: Closed::Beyond, until: None };
    };
    match closed(calendar, &zone, now) {
        None => Opening::Open,
        Some(why) => Opening::Closed { why, until: next_open(calendar, &zone, now) },
    }
}

/// What is in the way of something that may not be done within the windows and blackouts of a calendar: the other way round
/// than for a lock, whose windows are when it may be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covered {
    /// Nothing.
    Free,
    /// This.
    By {
        /// What.
        what: Cover,
        /// From when on nothing is; `None` where that is never, or further than a calendar reaches.
        until: Option<Time>,
    },
}

/// What of a calendar is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cover {
    /// A window.
    Window(Window),
    /// A blackout.
    Blackout(Blackout),
    /// The time, which is beyond what a calendar reaches.
    Beyond,
}

/// How many windows that follow each other without a gap are looked through: more is for ever.
const MOST_STEPS: usize = 200;

/// What of a calendar covers this time.
pub fn covered(calendar: &Calendar, now: Time) -> Covered {
    if calendar.windows.is_empty() && calendar.blackouts.is_empty() {
        return Covered::Free;
    }
    let Some((zone, now)) = jiff_zone(calendar.zone.as_str()).zip(instant(now)) else {
        return Covered::By { what: Cover::Beyond, until: None };
    };
    let Some((what, mut end)) = cover(calendar, &zone, now) else { return Covered::Free };
    for _ in 0..MOST_STEPS {
        let Some(at) = end else { break };
        match cover(calendar, &zone, at) {
            None => return Covered::By { what, until: Some(time(at)) },
            Some((_, next)) => end = next,
        }
    }
    Covered::By { what, until: None }
}

/// What covers this time, and when that ends: a blackout before a window, for it has a reason.
fn cover(calendar: &Calendar, zone: &TimeZone, at: Timestamp) -> Option<(Cover, Option<Timestamp>)> {
    let today = zone.to_datetime(at).date();
    if let Some(blackout) = calendar.blackouts.iter().find(|blackout| covers(blackout, today)) {
        return Some((Cover::Blackout(blackout.clone()), after_blackouts(calendar, zone, at)));
    }
    let open = calendar.windows.iter().flat_map(|window| {
        let from = starts(window, zone, today, -DAYS_BEFORE, 0);
        from.into_iter().filter(|start| *start <= at).map(move |start| (window, end(window, start)))
    });
    let open = open.filter(|(_, end)| end.is_none_or(|end| at < end));
    // The one that ends last.
    let last = open.max_by_key(|(_, end)| end.unwrap_or(Timestamp::MAX));
    last.map(|(window, end)| (Cover::Window(window.clone()), end))
}

fn instant(time: Time) -> Option<Timestamp> {
    Timestamp::new(time.seconds(), i32::try_from(time.nanoseconds()).ok()?).ok()
}

/// The time of an instant, with its fraction counted forward, before 1970 too.
fn time(instant: Timestamp) -> Time {
    let nanoseconds = instant.as_nanosecond();
    let (seconds, rest) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    // Jiff's range is some thousand years.
    Time::new(i64::try_from(seconds).unwrap_or(i64::MAX), u32::try_from(rest).unwrap_or(0))
}

/// Why it is closed at this time; `None` where it is open.
fn closed(calendar: &Calendar, zone: &TimeZone, at: Timestamp) -> Option<Closed> {
    let today = zone.to_datetime(at).date();
    if let Some(blackout) = calendar.blackouts.iter().find(|blackout| covers(blackout, today)) {
        return Some(Closed::Blackout(blackout.reason.clone()));
    }
    let open = calendar.windows.is_empty()
        || calendar.windows.iter().any(|window| {
            let from = starts(window, zone, today, -DAYS_BEFORE, 0);
            from.into_iter().any(|start| start <= at && end(window, start).is_none_or(|end| at < end))
        });
    if open { None } else { Some(Closed::NoWindow) }
}

fn covers(blackout: &Blackout, day: Date) -> bool {
    blackout.from <= day && day <= blackout.to
}

/// When a window that opened then closes; `None` is beyond the end of time.
fn end(window: &Window, start: Timestamp) -> Option<Timestamp> {
    start.checked_add(i64::from(window.minutes).minutes()).ok()
}

/// When a window opens on the days around this one.
fn starts(window: &Window, zone: &TimeZone, day: Date, first: i32, last: i32) -> Vec<Timestamp> {
    let days = (first..=last).filter_map(|offset| day.checked_add(Span::new().try_days(offset).ok()?).ok());
    days.filter(|day| window.days.contains(&day.weekday()))
        .filter_map(|day| zone.to_timestamp(DateTime::from_parts(day, window.start)).ok())
        .collect()
}

/// The first time after this one at which it is open.
fn next_open(calendar: &Calendar, zone: &TimeZone, now: Timestamp) -> Option<Time> {
    let mut at = now;
    // Each round ends at an opening, or passes a blackout, or goes to the start of a window that a blackout covers.
    for _ in 0..=2 * calendar.blackouts.len() + 1 {
        match closed(calendar, zone, at) {
            None => return Some(time(at)),
            Some(Closed::Blackout(_)) => at = after_blackouts(calendar, zone, at)?,
            Some(Closed::NoWindow | Closed::Beyond) => {
                let today = zone.to_datetime(at).date();
                let windows = calendar.windows.iter();
                at = windows
                    .flat_map(|window| starts(window, zone, today, 0, DAYS_AFTER))
                    .filter(|start| *start > at)
                    .min()?;
            }
        }
    }
    None
}

/// The end of the blackouts that cover this time.
fn after_blackouts(calendar: &Calendar, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let today = zone.to_datetime(at).date();
    let last = calendar.blackouts.iter().filter(|blackout| covers(blackout, today)).map(|b| b.to).max()?;
    let end = zone.to_timestamp(last.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight())).ok()?;
    // A day that clocks went back into could end before this time: then there is no end to find.
    (end > at).then_some(end)
}
