//! disco's lock server. The rules are [`disco_dlm::rules`]; here is what surrounds them, and the only async code of the house.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`access`] | hosts, users, roles, permissions, tokens: plain data |
//! | 0 | [`search`] | Foreman's search language: text into a filter, and whether a lock passes it |
//! | 1 | [`store`] | where locks are kept: what every store promises; in memory for tests, SQLite, etcd |
//! | 0 | [`listen`] | where and how it listens: plain data |
//! | 1 | [`clock`] | the wall clock |
//! | 2 | [`app`] | what every handler has: the store, the settings, who asks |
//! | 3 | [`identity`] | who asks: certificates, logins, proxies; a middleware |
//! | 3 | [`config`] | the configuration: text into plain data |
//! | 4 | [`opening`] | the store that a configuration names |
//! | 4 | [`wire`] | what the server speaks |
//! | 5 | [`metrics`] | what Prometheus is told |
//! | 5 | [`pages`] | the pages for people: lists, forms, sessions |
//! | 5 | [`serve`] | the server: who asks, around the wires; what listens, bounds, logs and reloads is `disco_listen` |
//! | 6 | [`server`] | all of it, by its configuration |
//! | 5 | [`admin`] | what an operator does on the store itself, beside a server |

pub mod access;
pub mod admin;
pub mod app;
pub mod clock;
pub mod config;
pub mod identity;
pub mod listen;
pub mod metrics;
pub mod opening;
pub mod pages;
pub mod search;
pub mod serve;
pub mod server;
pub mod store;
pub mod wire;

#[cfg(test)]
mod stage;
#[cfg(test)]
mod stage_store;
