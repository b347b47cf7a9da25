//! The text for Prometheus' textfile collector: gauges, since each is of the last run of its kind. Live and NOOP runs are
//! told apart by the label `mode`.

use std::fmt::Write;

use super::last::LastRun;
use super::standing::Standing;
use super::state::{Side, epoch};

/// A metric: its name, what it is, and a sample of each set of labels.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Metric {
    fn new(name: &'static str, help: &'static str) -> Metric {
        Metric { name, help, samples: Vec::new() }
    }

    fn add(&mut self, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push((labels, value));
    }
}

/// The text of the file.
pub fn text(last: &LastRun) -> String {
    let sides: Vec<(&str, &Side)> = [("live", &last.live), ("noop", &last.noop)]
        .into_iter()
        .filter_map(|(mode, side)| Some((mode, side.as_ref()?)))
        .collect();
    let mut out = String::new();
    for metric in metrics(&sides) {
        if metric.samples.is_empty() {
            continue;
        }
        let Metric { name, help, samples } = metric;
        // It writes into a String, which cannot fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let _ = writeln!(out, "{name}{{{}}} {value}", labels.join(","));
        }
    }
    out
}

fn metrics(sides: &[(&str, &Side)]) -> Vec<Metric> {
    let of_run = |name, help, value: &dyn Fn(&Side) -> Option<f64>| {
        let mut metric = Metric::new(name, help);
        for (mode, side) in sides {
            if let Some(value) = value(side) {
                metric.add(&[("mode", mode)], value);
            }
        }
        metric
    };
    let flag = |is: bool| Some(f64::from(u8::from(is)));
    let number = |number: usize| Some(number as f64);
    let mut info = Metric::new("disco_info", "What the last run of disco was, always 1.");
    let mut standing = Metric::new("disco_run_standing", "Whether the last run stands so.");
    let mut modules = Metric::new("disco_run_modules", "Modules of the last run, by what became of them.");
    let mut validators =
        Metric::new("disco_run_validators", "Validators of the last run, by what became of them.");
    let mut phases =
        Metric::new("disco_run_phase_duration_seconds", "How long disco's own work took in the last run.");
    let mut times =
        Metric::new("disco_module_duration_seconds", "How long the steps of a module took in the last run.");
    let mut longest = Metric::new(
        "disco_module_longest_step_duration_seconds",
        "How long the longest step of a module took in the last run.",
    );
    let mut good = Metric::new("disco_module_success", "Whether a module succeeded in the last run.");
    let mut changed = Metric::new("disco_module_changes", "Objects that a module changes in the last run.");
    for (mode, side) in sides {
        let state = &side.state;
        info.add(&[("mode", mode), ("version", &state.version), ("node", state.node.as_str())], 1.0);
        for one in Standing::ALL {
            let is = f64::from(u8::from(one == state.standing));
            standing.add(&[("mode", mode), ("standing", one.word())], is);
        }
        let counts = [
            ("done", state.modules.done),
            ("failed", state.modules.failed),
            ("skipped", state.modules.skipped),
        ];
        for (outcome, count) in counts {
            modules.add(&[("mode", mode), ("outcome", outcome)], count as f64);
        }
        for (outcome, count) in [("done", state.validators.done), ("failed", state.validators.failed)] {
            validators.add(&[("mode", mode), ("outcome", outcome)], count as f64);
        }
        for (phase, seconds) in &state.phases {
            phases.add(&[("mode", mode), ("phase", phase)], *seconds);
        }
        for (name, module) in &state.modules.each {
            let labels = [("mode", *mode), ("module", name.as_str())];
            times.add(&labels, module.seconds);
            longest.add(&labels, module.longest_step);
            good.add(&labels, f64::from(u8::from(module.success)));
            changed.add(&labels, module.changes as f64);
        }
    }
    vec![
        info,
        of_run("disco_run_start_timestamp_seconds", "When the last run started.", &|side| {
            epoch(&side.state.started)
        }),
        of_run("disco_run_end_timestamp_seconds", "When the last run ended.", &|side| {
            epoch(&side.state.ended)
        }),
        of_run(
            "disco_run_last_success_timestamp_seconds",
            "When the last run that succeeded ended.",
            &|side| side.last_success.as_deref().and_then(epoch),
        ),
        of_run("disco_run_duration_seconds", "How long the last run took.", &|side| Some(side.state.seconds)),
        of_run("disco_run_success", "Whether the last run did all that it was to do.", &|side| {
            flag(side.state.success)
        }),
        of_run("disco_run_exit_status", "The exit status of the last run.", &|side| {
            Some(f64::from(side.state.exit))
        }),
        standing,
        of_run("disco_run_exact", "Whether the report of the last run is exact.", &|side| {
            flag(side.state.truth == crate::model::truth::Truth::Exact)
        }),
        of_run("disco_run_changes", "Objects that the last run changes: pending, or merged.", &|side| {
            number(side.state.changes)
        }),
        of_run("disco_run_noise_changes", "How many of these are of a class of noise.", &|side| {
            number(side.state.noise)
        }),
        of_run("disco_run_actions", "Actions on the running system that belong to them.", &|side| {
            number(side.state.actions.planned)
        }),
        of_run("disco_run_actions_failed", "How many of these failed.", &|side| {
            number(side.state.actions.failed)
        }),
        modules,
        validators,
        phases,
        times,
        longest,
        good,
        changed,
    ]
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
