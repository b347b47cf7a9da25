//! The time of day, and what a piece of this process's own work costs.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};

use crate::model::step::Cost;

/// Now, as RFC 3339 in the node's time zone, to the millisecond.
pub fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// Now as a name that sorts by time: `20261120-190451-042`, UTC.
pub fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S-%3f").to_string()
}

/// Now as syslog has it (RFC 3164), in the node's time zone: `Nov 22 01:04:05`.
pub fn for_syslog() -> String {
    jiff::Zoned::now().strftime("%b %e %H:%M:%S").to_string()
}

/// A time stamp of a file in seconds and nanoseconds since 1970, in words: RFC 3339 to the microsecond.
pub fn told(stamp: (i64, u32)) -> String {
    let nanoseconds = i32::try_from(stamp.1).unwrap_or_default();
    match jiff::Timestamp::new(stamp.0, nanoseconds) {
        Ok(time) => {
            let zoned = time.to_zoned(jiff::tz::TimeZone::system());
            zoned.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
        }
        // Beyond the years that have four digits.
        Err(_) => format!("second {} of 1970", stamp.0),
    }
}

/// The time since the start of 1970, as file systems stamp; zero before it.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How many seconds ago an RFC 3339 time was; none for text that is no time, or one to come.
pub fn seconds_since(time: &str) -> Option<u64> {
    let then: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(jiff::Timestamp::now().as_second() - then.as_second()).ok()
}

/// An RFC 3339 time by the clocks of this node, to the second; text that is no time as it is.
pub fn local(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => time.to_owned(),
    }
}

/// What the node's time zone is called now: `CET`.
pub fn zone() -> String {
    jiff::Zoned::now().strftime("%Z").to_string()
}

/// Which start of the machine this is: a random word that the kernel chose; empty where it tells none.
pub fn boot() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    told.map(|word| word.trim().to_owned()).unwrap_or_default()
}

/// Lets others go on for a moment, for whoever looks again and again.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Waits for so many seconds, or less where a signal comes.
pub fn pause_for(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// A piece of work that is done: when it began, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed {
    /// When it began.
    pub began: Instant,
    /// What it cost.
    pub cost: Cost,
}

/// What this whole process has cost so far, each of its threads once and those that have ended among them; no wall time.
pub fn whole_process() -> Cost {
    usage(UsageWho::RUSAGE_SELF)
}

/// Has the kernel forget the largest size of this process so far, so that the next piece of its work has one of its own. A
/// kernel that will not do it goes on with that size (proc_pid_clear_refs(5)).
pub fn forget_size() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Measures a piece of this thread's work: wall and CPU time, faults and blocks are this piece's, `mem_max` is the largest
/// size of the whole process so far, or since [`forget_size`] (the kernel keeps no other).
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    before: Cost,
}

impl Meter {
    /// Starts measuring.
    pub fn start() -> Meter {
        Meter { started: Instant::now(), before: usage(UsageWho::RUSAGE_THREAD) }
    }

    /// The work since the start.
    pub fn timed(&self) -> Timed {
        Timed { began: self.started, cost: self.stop() }
    }

    /// The cost since the start.
    pub fn stop(&self) -> Cost {
        let (now, before) = (usage(UsageWho::RUSAGE_THREAD), &self.before);
        Cost {
            time_real: self.started.elapsed().as_secs_f64(),
            time_user: now.time_user - before.time_user,
            time_sys: now.time_sys - before.time_sys,
            mem_max: now.mem_max,
            mem_faults_major: now.mem_faults_major - before.mem_faults_major,
            mem_faults_minor: now.mem_faults_minor - before.mem_faults_minor,
            io_fsin: now.io_fsin - before.io_fsin,
            io_fsout: now.io_fsout - before.io_fsout,
            switches_voluntary: now.switches_voluntary - before.switches_voluntary,
            switches_involuntary: now.switches_involuntary - before.switches_involuntary,
        }
    }
}

fn usage(who: UsageWho) -> Cost {
    // It fails only for a bad pointer or `who`, and both are nix's; nothing is what then was used.
    match getrusage(who) {
        Ok(usage) => super::wait::cost_from(usage.as_ref(), Duration::ZERO),
        Err(_) => Cost::default(),
    }
}
