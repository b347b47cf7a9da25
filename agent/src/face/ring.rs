//! The records of `/logs`: the newest so many, and of those that had to leave, the newest errors. Pure.

use std::collections::VecDeque;

use serde::Serialize;

use crate::face::clock::Time;

/// How bad it is, with Ruby's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// 0.
    Debug,
    /// 1.
    Info,
    /// 2.
    Warn,
    /// 3.
    Error,
    /// 4.
    Fatal,
}

impl Level {
    /// The level of that name in `:log_level:`; INFO where there is none.
    pub fn of(name: &str) -> Level {
        let all = [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
        let named = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        let at = named.iter().position(|one| one.eq_ignore_ascii_case(name));
        at.map_or(Level::Info, |at| all[at])
    }
}

/// One record, with its fields in the order of the wire.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// When.
    #[serde(serialize_with = "seconds")]
    pub timestamp: Time,
    /// How bad.
    pub level: Level,
    /// What.
    pub message: String,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
    /// The first eight characters of the id of the request that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

fn seconds<S: serde::Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.seconds())
}

/// The records that are kept.
#[derive(Debug, Clone)]
pub struct Ring {
    /// How many.
    pub size: usize,
    /// How many errors besides.
    pub tail_size: usize,
    main: VecDeque<Record>,
    tail: VecDeque<Record>,
}

impl Ring {
    /// The level from which those that leave are kept besides.
    pub const TAIL: Level = Level::Error;

    /// Room for so many records, and for so many errors that have left.
    pub fn new(size: usize, tail_size: usize) -> Ring {
        Ring { size, tail_size, main: VecDeque::new(), tail: VecDeque::new() }
    }

    /// Adds a record; the oldest leaves where there is no room.
    pub fn push(&mut self, record: Record) {
        self.main.push_back(record);
        if self.main.len() <= self.size {
            return;
        }
        if let Some(old) = self.main.pop_front().filter(|old| old.level >= Ring::TAIL) {
            self.tail.push_back(old);
            if self.tail.len() > self.tail_size {
                self.tail.pop_front();
            }
        }
    }

    /// The records from that second on, the oldest first; all of them from 0.
    pub fn from(&self, seconds: f64) -> impl Iterator<Item = &Record> {
        let all = self.tail.iter().chain(&self.main);
        all.filter(move |record| seconds == 0.0 || record.timestamp.seconds() >= seconds)
    }
}
