//! What a node is made of: read from /proc and /sys. What the kernel keeps to itself, or from this user, is absent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use crate::model::inventory::{Disk, Inventory, Link, Memory, Processors};
use crate::sys::clock;
use crate::sys::files::{self, FileError};
use crate::sys::host;
use crate::sys::tree::Root;

/// What the firmware is asked for, below /sys/class/dmi/id.
const DMI: [&str; 11] = [
    "bios_date",
    "bios_vendor",
    "bios_version",
    "board_name",
    "board_vendor",
    "chassis_serial",
    "product_name",
    "product_serial",
    "product_uuid",
    "product_version",
    "sys_vendor",
];

/// The inventory of this host, the system's release being that of `root`.
pub fn inventory(root: &Root) -> Result<Inventory, FileError> {
    let facts = host::facts(root)?;
    let debian = Path::new("/etc/debian_version");
    let debian_version = root.text_behind(debian).map_err(FileError::at("read", debian))?;
    let cpuinfo = text("/proc/cpuinfo").unwrap_or_default();
    let dmi: BTreeMap<String, String> = DMI
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), line(&format!("/sys/class/dmi/id/{name}"))?)))
        .collect();
    let container = container();
    let vendor =
        ["sys_vendor", "product_name", "bios_vendor"].map(|name| dmi.get(name).map_or("", |one| one));
    Ok(Inventory {
        facts,
        debian_version: debian_version.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        uptime_seconds: parse_uptime(&text("/proc/uptime").unwrap_or_default()),
        memory: parse_memory(&text("/proc/meminfo").unwrap_or_default()),
        processors: parse_processors(&cpuinfo),
        links: links()?,
        primary: parse_routes(&text("/proc/net/route").unwrap_or_default()),
        virtual_kind: virtual_kind(container.as_deref(), &vendor, has_hypervisor(&cpuinfo)),
        dmi,
        disks: disks(),
        timezone: clock::zone(),
        boot: clock::boot(),
    })
}

/// The text of a file of the kernel's; `None` where it is not there, or not for us.
fn text(path: &str) -> Option<String> {
    let bytes = files::read_bytes_if_there(Path::new(path)).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line of one; `None` where there is nothing in it either.
fn line(path: &str) -> Option<String> {
    let text = text(path)?;
    let line = text.lines().next().unwrap_or_default().trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!line.is_empty()).then(|| line.to_owned())
}

fn links() -> Result<BTreeMap<String, Link>, FileError> {
    let list = nix::ifaddrs::getifaddrs()
        .map_err(|error| FileError::at("list", "the network interfaces")(error.into()))?;
    let mut found: BTreeMap<String, BTreeSet<(IpAddr, u8)>> = BTreeMap::new();
    for entry in list {
        let addresses = found.entry(entry.interface_name).or_default();
        let (address, mask) = (entry.address, entry.netmask);
        let v4 = |one: Option<nix::sys::socket::SockaddrStorage>| one?.as_sockaddr_in().map(|one| one.ip());
        let v6 = |one: Option<nix::sys::socket::SockaddrStorage>| one?.as_sockaddr_in6().map(|one| one.ip());
        if let Some(ip) = v4(address) {
            let prefix = v4(mask).map_or(32, |mask| u32::from(mask).count_ones());
            addresses.insert((ip.into(), u8::try_from(prefix).unwrap_or(32)));
        } else if let Some(ip) = v6(address) {
            let prefix = v6(mask).map_or(128, |mask| u128::from(mask).count_ones());
            addresses.insert((ip.into(), u8::try_from(prefix).unwrap_or(128)));
        }
    }
    let link = |(name, addresses): (String, BTreeSet<(IpAddr, u8)>)| {
        let of = |what: &str| line(&format!("/sys/class/net/{name}/{what}"));
        let mac = of("address").filter(|mac| mac.len() == 17 && mac != "00:00:00:00:00:00");
        let mtu = of("mtu").and_then(|mtu| mtu.parse().ok());
        let addresses = addresses.into_iter().map(|(ip, prefix)| (ip.to_string(), prefix)).collect();
        (name, Link { mac, mtu, addresses })
    };
    Ok(found.into_iter().map(link).collect())
}

/// Those with a device behind them: no loop devices, and nothing that is made of others.
fn disks() -> BTreeMap<String, Disk> {
    let names = files::list_dir(Path::new("/sys/block")).unwrap_or_default();
    let disk = |name: String| {
        let of = |what: &str| line(&format!("/sys/block/{name}/{what}"));
        files::look_through(Path::new(&format!("/sys/block/{name}/device"))).ok()??;
        // The kernel counts in sectors of 512 bytes, whatever the device has.
        let size = of("size")?.parse::<u64>().ok()?.saturating_mul(512);
        let (model, vendor) = (of("device/model"), of("device/vendor"));
        Some((name, Disk { size, model, vendor }))
    };
    names.into_iter().filter_map(|name| name.into_string().ok()).filter_map(disk).collect()
}

/// What kind of container this is, as its first process or its files say.
fn container() -> Option<String> {
    let named = line("/run/systemd/container");
    named.or_else(|| {
        let docker = files::look(Path::new("/.dockerenv")).ok()?.map(|_| "docker".to_owned());
        docker.or_else(|| {
            let podman = files::look(Path::new("/run/.containerenv")).ok()?;
            podman.map(|_| "podman".to_owned())
        })
    })
}

/// Which machine that is not made of metal, in the words of Puppet's facts; `None` for one that is.
fn virtual_kind(container: Option<&str>, firmware: &[&str], hypervisor: bool) -> Option<String> {
    if let Some(container) = container {
        return Some(container.replace('-', "_"));
    }
    let known = [
        ("VMware", "vmware"),
        ("VirtualBox", "virtualbox"),
        ("innotek", "virtualbox"),
        ("Xen", "xen"),
        ("Microsoft Corporation", "hyperv"),
        ("Parallels", "parallels"),
        ("Amazon EC2", "kvm"),
        ("Google", "gce"),
        ("KVM", "kvm"),
        ("QEMU", "kvm"),
        ("OpenStack", "kvm"),
        ("Bochs", "bochs"),
    ];
    let found = known.iter().find(|(part, _)| firmware.iter().any(|text| text.contains(part)));
    match found {
        // Microsoft and Google make machines of metal, too.
        Some((_, kind)) if hypervisor || !matches!(*kind, "hyperv" | "gce") => Some((*kind).to_owned()),
        _ if hypervisor => Some("hypervisor".to_owned()),
        _ => None,
    }
}

fn has_hypervisor(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

fn parse_uptime(text: &str) -> u64 {
    let seconds = text.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok());
    seconds.unwrap_or(0)
}

fn parse_memory(text: &str) -> Memory {
    let of = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: Option<u64> = rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        kib.unwrap_or(0).saturating_mul(1024)
    };
    Memory {
        total: of("MemTotal"),
        available: of("MemAvailable"),
        swap_total: of("SwapTotal"),
        swap_free: of("SwapFree"),
    }
}

fn parse_processors(text: &str) -> Processors {
    let values = |name: &str| -> Vec<String> {
        let fits = |line: &str| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        text.lines().filter_map(fits).collect()
    };
    let sockets: BTreeSet<String> = values("physical id").into_iter().collect();
    // Where nothing tells sockets apart, there is one.
    let sockets = u32::try_from(sockets.len()).unwrap_or(u32::MAX).max(1);
    Processors { models: values("model name"), sockets }
}

/// The interface of the default route with the smallest metric.
fn parse_routes(text: &str) -> Option<String> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [name, "00000000", _, _, _, _, metric, "00000000", ..] => {
                Some((metric.parse::<u64>().ok()?, name.to_owned()))
            }
            _ => None,
        }
    };
    text.lines().skip(1).filter_map(route).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sources_are_read_as_they_are_written() {
        let cpus = "processor\t: 0\nmodel name\t: A  CPU @ 2GHz\nphysical id\t: 0\nflags\t\t: fpu hypervisor lm\n\n\
                    processor\t: 1\nmodel name\t: A  CPU @ 2GHz\nphysical id\t: 1\n";
        let processors = parse_processors(cpus);
        assert_eq!((processors.models.len(), processors.sockets), (2, 2));
        assert_eq!(processors.models[0], "A CPU @ 2GHz");
        assert!(has_hypervisor(cpus) && !has_hypervisor("flags : fpu\n"));
        assert_eq!(parse_processors("").sockets, 1);
        let memory = parse_memory("MemTotal:  16 kB\nMemAvailable: 4 kB\nSwapTotal:  0 kB\n");
        assert_eq!((memory.total, memory.available, memory.swap_free), (16384, 4096, 0));
        assert_eq!(parse_uptime("69420.17 1.0\n"), 69420);
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                      eth1\t00000000\t0102A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n\
                      eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                      eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(parse_routes(routes).as_deref(), Some("eth0"));
        assert_eq!(parse_routes("Iface\n"), None);
    }

    #[test]
    fn machines_are_of_metal_or_not() {
        for (container, firmware, hypervisor, expected) in [
            (Some("systemd-nspawn"), "QEMU", true, Some("systemd_nspawn")),
            (None, "QEMU", true, Some("kvm")),
            (None, "VMware, Inc.", true, Some("vmware")),
            (None, "Microsoft Corporation", false, None),
            (None, "Microsoft Corporation", true, Some("hyperv")),
            (None, "Dell Inc.", false, None),
            (None, "", true, Some("hypervisor")),
        ] {
            let kind = virtual_kind(container, &[firmware], hypervisor);
            assert_eq!(kind.as_deref(), expected, "{container:?} {firmware} {hypervisor}");
        }
    }

    #[test]
    fn this_host_has_an_inventory() {
        let found = inventory(&Root::open(Path::new("/"), "").unwrap()).unwrap();
        assert!(found.uptime_seconds > 0 && found.memory.total > 1 << 20, "{found:?}");
        assert!(found.links.contains_key("lo"), "{found:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,200}") {
            parse_processors(&text);
            parse_memory(&text);
            parse_routes(&text);
            parse_uptime(&text);
        }
    }
}
