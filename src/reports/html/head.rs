//! What is said of the run as a whole: which, how it ended, who started it, what failed, what is done on the running system.

use maud::{Markup, html};

use crate::model::duty::DutyOrigin;
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunRecord};
use crate::model::step::{ModuleOutcome, Outcome, StepRecord};
use crate::model::truth::Truth;
use crate::reports::html::words::{count, seconds, visible};
use crate::reports::html::{Page, Standing, output};
use crate::reports::parts::{self, Part};

/// The head of the page.
pub fn head(page: &Page<'_>, parts: &[Part<'_>]) -> Markup {
    let record = page.record;
    let (sign, class) = match page.standing {
        Standing::Good => ("✓", "good"),
        Standing::Bad => ("✗", "bad"),
        Standing::Open => ("…", "open"),
    };
    let mode = match record.mode {
        Mode::Noop => "NOOP",
        Mode::Live => "live",
    };
    let cpu: f64 = parts.iter().map(Part::cpu).sum();
    let changes = record.modules.iter().fold([0; 3], |[created, modified, deleted], module| {
        let counts = &module.changes;
        [created + counts.created, modified + counts.modified, deleted + counts.deleted]
    });
    let memory = parts.iter().max_by_key(|part| part.memory());
    html! {
        p.kicker { "disco · " (mode) " run" }
        h1 { (record.node) }
        p.outcome.(class) { span aria-hidden="true" { (sign) } " " (visible(page.outcome)) }
        ul.tiles {
            li { b { (seconds(parts::duration(record))) } span { "wall time" } }
            li { b { (seconds(cpu)) } span { "CPU" } }
            @if let Some(part) = memory {
                li { b { (super::words::bytes(part.memory())) } span { "most memory, " (visible(&part.label())) } }
            }
            li { b { (modules(record)) } span { "modules done" } }
            li {
                b { (record.changes) }
                span { @if record.changes == 1 { "change: " } @else { "changes: " } "+" (changes[0]) " ~" (changes[1]) " −" (changes[2]) " by module" }
            }
            li { b { (truth(record)) } span { @if record.label.because.is_empty() { "report" } @else { "report: " (visible(&because(record))) } } }
        }
        details.about {
            summary { "About this run" }
            dl { (about(record)) }
            (versions(record))
        }
    }
}

fn because(record: &RunRecord) -> String {
    record.label.because.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn modules(record: &RunRecord) -> String {
    let done = record.modules.iter().filter(|module| module.outcome == ModuleOutcome::Done).count();
    format!("{done} of {}", record.plan.len().max(record.modules.len()))
}

fn about(record: &RunRecord) -> Markup {
    let root = match &record.root {
        LiveRoot::Own => None,
        root @ LiveRoot::Other(_) => Some(root.to_string()),
    };
    html! {
        dt { "Run" } dd { code { (record.run) } }
        dt { "Started" } dd { (visible(&record.started)) }
        dt { "Ended" } dd { (visible(record.ended.as_deref().unwrap_or("not, as far as the record goes"))) }
        @if let Some(by) = &record.by {
            dt { "By" }
            dd {
                (visible(&by.user))
                @if let Some(parent) = &by.parent { ", from " (visible(parent)) }
                @if let Some(terminal) = &by.terminal { ", on " (visible(terminal)) }
            }
            dt { "Command" } dd { code { (visible(&command(&by.command))) } }
        }
        @if let Some(root) = root { dt { "Root" } dd { code { (visible(&root)) } } }
        @if let Some(undone) = &record.undoes { dt { "Undoes" } dd { code { (undone) } } }
        dt { "disco" } dd { (visible(&record.version)) ", record of form " (record.schema) }
    }
}

fn command(words: &[String]) -> String {
    shell_words::join(words)
}

fn versions(record: &RunRecord) -> Markup {
    html! {
        @if record.modules.iter().any(|module| module.digest.is_some()) {
            table.plain {
                thead { tr { th { "Module" } th { "Version (sha256 of its files)" } } }
                tbody {
                    @for module in &record.modules {
                        tr { td { (module.module) } td { code { (module.digest.as_deref().unwrap_or("not known")) } } }
                    }
                }
            }
        }
    }
}

/// What failed, with the end of what it printed.
pub fn failures(page: &Page<'_>) -> Option<Markup> {
    let record = page.record;
    let steps =
        record.modules.iter().flat_map(|module| module.steps.iter().map(|step| (&module.module, step)));
    let all = steps.chain(record.validators.iter().map(|one| (&one.module, &one.record)));
    let failed: Vec<_> = all.filter(|(_, step)| !step.outcome.is_done()).collect();
    let duties: Vec<_> =
        record.duties.iter().filter(|duty| duty.outcome.as_ref().is_some_and(|one| !one.is_done())).collect();
    if failed.is_empty() && duties.is_empty() {
        return None;
    }
    Some(html! {
        @for (module, step) in failed {
            article.failure {
                h3 { span aria-hidden="true" { "✗ " } (module) " / " (visible(step.step.label())) }
                p { (visible(&step.outcome.to_string())) }
                (output::end(page, step))
            }
        }
        @for duty in duties {
            article.failure {
                h3 { span aria-hidden="true" { "✗ " } code { (visible(&duty.duty.words())) } }
                @if let Some(outcome) = &duty.outcome { p { (visible(&outcome.to_string())) } }
            }
        }
    })
}

fn ended(outcome: Option<&Outcome>) -> Markup {
    match outcome {
        None => html! { span.dim { "not run" } },
        Some(Outcome::Done) => html! { span.good { "✓ done" } },
        Some(failed) => html! { span.bad { "✗ " (visible(&failed.to_string())) } },
    }
}

/// Duties, actions and attempts: what was, or is to be, done to the running system, and what was stopped.
pub fn duties(page: &Page<'_>) -> Option<Markup> {
    let record = page.record;
    let attempts: Vec<_> = steps(record)
        .flat_map(|(module, step)| step.attempts.iter().map(move |attempt| (module, step, attempt)))
        .collect();
    let is_check = |origin: &DutyOrigin| matches!(origin, DutyOrigin::Check { .. });
    let duties: Vec<_> = record.duties.iter().filter(|duty| !is_check(&duty.duty.origin)).collect();
    if record.actions.is_empty() && duties.is_empty() && attempts.is_empty() {
        return None;
    }
    Some(html! {
        @if !duties.is_empty() {
            h3 { "Done around the merge, in this order" }
            ol.duties { @for duty in duties { li { code { (visible(&duty.duty.words())) } " " (ended(duty.outcome.as_ref())) } } }
        }
        @if !record.actions.is_empty() {
            h3 { "Asked for by steps" }
            div.scroll { table.plain {
                thead { tr { th { "Module" } th { "Step" } th { "Command" } th { "Outcome" } } }
                tbody {
                    @for action in &record.actions {
                        tr {
                            td { (action.action.module) }
                            td { (visible(&action.action.step)) @if let Some(line) = action.action.effect.line { ", line " (line) } }
                            td { code { (visible(&action.action.command())) } }
                            td { (ended(action.outcome.as_ref())) }
                        }
                    }
                }
            } }
        }
        @if !attempts.is_empty() {
            details {
                summary { (count(attempts.len(), "attempt on the world outside was stopped", "attempts on the world outside were stopped")) }
                ul { @for (module, step, attempt) in attempts { li { (module) " / " (visible(step.step.label())) ": " code { (visible(&attempt.to_string())) } } } }
            }
        }
    })
}

fn steps(record: &RunRecord) -> impl Iterator<Item = (&str, &StepRecord)> {
    let of_modules = record.modules.iter();
    let of_modules =
        of_modules.flat_map(|module| module.steps.iter().map(|step| (module.module.as_str(), step)));
    of_modules.chain(record.validators.iter().map(|one| (one.module.as_str(), &one.record)))
}

/// Validators, and health checks on the live system.
pub fn checks(page: &Page<'_>) -> Option<Markup> {
    let record = page.record;
    let is_check = |origin: &DutyOrigin| matches!(origin, DutyOrigin::Check { .. });
    let live: Vec<_> = record.duties.iter().filter(|duty| is_check(&duty.duty.origin)).collect();
    if live.is_empty() && record.validators.is_empty() {
        return None;
    }
    Some(html! {
        ul.checks {
            @for one in &record.validators {
                li {
                    (ended(Some(&one.record.outcome))) " " (one.module) "/validate/" (visible(one.record.step.label()))
                    span.dim { " in the sandbox, " (seconds(one.record.cost.time_real)) }
                }
            }
            @for duty in live {
                li { (ended(duty.outcome.as_ref())) " " (visible(&duty.duty.words())) span.dim { " on the running system" } }
            }
        }
    })
}

fn truth(record: &RunRecord) -> &'static str {
    match record.label.truth {
        Truth::Exact => "exact",
        Truth::Approximate => "approximate",
        Truth::Unknown => "unknown",
    }
}
