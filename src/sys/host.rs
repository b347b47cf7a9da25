//! What the host says of itself: its name, our environment, and the facts that templates see.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use crate::model::facts::{Facts, Kernel};
use crate::sys::files::{self, FileError};
use crate::sys::tree::Root;

/// The name of this host.
pub fn host_name() -> Result<String, FileError> {
    let name =
        nix::unistd::gethostname().map_err(|error| FileError::at("read", "the host name")(error.into()))?;
    Ok(name.to_string_lossy().into_owned())
}

/// Whether standard output is `/dev/null`: also where whoever started this had closed it.
pub fn stdout_is_nowhere() -> bool {
    // What cannot be looked at can still be written to.
    let number = nix::sys::stat::fstat(std::io::stdout()).map(|found| found.st_rdev);
    number.is_ok_and(|number| number == nix::sys::stat::makedev(1, 3))
}

/// The name that a root gives itself, which need not be a good one: the first line of its `/etc/hostname` that is no comment.
pub fn name_of_root(root: &Root) -> Result<Option<String>, FileError> {
    let path = Path::new("/etc/hostname");
    let text = root.text_behind(path).map_err(FileError::at("read", path))?.unwrap_or_default();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.next().map(str::to_owned))
}

/// Our environment; names and values that are not UTF-8 have their bad bytes replaced.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

/// Whether our locale is one of UTF-8, so that signs beyond ASCII can be shown.
pub fn shows_utf8() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    is_utf8(&|name| Some(set(name)?.to_string_lossy().into_owned()))
}

/// The first of these variables that is set decides, as setlocale(3) has it.
fn is_utf8(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Whether we run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The facts of this host, the system's release being that of `root`.
pub fn facts(root: &Root) -> Result<Facts, FileError> {
    let kernel = |name: &str| {
        files::read_to_string(&Path::new("/proc/sys/kernel").join(name))
            .map(|text| text.trim_end().to_owned())
    };
    let release = |path: &str| root.text_behind(path.as_ref()).map_err(FileError::at("read", path));
    let os_release = match release("/etc/os-release")? {
        Some(text) => text,
        None => release("/usr/lib/os-release")?.unwrap_or_default(),
    };
    let online = files::read_if_there(Path::new("/sys/devices/system/cpu/online"))?.unwrap_or_default();
    let interfaces = interfaces()?;
    Ok(Facts {
        os_release: parse_os_release(&os_release),
        kernel: Kernel {
            name: kernel("ostype")?,
            release: kernel("osrelease")?,
            version: kernel("version")?,
        },
        cpus: count_ranges(&online),
        memory_kib: parse_memory(&files::read_to_string(Path::new("/proc/meminfo"))?),
        addresses: reachable(&interfaces),
        interfaces: interfaces
            .into_iter()
            .map(|(name, addresses)| (name, addresses.iter().map(IpAddr::to_string).collect()))
            .collect(),
        architecture: std::env::consts::ARCH.to_owned(),
    })
}

fn interfaces() -> Result<BTreeMap<String, Vec<IpAddr>>, FileError> {
    let list = nix::ifaddrs::getifaddrs()
        .map_err(|error| FileError::at("list", "the network interfaces")(error.into()))?;
    let mut interfaces: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for entry in list {
        let Some(address) = entry.address else { continue };
        let address = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (None, Some(v6)) => IpAddr::V6(v6.ip()),
            (None, None) => continue,
        };
        interfaces.entry(entry.interface_name).or_default().push(address);
    }
    interfaces.values_mut().for_each(|addresses| addresses.sort());
    Ok(interfaces)
}

/// The addresses by which others can reach the host, IPv4 first, sorted.
fn reachable(interfaces: &BTreeMap<String, Vec<IpAddr>>) -> Vec<String> {
    let mut addresses: Vec<&IpAddr> = interfaces
        .values()
        .flatten()
        .filter(|address| match address {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses.into_iter().map(IpAddr::to_string).collect()
}

/// The assignments of os-release(5), names in lower case; lines that are none are passed over, as os-release(5) asks.
fn parse_os_release(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, value)| {
            let words = shell_words::split(value).ok()?;
            Some((name.trim().to_ascii_lowercase(), words.join(" ")))
        })
        .collect()
}

/// How many numbers a list like `0-3,8` names.
fn count_ranges(text: &str) -> u32 {
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
        })
        .sum()
}

/// The memory of this machine, in bytes.
pub fn memory() -> Result<u64, FileError> {
    Ok(parse_memory(&files::read_to_string(Path::new("/proc/meminfo"))?) << 10)
}

/// `MemTotal` of /proc/meminfo in KiB.
fn parse_memory(text: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_of_the_locale_decides() {
        for (all, ctype, lang, expected) in [
            (Some("C.UTF-8"), None, None, true),
            (Some("C"), Some("de_DE.UTF-8"), Some("C.UTF-8"), false),
            (None, None, Some("en_US.utf8"), true),
            (None, None, Some("en_US"), false),
            (None, None, None, false),
        ] {
            let variable = |name: &str| match name {
                "LC_ALL" => all.map(str::to_owned),
                "LC_CTYPE" => ctype.map(str::to_owned),
                _ => lang.map(str::to_owned),
            };
            assert_eq!(is_utf8(&variable), expected, "{all:?} {ctype:?} {lang:?}");
        }
    }

    #[test]
    fn the_sources_are_read_as_they_are_written() {
        let os = parse_os_release(
            "# x=1\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nID=debian\njunk\nBAD=\"x\n",
        );
        assert_eq!(os.get("name").unwrap(), "Debian GNU/Linux");
        assert_eq!((os.get("id").unwrap().as_str(), os.len()), ("debian", 3));
        for (text, count) in [("0-3\n", 4), ("0", 1), ("0-1,4,6-7", 5), ("", 0), ("3-1", 0)] {
            assert_eq!(count_ranges(text), count, "{text}");
        }
        assert_eq!(parse_memory("MemFree: 1 kB\nMemTotal:       16316412 kB\n"), 16_316_412);
    }

    #[test]
    fn addresses_are_those_that_others_can_use() {
        let interfaces = [
            ("lo".to_owned(), vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
            (
                "eth0".to_owned(),
                vec![
                    "2001:db8::1".parse().unwrap(),
                    "fe80::1".parse().unwrap(),
                    "192.0.2.7".parse().unwrap(),
                ],
            ),
        ];
        assert_eq!(reachable(&interfaces.into()), ["192.0.2.7", "2001:db8::1"]);
    }

    #[test]
    fn this_host_has_facts() {
        let facts = facts(&Root::open(Path::new("/"), "").unwrap()).unwrap();
        assert!(facts.cpus >= 1 && facts.memory_kib > 1024 && facts.kernel.name == "Linux", "{facts:?}");
        assert!(!host_name().unwrap().is_empty());
    }
}
