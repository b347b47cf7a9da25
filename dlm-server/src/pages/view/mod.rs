//! What pages look like. Pure: plain data in, HTML out.

pub mod hosts;
pub mod layout;
pub mod lock;
pub mod locks;
pub mod login;
pub mod words;
