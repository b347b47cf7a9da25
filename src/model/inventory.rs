//! What a node is made of, as an inventory wants it: [`Facts`] and what stands beside them. Templates do not see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::facts::Facts;

/// The node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// What templates see.
    pub facts: Facts,
    /// What `/etc/debian_version` says, where there is one: a Debian's own release has no minor number elsewhere.
    pub debian_version: Option<String>,
    /// Seconds since the machine has started.
    pub uptime_seconds: u64,
    /// Memory and swap in bytes.
    pub memory: Memory,
    /// The processors.
    pub processors: Processors,
    /// The network interfaces by their names.
    pub links: BTreeMap<String, Link>,
    /// The interface that the default route goes out by.
    pub primary: Option<String>,
    /// What the firmware says of the machine; what it keeps to itself is absent.
    pub dmi: BTreeMap<String, String>,
    /// The disks by their names, with their sizes in bytes.
    pub disks: BTreeMap<String, Disk>,
    /// Whether it is a virtual machine or a container, and which.
    pub virtual_kind: Option<String>,
    /// The time zone, as it is called now.
    pub timezone: String,
    /// Which start of the machine this is.
    pub boot: String,
}

/// Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What can be had without swapping.
    pub available: u64,
    /// All swap.
    pub swap_total: u64,
    /// Swap that is not used.
    pub swap_free: u64,
}

/// The processors.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Processors {
    /// How each that is online calls itself.
    pub models: Vec<String>,
    /// In how many sockets they are.
    pub sockets: u32,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Link {
    /// Its hardware address, where it has one.
    pub mac: Option<String>,
    /// The largest packet.
    pub mtu: Option<u32>,
    /// Its addresses, IPv4 first, each with the length of its prefix.
    pub addresses: Vec<(String, u8)>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Disk {
    /// Its size in bytes.
    pub size: u64,
    /// Its model, as it calls itself.
    pub model: Option<String>,
    /// Its vendor.
    pub vendor: Option<String>,
}
