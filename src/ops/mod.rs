//! One function a command: what it does, from the parts below. No printing, no arguments, no exit codes.

pub mod apply;
pub mod blame;
pub mod confirm;
pub mod dance;
pub mod diff;
pub mod doctor;
pub mod drift;
pub mod gather;
pub mod history;
pub mod lint;
pub mod lock;
pub mod merge_log;
pub mod modules;
pub mod monitors;
pub mod mounted;
pub mod params;
pub mod pki;
pub mod plan_show;
pub mod recover;
pub mod report;
pub mod secrets;
pub mod session;
pub mod settings;
pub mod show;
pub mod undo;
