//! disco's agent: the face of a Foreman smart proxy. A node says what it offers, looks at what others offer, and has itself known
//! by a Foreman. docs/proxy.md has every statement of the wire, and how this was compared with a real smart proxy.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`guarded`] | files that decide who may do what: not read where others may write them |
//! | 0 | [`settings`] | the proxy's own settings files: text into plain data; one file with the effect |
//! | 0 | [`runs`] | runs that are asked for: the words between the agent and the helper that has root |
//! | 1 | [`face`] | what this node says of itself: features, capabilities, logs, who may ask; an axum router |
//! | 2 | [`listener`] | who may ask this node for runs, over HTTP; async, on [`disco_listen`] |
//! | 1 | [`client`] | what others say of themselves: asked, kept, compared; blocking |
//! | 2 | [`register`] | this node made known to a Foreman, and kept so; blocking |
//! | 3 | [`node`] | this node among proxies: its settings, what it would say, whom it looks at, how it registers; blocking |
//!
//! What acts is in few places: [`guarded`], [`settings::load`], [`face::clock`], [`face::names`], [`face::watch`] and [`face::router`] (async),
//! [`client::http`], [`runs::client`] and [`runs::line`]. All else is functions over plain data.

pub mod client;
pub mod face;
pub mod guarded;
pub mod listener;
pub mod node;
pub mod register;
pub mod runs;
pub mod settings;
