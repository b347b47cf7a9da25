//! What a run cost, as a table for people that fits their terminal. Pure.

use crate::cli::report_text::one_line;
use crate::cli::runs;
use crate::model::run::{Mode, RunRecord};
use crate::model::step::{Cost, ModuleOutcome};

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Sort {
    /// As things happened
    #[default]
    Order,
    /// What took longest first
    Time,
    /// What needed most memory first
    Memory,
}

/// What a column shows, and what becomes of it where the terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Words, cut where they are too long.
    Words,
    /// Figures, to the right. Where words have no room left, those of the highest number go first.
    Figures(u8),
}

const COLUMNS: [(&str, Column); 9] = [
    ("MODULE", Column::Words),
    ("STEP", Column::Words),
    ("REAL", Column::Figures(0)),
    ("USER", Column::Figures(2)),
    ("SYS", Column::Figures(2)),
    ("MEMORY", Column::Figures(1)),
    ("READ", Column::Figures(3)),
    ("WRITE", Column::Figures(3)),
    ("OUTCOME", Column::Words),
];
/// The room that words keep, whatever the figures need.
const LEAST: usize = 8;
const GAP: &str = "  ";

struct Row<'a> {
    module: &'a str,
    step: String,
    cost: Cost,
    outcome: String,
}

/// The table of a run, each line ended and not longer than `width`, where there is one.
pub fn table(record: &RunRecord, sort: Sort, width: Option<usize>) -> String {
    let mut rows = rows(record);
    match sort {
        Sort::Order => {}
        Sort::Time => rows.sort_by(|a, b| b.cost.time_real.total_cmp(&a.cost.time_real)),
        Sort::Memory => rows.sort_by_key(|row| std::cmp::Reverse(row.cost.mem_max)),
    }
    let mut total = rows.iter().fold(Cost::default(), |total, row| Cost {
        time_real: total.time_real + row.cost.time_real,
        ..total.with(row.cost)
    });
    // Some of it happens at the same time; the run knows how long it took.
    total.time_real = runs::seconds(record).unwrap_or(total.time_real);
    rows.push(Row { module: "total", step: String::new(), cost: total, outcome: String::new() });
    let mut cells = vec![COLUMNS.map(|(head, _)| head.to_owned())];
    cells.extend(rows.iter().map(shown));
    let widths = widths(&cells, width);
    let lines = cells.iter().map(|row| format!("{}\n", line(row, &widths).trim_end()));
    std::iter::once(head(record, width)).chain(lines).collect()
}

/// A run in a line: which, how, and how it ended.
fn head(record: &RunRecord, width: Option<usize>) -> String {
    let mode = match record.mode {
        Mode::Noop => "noop",
        Mode::Live => "live",
    };
    let outcome = runs::outcome(&record.outcome);
    let text = format!("Run {} of {}, {mode}: {outcome}", record.run, record.node);
    format!("{}\n\n", cut(&text, width.unwrap_or(usize::MAX)))
}

fn rows(record: &RunRecord) -> Vec<Row<'_>> {
    let own =
        |module, step: &str, cost| Row { module, step: format!("({step})"), cost, outcome: String::new() };
    let of_disco = |place: Place| {
        let parts = record.internal.iter().filter(move |internal| Place::of(&internal.part) == place);
        parts.map(|internal| own("disco", &internal.part, internal.cost))
    };
    let mut rows: Vec<Row<'_>> = of_disco(Place::First).collect();
    for module in &record.modules {
        let name = module.module.as_str();
        rows.extend(module.fetch.map(|cost| own(name, "fetch", cost)));
        if let ModuleOutcome::Skipped { because } = &module.outcome {
            let outcome = format!("skipped: needs {because}");
            rows.push(Row { module: name, step: String::new(), cost: Cost::default(), outcome });
        }
        rows.extend(module.steps.iter().map(|step| Row {
            module: name,
            step: one_line(step.step.label()),
            cost: step.cost,
            outcome: one_line(&step.outcome.to_string()),
        }));
        rows.extend(module.diff.map(|cost| own(name, "diff", cost)));
    }
    rows.extend(of_disco(Place::Between));
    rows.extend(record.validators.iter().map(|one| Row {
        module: one.module.as_str(),
        step: one_line(&format!("validate/{}", one.record.step.label())),
        cost: one.record.cost,
        outcome: one_line(&one.record.outcome.to_string()),
    }));
    rows.extend(of_disco(Place::Last));
    rows
}

/// Where a part of disco's own work stands among what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before all modules.
    First,
    /// Between modules and validators.
    Between,
    /// After all of them.
    Last,
}

impl Place {
    fn of(part: &str) -> Place {
        match part {
            "fetch_params" | "plan" | "sandbox" => Place::First,
            "validators" => Place::Between,
            _ => Place::Last,
        }
    }
}

fn shown(row: &Row<'_>) -> [String; 9] {
    let Cost { time_real, time_user, time_sys, mem_max, io_fsin, io_fsout, .. } = row.cost;
    [
        row.module.to_owned(),
        row.step.clone(),
        format!("{time_real:.2}"),
        format!("{time_user:.2}"),
        format!("{time_sys:.2}"),
        size(mem_max.saturating_mul(1024)),
        size(io_fsin.saturating_mul(512)),
        size(io_fsout.saturating_mul(512)),
        row.outcome.clone(),
    ]
}

/// A number of bytes in four characters or five: `0`, `512B`, `4.6M`, `190M`.
pub(super) fn size(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    let (mut value, mut units) = (bytes as f64, "BKMGTP".chars());
    let mut unit = units.next();
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1024.0, Some(next));
    }
    let digits = usize::from(value < 10.0 && bytes >= 1024);
    format!("{value:.digits$}{}", unit.unwrap_or('P'))
}

/// How wide each column is; 0 for one that is left out.
fn widths(cells: &[[String; 9]], room: Option<usize>) -> [usize; 9] {
    let natural = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut widths: [usize; 9] = std::array::from_fn(natural);
    let Some(room) = room else { return widths };
    let words = |column: &usize| COLUMNS[*column].1 == Column::Words;
    let taken = |widths: &[usize; 9], least: bool| -> usize {
        let used: Vec<usize> = (0..9).filter(|&column| widths[column] > 0).collect();
        let width = |&column: &usize| match least && words(&column) {
            true => widths[column].min(LEAST),
            false => widths[column],
        };
        used.iter().map(width).sum::<usize>() + GAP.len() * used.len().saturating_sub(1)
    };
    for first in (1..=3).rev() {
        if taken(&widths, true) <= room {
            break;
        }
        for (column, (_, kind)) in COLUMNS.iter().enumerate() {
            if *kind == Column::Figures(first) {
                widths[column] = 0;
            }
        }
    }
    // The widest words give way, one character at a time.
    while taken(&widths, false) > room {
        let widest = (0..9).filter(words).max_by_key(|&column| widths[column]);
        match widest {
            Some(column) if widths[column] > 1 => widths[column] -= 1,
            Some(_) | None => break,
        }
    }
    widths
}

fn line(row: &[String; 9], widths: &[usize; 9]) -> String {
    let cells = row.iter().zip(widths).zip(COLUMNS).filter(|((_, width), _)| **width > 0);
    let cells = cells.map(|((cell, &width), (_, kind))| match kind {
        Column::Words => format!("{:<width$}", cut(cell, width)),
        Column::Figures(_) => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join(GAP)
}

/// At most that many characters; an ellipsis stands for the rest.
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report_text::tests::record;
    use crate::model::run::{InternalCost, ValidatorRecord};
    use crate::model::step::{StepKind, StepRecord};

    #[test]
    fn the_table_of_the_readmes_run() {
        let expected = "\
Run 20120101-1 of localhost, noop: shown

MODULE           STEP                       REAL  USER   SYS  MEMORY  READ  WRITE  OUTCOME
disco            (fetch_params)             1.26  0.02  0.08     11M     0      0
testmodule-1.0   (fetch)                    2.72  0.06  0.15     11M     0    12K
testmodule-1.0   00-hello.sh                0.27  0.03  0.18    4.6M  3.2M   4.0K  done
testmodule-1.0   10-service_stop.sh         0.58  0.03  0.41    4.8M   13M   4.0K  exit status 1
testmodule-1.0   (diff)                     2.56  0.42  2.10    5.1M     0    16K
othermodule-3.2  (fetch)                    2.28  0.05  0.14     11M     0    12K
othermodule-3.2  etc/othermodule/stuff.cfg  0.56  0.04  0.37    4.5M   12M   8.0K  done
othermodule-3.2  (diff)                     0.80  0.13  0.65    4.7M     0   4.0K
disco            (diff)                     0.82  0.14  0.66    5.1M     0   4.0K
total                                       7.50  0.92  4.74     11M   28M    64K
";
        assert_eq!(table(&record(), Sort::Order, None), expected);
    }

    #[test]
    fn rows_stand_in_the_order_of_what_happened() {
        let mut record = record();
        record.validators = vec![ValidatorRecord {
            module: record.modules[1].module.clone(),
            record: StepRecord {
                step: StepKind::Validator { script: "10-syntax".to_owned() },
                ..record.modules[1].steps[0].clone()
            },
        }];
        for part in ["sandbox", "validators", "verify", "merge"] {
            record.internal.push(InternalCost { part: part.to_owned(), began: None, cost: Cost::default() });
        }
        let table = table(&record, Sort::Order, None);
        let steps: Vec<_> = table.lines().skip(3).filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(
            steps,
            [
                "(fetch_params)",
                "(sandbox)",
                "(fetch)",
                "00-hello.sh",
                "10-service_stop.sh",
                "(diff)",
                "(fetch)",
                "etc/othermodule/stuff.cfg",
                "(diff)",
                "(validators)",
                "validate/10-syntax",
                "(diff)",
                "(verify)",
                "(merge)",
                "7.50"
            ]
        );
    }

    #[test]
    fn rows_are_sorted_by_what_is_asked_for() {
        let order = |sort| -> Vec<String> {
            let table = table(&record(), sort, None);
            let lines = table
                .lines()
                .skip(3)
                .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
            lines.collect()
        };
        assert_eq!(order(Sort::Time)[..2], ["testmodule-1.0 (fetch)", "testmodule-1.0 (diff)"]);
        assert_eq!(order(Sort::Memory)[..2], ["testmodule-1.0 (fetch)", "othermodule-3.2 (fetch)"]);
        let last = order(Sort::Time).pop().unwrap();
        assert!(last.starts_with("total"), "{last}");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        let mut record = record();
        record.modules[0].steps[0].step = StepKind::Script { script: format!("10-\n{}", "long".repeat(50)) };
        for width in [30, 40, 60, 80, 100, 132, 400] {
            for line in table(&record, Sort::Order, Some(width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
            }
        }
        let wide = table(&record, Sort::Order, Some(80));
        assert!(wide.contains("WRITE") && wide.contains('…'), "{wide}");
        let narrow = table(&record, Sort::Order, Some(40));
        assert!(narrow.contains("REAL") && !narrow.contains("WRITE"), "{narrow}");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0"),
            (512, "512B"),
            (1024, "1.0K"),
            (4672 * 1024, "4.6M"),
            (190 * 1024 * 1024, "190M"),
            (u64::MAX, "16384P"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
