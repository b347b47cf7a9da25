//! Effects: files, processes, and what the host says of itself. The only floor that touches the machine; it decides nothing.

pub mod files;
pub mod folders;
pub mod host;
pub mod process;
pub mod tail;
pub mod wait;
