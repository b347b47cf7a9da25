//! Who may ask for more than names. The sentences are those of a smart proxy. Pure; looking names up is [`crate::face::names`].

use std::net::IpAddr;

use crate::face::peer::{Over, Peer, Shown};

/// What is set about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Who may ask, by name in lower case; `None` is anybody with a good certificate, or anybody at all over plain HTTP.
    pub hosts: Option<Vec<String>>,
    /// Whether the name of an address must lead back to it.
    pub forward_verify: bool,
}

/// What there is to do before it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// Nothing: welcome.
    Welcome,
    /// Nothing: refused, with this sentence.
    Refuse(String),
    /// The name of that address is to be looked up, and then [`named`] knows.
    LookUp(IpAddr),
}

/// What is known of who asks for `inside`, which is the path below where the part is mounted.
pub fn first(trust: &Trust, peer: Option<&Peer>, inside: &str) -> First {
    let Some(peer) = peer else {
        return First::Refuse(String::from("could not get remote address from environment"));
    };
    let refuse = |why: &str| First::Refuse(why.to_owned());
    match (&trust.hosts, &peer.over) {
        (None, Over::Http) => First::Welcome,
        (None, Over::Https(Shown::Nothing)) => refuse("No client SSL certificate supplied"),
        (None, Over::Https(Shown::Named(_) | Shown::Nameless)) => First::Welcome,
        (Some(_), Over::Http) => First::LookUp(peer.address),
        (Some(_), Over::Https(Shown::Nothing)) => refuse("could not read client cert from environment"),
        (Some(_), Over::Https(Shown::Nameless)) => refuse("could not read CN from the client certificate"),
        (Some(hosts), Over::Https(Shown::Named(name))) => match named(hosts, name, inside) {
            Ok(()) => First::Welcome,
            Err(why) => First::Refuse(why),
        },
    }
}

/// Whether a host of that name may ask.
pub fn named(hosts: &[String], name: &str, inside: &str) -> Result<(), String> {
    let name = name.to_lowercase();
    if hosts.contains(&name) {
        return Ok(());
    }
    Err(format!(
        "Untrusted client {name} attempted to access {inside}. Check :trusted_hosts: in settings.yml"
    ))
}
