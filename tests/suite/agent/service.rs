//! What an administrator is told of the agent as a service: before something is stopped, by its status, and where something is wrong.

use super::rights::configured;
use super::*;

const CONFIG: &str = "/etc/disco/agent.toml";

#[test]
fn no_listener_is_root_by_name() {
    let Some(world) = World::new() else { return };
    configured(&world);
    let processes = world.processes();
    world.sh("useradd --non-unique --uid 0 toor").succeeds();
    for user in ["root", "toor"] {
        for verb in ["start", "serve", "init"] {
            let words = ["disco", "agent", verb, "--user", user, "--config"];
            let config = if verb == "init" { "/srv/agent.toml" } else { CONFIG };
            let refused = world.run(&[&["timeout", "-s", "INT", "9"], &words[..], &[config]].concat());
            refused
                .exits(64)
                .stderr_has(&format!("the user {user} is root"))
                .stderr_has("--user disco-agent");
        }
    }
    world.only_has(&processes);
    assert!(!world.exists("/srv/agent.toml"));
}
