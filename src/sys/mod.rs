//! The only floor with effects: files, processes, mounts, time, environment. It decides nothing.

#![allow(clippy::disallowed_methods, reason = "the floor of effects")]

pub mod accounts;
pub mod act;
pub mod bell;
pub mod channel;
pub mod clock;
pub mod crowd;
pub mod daemon;
pub mod door;
pub mod execute;
pub mod files;
pub mod folders;
pub mod follow;
pub mod helper;
pub mod host;
pub mod inspect;
pub mod interrupt;
pub mod lay;
pub mod line_log;
pub mod lock;
pub mod look;
pub mod loopback;
pub mod metadata;
pub mod mount;
pub mod namespace;
pub mod netns;
pub mod notify;
pub mod object;
pub mod pids;
pub mod probe;
pub mod process;
pub mod pty;
pub mod relay;
pub mod resolve;
pub mod scratch;
pub mod seccomp;
pub mod signals;
pub mod spawn;
pub mod spool;
pub mod streams;
pub mod tail;
pub mod tree;
pub mod user_namespace;
pub mod wait;
