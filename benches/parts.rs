//! What the pure parts cost by themselves, at sizes that show whether cost is linear: `cargo bench`. What whole runs cost,
//! and what peers need for the same, is measured by `scripts/bench`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark, not part of the program")]

use std::collections::BTreeSet;

use disco::changes::diff::normal;
use disco::model::module::{Module, Relation, Requirement};
use disco::model::names::ModuleName;
use disco::model::path::RootedPath;
use disco::plan;

fn main() {
    divan::main();
}

fn name(at: usize) -> ModuleName {
    ModuleName::new(format!("m{at:05}")).unwrap()
}

/// As many modules, each after two others.
fn modules(count: usize) -> (BTreeSet<ModuleName>, Vec<Module>) {
    let module = |at: usize| {
        let before: BTreeSet<usize> = if at == 0 { BTreeSet::new() } else { [at / 2, at - 1].into() };
        let after = |other| Requirement { relation: Relation::After, module: name(other) };
        let requires = before.into_iter().filter(|&other| other != at).map(after).collect();
        Module::of_steps(name(at), requires, Vec::new())
    };
    ((0..count).map(name).collect(), (0..count).map(module).collect())
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn order_of_modules(bencher: divan::Bencher<'_, '_>, count: usize) {
    let (selected, modules) = modules(count);
    bencher.bench(|| plan::plan(&selected, &modules).unwrap());
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn sort_of_paths(bencher: divan::Bencher<'_, '_>, count: usize) {
    let path = |at: usize| RootedPath::new(format!("/etc/service.d/{}/{at}.conf", at % 7)).unwrap();
    let paths: Vec<RootedPath> = (0..count).map(path).collect();
    bencher.bench(|| paths.iter().cloned().collect::<BTreeSet<_>>());
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn diff_of_a_text(bencher: divan::Bencher<'_, '_>, lines: usize) {
    let old: String = (0..lines).map(|line| format!("key{line} = value\n")).collect();
    let new = old.replace("7 = value", "7 = another");
    bencher.bench(|| normal(&old, &new));
}
