//! What a node knows of itself, as templates see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The facts of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// `/etc/os-release`, its keys in lower case: `id`, `version_id`, `pretty_name`, ….
    pub os_release: BTreeMap<String, String>,
    /// The running kernel.
    pub kernel: Kernel,
    /// How many processors are online.
    pub cpus: u32,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// The addresses by which others can reach it, IPv4 first, each sorted; no loopback or link-local ones.
    pub addresses: Vec<String>,
    /// All addresses of each network interface.
    pub interfaces: BTreeMap<String, Vec<String>>,
    /// The processor architecture, such as `x86_64`.
    pub architecture: String,
}

/// The running kernel, as uname(2) names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kernel {
    /// `Linux`.
    pub name: String,
    /// Its release, such as `6.12.41-amd64`.
    pub release: String,
    /// How and when it was built.
    pub version: String,
}
