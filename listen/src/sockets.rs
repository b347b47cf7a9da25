//! The sockets that a server listens on: those that are opened here, and those that were opened by whoever has started it (systemd's
//! socket units), so that it may listen where it has no right to, and nobody who connects while it starts is refused.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

use crate::config::{ListenConfig, Plain};
use crate::server::ListenError;

/// The sockets that were given to this process; `None` where none was. Only the first who asks gets them, and it must be early: no
/// other thread may read the environment meanwhile.
pub fn given() -> Result<Option<Vec<TcpListener>>, ListenError> {
    let mut given = ListenFd::from_env();
    if given.len() == 0 {
        return Ok(None);
    }
    let mut sockets = vec![];
    for number in 0..given.len() {
        let socket = given.take_tcp_listener(number).map_err(ListenError::Given)?;
        sockets.extend(socket);
    }
    Ok(Some(sockets))
}

/// Opens the addresses of a configuration.
pub fn open(config: &ListenConfig) -> Result<Vec<TcpListener>, ListenError> {
    // Before any is opened: an address that nobody may listen on is not one that cannot be had.
    for address in &config.addresses {
        allowed(config, *address)?;
    }
    let open = |address: &SocketAddr| {
        TcpListener::bind(address).map_err(|source| ListenError::Listen { address: *address, source })
    };
    config.addresses.iter().map(open).collect()
}

/// Whether this may be listened on as it is set.
pub fn allowed(config: &ListenConfig, address: SocketAddr) -> Result<(), ListenError> {
    let hidden = config.tls.is_some() || config.plain == Plain::Anywhere || address.ip().is_loopback();
    if hidden { Ok(()) } else { Err(ListenError::Plain(address)) }
}
