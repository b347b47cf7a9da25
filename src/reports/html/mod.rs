//! A run as one page for a browser: no other file, no network, and without scripts all of it is there but searching, sorting
//! and unfolding at one go. Pure. Everything that comes from a record is escaped, by `maud`; what would be invisible or turn
//! the text around is shown as its number.

mod changes;
mod head;
mod history;
mod output;
mod steps;
mod timeline;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::model::change::Recorded;
use crate::model::run::RunRecord;
use crate::reports::parts::{self, Entry, Part};
use crate::sys::line_log::PrintedLine;

/// How a run stands, for the page's mark of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It did what it should.
    Good,
    /// It did not.
    Bad,
    /// Neither: it goes on, or nobody knows how it ended.
    Open,
}

/// A difference with its text.
#[derive(Debug)]
pub struct Shown {
    /// The difference.
    pub recorded: Recorded,
    /// What of its content differs, in the unified form, without the names.
    pub diff: String,
    /// How many lines of that were left out.
    pub cut: usize,
}

/// What a step printed, as far as it is shown.
#[derive(Debug)]
pub struct Output {
    /// The file of the record that has all of it: [`crate::model::step::StepRecord::output`].
    pub file: String,
    /// Its first lines.
    pub first: Vec<PrintedLine>,
    /// How many lines between were left out.
    pub left_out: u64,
    /// Its last lines.
    pub last: Vec<PrintedLine>,
}

/// Everything that is on the page.
#[derive(Debug)]
pub struct Page<'a> {
    /// The run.
    pub record: &'a RunRecord,
    /// How it ended, in words.
    pub outcome: &'a str,
    /// How it stands.
    pub standing: Standing,
    /// The kept runs of the same mode up to this one, the oldest first.
    pub history: &'a [RunRecord],
    /// What it changed.
    pub changes: &'a [Shown],
    /// What its steps printed.
    pub outputs: &'a [Output],
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page.
pub fn page(page: &Page<'_>) -> String {
    let record = page.record;
    let entries = parts::entries(record);
    let parts: Vec<Part<'_>> = entries.iter().filter_map(part).copied().collect();
    let title = format!("disco run {} of {}", record.run, record.node);
    let nonce = nonce(record);
    // Nothing is loaded, and no script runs but the page's own, even if something were not escaped.
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'"
    );
    let sections = [
        ("failures", "What failed", head::failures(page)),
        ("time", "Time line", timeline::timeline(page, &entries)),
        ("history", "History", history::history(page)),
        ("duties", "On the running system", head::duties(page)),
        ("checks", "Validators and checks", head::checks(page)),
        ("steps", "Steps: memory, I/O, CPU", steps::table(&parts)),
        ("changes", "Changes", changes::changes(page)),
        ("output", "Output", output::outputs(page)),
    ];
    let sections: Vec<_> =
        sections.into_iter().filter_map(|(id, head, body)| Some((id, head, body?))).collect();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (head::head(page, &parts)) }
                nav aria-label="Sections" {
                    @for (id, head, _) in &sections { a href={ "#" (id) } { (head) } }
                }
                main {
                    @for (id, head, body) in &sections {
                        section id=(id) { h2 { (head) } (body) }
                    }
                }
                footer { "Made by " code { "disco report --format html" } ", from the record of run " code { (record.run) } "." }
                script nonce=(nonce) { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

fn part<'e, 'a>(entry: &'e Entry<'a>) -> Option<&'e Part<'a>> {
    match entry {
        Entry::Part(part) => Some(part),
        Entry::Skipped(_) => None,
    }
}

/// By which the browser knows the page's own script: nobody whose words are on the page knew it when they were said.
fn nonce(record: &RunRecord) -> String {
    let mut hash = Sha256::new_with_prefix(SCRIPT);
    hash.update(format!("{record:?}"));
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A bar of a table: how much of the largest.
fn bar(value: f64, largest: f64) -> Markup {
    let width = if largest > 0.0 { (value / largest * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    html! { span.bar aria-hidden="true" { span style=(format!("width:{width:.1}%")) {} } }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
