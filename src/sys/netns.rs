//! Network namespaces as places to work in: what a socket reaches is decided by the namespace that it was made in, whoever
//! has it later. Here sockets are made in another namespace, and its loopback is given addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// A network namespace, which lives at least as long as this.
#[derive(Debug)]
pub struct NetworkNamespace(OwnedFd);

impl NetworkNamespace {
    /// That of this thread.
    pub fn own() -> io::Result<NetworkNamespace> {
        Ok(NetworkNamespace(std::fs::File::open("/proc/thread-self/ns/net")?.into()))
    }

    /// Does a piece of work there, in a thread that comes and goes.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let there = std::thread::Builder::new().spawn_scoped(scope, || {
                setns(&self.0, CloneFlags::CLONE_NEWNET)?;
                work()
            })?;
            there.join().unwrap_or_else(|_| Err(io::Error::other("the work in a network namespace panicked")))
        })
    }
}

impl From<OwnedFd> for NetworkNamespace {
    fn from(fd: OwnedFd) -> NetworkNamespace {
        NetworkNamespace(fd)
    }
}

impl From<NetworkNamespace> for OwnedFd {
    fn from(namespace: NetworkNamespace) -> OwnedFd {
        namespace.0
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The process that asks from that address over UDP, in this thread's namespace; by its number as this process counts, and
/// mostly one: a socket may have several.
pub fn who_asks(from: SocketAddr) -> Option<i32> {
    let table = if from.is_ipv4() { ["udp", "udp6"] } else { ["udp6", "udp"] };
    let inode = table.iter().find_map(|table| {
        inode_of(&std::fs::read_to_string(format!("/proc/thread-self/net/{table}")).ok()?, from)
    })?;
    let own = std::fs::read_link("/proc/thread-self/ns/net").ok()?;
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let mut processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    processes.find(|pid| {
        let there = std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|namespace| namespace == own);
        let open = || std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        there && open().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == wanted))
    })
}

/// The inode of the socket with that address in a table of the kernel's (`/proc/net/udp`), or of any address with its port.
fn inode_of(table: &str, from: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (ip, port) = words.get(1)?.split_once(':')?;
        // Words of 32 bits, each as the machine keeps it.
        let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
        let bytes: Vec<u8> = (0..ip.len()).step_by(8).filter_map(word).flatten().collect();
        let ip = match bytes.first_chunk::<16>() {
            Some(bytes) => Ipv6Addr::from(*bytes).to_canonical(),
            None => Ipv4Addr::from(*bytes.first_chunk::<4>()?).into(),
        };
        let is_it =
            (ip == from.ip() || ip.is_unspecified()) && u16::from_str_radix(port, 16) == Ok(from.port());
        if is_it { words.get(9)?.parse().ok() } else { None }
    })
}

/// The loopback's number, which is the first interface of every namespace.
const LOOPBACK: u32 = 1;

/// Gives the loopback of this thread's namespace that address, which nobody else can reach; one that it has is no error.
/// (rtnetlink(7): RTM_NEWADDR.)
pub fn add_to_loopback(address: IpAddr) -> io::Result<()> {
    if address.is_loopback() {
        return Ok(());
    }
    let flags = SocketFlags::CLOEXEC;
    // Without a protocol it is NETLINK_ROUTE, which is 0.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    rustix::net::send(&socket, &new_address(address), SendFlags::empty())?;
    let mut answer = [0; 512];
    let (length, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty())?;
    // The kernel's answer is an error message whose error is 0 where all is well; the number follows its header.
    let number = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match number {
        Some(0) => Ok(()),
        Some(number) if number == -libc::EEXIST => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
        None => Err(io::Error::other("rtnetlink has answered less than it says")),
    }
}

/// The message that asks for it.
fn new_address(address: IpAddr) -> Vec<u8> {
    let (family, scope, bytes) = match address {
        IpAddr::V4(v4) => (libc::AF_INET, libc::RT_SCOPE_HOST, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, libc::RT_SCOPE_UNIVERSE, v6.octets().to_vec()),
    };
    let mut body = vec![family as u8, (bytes.len() * 8) as u8, libc::IFA_F_NODAD as u8, scope];
    body.extend(LOOPBACK.to_ne_bytes());
    for attribute in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
        body.extend((4 + bytes.len() as u16).to_ne_bytes());
        body.extend(attribute.to_ne_bytes());
        body.extend(&bytes);
    }
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let mut message = Vec::new();
    message.extend((16 + body.len() as u32).to_ne_bytes());
    message.extend(libc::RTM_NEWADDR.to_ne_bytes());
    message.extend((flags as u16).to_ne_bytes());
    message.extend([0; 8]); // a sequence number and a port that nobody looks at
    message.extend(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn who_asks_is_found() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let socket = UdpSocket::bind(address).unwrap();
            socket.connect("127.0.0.1:9").unwrap();
            assert_eq!(who_asks(socket.local_addr().unwrap()), Some(std::process::id() as i32), "{address}");
        }
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(who_asks(gone), None);
        let six = "sl\n 0: 0000000000000000FFFF00000100007F:0035 0:0 07 0:0 0:0 0 0 0 812 2\n";
        assert_eq!(inode_of(six, "127.0.0.1:53".parse().unwrap()), Some(812));
        assert_eq!(inode_of(six, "127.0.0.1:54".parse().unwrap()), None);
    }
}
