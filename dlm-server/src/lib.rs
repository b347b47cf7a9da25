//! disco's lock server. The rules are [`disco_dlm::rules`]; here is what surrounds them, and the only async code of the house.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`access`] | hosts, users, roles, permissions, tokens: plain data |
//! | 0 | [`search`] | Foreman's search language: text into a filter, and whether a lock passes it |
//! | 1 | [`store`] | where locks are kept: what every store promises; in memory for tests, SQLite, etcd |
//! | 0 | [`listen`] | where and how it listens: plain data |
//! | 2 | [`app`] | what every handler has: the store, the settings, who asks |
//! | 3 | [`config`] | the configuration: text into plain data |
//! | 4 | [`admin`] | what an operator does on the store itself, beside a server |

pub mod access;
pub mod admin;
pub mod app;
pub mod config;
pub mod listen;
pub mod search;
pub mod store;
