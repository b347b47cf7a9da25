//! The order's promises, by example and by chance.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::model::module::Requirement;

fn name(text: &str) -> ModuleName {
    ModuleName::new(text).unwrap()
}

/// Modules from lines `NAME: after X, before Y`.
fn modules(text: &str) -> Vec<Module> {
    text.lines()
        .map(|line| {
            let (module, requires) = line.split_once(':').unwrap();
            let requires = requires.split(',').filter(|r| !r.trim().is_empty()).map(|requirement| {
                let (relation, other) = requirement.trim().split_once(' ').unwrap();
                let relation = if relation == "after" { Relation::After } else { Relation::Before };
                Requirement { relation, module: name(other) }
            });
            Module::of_steps(name(module.trim()), requires.collect(), vec![])
        })
        .collect()
}

fn selected(names: &str) -> BTreeSet<ModuleName> {
    names.split_whitespace().map(name).collect()
}

fn ordered(plan: &Plan) -> String {
    plan.modules.iter().map(|planned| planned.module.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn orders_and_refusals() {
    for (text, select, expected) in [
        (
            "othermodule-3.2: after testmodule-1.0\ntestmodule-1.0:",
            "othermodule-3.2",
            "testmodule-1.0 othermodule-3.2",
        ),
        ("a: before b\nb:", "a", "a b"),
        ("a:\nb: before a\nc:", "a b c", "b a c"),
        ("a:\nb:\nz:", "b", "b"),
        ("a: after c\nb:\nc:", "a b", "b c a"),
        ("a: after b, after b, before c\nb:\nc: after a", "c", "b a c"),
        (
            "a: after b\nb: after a",
            "a",
            "modules require each other in a circle, each before the next: a -> b -> a",
        ),
        ("a: after a", "a", "modules require each other in a circle, each before the next: a -> a"),
        (
            "x: before a\na: before b\nb: before c\nc: before a",
            "x",
            "modules require each other in a circle, each before the next: a -> b -> c -> a",
        ),
        ("a: after gone", "a", "there is no module gone, which a needs"),
        ("a:", "a gone", "there is no module gone, which the node needs"),
    ] {
        let shown = match plan(&selected(select), &modules(text)) {
            Ok(plan) => ordered(&plan),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }
}

#[test]
fn a_plan_is_shown_in_three_forms() {
    let plan = plan(&selected("b"), &modules("a:\nb: after a, before c\nc:")).unwrap();
    assert_eq!(graph::text(&plan), "a\nb after a\nc after b\n");
    assert_eq!(
        graph::dot(&plan),
        "digraph disco {\n    rankdir = LR;\n    \"a\";\n    \"b\";\n    \"c\";\n    \"a\" -> \"b\";\n    \"b\" -> \"c\";\n}\n"
    );
    assert_eq!(
        graph::json(&plan),
        "{\"modules\":[{\"name\":\"a\",\"needs\":[],\"steps\":[]},{\"name\":\"b\",\"needs\":[\"a\"],\"steps\":[]},\
         {\"name\":\"c\",\"needs\":[\"b\"],\"steps\":[]}],\"schema\":1}\n"
    );
}

#[test]
fn ten_thousand_modules_are_planned_fast() {
    let many: Vec<Module> = (0..10_000_u32)
        .map(|at| {
            let needs = [at / 2, at / 3, at.wrapping_sub(1)].into_iter().filter(|&need| need < at);
            let requires = needs
                .map(|need| Requirement { relation: Relation::After, module: name(&format!("m{need}")) });
            Module::of_steps(name(&format!("m{at}")), requires.collect(), vec![])
        })
        .collect();
    let started = Instant::now();
    let plan = plan(&many.iter().map(|module| module.name.clone()).collect(), &many).unwrap();
    let took = started.elapsed();
    assert_eq!(plan.modules.len(), 10_000);
    println!("10,000 modules: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Up to 12 modules with any requirements among them, circles too.
fn any_modules() -> impl Strategy<Value = Vec<Module>> {
    let requirement = (any::<bool>(), 0..12_usize);
    proptest::collection::vec(proptest::collection::vec(requirement, 0..3), 1..12).prop_map(|all| {
        let count = all.len();
        let module = |(at, requires): (usize, Vec<(bool, usize)>)| {
            let requires = requires.into_iter().map(|(after, other)| Requirement {
                relation: if after { Relation::After } else { Relation::Before },
                module: name(&format!("m{}", other % count)),
            });
            Module::of_steps(name(&format!("m{at}")), requires.collect(), vec![])
        };
        all.into_iter().enumerate().map(module).collect()
    })
}

/// What must come before what, said once more and otherwise.
fn edges(modules: &[Module]) -> BTreeSet<(ModuleName, ModuleName)> {
    modules
        .iter()
        .flat_map(|module| module.requires.iter().map(move |requirement| (module, requirement)))
        .map(|(module, requirement)| match requirement.relation {
            Relation::After => (requirement.module.clone(), module.name.clone()),
            Relation::Before => (module.name.clone(), requirement.module.clone()),
        })
        .collect()
}

/// Whether the edges hold a circle: take away what nothing comes before, until nothing is left or nothing goes.
fn has_circle(modules: &[Module]) -> bool {
    let mut edges = edges(modules);
    loop {
        let before = edges.len();
        let later: BTreeSet<ModuleName> = edges.iter().map(|(_, later)| later.clone()).collect();
        edges.retain(|(first, _)| later.contains(first));
        if edges.len() == before {
            return !edges.is_empty();
        }
    }
}

proptest! {
    #[test]
    fn the_order_keeps_every_edge_or_a_circle_is_named((modules, shuffled) in any_modules().prop_flat_map(|modules| {
        (Just(modules.clone()), Just(modules).prop_shuffle())
    })) {
        let all: BTreeSet<ModuleName> = modules.iter().map(|module| module.name.clone()).collect();
        let planned = plan(&all, &modules);
        prop_assert_eq!(&planned, &plan(&all, &shuffled), "the order of the input counts for nothing");
        prop_assert_eq!(planned.is_err(), has_circle(&modules));
        let edges = edges(&modules);
        match planned {
            Ok(plan) => {
                let order: Vec<_> = plan.modules.iter().map(|planned| planned.module.name.clone()).collect();
                prop_assert_eq!(order.iter().cloned().collect::<BTreeSet<_>>(), all);
                let place = |name: &ModuleName| order.iter().position(|other| other == name);
                for (first, later) in &edges {
                    prop_assert!(place(first) < place(later), "{} before {}", first, later);
                }
                for planned in &plan.modules {
                    let needs = edges.iter().filter(|(_, later)| *later == planned.module.name);
                    prop_assert_eq!(&planned.needs, &needs.map(|(first, _)| first.clone()).collect());
                }
            }
            Err(PlanError::Cycle { members }) => {
                prop_assert!(members.len() >= 2 && members.first() == members.last());
                for pair in members.windows(2) {
                    prop_assert!(edges.contains(&(pair[0].clone(), pair[1].clone())), "{:?}", members);
                }
            }
            Err(error @ PlanError::Missing { .. }) => prop_assert!(false, "{}", error),
        }
    }
}
