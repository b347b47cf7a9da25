//! The table of attacks beside other kinds of sandbox: `scripts/redteam`. No test of its own.

use std::fmt::Write as _;

use super::node::{Names, Victim, peer};
use super::{alone, dry_run, list, live_run, told, tried};

/// Where the peers' part of the page goes, and who they are: `DISCO_REDTEAM=FILE`, `DISCO_PEERS="chroot bubblewrap"`, and
/// `DISCO_TRY=FILE` for the script of try(1).
#[test]
#[ignore = "it measures others, and takes some minutes: scripts/redteam"]
fn the_table_beside_its_peers() {
    let page = std::env::var("DISCO_REDTEAM").expect("scripts/redteam sets it");
    let peers = std::env::var("DISCO_PEERS").unwrap_or_default();
    let new = || Victim::new().expect("this needs a node");
    let victim = new();
    let (_, mut control) = victim.control();
    control.extend(alone(&victim, ""));
    let mut columns: Vec<(String, Names)> = vec![("no sandbox".to_owned(), control)];
    for name in peers.split_whitespace() {
        let node = new();
        if let Ok(script) = std::env::var("DISCO_TRY") {
            node.world.install("/usr/local/bin/try", "755", script.as_ref());
        }
        let mut out = node.out_of(&peer(name));
        for row in node.rows.iter().filter(|row| row.alone) {
            let other = new();
            if let Ok(script) = std::env::var("DISCO_TRY") {
                other.world.install("/usr/local/bin/try", "755", script.as_ref());
            }
            if other.alone(&peer(name), row) {
                out.insert(row.name);
            }
        }
        columns.push((name.to_owned(), out));
    }
    columns.push(("disco try".to_owned(), tried(&new())));
    let dry = new();
    columns.push(("dance --noop".to_owned(), dry_run(&dry, "")));
    let (told, _) = told(&dry);
    columns.push(("live, before its merge".to_owned(), live_run(&new())));
    columns.push(("noop, no filter".to_owned(), dry_run(&new(), "env DISCO_TEST_NO_FILTER=1")));

    let mut text = String::new();
    let mut line = |cells: &[String]| writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes it");
    let head = |first: &str, last: &str| {
        let middle = columns.iter().map(|(name, _)| name.clone());
        [first.to_owned()].into_iter().chain(middle).chain([last.to_owned()]).collect::<Vec<_>>()
    };
    let rule = vec!["---".to_owned(); columns.len() + 2];
    let rows = &victim.rows;
    line(&head("class", "told of, in `dance --noop`"));
    line(&rule);
    let mut classes: Vec<&str> = rows.iter().map(|row| row.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let all = ["all"];
    for class in classes.iter().chain(&all) {
        let of: Vec<_> = rows.iter().filter(|row| row.class == *class || *class == "all").collect();
        let mut cells = vec![format!("{class} ({})", of.len())];
        cells.extend(
            columns.iter().map(|(_, out)| of.iter().filter(|row| out.contains(row.name)).count().to_string()),
        );
        let nameable: Vec<_> = of.iter().filter(|row| row.unnamed.is_none()).collect();
        let named = nameable.iter().filter(|row| told.contains(row.name)).count();
        cells.push(format!("{named} of {}", nameable.len()));
        line(&cells);
    }
    line(&[]);
    line(&head("attack", "told of, in `dance --noop`"));
    line(&rule);
    for row in rows {
        let mut cells = vec![format!("{}: {}", row.class, row.name)];
        cells.extend(
            columns.iter().map(|(_, out)| if out.contains(row.name) { "out" } else { "" }.to_owned()),
        );
        cells.push(match row.unnamed {
            Some(why) => format!("cannot be: {why}"),
            None if told.contains(row.name) => "yes".to_owned(),
            None => "no".to_owned(),
        });
        line(&cells);
    }
    let mut text = text.replace("|  |\n", "\n");
    writeln!(text, "\nThis kernel or machine does not have: {}.", list(&victim.absent).join(", "))
        .expect("a string takes it");
    text.push_str("\nWhat only the filter of system calls can stop:\n\n");
    for row in rows {
        if let Some(why) = row.filter {
            writeln!(text, "- {}: {why}", row.name).expect("a string takes it");
        }
    }
    std::fs::write(page, text).expect("the page can be written");
}
