//! What each piece of work needed: a table with bars.

use maud::{Markup, html};

use crate::reports::html::bar;
use crate::reports::html::words::{bytes, seconds, visible};
use crate::reports::parts::Part;

/// With more pieces of work than that they scroll in a box of their own.
const MANY: usize = 60;

/// The table; none where nothing has run.
pub fn table(parts: &[Part<'_>]) -> Option<Markup> {
    if parts.is_empty() {
        return None;
    }
    let largest = |of: &dyn Fn(&Part<'_>) -> f64| parts.iter().map(of).fold(0.0, f64::max);
    let slowest = largest(&|part| part.cost.time_real);
    let memory = largest(&|part| part.memory() as f64);
    let io = largest(&|part| part.read().max(part.written()) as f64);
    let overlay = parts.iter().any(|part| part.overlay_share().is_some());
    Some(html! {
        div.scroll.tall[parts.len() > MANY] tabindex=[(parts.len() > MANY).then_some("0")] { table.steps.sortable {
            thead { tr {
                th { "Module" } th { "Step" } th { "Outcome" } th.n { "Time" } th.n { "CPU" } th.n { "Memory" }
                th.n { "Read" } th.n { "Written" } @if overlay { th.n { "Overlay" } } th { "Report" }
            } }
            tbody { @for part in parts {
                tr {
                    td data-l="Module" { (part.owner()) }
                    td data-l="Step" { (visible(&part.label())) }
                    td data-l="Outcome" { (outcome(part)) }
                    (figure("Time", part.cost.time_real, slowest, &seconds(part.cost.time_real)))
                    td.n data-l="CPU" data-v=(part.cpu()) { (seconds(part.cpu())) }
                    (figure("Memory", part.memory() as f64, memory, &bytes(part.memory())))
                    (figure("Read", part.read() as f64, io, &bytes(part.read())))
                    (figure("Written", part.written() as f64, io, &bytes(part.written())))
                    @if overlay { (share(part)) }
                    td data-l="Report" { @if let Some(step) = part.step { (visible(&step.label.to_string())) } }
                }
            } }
        } }
        p.dim {
            "Memory is the most that a step's processes had together where its cgroup tells, else that of the largest process. "
            @if overlay { "Overlay is the file system's part of all CPU that a step needed; none of it is in the step's own. " }
            span.js { "A click on a head sorts." }
        }
    })
}

fn outcome(part: &Part<'_>) -> Markup {
    match part.step.map(|step| &step.outcome) {
        None => html! {},
        Some(outcome) if outcome.is_done() => html! { span.good { "✓ done" } },
        Some(outcome) => html! { span.bad { "✗ " (visible(&outcome.to_string())) } },
    }
}

fn figure(name: &str, value: f64, largest: f64, words: &str) -> Markup {
    html! { td.n data-l=(name) data-v=(value) { (words) (bar(value, largest)) } }
}

fn share(part: &Part<'_>) -> Markup {
    match part.overlay_share() {
        None => html! { td.n data-l="Overlay" data-v="-1" {} },
        Some(share) => {
            html! { td.n data-l="Overlay" data-v=(share) { (format!("{:.0} %", share * 100.0)) (bar(share, 1.0)) } }
        }
    }
}
