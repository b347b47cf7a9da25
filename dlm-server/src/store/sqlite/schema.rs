//! The tables. A form is a number in the file's `user_version`; a later form comes with the SQL that leads to it.
//!
//! A lock's body is JSON; beside it stand the columns that are searched and ordered by. `holder` says who holds what, for
//! searches and for the hosts that are removed. Events are written in the order of time, for the clock never goes back, so
//! their number orders them by time, too, and the oldest are found without an index of their own.

/// The form that this program writes.
pub const FORM: u32 = 1;
/// What tells a store of locks from other programs' files: `ddlm`.
pub const APPLICATION: i64 = 0x6464_6c6d;

/// What makes form 1 of an empty file.
pub const FIRST: &str = "
CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  last_lock INTEGER NOT NULL,
  last_host INTEGER NOT NULL,
  last_token INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  changes INTEGER NOT NULL,
  seconds INTEGER NOT NULL,
  nanoseconds INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0, 0);
CREATE TABLE lock (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT,
  enabled INTEGER NOT NULL,
  first_holder TEXT,
  created_seconds INTEGER NOT NULL,
  created_nanoseconds INTEGER NOT NULL,
  updated_seconds INTEGER NOT NULL,
  updated_nanoseconds INTEGER NOT NULL,
  lapses INTEGER,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX lock_lapses ON lock (lapses) WHERE lapses IS NOT NULL;
CREATE TABLE holder (
  lock INTEGER NOT NULL,
  host TEXT NOT NULL,
  PRIMARY KEY (lock, host)
) STRICT, WITHOUT ROWID;
CREATE INDEX holder_host ON holder (host, lock);
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  lock INTEGER NOT NULL,
  lock_name TEXT NOT NULL,
  kind TEXT NOT NULL,
  host TEXT,
  requester TEXT NOT NULL,
  detail TEXT NOT NULL,
  seconds INTEGER NOT NULL,
  nanoseconds INTEGER NOT NULL
) STRICT;
CREATE INDEX event_lock ON event (lock);
CREATE INDEX event_host ON event (host) WHERE host IS NOT NULL;
CREATE TABLE host (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  may_acquire INTEGER NOT NULL,
  enrolled_seconds INTEGER NOT NULL,
  enrolled_nanoseconds INTEGER NOT NULL,
  checkin_seconds INTEGER,
  checkin_nanoseconds INTEGER
) STRICT;
CREATE TABLE host_group (
  name TEXT NOT NULL,
  host INTEGER NOT NULL REFERENCES host (id) ON DELETE CASCADE,
  PRIMARY KEY (name, host)
) STRICT, WITHOUT ROWID;
CREATE INDEX host_group_host ON host_group (host, name);
CREATE TABLE user (
  login TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";
