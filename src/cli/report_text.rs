//! What a run cost, in the text of the first `disco report`, which users' scripts may read: to the letter. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::model::run::RunRecord;
use crate::model::step::{Cost, StepKind};

/// disco's own work, which comes before that of all modules.
const INTERNAL: &str = "_internal";

/// One measured piece of work: its name where its phase has several, its cost, its exit status.
struct Measured<'a> {
    item: Option<&'a str>,
    cost: &'a Cost,
    exit: i32,
}

/// The report of a run: a block for each phase of each module, sorted by module, then phase; each line ended.
pub fn report(record: &RunRecord) -> String {
    // `false` sorts first: disco's own work comes before a module of any name.
    let mut blocks: BTreeMap<(bool, &str, &str), Vec<Measured<'_>>> = BTreeMap::new();
    for internal in &record.internal {
        let measured = Measured { item: None, cost: &internal.cost, exit: 0 };
        blocks.entry((false, INTERNAL, &internal.part)).or_default().push(measured);
    }
    let of_modules =
        record.modules.iter().flat_map(|module| module.steps.iter().map(|step| (&module.module, step)));
    let of_validators = record.validators.iter().map(|one| (&one.module, &one.record));
    for (module, step) in of_modules.chain(of_validators) {
        let (phase, item) = match &step.step {
            StepKind::Files => ("files", None),
            StepKind::Template { template, .. } => ("template", Some(template.as_str())),
            StepKind::Script { script } => ("exec", Some(script.as_str())),
            StepKind::Validator { script } => ("validate", Some(script.as_str())),
        };
        let measured = Measured { item, cost: &step.cost, exit: step.outcome.exit_status() };
        blocks.entry((true, module.as_str(), phase)).or_default().push(measured);
    }
    for module in &record.modules {
        let name = module.module.as_str();
        for (phase, cost) in [("diff", &module.diff), ("fetch", &module.fetch)] {
            if let Some(cost) = cost {
                let measured = Measured { item: None, cost, exit: 0 };
                blocks.entry((true, name, phase)).or_default().push(measured);
            }
        }
    }
    let mut out = String::new();
    for ((_, module, phase), all) in blocks {
        line(&mut out, format_args!("{module}: {phase}"));
        for measured in all {
            write_measured(&mut out, &measured);
        }
    }
    out
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "report: {words}");
}

fn write_measured(out: &mut String, measured: &Measured<'_>) {
    let Cost {
        time_real,
        time_user,
        time_sys,
        mem_max,
        mem_faults_major,
        mem_faults_minor,
        io_fsin,
        io_fsout,
        ..
    } = measured.cost;
    if let Some(item) = measured.item {
        line(out, format_args!("{} : ", one_line(item)));
    }
    line(out, format_args!("time_real {time_real:.2} : time_user {time_user:.2} : time_sys {time_sys:.2}"));
    // The kernel leaves the average memory, the socket messages and the signals of getrusage(2) at zero.
    line(
        out,
        format_args!(
            "mem_avg 0 : mem_max {mem_max} : mem_faults_major {mem_faults_major} : mem_faults_minor {mem_faults_minor}"
        ),
    );
    line(
        out,
        format_args!("io_fsin {io_fsin} : io_fsout {io_fsout} : io_sockin 0 : io_sockout 0 : io_signals 0"),
    );
    line(out, format_args!("exit: {}", measured.exit));
}

/// A name with its control characters escaped, so that it cannot forge a line.
pub(in crate::cli) fn one_line(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
#[path = "report_tests.rs"]
pub(in crate::cli) mod tests;
