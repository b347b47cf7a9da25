//! One function a command: what it does, from the parts below. No printing, no arguments, no exit codes.

pub mod apply;
pub mod confirm;
pub mod dance;
pub mod doctor;
pub mod gather;
pub mod lint;
pub mod merge_log;
pub mod modules;
pub mod mounted;
pub mod params;
pub mod plan_show;
pub mod recover;
pub mod report;
pub mod secrets;
pub mod session;
pub mod settings;
pub mod undo;
