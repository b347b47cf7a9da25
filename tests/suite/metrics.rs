//! What the record of a run tells of each step and of disco's own work: how much it used, when it began, who started the run.

use serde_json::Value;

use crate::world::World;

/// The record of the last run.
fn record(world: &World) -> Value {
    let told = world.disco(&["report", "--format", "json"]);
    serde_json::from_str(&told.succeeds().stdout).expect("a record is JSON")
}

/// The steps of a module, the first where there is one.
fn steps(record: &Value) -> &[Value] {
    record["modules"][0]["steps"].as_array().expect("it has steps")
}

/// What is at `path` in `value`, as a number.
#[track_caller]
fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {value:#}"))
}

/// A script that takes so many MiB, and counts up to that.
fn takes(mebibytes: u32, counts: u32) -> String {
    format!("python3 -c 'x = b\"x\" * ({mebibytes} << 20); sum(range({counts}))'")
}

#[test]
fn cpu_and_memory_are_what_gnu_time_says_of_the_same_processes() {
    let Some(world) = World::new() else { return };
    // Half a second of CPU time: much more than what is tolerated.
    const COUNTS: u32 = 40_000_000;
    let timed = |mebibytes| {
        format!(
            "/usr/bin/time -f 'gnu %U %S %M %R' bash -c {} 2>&1",
            shell_words::quote(&takes(mebibytes, COUNTS))
        )
    };
    world.module("m").script("10-large.sh", &timed(300)).script("20-small.sh", &timed(20));
    world.master();
    let out = world.disco(&["dance", "--noop"]);
    let gnu = out.succeeds().stdout.lines().filter_map(|line| line.strip_prefix("gnu "));
    let gnu: Vec<Vec<f64>> =
        gnu.map(|line| line.split(' ').map(|word| word.parse().expect("a number")).collect()).collect();
    let record = record(&world);
    assert_eq!(gnu.len(), 2, "{out}");
    for (step, gnu) in steps(&record).iter().zip(&gnu) {
        let &[user, system, memory, faults] = &gnu[..] else { panic!("{gnu:?}") };
        // The largest process is the same one: no tolerance.
        assert_eq!(number(step, "/cost/mem_max"), memory, "{step:#}");
        // The step has two processes more, bash and GNU time itself, and GNU time tells hundredths of a second.
        let cpu = number(step, "/cost/time_user") + number(step, "/cost/time_sys");
        let (least, most) = (user + system - 0.02, (user + system) * 1.05 + 0.1);
        assert!((least..most).contains(&cpu), "{cpu} s, and GNU time says {gnu:?}");
        let minor = number(step, "/cost/mem_faults_minor");
        assert!((faults..faults + 5_000.0).contains(&minor), "{minor}, and GNU time says {gnu:?}");
    }
    assert!(gnu[0][2] > 300_000.0 && gnu[1][2] < 100_000.0, "one after a large one is not large: {gnu:?}");
}

#[test]
fn a_step_has_a_control_group_of_its_own_where_there_are_any() {
    let Some(world) = World::new() else { return };
    let folders = world.mount_groups();
    let others = world.mount_other_groups();
    if folders.len() < 2 {
        return;
    }
    world
        .module("m")
        .script("10-large.sh", &takes(150, 3_000_000))
        .script("20-small.sh", "cat /proc/self/cgroup")
        .script("30-many.sh", "for i in {1..8}; do sleep 0.3 & done; wait")
        .script("40-files.sh", "for i in {1..300}; do echo $i >/etc/file-$i; done");
    world.master();
    let groups = |text: &str| text.lines().filter(|line| line.ends_with("/step-2")).count();
    let out = world.disco(&["dance", "--noop"]);
    assert!(groups(&out.succeeds().stdout) >= 2, "{out}");
    let record = record(&world);
    let [large, small, many, files] = steps(&record) else { panic!("{record:#}") };
    let peak = |step| number(step, "/metrics/memory_peak");
    assert!(peak(large) > f64::from(150 << 20), "{large:#}");
    assert!(peak(small) < f64::from(50 << 20), "{small:#}");
    let processes = |step| number(step, "/metrics/processes");
    assert_eq!(processes(many), 9.0, "{many:#}");
    assert!(processes(small) < 4.0, "{small:#}");
    if others.iter().any(|folder| folder.contains("/blkio")) {
        for name in ["/metrics/io_read", "/metrics/io_written"] {
            assert!(number(files, name) >= 0.0);
        }
    }
    // Busy all the time, beside what the overlay does for it.
    if others.iter().any(|folder| folder.contains("/unified")) && world.exists("/proc/pressure/cpu") {
        assert!(
            number(large, "/metrics/cpu_pressure") <= number(large, "/cost/time_real") * 1.5,
            "{large:#}"
        );
    }
    let requests = |step| number(step, "/metrics/overlay_requests");
    assert!(requests(files) >= 600.0, "a look and a new file each: {files:#}");
    assert!(requests(small) < 100.0, "{small:#}");
    let cpu = number(files, "/metrics/overlay_cpu");
    assert!(cpu > number(small, "/metrics/overlay_cpu") && cpu > 0.002, "{files:#}");
    let all: Vec<String> = folders.into_iter().chain(others).collect();
    assert_eq!(world.groups(&all), [""; 0], "groups are left");
}

#[test]
fn without_control_groups_their_figures_are_absent_and_nothing_fails() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "cat /etc/hostname");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    let record = record(&world);
    let metrics = steps(&record)[0]["metrics"].as_object().expect("it has some");
    let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["overlay_cpu", "overlay_read", "overlay_requests", "overlay_written"]);
}

#[test]
fn each_template_of_a_batch_has_a_size_of_its_own() {
    let Some(world) = World::new() else { return };
    let large = format!("{{% for n in range(end=100000) %}}{}{{% endfor %}}\n", "x".repeat(400));
    world.module("m").template("etc/1.tera", &large).template("etc/2.tera", "small\n");
    world.module("n").template("etc/3.tera", "alone\n").script("10.sh", "true");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    let record = record(&world);
    let [first, second] = steps(&record) else { panic!("{record:#}") };
    let size = |step| number(step, "/cost/mem_max");
    assert!(size(first) > 60_000.0, "{first:#}");
    assert!(size(second) < size(first) / 2.0, "{second:#}");
    assert!(first["metrics"].is_null() && second["metrics"].is_null(), "they were one task");
    assert!(number(&record, "/modules/1/steps/0/metrics/overlay_requests") > 0.0, "it was one by itself");
    let ends = number(first, "/began") + number(first, "/cost/time_real");
    assert!((number(second, "/began") - ends).abs() < 1e-6, "one after the other");
}

#[test]
fn a_record_tells_what_ran_when() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .file("etc/laid", 0o644, "laid\n")
        .template("etc/made.sh", "echo made")
        .script("10.sh", "echo x >/etc/x")
        .script("20.sh", "true")
        .any("validate/10-look.sh", "test -e /etc/x");
    world.master();
    world.disco(&["dance"]).succeeds();
    let record = record(&world);
    let module = &record["modules"][0];
    let validator = &record["validators"][0];
    // One thing after another, from the fetch to the merge.
    let internal = |part: &str| {
        let parts = record["internal"].as_array().expect("a list");
        parts.iter().find(|known| known["part"] == part).unwrap_or_else(|| panic!("no {part}: {record:#}"))
    };
    let span = |value: &Value, cost: &str| (number(value, "/began"), number(value, cost));
    let mut spans = vec![span(internal("fetch_params"), "/cost/time_real")];
    spans.push((number(module, "/fetch_began"), number(module, "/fetch/time_real")));
    spans.push(span(internal("plan"), "/cost/time_real"));
    spans.push(span(internal("sandbox"), "/cost/time_real"));
    spans.push((number(module, "/began"), 0.0));
    spans.extend(steps(&record).iter().map(|step| span(step, "/cost/time_real")));
    spans.push((number(module, "/diff_began"), number(module, "/diff/time_real")));
    spans.push(span(internal("validators"), "/cost/time_real"));
    spans.push(span(validator, "/cost/time_real"));
    spans.push(span(internal("diff"), "/cost/time_real"));
    spans.push(span(internal("verify"), "/cost/time_real"));
    let phases = record["merge_phases"].as_array().expect("a list");
    spans.extend(phases.iter().map(|phase| span(phase, "/cost/time_real")));
    for pair in spans.windows(2) {
        let [(began, took), (next, _)] = pair else { continue };
        assert!(began + took <= next + 0.005, "{pair:?} in {spans:?}");
    }
    let names: Vec<&str> = phases.iter().filter_map(|phase| phase["part"].as_str()).collect();
    assert_eq!(names, ["survey", "stage", "commit", "keep"]);
    let sum: f64 = phases.iter().map(|phase| number(phase, "/cost/time_real")).sum();
    assert!((sum - number(internal("merge"), "/cost/time_real")).abs() < 1e-6, "{phases:#?}");

    let commands: Vec<String> = steps(&record).iter().map(|step| step["command"].to_string()).collect();
    let bash = |path: &str| format!(r#"["/bin/bash","/var/disco/modules/m/{path}"]"#);
    let made = bash("templates/etc/made.sh");
    assert_eq!(commands, ["null", &made, &bash("scripts/10.sh"), &bash("scripts/20.sh")]);
    assert_eq!(validator["command"].to_string(), bash("validate/10-look.sh"));

    // Each thread once: what its parts had, and what nobody has metered.
    let cpu = |cost: &Value| number(cost, "/time_user") + number(cost, "/time_sys");
    let parts: f64 = ["plan", "sandbox", "validators", "diff", "verify", "merge"]
        .iter()
        .map(|part| cpu(&internal(part)["cost"]))
        .sum();
    let overlay: f64 = steps(&record).iter().map(|step| number(step, "/metrics/overlay_cpu")).sum();
    assert!(cpu(&record["own"]) > parts + overlay, "{parts} + {overlay} in {:#}", record["own"]);
}

#[test]
fn a_record_tells_who_started_the_run_and_what_it_waited_for() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10.sh", "true");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    let by = record(&world)["by"].clone();
    let argv = [&by["command"][0], &by["command"][1], &by["command"][2]];
    assert!(argv[0].as_str().is_some_and(|name| name.ends_with("disco")), "{by:#}");
    assert_eq!((argv[1], argv[2], &by["terminal"]), (&"dance".into(), &"--noop".into(), &Value::Null));
    world.sh("SUDO_USER=alice script -qec 'disco dance --noop; true' /dev/null").succeeds();
    let by = record(&world)["by"].clone();
    assert_eq!(by["user"], "alice");
    assert!(by["terminal"].as_str().is_some_and(|name| name.starts_with("/dev/pts/")), "{by:#}");
    assert!(by["parent"].as_str().is_some_and(|name| ["sh", "bash", "dash"].contains(&name)), "{by:#}");

    world.disco(&["dance"]).succeeds();
    assert_eq!(record(&world)["waits"], Value::Null, "it has waited for nobody");
    let script = "exec 8>>/var/disco/lock; flock 8; echo 'somebody else' >/var/disco/lock; sleep 1";
    let holder = world.spawn(&["bash", "-c", script]);
    world.wait_until("it is held", || world.sh("flock -n /var/disco/lock true").status != Some(0));
    world.disco(&["dance", "--wait"]).succeeds();
    holder.wait().succeeds();
    let record = record(&world);
    let wait = &record["waits"][0];
    assert_eq!((&wait["lock"], &wait["holder"]), (&"/var/disco/lock".into(), &"somebody else".into()));
    assert!(number(wait, "/seconds") > 0.0, "{wait}");
}
