//! What of a run ran when, for how long, and what it waited for.

use maud::{Markup, html};

use crate::reports::html::Page;
use crate::reports::html::words::{count, seconds, visible};
use crate::reports::parts::{self, Entry, Part, Phase};

/// With more pieces of work than that only those groups are open that took long or failed.
const MANY: usize = 60;

/// What belongs together: disco's own work, or a module's.
struct Group<'e, 'a> {
    name: &'a str,
    entries: Vec<&'e Entry<'a>>,
}

/// The time line.
pub fn timeline(page: &Page<'_>, entries: &[Entry<'_>]) -> Option<Markup> {
    let waited = page.record.waits.iter().map(|wait| wait.seconds).fold(0.0, f64::max);
    let total = parts::duration(page.record).max(waited);
    if entries.is_empty() || total <= 0.0 {
        return Some(html! { p { "Nothing has run." } });
    }
    let known =
        entries.iter().filter_map(super::part).all(|part| part.began.is_known() || part.step.is_none());
    let step = step(total);
    let ticks = (0..).map(|index| f64::from(index) * step).take_while(|at| *at <= total * 0.94);
    let place = |at: f64| at / total * 100.0;
    let groups = groups(entries);
    let many = entries.len() > MANY;
    Some(html! {
        p.legend {
            span.key.cpu {} " at work on a CPU "
            span.key.pressed {} " waiting for a CPU "
            span.key.other {} " waiting for something else: disks, the network, other processes, sleep "
            span.key.lock {} " waiting for a lock"
        }
        @if !known { p.dim { "This record has no times of begin: pieces of work stand one after the other, as long as they took." } }
        div.timeline style=(format!("--step:{:.3}%", place(step))) {
            div.row.axis aria-hidden="true" {
                span {}
                span.track { @for tick in ticks { i style=(format!("left:{:.3}%", place(tick))) { (tick_words(tick, step)) } } }
                span {}
            }
            @for wait in &page.record.waits {
                div.row {
                    span.name { "waiting for " (visible(&wait.lock)) @if let Some(holder) = &wait.holder { ", which " (visible(holder)) " had" } }
                    span.track { span.span.lock style=(format!("left:0;width:{:.3}%", place(wait.seconds))) {} }
                    span.took { (seconds(wait.seconds)) }
                }
            }
            @for group in &groups {
                @let parts: Vec<&Part<'_>> = group.entries.iter().filter_map(|entry| super::part(entry)).collect();
                @let turn: Vec<&&Part<'_>> = parts.iter().filter(|part| part.phase != Phase::Fetch).collect();
                @let took: f64 = turn.iter().map(|part| part.cost.time_real).sum();
                @let failed = parts.iter().any(|part| part.step.is_some_and(|step| !step.outcome.is_done()));
                details open[!many || failed || took > total / 10.0] {
                    summary.row {
                        span.name { @if failed { span.bad { "✗ " } } b { (group.name) } span.dim { " " (count(group.entries.len(), "part", "parts")) } }
                        span.track {
                            @for part in parts.iter().filter(|part| part.phase == Phase::Fetch) {
                                span.span.fetched style=(format!("left:{:.3}%;width:{:.3}%", place(part.began.seconds()), place(part.cost.time_real))) {}
                            }
                            @for turn in turns(&turn) { (turn.drawn(total)) }
                        }
                        span.took { (seconds(took)) }
                    }
                    @for entry in &group.entries { (row(entry, total)) }
                }
            }
        }
    })
}

/// Neighbours of one owner; disco's own work before, between and after the modules.
fn groups<'e, 'a>(entries: &'e [Entry<'a>]) -> Vec<Group<'e, 'a>> {
    let mut groups: Vec<Group<'e, 'a>> = Vec::new();
    for entry in entries {
        let name = match entry {
            Entry::Part(part) => part.owner(),
            Entry::Skipped(skipped) => skipped.module.as_str(),
        };
        match groups.last_mut() {
            Some(group) if group.name == name => group.entries.push(entry),
            _ => groups.push(Group { name, entries: vec![entry] }),
        }
    }
    groups
}

/// A time of work, and what it was spent on.
#[derive(Debug, Clone, Copy)]
struct Spent {
    began: f64,
    ended: f64,
    cpu: f64,
    pressed: f64,
}

impl Spent {
    fn of(part: &Part<'_>) -> Spent {
        let took = part.cost.time_real;
        let pressed = part.metrics().and_then(|metrics| metrics.cpu_pressure).unwrap_or(0.0).min(took);
        // Several processes at once may use more CPU than time goes by.
        let cpu = part.cpu().min(took - pressed).max(0.0);
        Spent { began: part.began.seconds(), ended: part.ended(), cpu, pressed }
    }

    fn drawn(&self, total: f64) -> Markup {
        let Spent { began, ended, cpu, pressed } = *self;
        let took = ended - began;
        let share = |of: f64| if took > 0.0 { (of / took * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        let place = format!("left:{:.3}%;width:{:.3}%", began / total * 100.0, took / total * 100.0);
        html! {
            span.span style=(place) {
                span.cpu style=(format!("width:{:.1}%", share(cpu))) {}
                @if pressed > 0.0 { span.pressed style=(format!("width:{:.1}%", share(pressed))) {} }
                span.other style="flex:1" {}
            }
        }
    }
}

/// The times in which something went on without a pause that one would see.
fn turns(parts: &[&&Part<'_>]) -> Vec<Spent> {
    let mut turns: Vec<Spent> = Vec::new();
    for one in parts.iter().map(|part| Spent::of(part)) {
        match turns.last_mut() {
            Some(last) if one.began - last.ended < (one.ended - last.began) / 50.0 => {
                last.ended = last.ended.max(one.ended);
                last.cpu += one.cpu;
                last.pressed += one.pressed;
            }
            Some(_) | None => turns.push(one),
        }
    }
    turns
}

fn row(entry: &Entry<'_>, total: f64) -> Markup {
    let part = match entry {
        Entry::Part(part) => part,
        Entry::Skipped(skipped) => {
            return html! { div.row.dim { span.name { "– skipped: it needs " (skipped.because) } span.track {} span.took {} } };
        }
    };
    let spent = Spent::of(part);
    let failed = part.step.is_some_and(|step| !step.outcome.is_done());
    let words = format!(
        "began {} {} after the run did, took {}: CPU {}, waiting {}",
        if part.began.is_known() { "at" } else { "about" },
        seconds(spent.began),
        seconds(part.cost.time_real),
        seconds(part.cpu()),
        seconds((part.cost.time_real - spent.cpu).max(0.0)),
    );
    html! {
        div.row title=(words) {
            span.name { @if failed { span.bad { "✗ " } } (visible(&part.label())) }
            span.track { (spent.drawn(total)) }
            span.took { (seconds(part.cost.time_real)) }
        }
    }
}

/// A round number of seconds of which no more than eight fit.
fn step(total: f64) -> f64 {
    let rough = (total / 8.0).max(1e-6);
    let decade = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * decade >= rough).unwrap_or(10.0);
    factor * decade
}

fn tick_words(at: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{at:.digits$} s")
}
