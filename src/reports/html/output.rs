//! What the steps printed, as far as a page has room for it.

use maud::{Markup, html};

use crate::model::step::{StepRecord, Stream};
use crate::reports::html::words::{bytes, count, visible};
use crate::reports::html::{Output, Page};
use crate::sys::line_log::PrintedLine;

/// How many of its last lines are shown of a step that failed.
const END: usize = 20;

fn of<'a>(page: &'a Page<'_>, step: &StepRecord) -> Option<&'a Output> {
    let file = step.output.as_ref()?;
    page.outputs.iter().find(|output| output.file == *file)
}

/// The end of what a step printed.
pub fn end(page: &Page<'_>, step: &StepRecord) -> Markup {
    let all: Vec<&PrintedLine> =
        of(page, step).into_iter().flat_map(|one| one.first.iter().chain(&one.last)).collect();
    if all.is_empty() {
        return html! { p.dim { "It printed nothing." } };
    }
    html! { pre.output { (lines(all[all.len().saturating_sub(END)..].iter().copied())) } }
}

/// All outputs; none where nothing was printed.
pub fn outputs(page: &Page<'_>) -> Option<Markup> {
    if page.outputs.is_empty() {
        return None;
    }
    let record = page.record;
    let steps =
        record.modules.iter().flat_map(|module| module.steps.iter().map(|step| (&module.module, step)));
    let all = steps.chain(record.validators.iter().map(|one| (&one.module, &one.record)));
    let printed = all.filter_map(|(module, step)| Some((module, step, of(page, step)?)));
    Some(html! {
        @for (module, step, output) in printed {
            @let length = output.first.len() + output.last.len() + output.left_out as usize;
            details.output {
                summary {
                    @if !step.outcome.is_done() { span.bad { "✗ " } }
                    b { (module) } " / " (visible(step.step.label())) span.dim { " " (count(length, "line", "lines")) }
                }
                pre.output {
                    (lines(output.first.iter()))
                    @if output.left_out > 0 { span.hunk { "… " (count(output.left_out as usize, "line", "lines")) " left out here; the record has them: " (visible(&output.file)) "\n" } }
                    (lines(output.last.iter()))
                }
            }
        }
    })
}

fn lines<'a>(lines: impl Iterator<Item = &'a PrintedLine>) -> Markup {
    html! {
        @for line in lines {
            @match line {
                PrintedLine::Cut(more) => span.hunk { "… " (bytes(*more)) " more were printed, and not kept\n" },
                PrintedLine::Line(line) => {
                    @if let Some(at) = line.at { span.at { (format!("{at:>9.3} ")) } }
                    @match line.stream {
                        Stream::Stdout => { (visible(&line.text)) "\n" }
                        Stream::Stderr => span.err { b { "err " } (visible(&line.text)) "\n" },
                    }
                }
            }
        }
    }
}
