//! What of the network the steps of a run reach: read from the settings and from the root that the run is about.

use std::path::Path;

use crate::model::host;
use crate::ops::dance::ground::Ground;
use crate::ops::dance::{DanceEvent, Run};
use crate::sandbox::network::{Policy, Reach};
use crate::settings::{Network, Settings};
use crate::sources::{self, resolver};
use crate::sys::host as this_host;

/// What the settings ask for. Lines of the package sources that name no host are told, and no more.
pub(super) fn of(run: &mut Run<'_>, settings: &Settings, ground: &Ground) -> Reach {
    match settings.network.value {
        Network::None => Reach::Nothing,
        Network::Host => Reach::Everything,
        Network::Fetch => Reach::Hosts(policy(run, settings, ground)),
    }
}

fn policy(run: &mut Run<'_>, settings: &Settings, ground: &Ground) -> Policy {
    let found = sources::of_root(&ground.tree);
    for line in &found.passed_over {
        let message = format!("Passed over, no step reaches it : {line}");
        (run.on_event)(DanceEvent::Warned { message: &message });
    }
    let mut hosts = found.hosts;
    hosts.extend(settings.network_hosts.value.iter().cloned());
    // What cannot be read names nobody.
    let text = |path| ground.tree.text_behind(Path::new(path)).ok().flatten().unwrap_or_default();
    let own_name = match ground.root.is_own() {
        true => this_host::host_name().ok(),
        false => Some(settings.node.value.to_string()),
    };
    Policy {
        hosts,
        resolver: resolver::resolver(&text("/etc/resolv.conf")),
        table: resolver::hosts(&text("/etc/hosts")),
        own_name: own_name.as_deref().and_then(host::name),
        own_root: ground.root.is_own(),
    }
}
