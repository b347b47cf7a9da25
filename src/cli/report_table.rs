//! What a run cost, as a table for people that fits their terminal. Pure.

use crate::cli::line::{Ink, Line, Signs};
use crate::cli::report_text::one_line;
use crate::model::run::{Mode, RunRecord};
use crate::model::step::Cost;
use crate::reports::parts::{self, Entry, Part, Skipped};

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

/// What a terminal shows.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Its columns; `None` where there is no terminal, and no end to a line.
    pub width: Option<usize>,
    /// Its signs.
    pub signs: &'a Signs,
}

/// What a column shows, and what becomes of it where the terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Words, cut where they are too long.
    Words,
    /// Figures, to the right. Where words have no room left, those of the highest number go first.
    Figures(u8),
    /// A bar, in the room that is left.
    Bar,
}

const HOW_MANY: usize = 11;
const COLUMNS: [(&str, Column); HOW_MANY] = [
    ("MODULE", Column::Words),
    ("STEP", Column::Words),
    ("REAL", Column::Figures(0)),
    ("", Column::Bar),
    ("USER", Column::Figures(3)),
    ("SYS", Column::Figures(3)),
    ("MEMORY", Column::Figures(1)),
    ("READ", Column::Figures(4)),
    ("WRITE", Column::Figures(4)),
    ("OVERLAY", Column::Figures(2)),
    ("OUTCOME", Column::Words),
];
const BAR: usize = 3;
const OUTCOME: usize = 10;
/// The room that words keep, whatever the figures need; and how a step ended, which is why the table is read.
const LEAST: usize = 8;
const LEAST_OUTCOME: usize = 16;
/// The shortest bar that is worth its room, and the longest.
const BARS: (usize, usize) = (6, 20);
const GAP: &str = "  ";

struct Row {
    cells: [String; HOW_MANY],
    ink: Ink,
    time: f64,
    memory: u64,
}

/// The table of a run that ended so, no line longer than the terminal is wide.
pub fn table(record: &RunRecord, outcome: &str, sort: Sort, look: &Look<'_>) -> Vec<Line> {
    let entries = parts::entries(record);
    let mut rows: Vec<Row> = entries.iter().map(row).collect();
    match sort {
        Sort::Order => {}
        Sort::Time => rows.sort_by(|a, b| b.time.total_cmp(&a.time)),
        Sort::Memory => rows.sort_by_key(|row| std::cmp::Reverse(row.memory)),
    }
    let longest = rows.iter().map(|row| row.time).fold(0.0, f64::max);
    rows.push(total(record));
    let heads = COLUMNS.map(|(head, _)| head.to_owned());
    let cells: Vec<&[String; HOW_MANY]> =
        std::iter::once(&heads).chain(rows.iter().map(|row| &row.cells)).collect();
    let widths = widths(&cells, look.width);
    let mut lines = head(record, outcome, look.width);
    if entries.is_empty() {
        lines.push(Line::new(Ink::Plain, "Nothing has run."));
        return lines;
    }
    lines.push(Line::new(Ink::Bold, line(&heads, &widths, "").trim_end()));
    let last = rows.len() - 1;
    for (at, row) in rows.iter().enumerate() {
        let share = if longest > 0.0 && at < last { row.time / longest } else { 0.0 };
        let bar = bar(share, widths[BAR], look.signs);
        let shown = line(&row.cells, &widths, &bar);
        let before = line_up_to_outcome(&widths).min(shown.chars().count());
        let (figures, outcome): (String, String) =
            (shown.chars().take(before).collect(), shown.chars().skip(before).collect());
        let ink = if at == last { Ink::Bold } else { Ink::Plain };
        let (figures, outcome) = match outcome.trim_end() {
            "" => (figures.trim_end().to_owned(), String::new()),
            words => (figures, words.to_owned()),
        };
        lines.push(Line::new(ink, figures).and(row.ink, outcome));
    }
    lines
}

/// A run in a line: which, how, and how it ended.
fn head(record: &RunRecord, outcome: &str, width: Option<usize>) -> Vec<Line> {
    let mode = match record.mode {
        Mode::Noop => "noop",
        Mode::Live => "live",
    };
    let text = format!("Run {} of {}, {mode}: {}", record.run, record.node, one_line(outcome));
    vec![Line::new(Ink::Bold, cut(&text, width.unwrap_or(usize::MAX))), Line::default()]
}

fn row(entry: &Entry<'_>) -> Row {
    let part = match entry {
        Entry::Part(part) => part,
        Entry::Skipped(Skipped { module, because }) => {
            let mut cells: [String; HOW_MANY] = Default::default();
            cells[0] = module.to_string();
            cells[OUTCOME] = format!("skipped: needs {because}");
            return Row { cells, ink: Ink::Care, time: 0.0, memory: 0 };
        }
    };
    let outcome = part.step.map(|step| (&step.outcome, step.outcome.is_done()));
    let mut cells = figures(part.cost, part.memory(), [part.read(), part.written()]);
    cells[0] = part.owner().to_owned();
    cells[1] = one_line(&part.label());
    cells[9] = part.overlay_share().map_or(String::new(), |share| format!("{:.0}%", share * 100.0));
    cells[OUTCOME] = outcome.map_or(String::new(), |(outcome, _)| one_line(&outcome.to_string()));
    let ink = if outcome.is_some_and(|(_, done)| !done) { Ink::Bad } else { Ink::Plain };
    Row { cells, ink, time: part.cost.time_real, memory: part.memory() }
}

/// All of it: times and blocks added up, the largest memory, and the overlay's share of all that steps needed.
fn total(record: &RunRecord) -> Row {
    let parts = parts::parts(record);
    let mut cost = parts.iter().fold(Cost::default(), |total, part| Cost {
        time_real: total.time_real + part.cost.time_real,
        ..total.with(*part.cost)
    });
    // Some of it happens at the same time; the run knows how long it took.
    cost.time_real = parts::seconds(record).unwrap_or(cost.time_real);
    let memory = parts.iter().map(Part::memory).max().unwrap_or(0);
    let sum = |of: fn(&Part<'_>) -> u64| parts.iter().map(of).fold(0, u64::saturating_add);
    let mut cells = figures(&cost, memory, [sum(|part| part.read()), sum(|part| part.written())]);
    cells[0] = "total".to_owned();
    let overlay: Vec<(f64, f64)> =
        parts.iter().filter_map(|part| Some((part.metrics()?.overlay_cpu?, part.cpu()))).collect();
    let (own, steps): (f64, f64) =
        overlay.iter().fold((0.0, 0.0), |sums, (own, step)| (sums.0 + own, sums.1 + step));
    if own + steps > 0.0 {
        cells[9] = format!("{:.0}%", own / (own + steps) * 100.0);
    }
    Row { cells, ink: Ink::Bold, time: cost.time_real, memory }
}

fn figures(cost: &Cost, memory: u64, [read, written]: [u64; 2]) -> [String; HOW_MANY] {
    let seconds = |value: f64| format!("{value:.2}");
    let mut cells: [String; HOW_MANY] = Default::default();
    cells[2] = seconds(cost.time_real);
    cells[4] = seconds(cost.time_user);
    cells[5] = seconds(cost.time_sys);
    cells[6] = size(memory);
    cells[7] = size(read);
    cells[8] = size(written);
    cells
}

/// A bar of so many characters for a share of 1, without blanks after it.
pub(super) fn bar(share: f64, width: usize, signs: &Signs) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    // Whatever took time is seen.
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    if *signs == Signs::ASCII {
        return "#".repeat(eighths.div_ceil(8));
    }
    const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let part = (eighths % 8).checked_sub(1).map(|at| PARTS[at]);
    std::iter::repeat_n('█', eighths / 8).chain(part).collect()
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
fn widths(cells: &[&[String; HOW_MANY]], room: Option<usize>) -> [usize; HOW_MANY] {
    // A column of nothing but its head is none.
    let natural = |column: usize| {
        let lengths = || cells.iter().map(|row| row[column].chars().count());
        if lengths().skip(1).any(|length| length > 0) { lengths().max().unwrap_or(0) } else { 0 }
    };
    let mut widths: [usize; HOW_MANY] = std::array::from_fn(natural);
    let Some(room) = room else {
        widths[BAR] = BARS.1;
        return widths;
    };
    let words = |column: &usize| COLUMNS[*column].1 == Column::Words;
    let taken = |widths: &[usize; HOW_MANY], least: bool| -> usize {
        let used: Vec<usize> = (0..HOW_MANY).filter(|&column| widths[column] > 0).collect();
        let width = |&column: &usize| match least && words(&column) {
            true => widths[column].min(if column == OUTCOME { LEAST_OUTCOME } else { LEAST }),
            false => widths[column],
        };
        used.iter().map(width).sum::<usize>() + GAP.len() * used.len().saturating_sub(1)
    };
    for first in (1..=4).rev() {
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
        let wide = |column: &usize| *column != OUTCOME && widths[*column] > LEAST;
        let wide = (0..HOW_MANY).filter(words).filter(wide).max_by_key(|&column| widths[column]);
        let widest = wide.or_else(|| (0..HOW_MANY).filter(words).max_by_key(|&column| widths[column]));
        match widest {
            Some(column) if widths[column] > 1 => widths[column] -= 1,
            Some(_) | None => break,
        }
    }
    let left = room.saturating_sub(taken(&widths, false) + GAP.len());
    widths[BAR] = if left >= BARS.0 { left.min(BARS.1) } else { 0 };
    widths
}

fn line(row: &[String; HOW_MANY], widths: &[usize; HOW_MANY], bar: &str) -> String {
    let cells = row.iter().zip(widths).zip(COLUMNS).filter(|((_, width), _)| **width > 0);
    let cells = cells.map(|((cell, &width), (_, kind))| match kind {
        Column::Words => format!("{:<width$}", cut(cell, width)),
        Column::Figures(_) => format!("{cell:>width$}"),
        Column::Bar => format!("{bar:<width$}"),
    });
    cells.collect::<Vec<_>>().join(GAP)
}

/// How many characters come before the outcome.
fn line_up_to_outcome(widths: &[usize; HOW_MANY]) -> usize {
    let before = widths[..OUTCOME].iter().filter(|width| **width > 0);
    before.map(|width| width + GAP.len()).sum()
}

/// At most that many characters; an ellipsis stands for the rest.
pub(super) fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "report_table_tests.rs"]
mod tests;
