//! The exit status of every end that a run can have, by command: the table of the README, row by row.

use crate::world::World;

/// What is run, and what it ends with.
fn ends(world: &World, rows: &[(&str, i32)]) {
    for (command, status) in rows {
        let out = world.sh(command);
        assert_eq!(out.status, Some(*status), "{command}\n{out}");
    }
}

fn node() -> Option<World> {
    let world = World::new()?;
    world.module("m").script("10.sh", "[ ! -e /etc/broken ] || exit 3; echo x >/etc/m");
    world.master();
    Some(world)
}

#[test]
fn a_dance_ends_as_the_table_says() {
    let Some(world) = node() else { return };
    ends(
        &world,
        &[
            ("disco dance --noop", 0),
            ("disco dance --noop --detailed-exitcodes", 2),
            ("disco dance --nonsense", 64),
            ("disco dance --quiet --verbose", 64),
            ("disco dance --quiet --format json", 64),
            ("disco dance --noop --only stranger", 64),
            ("disco dance --noop --server rsync://127.0.0.1:9", 69),
            ("disco dance --noop --plan /nowhere/plan", 74),
            ("touch /srv/plan; disco dance --noop --plan /srv/plan", 73),
            ("setpriv --reuid 65534 --clear-groups disco dance --noop", 77),
            ("NOOP=maybe disco dance", 78),
            ("disco dance --root /nowhere", 78),
            ("touch /etc/broken; disco dance", 1),
            ("disco dance --noop", 1),
            ("disco dance --detailed-exitcodes", 4),
            ("rm /etc/broken; disco dance --detailed-exitcodes", 2),
            ("disco dance --detailed-exitcodes", 0),
            ("disco dance --noop --detailed-exitcodes", 0),
        ],
    );
    // The lock of live runs; NOOP runs take none.
    let holder = world.spawn(&["flock", "/var/disco/lock", "sleep", "1000"]);
    world.wait_until("it is held", || world.sh("flock -n /var/disco/lock true").status == Some(1));
    ends(
        &world,
        &[
            ("disco dance", 75),
            ("disco dance --detailed-exitcodes", 75),
            ("disco dance --noop", 0),
            ("disco undo", 75),
            ("disco undo --noop", 75),
            ("disco recover", 75),
            ("disco dance --noop --plan /srv/noop.plan; disco apply /srv/noop.plan", 75),
        ],
    );
    world.sh("pkill -x flock; pkill -x sleep").succeeds();
    assert_ne!(holder.wait().status, Some(0));
    ends(
        &world,
        &[
            ("disco undo", 0),
            ("disco dance --confirm 600", 0),
            ("disco dance", 75),
            ("disco dance --noop", 0),
            // It sees to it that somebody waits, and leaves it.
            ("disco recover", 0),
            ("disco confirm", 0),
            ("disco confirm", 1),
        ],
    );
}

#[test]
fn a_failed_validator_check_or_action_ends_with_1() {
    let Some(world) = node() else { return };
    world.module("m").any("validate/10-good", "#!/bin/bash\n[ ! -e /etc/invalid ]\n");
    world.module("m").any("check/10-good", "#!/bin/bash\n[ ! -e /etc/ill ]\n");
    world.publish();
    ends(
        &world,
        &[
            ("touch /etc/invalid; disco dance --noop", 1),
            ("disco dance --noop --detailed-exitcodes", 6),
            ("disco dance; s=$?; [ ! -e /etc/m ] && exit $s", 1),
            ("rm /etc/invalid; touch /etc/ill; disco dance --noop", 0),
            ("disco dance --detailed-exitcodes; s=$?; [ ! -e /etc/m ] && exit $s", 6),
            ("disco dance; s=$?; [ ! -e /etc/m ] && exit $s", 1),
            (
                "echo keep | disco param set disco/client/on_action_failure; disco dance; s=$?; [ -e /etc/m ] && exit $s",
                1,
            ),
        ],
    );
}

#[test]
fn apply_and_undo_end_as_the_table_says() {
    let Some(world) = node() else { return };
    ends(
        &world,
        &[
            ("disco recover", 0),
            ("disco undo", 1),
            ("disco undo 20200101-000000-000-1", 1),
            ("disco undo --list --noop", 64),
            ("disco apply", 64),
            ("disco apply /srv/none", 74),
            ("head -c 4000 /dev/zero >/srv/damaged; disco apply /srv/damaged", 65),
            ("disco dance --noop --plan /srv/plan", 0),
            ("disco apply /srv/plan --node another", 65),
            (&format!("disco apply /srv/plan --digest {}", "0".repeat(64)), 65),
            (
                "cp /srv/plan /tmp/plan; chmod 644 /tmp/plan; setpriv --reuid 65534 --clear-groups disco apply /tmp/plan",
                77,
            ),
            ("echo theirs >/etc/m; disco apply /srv/plan", 1),
            ("disco apply /srv/plan --on-conflict mine", 0),
            ("disco apply /srv/plan", 0),
            ("setpriv --reuid 65534 --clear-groups disco undo", 77),
            ("setpriv --reuid 65534 --clear-groups disco recover", 77),
            ("echo theirs, and later >/etc/m; disco undo", 1),
            ("disco undo --on-conflict nonsense", 78),
            ("disco undo --noop --on-conflict mine", 0),
            ("disco undo --on-conflict mine", 0),
        ],
    );
}
