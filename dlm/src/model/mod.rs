//! The nouns: plain data, in a stable order, with no I/O. What is stored, and what goes over any wire, is made from these.

pub mod event;
pub mod lock;
pub mod names;
pub mod policy;
pub mod time;
pub mod visible;
pub mod words;

pub use event::{Event, EventKind, Requester};
pub use lock::{Failure, Holder, Kind, Lock, Ticket};
pub use names::{HostName, LockId, LockName, NameError, Token, UserName};
pub use policy::{Blackout, Calendar, Order, Percent, Policy, PolicyError, Queue, Slots, Window, ZoneName};
pub use time::{Seconds, Time};
