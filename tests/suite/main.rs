//! The one test binary of the program: rules of the house, and whole dances of the program on hermetic nodes.

#![allow(clippy::disallowed_methods, reason = "tests look at the machine with the standard library")]

#[cfg(feature = "server")]
mod agent;
#[cfg(feature = "server")]
mod agent_listen;
mod conflicts;
mod degraded;
#[cfg(feature = "server")]
mod dlm;
mod doctor;
mod dpkg;
mod duties;
mod ends;
mod endurance;
mod example;
mod failures;
mod fetch;
mod first_use;
mod floors;
mod follows;
mod fs;
mod history;
mod json;
mod knobs;
mod limits;
mod lint;
mod lock;
mod merge;
mod metadata;
mod metrics;
mod moments;
mod monitors;
mod network;
mod noise;
mod packages;
mod params;
mod plans;
mod power_off;
mod pretty;
mod proxy;
mod redteam;
mod refusals;
mod report;
mod reporter;
mod root;
mod same;
mod schedule;
mod secrets;
mod seed;
mod services;
mod session;
mod shims;
mod signals;
mod supervisor;
mod systemd;
mod templates;
mod undo;
mod unprivileged;
mod uploads;
mod validators;
mod walls;
mod world;
mod world_is_apart;
mod wrong;

use std::path::Path;

/// Every file below this folder is listed in the one above it; a forgotten one would be tests that never run.
#[test]
fn no_test_file_is_forgotten() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite"));
    let mut listed = 0;
    for entry in walkdir::WalkDir::new(folder) {
        let path = entry.expect("the tests' folder can be read").into_path();
        if path.extension().is_none_or(|extension| extension != "rs") || path == folder.join("main.rs") {
            continue;
        }
        let beside = path.parent().expect("it is in a folder");
        let above = if beside == folder { folder.join("main.rs") } else { beside.with_extension("rs") };
        let module = path.file_stem().expect("it has a name").to_str().expect("a plain name");
        let text = std::fs::read_to_string(&above).expect("the file above can be read");
        let line = format!("mod {module};");
        assert!(text.lines().any(|l| l == line), "{} is not listed in {}", path.display(), above.display());
        listed += 1;
    }
    assert!(listed > 10, "the tests are not where they were");
}
