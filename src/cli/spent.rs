//! What a step, or a part of disco's own work, has cost, in the words of `--verbose`. Pure.

use crate::cli::report_table::size;
use crate::model::step::{Cost, StepRecord};

/// Of a step: how it ended, its times, its memory, and how true its report is.
pub(super) fn of_step(record: &StepRecord) -> String {
    let Cost { time_real, time_user, time_sys, mem_max, .. } = record.cost;
    let memory = if mem_max == 0 { String::new() } else { format!(", {}", size(mem_max << 10)) };
    format!(
        "{} after {time_real:.3} s, CPU {time_user:.3} + {time_sys:.3} s{memory}, {}",
        record.outcome, record.label
    )
}

/// Of a part of disco's own work.
pub(super) fn of_part(cost: &Cost) -> String {
    let Cost { time_real, time_user, time_sys, .. } = cost;
    format!("{time_real:.3} s, CPU {:.3} s", time_user + time_sys)
}
