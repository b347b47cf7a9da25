//! `disco report`: the seed's blocks for every step, with figures of that step's own processes.

use crate::world::World;

/// The lines of a report with single spaces, numbers replaced.
fn shape(report: &str) -> Vec<String> {
    report
        .lines()
        .map(|line| {
            let words =
                line.split_whitespace().map(|word| if word.parse::<f64>().is_ok() { "N" } else { word });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

const FIGURES: [&str; 4] = [
    "report: time_real N : time_user N : time_sys N",
    "report: mem_avg N : mem_max N : mem_faults_major N : mem_faults_minor N",
    "report: io_fsin N : io_fsout N : io_sockin N : io_sockout N : io_signals N",
    "report: exit: N",
];

#[track_caller]
fn has_block(lines: &[String], heads: &[&str]) {
    let block: Vec<&str> = heads.iter().copied().chain(FIGURES).collect();
    assert!(lines.windows(block.len()).any(|window| window == block), "no {block:#?} in {lines:#?}");
}

/// A figure of the block below the line that ends with `head`.
fn figure(report: &str, head: &str, name: &str) -> f64 {
    let block = report.lines().skip_while(|line| !line.contains(head)).skip(1);
    let words: Vec<&str> = block.take(4).flat_map(str::split_whitespace).collect();
    let at = words.iter().position(|word| word.trim_end_matches(':') == name).expect("the figure is there");
    words[at + 1].parse().expect("it is a number")
}

#[test]
fn the_report_has_the_seeds_blocks() {
    let Some(world) = World::new() else { return };
    world.service("postgresql");
    world.example();
    world.master();
    world.disco(&["dance"]).succeeds();
    let lines = shape(&world.disco(&["report"]).succeeds().stdout);
    has_block(&lines, &["report: _internal: diff"]);
    has_block(&lines, &["report: _internal: fetch_params"]);
    has_block(&lines, &["report: othermodule-3.2: diff"]);
    has_block(&lines, &["report: othermodule-3.2: fetch"]);
    has_block(&lines, &["report: othermodule-3.2: template", "report: etc/othermodule/stuff.cfg :"]);
    has_block(&lines, &["report: testmodule-1.0: exec", "report: 00-hello.sh :"]);
    has_block(&lines, &["report: 10-service_stop.sh :"]);
    has_block(&lines, &["report: testmodule-1.0: fetch"]);
}

#[test]
fn figures_are_of_the_step_and_not_of_those_before_it() {
    let Some(world) = World::new() else { return };
    world
        .module("m")
        .script("10-idle.sh", "sleep 0.7")
        .script("20-busy.sh", "for ((i = 0; i < 300000; i++)); do :; done")
        .script("30-large.sh", "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c >/dev/null")
        .script("35-middle.sh", "head -c 20000000 /dev/zero | tail -c 20000000 | wc -c >/dev/null")
        .script("40-small.sh", ":");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    let report = world.disco(&["report"]).succeeds().stdout.clone();
    let of = |script: &str, name: &str| figure(&report, script, name);
    assert!(of("10-idle.sh", "time_real") >= 0.7, "{report}");
    assert!(of("10-idle.sh", "time_user") < 0.3, "{report}");
    assert!(of("20-busy.sh", "time_user") > 0.1, "{report}");
    assert!(of("30-large.sh", "mem_max") > 250_000.0, "{report}");
    let middle = of("35-middle.sh", "mem_max");
    assert!((19_000.0..60_000.0).contains(&middle), "20 MB after 300 MB\n{report}");
    assert!(
        of("40-small.sh", "mem_max") < 100_000.0,
        "a later step shows the peak of an earlier one\n{report}"
    );
}

#[test]
fn a_failed_step_shows_its_exit_status_and_its_run_is_kept() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10-fails.sh", "exit 7");
    world.master();
    world.disco(&["report"]).stdout_is("").stderr_has("run");
    world.disco(&["dance"]).exits(1);
    let report = world.disco(&["report"]).succeeds().stdout.clone();
    assert_eq!(figure(&report, "10-fails.sh", "exit"), 7.0, "{report}");
}

#[test]
fn a_terminal_gets_a_table_and_a_pipe_the_seeds_text() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10-long.sh", "sleep 0.3").script("20-fails.sh", "exit 7");
    world.master();
    world.disco(&["dance"]).exits(1);
    let classic = world.disco(&["report"]).succeeds().stdout.clone();
    assert!(classic.starts_with("report: _internal: "), "{classic}");
    world.disco(&["report", "--format", "classic"]).succeeds().stdout_is(&classic);
    world.disco(&["report", "--format", "classic", "--sort", "time"]).exits(64).stderr_has("--sort");
    let terminal = "stty cols 80; disco report";
    let table = world.run(&["script", "-qec", terminal, "/dev/null"]);
    table.succeeds().stdout_has("MODULE").stdout_has("exit status 7").stdout_lacks("report:");
    assert!(table.stdout.lines().all(|line| line.trim_end().chars().count() <= 80), "{table}");
    let sorted = world.disco(&["report", "--sort", "time"]);
    let rows: Vec<&str> = sorted.succeeds().stdout.lines().filter(|line| line.starts_with("m ")).collect();
    assert!(rows[0].contains("10-long.sh"), "{rows:#?}");
}

#[test]
fn a_step_says_how_true_its_report_is_and_what_network_it_had() {
    let Some(world) = World::new() else { return };
    world.write_with_mode("/etc/init.d/x", "755", "#!/bin/sh\n");
    let reach = "rsync rsync://127.0.0.1/ >/dev/null 2>&1 && echo reached || echo alone";
    world.service("x");
    world.module("m").script("05.sh", "true").script("10.sh", reach).script("20.sh", "service x stop");
    world.master();
    let truths = || {
        let run = world.sh("ls /var/disco/runs | tail -1").succeeds().stdout.trim().to_owned();
        let text = world.read(&format!("/var/disco/runs/{run}/record.json"));
        let record: serde_json::Value = serde_json::from_str(&text).expect("a record is JSON");
        let told =
            |step: &serde_json::Value| format!("{} {}", step["truth"], step["because"]).replace('"', "");
        record["modules"][0]["steps"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    world.disco(&["dance", "--noop"]).succeeds().stdout_has("alone\n");
    assert_eq!(truths(), ["exact []", "approximate [connect]", "approximate [service]"]);
    world.disco(&["dance", "--noop", "--network", "host"]).succeeds().stdout_has("reached\n");
    assert_eq!(truths(), ["unknown [network]", "unknown [network]", "unknown [network,service]"]);
}

#[test]
fn a_run_has_a_page_a_table_of_fields_a_trace_and_a_trend() {
    let Some(world) = World::new() else { return };
    world.module("m").script("10-prints.sh", "echo '<b>hello</b>'; echo there >/etc/made");
    world.master();
    world.disco(&["dance", "--noop"]).succeeds();
    let page = world.disco(&["report", "--format", "html"]);
    page.succeeds()
        .stdout_has("&lt;b&gt;hello")
        .stdout_has("/etc/made")
        .stdout_lacks("<b>hello")
        .stderr_is("");
    let csv = world.disco(&["report", "--format", "csv"]);
    csv.succeeds().stdout_has("run,node,mode,module").stdout_has(",exec,10-prints.sh,");
    world.disco(&["report", "--trace", "/root/run.trace.json"]).succeeds().stdout_is("");
    let trace: serde_json::Value =
        serde_json::from_str(&world.read("/root/run.trace.json")).expect("a trace is JSON");
    let named = |event: &serde_json::Value| event["name"] == "10-prints.sh";
    assert!(trace["traceEvents"].as_array().is_some_and(|events| events.iter().any(named)), "{trace}");
    world.disco(&["report", "--trend"]).succeeds().stdout_has("no trend can be told");
    world.disco(&["report", "--trend", "nowhere"]).exits(1).stderr_has("nowhere");
    let compared = world.disco(&["report", "--compare", "..", "..", "--format", "json"]);
    compared.succeeds().stdout_has(r#""verdict":"too-few""#);
    world.disco(&["report", "--trend", "--format", "html"]).exits(64);
    world
        .sh(r#"sed -i 's/"ended": "shown"/"ended": "unfinished"/' /var/disco/runs/*/record.json"#)
        .succeeds();
    world.disco(&["report"]).succeeds().stderr_has("stopped without a word");
}
