//! The one test binary of the program: rules of the house, and whole dances of the program on hermetic nodes.

#![allow(clippy::disallowed_methods, reason = "tests look at the machine with the standard library")]

mod dpkg;
mod example;
mod failures;
mod fetch;
mod floors;
mod merge;
mod params;
mod report;
mod same;
mod seed;
mod signals;
mod world;
mod world_is_apart;

/// Every file beside this one is listed above; a forgotten one would be tests that never run.
#[test]
fn no_test_file_is_forgotten() {
    let here = include_str!("main.rs");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite");
    for entry in std::fs::read_dir(folder).expect("the tests' folder can be read") {
        let name = entry.expect("an entry can be read").file_name().into_string().expect("a plain name");
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(
                here.lines().any(|line| line == format!("mod {module};")),
                "{name} is not listed in main.rs"
            );
        }
    }
}
