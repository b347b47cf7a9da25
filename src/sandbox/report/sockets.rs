//! Whom a step talks to. In a network of its own nobody else is there, and sockets of the host that lie in the view are dead by
//! themselves: so a call that goes there is told and let through, to fail as it would.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::model::attempt::Answer;
use crate::sandbox::report::judge::{Caller, Judge, Judged};
use crate::sys::inspect;

/// The longest socket address there is.
const LONGEST: u64 = 128;
/// The kernel's table of sockets says so of one that listens (`TCP_LISTEN`).
const LISTENS: &str = "0A";

/// Where a socket address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A socket file.
    Path(std::path::PathBuf),
    /// An abstract name, which is seen in its network namespace.
    Abstract(Vec<u8>),
    /// A host and a port.
    Internet(SocketAddr),
    /// The kernel's own configuration.
    Netlink,
    /// Nowhere, or to a family that needs no look.
    Other,
}

/// Reads a `struct sockaddr` of any family.
pub(super) fn parse(bytes: &[u8]) -> Address {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return Address::Other };
    let port = |rest: &[u8]| rest.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_UNIX => match rest.split_first() {
            Some((0, name)) if !name.is_empty() => Address::Abstract(name.to_vec()),
            Some((0, _)) | None => Address::Other,
            Some(_) => {
                let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
                Address::Path(inspect::path(rest[..end].to_vec()))
            }
        },
        libc::AF_INET => match (port(rest), rest.get(2..6).and_then(|ip| ip.first_chunk::<4>())) {
            (Some(port), Some(ip)) => Address::Internet((Ipv4Addr::from(*ip), port).into()),
            _ => Address::Other,
        },
        libc::AF_INET6 => match (port(rest), rest.get(6..22).and_then(|ip| ip.first_chunk::<16>())) {
            (Some(port), Some(ip)) => Address::Internet((Ipv6Addr::from(*ip).to_canonical(), port).into()),
            _ => Address::Other,
        },
        libc::AF_NETLINK => Address::Netlink,
        _ => Address::Other,
    }
}

/// Whether a table of the kernel's (`/proc/net/tcp`, `udp` and those for IPv6) has a socket that takes what is sent there: one
/// of that very address, or of any of a machine's own where it is a loopback address. `state` is what it must be in.
pub(super) fn takes(table: &str, to: SocketAddr, state: Option<&str>) -> bool {
    table.lines().skip(1).any(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (Some(local), _, Some(its)) = (words.next(), words.next(), words.next()) else { return false };
        let Some((ip, port)) = local.split_once(':').and_then(|(ip, port)| Some((ip_of(ip)?, port))) else {
            return false;
        };
        u16::from_str_radix(port, 16) == Ok(to.port())
            && (ip == to.ip() || (ip.is_unspecified() && to.ip().is_loopback()))
            && state.is_none_or(|state| state == its)
    })
}

/// An address as the tables have it: words of 32 bits, each as the machine keeps it.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let words = (0..hex.len()).step_by(8).map(|at| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok());
    let bytes: Vec<u8> =
        words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).to_canonical()),
        _ => None,
    }
}

impl Judge {
    /// A call with the address in memory, for the socket `number`. `data` is what goes there, where that is known.
    pub(super) fn talk(
        &self,
        caller: &Caller<'_>,
        number: u64,
        at: u64,
        length: u64,
        data: Option<u64>,
    ) -> Judged {
        if at == 0 || length == 0 {
            return Judged::pass();
        }
        let Ok(bytes) = inspect_memory(caller, at, length) else { return Judged::pass() };
        match parse(&bytes) {
            Address::Internet(to) => self.internet(caller, number, to),
            Address::Path(path) => self.socket_file(caller, &path),
            Address::Abstract(name) => self.abstract_name(&name),
            Address::Netlink => data.map_or_else(Judged::pass, |data| netlink(caller, data)),
            Address::Other => Judged::pass(),
        }
    }

    /// `sendmsg(2)` and the first message of `sendmmsg(2)`: the address is what the header points to.
    pub(super) fn message(&self, caller: &Caller<'_>) -> Judged {
        let number = caller.argument(0);
        let Ok(header) = inspect_memory(caller, caller.argument(1), size_of::<libc::msghdr>() as u64) else {
            return Judged::pass();
        };
        // struct msghdr: the address, its length, then the pieces.
        let word =
            |at: usize| header.get(at..at + 8)?.first_chunk::<8>().map(|word| u64::from_ne_bytes(*word));
        let (Some(at), Some(length), Some(pieces)) = (word(0), word(8), word(16)) else {
            return Judged::pass();
        };
        let first = inspect_memory(caller, pieces, 8).ok();
        let first = first.and_then(|piece| piece.first_chunk::<8>().map(|word| u64::from_ne_bytes(*word)));
        self.talk(caller, number, at, length & u64::from(u32::MAX), first)
    }

    fn internet(&self, caller: &Caller<'_>, number: u64, to: SocketAddr) -> Judged {
        let kind =
            i32::try_from(number).ok().and_then(|number| inspect::socket_kind(caller.pid(), number).ok());
        // Without a port it only asks which way a packet would go, as getaddrinfo(3) does; raw packets have none.
        let is_raw = kind == Some(rustix::net::SocketType::RAW);
        let asks = to.port() == 0 && !is_raw;
        if self.shares_network || asks || to.ip().is_unspecified() {
            return Judged::pass();
        }
        let (protocol, tables, state) = match kind {
            Some(rustix::net::SocketType::DGRAM) => ("udp", ["udp", "udp6"], None),
            Some(rustix::net::SocketType::RAW) => ("raw", ["raw", "raw6"], None),
            _ => ("tcp", ["tcp", "tcp6"], Some(LISTENS)),
        };
        let inside = |tables: [&str; 2], state| {
            tables.iter().any(|table| {
                inspect::network_table(caller.pid(), table).is_ok_and(|table| takes(&table, to, state))
            })
        };
        // Before it connects, getaddrinfo(3) asks which way a packet would go to each address, with the port: that is no more.
        match inside(tables, state) || (protocol == "udp" && inside(["tcp", "tcp6"], Some(LISTENS))) {
            true => Judged::pass(),
            false if is_raw => Judged::fails(format!("{} ({protocol})", to.ip())),
            false => Judged::fails(format!("{} port {} ({protocol})", to.ip(), to.port())),
        }
    }

    /// A socket of the host, which nobody has replaced here: it refuses. What the host has not either is not worth a word.
    fn socket_file(&self, caller: &Caller<'_>, path: &Path) -> Judged {
        let path = caller.absolute(None, path);
        let is_socket = self.hosts_special(&path) == Some(crate::model::attributes::FileKind::Socket);
        match is_socket && !path.starts_with(crate::sandbox::protocol::SHIM_SOCKET) {
            true => Judged::fails(inspect::words(&path)),
            false => Judged::pass(),
        }
    }

    /// An abstract name of the host. In the host's own network it would be reached: so there it is refused.
    fn abstract_name(&self, name: &[u8]) -> Judged {
        let shown = format!("@{}", inspect::words(Path::new(std::ffi::OsStr::from_bytes(name))));
        let me = std::process::id().cast_signed();
        let hosts = inspect::network_table(me, "unix").is_ok_and(|table| {
            table.lines().any(|line| line.split_ascii_whitespace().nth(7) == Some(shown.as_str()))
        });
        match (hosts, self.shares_network) {
            (false, _) => Judged::pass(),
            (true, false) => Judged::fails(shown),
            (true, true) => Judged::refuse(libc::ECONNREFUSED, shown),
        }
    }
}

fn inspect_memory(caller: &Caller<'_>, at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    crate::sys::notify::memory(caller.pid(), at, length.min(LONGEST) as usize)
}

/// A message that changes what the network is like; it lacks the capability for that. Those that only ask are let through.
fn netlink(caller: &Caller<'_>, data: u64) -> Judged {
    /// Kinds of messages come in fours: new, delete, get, set (linux/rtnetlink.h).
    const FIRST: u16 = 16;
    const GET: u16 = 2;
    let Ok(header) = inspect_memory(caller, data, 16) else { return Judged::pass() };
    let Some(kind) = header.get(4..6).and_then(|kind| kind.first_chunk::<2>()) else { return Judged::pass() };
    let kind = u16::from_ne_bytes(*kind);
    match kind >= FIRST && (kind - FIRST) % 4 != GET {
        true => Judged::told(
            crate::sys::notify::Reply::Continue,
            format!("message {kind} to the network's configuration"),
            Answer::Refused,
        ),
        false => Judged::pass(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_has_them() {
        let family = |family: i32| u16::try_from(family).unwrap().to_ne_bytes();
        let bytes = |family: [u8; 2], rest: &[u8]| [&family[..], rest].concat();
        let inet6 = [&[0x01, 0xbb, 0, 0, 0, 0][..], &[0x20, 1, 0xd, 0xb8], &[0; 11], &[7], &[0; 4]].concat();
        let mapped = [&[0, 80, 0, 0, 0, 0][..], &[0; 10], &[255, 255, 192, 0, 2, 7], &[0; 4]].concat();
        for (bytes, expected) in [
            (
                bytes(family(libc::AF_INET), &[0, 80, 192, 0, 2, 7, 0, 0]),
                Address::Internet("192.0.2.7:80".parse().unwrap()),
            ),
            (bytes(family(libc::AF_INET6), &inet6), Address::Internet("[2001:db8::7]:443".parse().unwrap())),
            (bytes(family(libc::AF_INET6), &mapped), Address::Internet("192.0.2.7:80".parse().unwrap())),
            (bytes(family(libc::AF_UNIX), b"/run/x\0junk"), Address::Path("/run/x".into())),
            (bytes(family(libc::AF_UNIX), b"/run/x"), Address::Path("/run/x".into())),
            (bytes(family(libc::AF_UNIX), b"\0name"), Address::Abstract(b"name".to_vec())),
            (bytes(family(libc::AF_UNIX), b""), Address::Other),
            (bytes(family(libc::AF_NETLINK), &[0; 10]), Address::Netlink),
            (bytes(family(libc::AF_UNSPEC), &[0; 14]), Address::Other),
            (bytes(family(libc::AF_INET), &[0, 80, 192]), Address::Other),
            (vec![1], Address::Other),
        ] {
            assert_eq!(parse(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn who_listens_is_found_in_the_kernels_tables() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
            \x20  1: 00000000:0050 00000000:0000 0A 00000000:00000000\n\
            \x20  2: 070200C0:01BB 00000000:0000 0A 00000000:00000000\n\
            \x20  3: 0100007F:D431 0100007F:1F90 01 00000000:00000000\n";
        for (to, expected) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1:8081", false),
            ("127.0.0.9:80", true),
            ("198.51.100.1:80", false),
            ("192.0.2.7:443", true),
            ("192.0.2.8:443", false),
            ("127.0.0.1:54321", false),
        ] {
            assert_eq!(takes(table, to.parse().unwrap(), Some(LISTENS)), expected, "{to}");
        }
        let six = "sl\n 0: 00000000000000000000000001000000:0035 0:0 07\n 1: 0000000000000000FFFF00000100007F:0035 0:0 07\n";
        assert!(
            takes(six, "[::1]:53".parse().unwrap(), None)
                && takes(six, "127.0.0.1:53".parse().unwrap(), None)
        );
    }
}
