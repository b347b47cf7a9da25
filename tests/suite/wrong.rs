//! Every wrong turn: input that is bad, steps that misbehave, hosts that lack something. Each is answered in time, by name,
//! with its exit code and the way out, and leaves nothing.

mod input;
mod masters;
mod place;
mod steps;

use crate::world::{NODE, World};

/// Where the master is, a folder of the node: a daemon would be one more thing that can go wrong.
const MASTER: &str = "/srv/master";

/// Makes a master with one module `m`, then does `make` to it; there `$M` is its folder, `$P` the node's parameters, `$S`
/// the module.
fn master(world: &World, make: &str) {
    let script = r#"export M=$0 N=$1 P=$0/parameters/$1 S=$0/modules/m; rm -rf "$M"
        mkdir -p "$P/modules" "$P/parameters" "$S/scripts" && touch "$P/modules/m" && cd "$M" && eval "$2""#;
    world.run(&["bash", "-c", script, MASTER, NODE, make]).succeeds();
}
