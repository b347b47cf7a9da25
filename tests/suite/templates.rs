//! Templates of tera in great number and of every bad kind: they are made in batches, and each is still a step of its own.

use serde_json::Value;

use crate::world::World;

fn last_record(world: &World) -> Value {
    let run = world.sh("ls /var/disco/runs | tail -1").succeeds().stdout.trim().to_owned();
    serde_json::from_str(&world.read(&format!("/var/disco/runs/{run}/record.json")))
        .expect("a record is JSON")
}

/// Name, outcome and output file of each step that was begun.
fn steps(record: &Value) -> Vec<(String, String, Option<String>)> {
    let steps = record["modules"][0]["steps"].as_array().expect("a module has steps");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = |step: &Value| text(&step["template"]).or(text(&step["script"])).expect("a step has a name");
    steps
        .iter()
        .map(|step| {
            (name(step), text(&step["outcome"]["outcome"]).unwrap_or_default(), text(&step["output"]))
        })
        .collect()
}

#[test]
fn hundreds_of_templates_are_hundreds_of_steps() {
    let Some(world) = World::new() else { return };
    let mut module = world.module("m").script("10.sh", "cat /etc/many/f* | md5sum");
    for at in 0..300 {
        // A few of bash between them: the order stays that of the names.
        module = match at % 100 {
            50 => module.template(&format!("etc/many/f{at:03}"), &format!("cat /etc/many/f{:03}", at - 1)),
            _ => module.template(&format!("etc/many/f{at:03}.tera"), &format!("{{{{ hostname }}}} {at}\n")),
        };
    }
    drop(module);
    world.master();
    let noop = world.disco(&["dance", "--noop"]);
    assert_eq!(noop.succeeds().changes().len(), 300);
    let dance = world.disco(&["dance"]);
    dance.succeeds().stdout_has("localhost.localdomain 299");
    let record = last_record(&world);
    let names: Vec<_> = steps(&record).into_iter().map(|(name, ..)| name).collect();
    assert_eq!((names.len(), names.is_sorted()), (301, false), "templates in order, then the script");
    assert!(names[..300].is_sorted(), "{names:?}");
    for step in record["modules"][0]["steps"].as_array().expect("steps") {
        assert!(step["cost"]["time_real"].as_f64().expect("a time") > 0.0, "{step}");
        assert!(step["cost"]["mem_max"].as_u64().expect("a size") > 0, "{step}");
    }
    assert_eq!(
        world.read("/etc/many/f150"),
        "localhost.localdomain 149\n",
        "a template of bash sees what came before it"
    );
    assert_eq!(world.read("/etc/many/f001"), "localhost.localdomain 1\n");
    world.disco(&["dance"]).succeeds().reports_no_difference();
}

#[test]
fn the_one_that_fails_is_named_and_ends_its_module() {
    for (bad, reason, said) in [
        ("{{ params.gone }}", "the template does not render", "etc/c.tera, line 1"),
        ("\u{0}{{", "the template does not render", "etc/c.tera"),
        (
            "{% for i in range(end=9000) %}{% for j in range(end=9000) %}0123456789{% endfor %}{% endfor %}",
            "the template does not render",
            "it makes more than 64 MiB of text",
        ),
    ] {
        let Some(world) = World::new() else { return };
        world
            .module("m")
            .template("etc/a.tera", "a")
            .template("etc/b.tera", "b")
            .template("etc/c.tera", bad)
            .template("etc/d.tera", "d")
            .script("10.sh", "echo ran");
        world.master();
        let before = world.manifest();
        let dance = world.disco(&["dance"]);
        dance
            .exits(1)
            .stdout_lacks("ran")
            .stderr_has(&format!("error: m: etc/c.tera: {reason}"))
            .stderr_has(said);
        assert_eq!(world.manifest().since(&before), Vec::<String>::new());
        let record = last_record(&world);
        let ended: Vec<_> = steps(&record).into_iter().map(|(name, outcome, _)| (name, outcome)).collect();
        let expected = [("etc/a.tera", "done"), ("etc/b.tera", "done"), ("etc/c.tera", "failed")];
        assert_eq!(ended, expected.map(|(name, outcome)| (name.to_owned(), outcome.to_owned())));
        let output = steps(&record)[2].2.clone().expect("what it said is kept");
        assert!(output.ends_with("/002-etc_c.tera.log.gz"), "{output}");
    }
}

#[test]
fn one_that_never_ends_is_ended_and_one_that_eats_memory_too() {
    let Some(world) = World::new() else { return };
    world.setting("disco/client/step_timeout", "2");
    let forever = "{% for i in range(end=100000) %}{% for j in range(end=100000) %}{% endfor %}{% endfor %}";
    world.module("m").template("etc/a.tera", "a").template("etc/b.tera", forever).template("etc/c.tera", "c");
    world.master();
    world.disco(&["dance"]).exits(1).stderr_has("error: m: etc/b.tera: still running after 2 s, ended");
    assert!(!world.exists("/etc/a"));
    // A list in a list in a list: little text, much memory.
    let doubling = "{% set_global x = range(end=1000000) %}{% for i in range(end=1000) %}\
                    {% set_global x = [x, x, range(end=1000000)] %}{% endfor %}";
    world.module("m").template("etc/b.tera", doubling);
    world.publish();
    world.setting("disco/client/step_timeout", "100");
    world.disco(&["dance"]).exits(1).stderr_has("error: m: etc/b.tera: ");
    let record = last_record(&world);
    assert!(
        record["modules"][0]["steps"][1]["cost"]["mem_max"].as_u64().expect("a size") < 512 << 10,
        "no more than 512 MiB: {record}"
    );
}
