//! The configuration, read anew while the listener runs: what can change without closing a socket does, all of it or nothing; what
//! cannot is told by its key.

use std::sync::Arc;

use disco_listen::log::causes;
use disco_listen::{ListenConfig, ListenError, Ready, Running};
use thiserror::Error;

use super::config::{Config, ConfigError, Twitch};
use super::parts::Parts;
use super::proxy::{Door, Proxy, ProxyError};
use super::serve::Agent;

/// A configuration that cannot be gone on with.
#[derive(Debug, Error)]
enum ReloadError {
    /// Not on the addresses that are listened on.
    #[error("with the addresses that are listened on")]
    Config(#[from] ConfigError),
    /// The face of a smart proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Certificates, or an address that would be plain.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

impl Agent {
    /// Goes on with what was read anew. Where that is nothing, or cannot be gone on with, the configuration stays as it was, and only
    /// certificates and the settings of the proxy's features are read again. Keys need nobody to say that they have changed.
    pub fn reload(&mut self, read: Result<Config, String>) {
        let why = match read.map(|config| self.change(config)) {
            Ok(Ok(left)) => {
                self.log.info(format_args!("the configuration was read again"));
                for key in left {
                    self.log.warn(format_args!("{key}: what has changed there needs a restart"));
                }
                return;
            }
            Ok(Err(error)) => causes(&error),
            Err(why) => why,
        };
        self.log.error(format_args!("the configuration stays as it was: {why}"));
        self.running.iter().for_each(Running::reload);
        self.parts.proxy.iter().for_each(|proxy| proxy.load());
    }

    /// Changes to that configuration; gives the keys whose change needs a restart.
    fn change(&mut self, mut config: Config) -> Result<Vec<&'static str>, ReloadError> {
        let mut left = keep_fixed(&self.parts.config, &mut config);
        if self.is_given {
            // Where it listens is said by whoever has given the sockets.
            left.retain(|key| *key != "listen");
        }
        config.check()?;
        let parts = self.parts.again(&config)?;
        let new = parts.proxy.as_deref().map_or(&[][..], |proxy| &proxy.doors);
        let is_same =
            new.len() == self.doors.len() && new.iter().zip(&self.doors).all(|(new, at)| new.at == *at);
        if !is_same {
            left.push(":http_port:, :https_port: or :bind_host: of the proxy's settings.yml");
        }
        // All of it is looked at before anything is changed.
        let ready: Vec<Ready> = std::iter::zip(&self.running, self.listens(&parts, is_same.then_some(new)))
            .map(|(running, listen)| running.ready(&listen))
            .collect::<Result<_, _>>()?;
        let twitch = config.twitch.enabled;
        for (number, (running, ready)) in self.running.iter_mut().zip(ready).enumerate() {
            running.renew(
                ready,
                match number {
                    0 => parts.own(),
                    1 if twitch => parts.twitch(),
                    _ => parts.face(),
                },
            );
        }
        self.log.set(config.log);
        if !parts.asks_as(&self.parts) {
            // Those who asked for the old ones end with this.
            self.background = parts.watch();
        }
        let is_old =
            |proxy: &&Arc<Proxy>| self.parts.proxy.as_ref().is_some_and(|old| Arc::ptr_eq(old, proxy));
        parts.proxy.iter().filter(is_old).for_each(|proxy| proxy.load());
        self.parts = parts;
        Ok(left)
    }

    /// How each of the sockets is to be listened on, in their order. A proxy's port that is not set any more stays as it is.
    fn listens(&self, parts: &Parts, doors: Option<&[Door]>) -> Vec<ListenConfig> {
        let twitch = parts.config.twitch.enabled.then(|| parts.listen_twitch());
        let first: Vec<ListenConfig> = std::iter::once(parts.config.listen.clone()).chain(twitch).collect();
        let rest: Vec<ListenConfig> = match doors {
            Some(doors) => doors.iter().map(|door| door.listen.clone()).collect(),
            None => self.running[first.len()..].iter().map(|running| running.listen.clone()).collect(),
        };
        first.into_iter().chain(rest).collect()
    }
}

/// Puts what cannot change while it runs back to what it was; gives the keys of that.
fn keep_fixed(old: &Config, new: &mut Config) -> Vec<&'static str> {
    let mut left = vec![];
    if old.listen.addresses != new.listen.addresses {
        left.push("listen");
        new.listen.addresses.clone_from(&old.listen.addresses);
    }
    let Twitch { enabled, bind, port, wait_seconds } = new.twitch;
    if enabled != old.twitch.enabled {
        left.push("twitch.enabled");
    } else if enabled && (bind, port) != (old.twitch.bind, old.twitch.port) {
        left.push("twitch.bind or twitch.port");
    }
    new.twitch = Twitch { wait_seconds, ..old.twitch };
    left
}
