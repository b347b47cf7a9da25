//! The table of the README's run, in its orders and widths.

use super::*;
use crate::cli::report_text::tests::record;
use crate::model::run::{InternalCost, ValidatorRecord};
use crate::model::step::Metrics;
use crate::model::step::{StepKind, StepRecord};

fn shown(record: &RunRecord, sort: Sort, width: Option<usize>) -> String {
    let lines = super::table(record, "shown", sort, &Look { width, signs: &Signs::UTF8 });
    lines.iter().map(|line| line.render(false, str::to_owned) + "\n").collect()
}

#[test]
fn the_table_of_the_readmes_run() {
    let expected = "\
Run 20120101-1 of localhost, noop: shown

MODULE           STEP                       REAL                        USER   SYS  MEMORY  READ  WRITE  OUTCOME
disco            (fetch_params)             1.26  █████████▎            0.02  0.08     11M     0      0
testmodule-1.0   (fetch)                    2.72  ████████████████████  0.06  0.15     11M     0    12K
testmodule-1.0   00-hello.sh                0.27  ██                    0.03  0.18    4.6M  3.2M   4.0K  done
testmodule-1.0   10-service_stop.sh         0.58  ████▎                 0.03  0.41    4.8M   13M   4.0K  exit status 1
testmodule-1.0   (diff)                     2.56  ██████████████████▉   0.42  2.10    5.1M     0    16K
othermodule-3.2  (fetch)                    2.28  ████████████████▊     0.05  0.14     11M     0    12K
othermodule-3.2  etc/othermodule/stuff.cfg  0.56  ████▏                 0.04  0.37    4.5M   12M   8.0K  done
othermodule-3.2  (diff)                     0.80  █████▉                0.13  0.65    4.7M     0   4.0K
disco            (diff)                     0.82  ██████                0.14  0.66    5.1M     0   4.0K
total                                       7.50                        0.92  4.74     11M   28M    64K
";
    assert_eq!(shown(&record(), Sort::Order, None), expected);
}

#[test]
fn the_overlays_share_is_shown_where_it_is_known() {
    let mut record = record();
    let metrics = Metrics { overlay_cpu: Some(0.63), memory_peak: Some(300 << 20), ..Metrics::default() };
    record.modules[0].steps[0].metrics = Some(metrics);
    let text = shown(&record, Sort::Memory, None);
    let first = text.lines().nth(3).unwrap();
    assert!(first.contains("00-hello.sh") && first.contains("300M") && first.contains("75%"), "{text}");
}

#[test]
fn colour_is_for_what_failed_and_a_run_of_nothing_says_so() {
    let mut record = record();
    let look = Look { width: None, signs: &Signs::ASCII };
    let lines = super::table(&record, "failed", Sort::Order, &look);
    let failed = lines[6].render(true, str::to_owned);
    assert!(failed.contains("\x1b[31mexit status 1"), "{failed:?}");
    assert!(lines[4].render(false, str::to_owned).contains("####################"), "no bar in ASCII");
    (record.modules, record.internal) = (Vec::new(), Vec::new());
    assert!(shown(&record, Sort::Order, None).ends_with("\n\nNothing has run.\n"));
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
    let table = shown(&record, Sort::Order, None);
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
        let table = shown(&record(), sort, None);
        let lines =
            table.lines().skip(3).map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
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
        for line in shown(&record, Sort::Order, Some(width)).lines() {
            assert!(line.chars().count() <= width, "{width}: {line:?}");
        }
    }
    let wide = shown(&record, Sort::Order, Some(80));
    assert!(wide.contains("WRITE") && wide.contains('…'), "{wide}");
    let narrow = shown(&record, Sort::Order, Some(40));
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
