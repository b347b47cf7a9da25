//! A node's inventory in the names of Puppet's facts, which Foreman's own parser knows. docs/uploads.md has them. Pure.

use serde_json::{Map, Value, json};

use crate::model::inventory::{Inventory, Link};
use crate::model::names::NodeName;

/// The path of them in a Foreman.
pub const PATH: &str = "/api/hosts/facts";
/// The form of these facts, as Puppet's own program for them counts: Foreman reads the older form where there is none.
const FORM: &str = "4.0.0";

/// The body for `POST /api/hosts/facts`, of facts that were gathered at that time (RFC 3339).
pub fn body(node: &NodeName, inventory: &Inventory, version: &str, at: &str) -> Value {
    let name = node.as_str().to_lowercase();
    let mut facts = facts(&name, inventory, version);
    facts.insert("_type".to_owned(), json!("puppet"));
    facts.insert("_timestamp".to_owned(), json!(at));
    json!({"name": name, "certname": name, "facts": facts})
}

/// The facts of a node of that name.
pub fn facts(name: &str, inventory: &Inventory, version: &str) -> Map<String, Value> {
    let all = [
        ("clientcert", json!(name)),
        ("disco", json!({"version": version})),
        ("facterversion", json!(FORM)),
        ("disks", disks(inventory)),
        ("dmi", dmi(inventory)),
        ("fqdn", json!(name)),
        ("is_virtual", json!(inventory.virtual_kind.is_some())),
        ("kernel", json!(inventory.facts.kernel.name)),
        ("kernelrelease", json!(inventory.facts.kernel.release)),
        ("kernelversion", json!(inventory.facts.kernel.release.split('-').next().unwrap_or_default())),
        ("memory", memory(inventory)),
        ("networking", networking(name, inventory)),
        ("os", os(inventory)),
        ("processors", processors(inventory)),
        ("system_uptime", uptime(inventory)),
        ("timezone", json!(inventory.timezone)),
        ("virtual", json!(inventory.virtual_kind.as_deref().unwrap_or("physical"))),
    ];
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), clean(value)))
        .filter(|(_, value)| *value != Value::Null)
        .collect()
}

/// Without what is absent, and without control characters: a database refuses some of them.
fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.chars().filter(|c| !c.is_control()).collect()),
        Value::Array(all) => Value::Array(all.into_iter().map(clean).collect()),
        Value::Object(all) => {
            let all = all.into_iter().map(|(name, value)| (name, clean(value)));
            let all: Map<String, Value> = all.filter(|(_, value)| *value != Value::Null).collect();
            if all.is_empty() { Value::Null } else { Value::Object(all) }
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// The names that Puppet has for systems, and their families, by what os-release calls them.
const SYSTEMS: [(&str, &str, &str); 19] = [
    ("debian", "Debian", "Debian"),
    ("raspbian", "Raspbian", "Debian"),
    ("ubuntu", "Ubuntu", "Debian"),
    ("linuxmint", "LinuxMint", "Debian"),
    ("devuan", "Devuan", "Debian"),
    ("rhel", "RedHat", "RedHat"),
    ("centos", "CentOS", "RedHat"),
    ("rocky", "Rocky", "RedHat"),
    ("almalinux", "AlmaLinux", "RedHat"),
    ("ol", "OracleLinux", "RedHat"),
    ("fedora", "Fedora", "RedHat"),
    ("amzn", "Amazon", "RedHat"),
    ("sles", "SLES", "Suse"),
    ("sled", "SLED", "Suse"),
    ("opensuse-leap", "openSUSE", "Suse"),
    ("opensuse-tumbleweed", "openSUSE", "Suse"),
    ("arch", "Archlinux", "Archlinux"),
    ("gentoo", "Gentoo", "Gentoo"),
    ("alpine", "Alpine", "Linux"),
];

/// Whether os-release(5) allows it as an id.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn os(inventory: &Inventory) -> Value {
    let release = |name: &str| inventory.facts.os_release.get(name).map_or("", |value| value);
    let id = release("id");
    let known = SYSTEMS.iter().find(|(one, _, _)| *one == id);
    let name = match known {
        Some((_, name, _)) => (*name).to_owned(),
        // Foreman refuses facts without one.
        None if !is_id(id) => inventory.facts.kernel.name.clone(),
        None => id[..1].to_uppercase() + &id[1..],
    };
    let family = known.map_or(inventory.facts.kernel.name.as_str(), |(_, _, family)| family);
    // A Debian's minor number stands in a file of its own; one that is not out yet has words there.
    let numbers = |text: &&str| text.starts_with(|c: char| c.is_ascii_digit());
    let debian = inventory.debian_version.as_deref().filter(|_| id == "debian").filter(numbers);
    let full = debian.unwrap_or(release("version_id"));
    // An Ubuntu's major number is its year and month.
    let at = match name.as_str() {
        "Ubuntu" => full.match_indices('.').nth(1).map(|(at, _)| at),
        _ => full.find('.'),
    };
    let (major, minor) = match at {
        Some(at) => (&full[..at], Some(&full[at + 1..])),
        None => (full, None),
    };
    let some = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let architecture = match (family, inventory.facts.architecture.as_str()) {
        ("Debian", "x86_64") => "amd64",
        (_, other) => other,
    };
    json!({
        "name": name,
        "family": family,
        "architecture": architecture,
        "hardware": inventory.facts.architecture,
        "release": {"full": some(full), "major": some(major), "minor": minor},
        "distro": {
            "id": some(&name),
            "codename": some(release("version_codename")),
            "description": some(release("pretty_name")),
        },
    })
}

fn processors(inventory: &Inventory) -> Value {
    json!({
        "count": inventory.facts.cpus,
        "physicalcount": inventory.processors.sockets,
        "isa": inventory.facts.architecture,
        "models": inventory.processors.models,
    })
}

fn memory(inventory: &Inventory) -> Value {
    let of = |total: u64, free: u64| {
        (total > 0).then(|| {
            json!({
                "total_bytes": total,
                "available_bytes": free,
                "used_bytes": total.saturating_sub(free),
                "total": size(total),
                "available": size(free),
                "used": size(total.saturating_sub(free)),
            })
        })
    };
    let memory = inventory.memory;
    json!({
        "system": of(memory.total, memory.available),
        "swap": of(memory.swap_total, memory.swap_free),
    })
}

/// A number of bytes in words, as Puppet's facts have it: `15.56 GiB`.
fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let at = (bytes.max(1).ilog2() / 10) as usize;
    match units.get(at) {
        Some(unit) if at > 0 => format!("{:.2} {unit}", bytes as f64 / (1_u64 << (10 * at)) as f64),
        _ => format!("{bytes} bytes"),
    }
}

fn disks(inventory: &Inventory) -> Value {
    let disks = inventory.disks.iter().map(|(name, disk)| {
        let (size_bytes, model, vendor) = (disk.size, &disk.model, &disk.vendor);
        (
            name.clone(),
            json!({"size_bytes": size_bytes, "size": size(size_bytes), "model": model, "vendor": vendor}),
        )
    });
    Value::Object(disks.collect())
}

fn dmi(inventory: &Inventory) -> Value {
    let of = |name: &str| inventory.dmi.get(name);
    json!({
        "bios": {"vendor": of("bios_vendor"), "version": of("bios_version"), "release_date": of("bios_date")},
        "board": {"manufacturer": of("board_vendor"), "product": of("board_name")},
        "chassis": {"serial_number": of("chassis_serial")},
        "manufacturer": of("sys_vendor"),
        "product": {
            "name": of("product_name"),
            "serial_number": of("product_serial"),
            "uuid": of("product_uuid"),
            "version": of("product_version"),
        },
    })
}

fn networking(name: &str, inventory: &Inventory) -> Value {
    let (short, domain) = match name.split_once('.') {
        Some((short, domain)) => (short, Some(domain)),
        None => (name, None),
    };
    let interfaces: Map<String, Value> =
        inventory.links.iter().map(|(name, one)| (name.clone(), Value::Object(link(one)))).collect();
    let first = |one: &Value| if one["ip"].is_null() { one["ip6"].clone() } else { one["ip"].clone() };
    let primary = inventory.primary.clone().or_else(|| {
        // Without a default route it is the first that others can reach.
        let outside = |(name, one): &(&String, &Value)| *name != "lo" && !first(one).is_null();
        interfaces.iter().find(outside).map(|(name, _)| name.clone())
    });
    let mut all =
        primary.as_ref().and_then(|name| interfaces.get(name)?.as_object().cloned()).unwrap_or_default();
    all.remove("bindings");
    all.remove("bindings6");
    let more = [
        ("fqdn", json!(name)),
        ("hostname", json!(short)),
        ("domain", json!(domain)),
        ("primary", json!(primary)),
        ("interfaces", Value::Object(interfaces)),
    ];
    all.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(all)
}

/// An interface: all its addresses, and the first of each kind by itself, which for IPv6 is no link-local one where there is
/// another.
fn link(link: &Link) -> Map<String, Value> {
    let is_v6 = |address: &str| address.contains(':');
    let binding = |(address, prefix): &(String, u8)| json!({"address": address, "netmask": mask(address, *prefix), "network": network(address, *prefix)});
    let (v6, v4): (Vec<_>, Vec<_>) = link.addresses.iter().partition(|(address, _)| is_v6(address));
    let mut v6 = v6;
    v6.sort_by_key(|(address, _)| address.starts_with("fe80:"));
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| {
        if value != Value::Null {
            all.insert(name.to_owned(), value);
        }
    };
    put("mac", json!(link.mac));
    put("mtu", json!(link.mtu));
    for (found, end) in [(v4, ""), (v6, "6")] {
        let bindings: Vec<Value> = found.iter().copied().map(binding).collect();
        if let Some(first) = bindings.first() {
            put(&format!("ip{end}"), first["address"].clone());
            put(&format!("netmask{end}"), first["netmask"].clone());
            put(&format!("network{end}"), first["network"].clone());
            put(&format!("bindings{end}"), Value::Array(bindings));
        }
    }
    all
}

/// The mask of a prefix of that length, in the form of that address.
fn mask(address: &str, prefix: u8) -> Option<String> {
    Some(match address.parse().ok()? {
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::from(bits(prefix, 32) as u32).to_string(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::from(bits(prefix, 128)).to_string(),
    })
}

/// The network of an address.
fn network(address: &str, prefix: u8) -> Option<String> {
    Some(match address.parse().ok()? {
        std::net::IpAddr::V4(ip) => {
            std::net::Ipv4Addr::from(u32::from(ip) & bits(prefix, 32) as u32).to_string()
        }
        std::net::IpAddr::V6(ip) => std::net::Ipv6Addr::from(u128::from(ip) & bits(prefix, 128)).to_string(),
    })
}

/// So many ones, and zeros up to the width.
fn bits(prefix: u8, width: u8) -> u128 {
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    let zeros = u32::from(width.saturating_sub(prefix));
    all & all.checked_shl(zeros).unwrap_or(0)
}

fn uptime(inventory: &Inventory) -> Value {
    let seconds = inventory.uptime_seconds;
    let (hours, days) = (seconds / 3600, seconds / 86_400);
    let words = match days {
        0 => format!("{hours}:{:02} hours", seconds / 60 % 60),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    json!({"seconds": seconds, "hours": hours, "days": days, "uptime": words})
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
