//! A run in the Chrome trace-event format, which Perfetto, chrome://tracing, Speedscope and others show. Pure. What is used
//! of it: complete events (`X`), instants (`i`), counters (`C`) and names (`M`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::run::{Mode, RunRecord};
use crate::reports::parts::{self, Part, Phase};

/// The one process: the run.
const PROCESS: u32 = 1;
const WAITS: u32 = 1;
const OWN: u32 = 2;
const MODULES: u32 = 3;
const STEPS: u32 = 4;
const ACTIONS: u32 = 5;
const FETCHES: u32 = 6;

/// The events of a run, as one JSON object.
pub fn trace(record: &RunRecord) -> Value {
    let parts = parts::parts(record);
    let mode = match record.mode {
        Mode::Noop => "noop",
        Mode::Live => "live",
    };
    let mut events = vec![name("process_name", 0, &format!("disco {mode} run {}", record.run))];
    let lanes = [
        (WAITS, "waiting for locks"),
        (OWN, "disco"),
        (MODULES, "modules"),
        (STEPS, "steps"),
        (ACTIONS, "actions"),
        (FETCHES, "fetches"),
    ];
    for (lane, words) in lanes {
        events.push(name("thread_name", lane, words));
        let order = json!({"name": "thread_sort_index", "ph": "M", "pid": PROCESS, "tid": lane, "args": {"sort_index": lane}});
        events.push(order);
    }
    let mut waited = 0.0;
    for wait in &record.waits {
        let args = json!({"lock": wait.lock, "holder": wait.holder});
        events.push(complete(
            &format!("waiting for {}", wait.lock),
            "wait",
            WAITS,
            waited,
            wait.seconds,
            args,
        ));
        waited += wait.seconds;
    }
    events.extend(modules(record, &parts));
    for part in &parts {
        let lane = match part.phase {
            Phase::Disco => OWN,
            Phase::Fetch => FETCHES,
            Phase::Files | Phase::Template | Phase::Exec | Phase::Diff | Phase::Validate => STEPS,
        };
        let words = if part.phase == Phase::Fetch { part.owner().to_owned() } else { part.label() };
        let (began, takes) = (part.began.seconds(), part.cost.time_real);
        events.push(complete(&words, part.phase.word(), lane, began, takes, args(part)));
        events.extend(actions(part));
        if lane == STEPS {
            events.push(counter("memory", began, "bytes", part.memory()));
            events.push(counter("memory", part.ended(), "bytes", 0));
        }
    }
    for duty in &record.duties {
        let outcome = duty.outcome.as_ref().map(ToString::to_string);
        let args = json!({"outcome": outcome});
        events.push(instant(&duty.duty.words(), "duty", parts::duration(record), args));
    }
    apart(&mut events);
    let other = json!({
        "run": record.run, "node": record.node, "started": record.started, "disco": record.version,
        "times": if parts.iter().all(|part| part.began.is_known()) { "recorded" } else { "estimated where `began` says so" },
    });
    json!({"displayTimeUnit": "ms", "otherData": other, "traceEvents": events})
}

/// What stands on one lane ends before the next begins: clocks are read at different times, and a viewer wants it so.
fn apart(events: &mut [Value]) {
    let mut next: BTreeMap<u64, f64> = BTreeMap::new();
    for event in events.iter_mut().rev().filter(|event| event["ph"] == "X") {
        let lane = event["tid"].as_u64().unwrap_or_default();
        let (ts, dur) = (event["ts"].as_f64().unwrap_or(0.0), event["dur"].as_f64().unwrap_or(0.0));
        if let Some(next) = next.get(&lane).filter(|next| ts + dur > **next) {
            event["dur"] = json!(((next - ts).max(0.0) * 1e3).floor() / 1e3);
        }
        next.insert(lane, ts);
    }
}

fn microseconds(seconds: f64) -> f64 {
    // Whole nanoseconds: more digits say nothing.
    (seconds.max(0.0) * 1e9).round() / 1e3
}

fn name(what: &str, lane: u32, words: &str) -> Value {
    json!({"name": what, "ph": "M", "pid": PROCESS, "tid": lane, "args": {"name": words}})
}

fn complete(words: &str, category: &str, lane: u32, began: f64, takes: f64, args: Value) -> Value {
    let (ts, dur) = (microseconds(began), microseconds(takes));
    json!({"name": words, "cat": category, "ph": "X", "pid": PROCESS, "tid": lane, "ts": ts, "dur": dur, "args": args})
}

fn instant(words: &str, category: &str, at: f64, args: Value) -> Value {
    let ts = microseconds(at);
    json!({"name": words, "cat": category, "ph": "i", "s": "t", "pid": PROCESS, "tid": ACTIONS, "ts": ts, "args": args})
}

fn counter(words: &str, at: f64, unit: &str, value: u64) -> Value {
    json!({"name": words, "ph": "C", "pid": PROCESS, "tid": 0, "ts": microseconds(at), "args": {unit: value}})
}

/// Each module from its first piece of work to its last, fetching and validators apart.
fn modules<'a>(record: &'a RunRecord, parts: &'a [Part<'a>]) -> impl Iterator<Item = Value> + use<'a> {
    let mut spans: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let own = |part: &&Part<'_>| !matches!(part.phase, Phase::Disco | Phase::Fetch | Phase::Validate);
    for part in parts.iter().filter(own) {
        let span = spans.entry(part.owner()).or_insert((f64::INFINITY, 0.0));
        *span = (span.0.min(part.began.seconds()), span.1.max(part.ended()));
    }
    record.modules.iter().filter_map(move |module| {
        let (began, ended) = *spans.get(module.module.as_str())?;
        let args = json!({
            "outcome": module.outcome, "truth": module.label.to_string(), "changes": module.changes,
            "digest": module.digest,
        });
        Some(complete(module.module.as_str(), "module", MODULES, began, ended - began, args))
    })
}

/// What a step asked of the running system; when within the step is not known, so it stands at its end.
fn actions(part: &Part<'_>) -> Vec<Value> {
    let asked = part.step.into_iter().flat_map(|step| &step.actions);
    let event = |action: &crate::model::action::Action| {
        let args = json!({"module": action.module, "step": action.step, "line": action.effect.line});
        instant(&action.command(), "action", part.ended(), args)
    };
    asked.map(event).collect()
}

fn args(part: &Part<'_>) -> Value {
    let began = if part.began.is_known() { "recorded" } else { "estimated" };
    let mut args = json!({"module": part.owner(), "began": began, "cost": part.cost});
    if let Some(step) = part.step {
        args["outcome"] = json!(step.outcome);
        args["truth"] = json!(step.label.to_string());
        args["metrics"] = json!(step.metrics);
        args["command"] = json!(step.command);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::step::Outcome;
    use crate::reports::sample;

    #[test]
    fn every_event_has_the_fields_of_the_format() {
        let mut record = sample::run(1, [0.5, 2.0]);
        record.waits.push(crate::model::run::Wait { lock: "l".into(), holder: None, seconds: 0.1 });
        record.modules[0].fetch = Some(record.internal[0].cost);
        record.modules[0].diff = Some(record.internal[0].cost);
        record.modules[0].steps[0].outcome = Outcome::Exited { status: 3 };
        // Its clock says that it began before the step before it had ended.
        record.modules[0].steps[1].began = Some(1.4);
        let trace: Value = serde_json::from_str(&trace(&record).to_string()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for event in events {
            let ph = event["ph"].as_str().unwrap();
            *kinds.entry(ph).or_default() += 1;
            assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
            let number = |name: &str| event[name].as_f64().filter(|value| *value >= 0.0);
            match ph {
                "M" => assert!(event["args"].is_object(), "{event}"),
                "X" => {
                    let (ts, dur) = (number("ts").unwrap(), number("dur").unwrap());
                    let end = ends.insert(event["tid"].as_u64().unwrap(), ts + dur).unwrap_or(0.0);
                    assert!(ts + 0.001 >= end && event["cat"].is_string(), "{end} {event}");
                }
                "C" => {
                    assert!(number("ts").is_some() && event["args"]["bytes"].is_u64(), "{event}");
                }
                "i" => assert!(number("ts").is_some() && event["s"] == "t", "{event}"),
                other => panic!("{other}"),
            }
        }
        // Plan, fetch, two steps, diff; the module, and the wait.
        assert_eq!((kinds["X"], kinds["C"]), (7, 6));
        let slow = events.iter().find(|event| event["name"] == "20-slow").unwrap();
        assert_eq!((&slow["ts"], &slow["dur"]), (&json!(1.4e6), &json!(2e6)));
        let peak = events.iter().any(|event| event["args"]["bytes"] == 300 << 20);
        assert!(peak && trace["displayTimeUnit"] == "ms");
    }
}
