//! How disco's servers listen: HTTP and HTTPS, within bounds. It knows no wire and nobody's name: the routes are given, and who asks is
//! for them to find out, by the [`peer::Peer`] that each request carries.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`config`] | where and how: plain data |
//! | 0 | [`peer`] | from where somebody comes, and the name in a certificate |
//! | 0 | [`network`] | what counts as one address |
//! | 1 | [`throttle`] | how often somebody of an address was wrong |
//! | 0 | [`journal`] | whether stderr is systemd's journal |
//! | 1 | [`clock`], [`log`] | the wall clock, and lines for stderr |
//! | 1 | [`pages`] | what a server at rest gives back |
//! | 1 | [`refusal`] | what a client is told that no wire has heard |
//! | 2 | [`tls`] | certificates and keys into what a handshake needs |
//! | 2 | `rest` | what comes of a body after its answer |
//! | 2 | [`sockets`] | sockets that are opened, and those that are given |
//! | 3 | [`layers`] | what every request goes through: its head, its body, its line in the log |
//! | 4 | [`server`] | listens, lets in, goes on with other certificates and bounds, ends; a connection and the number of them |

pub mod clock;
pub mod config;
mod connection;
mod connections;
pub mod journal;
pub mod layers;
pub mod log;
pub mod network;
pub mod pages;
pub mod peer;
pub mod refusal;
mod rest;
pub mod server;
pub mod sockets;
pub mod throttle;
pub mod tls;

#[cfg(test)]
mod given_tests;
#[cfg(test)]
mod renew_tests;
#[cfg(test)]
mod rest_tests;

pub use config::{Limits, ListenConfig, LogLevel, Plain, TlsFiles};
pub use layers::{Asked, Streams, Who, bounded};
pub use log::Log;
pub use peer::{Certificate, Over, Peer};
pub use server::{ListenError, Ready, Running, Signals, start, start_on};
