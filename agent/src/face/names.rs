//! The name of an address, as the system's resolver has it; with the check that the name leads back.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

/// How long a name may take, the check included.
const LONGEST: Duration = Duration::from_secs(10);
/// How many are looked up at once.
const AT_ONCE: usize = 16;

/// Who knows names.
pub trait Names: Send + Sync {
    /// The name of an address.
    fn name_of(&self, address: IpAddr) -> io::Result<String>;
    /// The addresses of a name.
    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver: /etc/hosts, DNS, and whatever else it is set to.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Names for System {
    fn name_of(&self, address: IpAddr) -> io::Result<String> {
        dns_lookup::lookup_addr(&address)
    }

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(dns_lookup::lookup_host(name)?.collect())
    }
}

/// Looks names up, a few at once, each within bounds: a resolver that hangs holds no request for ever.
#[derive(Clone)]
pub struct LookUp {
    names: Arc<dyn Names>,
    room: Arc<Semaphore>,
    longest: Duration,
}

impl LookUp {
    /// With those names.
    pub fn new(names: Arc<dyn Names>) -> LookUp {
        LookUp::within(names, LONGEST)
    }

    /// With those names, each within that time.
    pub fn within(names: Arc<dyn Names>, longest: Duration) -> LookUp {
        LookUp { names, room: Arc::new(Semaphore::new(AT_ONCE)), longest }
    }

    /// The name of a client, or the sentence with which it is refused.
    pub async fn name(&self, address: IpAddr, forward: bool) -> Result<String, String> {
        let address = address.to_canonical();
        let late = || format!("unable to resolve hostname for ip address {address}\n\nno answer in time");
        let asked = tokio::time::timeout(self.longest, self.ask(address, forward));
        asked.await.unwrap_or_else(|_| Err(late()))
    }

    async fn ask(&self, address: IpAddr, forward: bool) -> Result<String, String> {
        let failed = |why: &str| format!("unable to resolve hostname for ip address {address}\n\n{why}");
        let room =
            Arc::clone(&self.room).acquire_owned().await.map_err(|error| failed(&error.to_string()))?;
        let (tell, told) = oneshot::channel();
        let names = Arc::clone(&self.names);
        // A thread of its own: one that hangs keeps no runtime from ending.
        let thread = std::thread::Builder::new().name(String::from("names")).spawn(move || {
            let _room = room;
            // Nobody listens any more where it took too long.
            let _ = tell.send(look_up(&*names, address, forward));
        });
        thread.map_err(|error| failed(&error.to_string()))?;
        told.await.unwrap_or_else(|_| Err(failed("the resolver has failed")))
    }
}

fn look_up(names: &dyn Names, address: IpAddr, forward: bool) -> Result<String, String> {
    let name = names
        .name_of(address)
        .map_err(|error| format!("unable to resolve hostname for ip address {address}\n\n{error}"))?;
    let name = name.trim_end_matches('.').to_owned();
    if !forward {
        return Ok(name);
    }
    // A name without addresses does not lead back.
    let addresses = names.addresses_of(&name).unwrap_or_default();
    if addresses.iter().any(|one| one.to_canonical() == address) {
        return Ok(name);
    }
    Err(format!("untrusted client has no matching forward DNS lookup - {name} ({address})"))
}
