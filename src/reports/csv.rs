//! A run as a table for other programs: one line a piece of work, as RFC 4180 has it. Pure. The columns are documented in
//! docs/report.md, and new ones come last.

use crate::model::run::{Mode, RunRecord};
use crate::reports::parts::{Entry, Part, Skipped, entries};

/// The head of the table.
pub const COLUMNS: [&str; 28] = [
    "run",
    "node",
    "mode",
    "module",
    "phase",
    "step",
    "began",
    "began_is",
    "outcome",
    "exit",
    "truth",
    "time_real",
    "time_user",
    "time_sys",
    "mem_max",
    "mem_faults_major",
    "mem_faults_minor",
    "io_fsin",
    "io_fsout",
    "switches_voluntary",
    "switches_involuntary",
    "memory_peak",
    "io_read",
    "io_written",
    "cpu_pressure",
    "processes",
    "overlay_requests",
    "overlay_cpu",
];

/// The table, its head first; lines end with CR LF.
pub fn table(record: &RunRecord) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let head = COLUMNS.map(str::to_owned).to_vec();
    let rows = entries(record);
    for row in std::iter::once(head).chain(rows.iter().map(|entry| row(record, entry))) {
        // Writing to memory cannot fail, and a row has as many fields as the head: a test looks at both.
        let _ = writer.write_record(row);
    }
    writer.into_inner().map_or(String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn row(record: &RunRecord, entry: &Entry<'_>) -> Vec<String> {
    let mode = match record.mode {
        Mode::Noop => "noop",
        Mode::Live => "live",
    };
    let mut row = vec![record.run.to_string(), record.node.to_string(), mode.to_owned()];
    match entry {
        Entry::Skipped(Skipped { module, because }) => {
            let outcome = format!("skipped: needs {because}");
            row.extend([module.to_string(), "skipped".into(), "".into(), "".into(), "".into(), outcome]);
            row.resize(COLUMNS.len(), String::new());
        }
        Entry::Part(part) => row.extend(of_part(part)),
    }
    row
}

fn of_part(part: &Part<'_>) -> impl Iterator<Item = String> {
    let cost = part.cost;
    let began = if part.began.is_known() { "recorded" } else { "estimated" };
    let outcome = part.step.map_or("done".to_owned(), |step| step.outcome.to_string());
    let exit = part.step.map_or(0, |step| step.outcome.exit_status());
    let truth = part.step.map_or(String::new(), |step| step.label.to_string());
    let first = [
        part.module.map_or("_internal".to_owned(), ToString::to_string),
        part.phase.word().to_owned(),
        part.name.to_owned(),
        format!("{:.6}", part.began.seconds()),
        began.to_owned(),
        outcome,
        exit.to_string(),
        truth,
    ];
    let times = [cost.time_real, cost.time_user, cost.time_sys].map(|seconds| format!("{seconds:.6}"));
    let counts = [
        cost.mem_max,
        cost.mem_faults_major,
        cost.mem_faults_minor,
        cost.io_fsin,
        cost.io_fsout,
        cost.switches_voluntary,
        cost.switches_involuntary,
    ];
    let metrics = part.metrics().cloned().unwrap_or_default();
    let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
    let seconds = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
    let known = [
        count(metrics.memory_peak),
        count(metrics.io_read),
        count(metrics.io_written),
        seconds(metrics.cpu_pressure),
        count(metrics.processes),
        count(metrics.overlay_requests),
        seconds(metrics.overlay_cpu),
    ];
    first.into_iter().chain(times).chain(counts.map(|count| count.to_string())).chain(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    #[test]
    fn a_reader_finds_every_field_again_and_the_docs_have_every_column() {
        let mut record = sample::run(1, [0.5, 2.0]);
        let name = "10 \"odd\", name\nof =two\rlines";
        record.modules[0].steps[0].step = crate::model::step::StepKind::Script { script: name.into() };
        let text = table(&record);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(head, COLUMNS);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let field = |row: usize, column: &str| {
            let at = COLUMNS.iter().position(|one| *one == column).unwrap();
            rows[row][at].to_owned()
        };
        assert_eq!(rows.len(), 3);
        assert_eq!((field(0, "module"), field(0, "step")), ("_internal".into(), "plan".into()));
        assert_eq!(field(1, "step"), name);
        assert_eq!(
            (field(1, "began"), field(1, "began_is"), field(1, "time_real")),
            ("1.000000".into(), "recorded".into(), "0.500000".into())
        );
        assert_eq!((field(1, "memory_peak"), field(2, "memory_peak")), ("".into(), "314572800".into()));
        assert!(text.ends_with("\r\n"));
        let docs = include_str!("../../docs/report.md");
        for column in COLUMNS {
            assert!(docs.contains(&format!("`{column}`")), "docs/report.md lacks {column}");
        }
    }
}
