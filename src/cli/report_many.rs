//! What many runs say, as lines for people and as JSON. Pure.

use serde::Serialize;

use crate::cli::exit::{Failure, Kind};
use crate::cli::line::{Ink, Line, Signs};
use crate::cli::report_table::{Look, cut, size};
use crate::cli::report_text::one_line;
use crate::model::run::Mode;
use crate::reports::compare::{self, Comparison, Verdict};
use crate::reports::series::{Counted, Measure, Subject};
use crate::reports::trend::{FEWEST, Row, Standing, Trend};

/// The version of the JSON's form.
const SCHEMA: u32 = 1;
const GAP: &str = "  ";
/// The shortest sparkline that is worth its room, and the longest.
const SPARKS: (usize, usize) = (8, 40);

/// What is told below each table of how marks come about.
const HOW: &str = "Marked: medians that differ by 10 % or more, by twice the noise (median absolute deviation) or more, and by \
                   rank more than chance does in 1 of 100 trends, 1 of 20 comparisons. docs/report.md has the tests.";

/// One line of JSON with the number of its form.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Form<'a, T> {
        schema: u32,
        #[serde(flatten)]
        value: &'a T,
    }
    let json = serde_json::to_string(&Form { schema: SCHEMA, value });
    json.map(|line| line + "\n").map_err(|error| Failure::from_error(Kind::Software, &error))
}

/// The trend: the run, its modules, and what has changed; of one module `all` its parts.
pub fn trend(trend: &Trend, all: bool, look: &Look<'_>) -> Vec<Line> {
    let shown: Vec<&Row> = trend
        .series
        .iter()
        .filter(|row| all || row.subject.part.is_none() || !row.shifts.is_empty())
        .collect();
    let runs = span(&trend.counted);
    let mut lines =
        vec![Line::new(Ink::Bold, format!("{} of {runs}", measured(trend.measure))), Line::default()];
    let heads = ["MODULE", "STEP", "RUNS", "MEDIAN", "NOISE", "LAST", ""].map(str::to_owned);
    let cells = shown.iter().map(|row| {
        let figure = |value| figure(trend.measure, value);
        let [module, part] = names(&row.subject);
        let noise = format!("{}{}", plus_minus(look.signs), figure(row.noise));
        [
            module,
            part,
            row.points.len().to_string(),
            figure(row.median),
            noise,
            figure(row.last()),
            verdict(row, look.signs),
        ]
    });
    let sparks: Vec<String> = shown.iter().map(|row| sparkline(row, look.signs)).collect();
    let inks: Vec<Ink> = shown.iter().map(|row| ink(row.standing)).collect();
    lines.extend(table(&heads, &cells.collect::<Vec<_>>(), &inks, Some(&sparks), look));
    let few = shown.iter().filter(|row| row.standing == Standing::TooFew).count();
    if few > 0 {
        let words = format!("With fewer than {FEWEST} runs that succeeded no trend can be told.");
        lines.extend([Line::default(), Line::new(Ink::Dim, words)]);
    }
    lines.extend(how(look));
    lines
}

/// Two groups side by side.
pub fn comparison(comparison: &Comparison, look: &Look<'_>) -> Vec<Line> {
    let measure = measured(comparison.measure);
    let mut lines = vec![
        Line::new(Ink::Bold, format!("{measure}, A: {}", span(&comparison.a))),
        Line::new(Ink::Bold, format!("{:width$}  B: {}", "", span(&comparison.b), width = measure.len() - 1)),
        Line::default(),
    ];
    let heads = ["MODULE", "STEP", "A", "B", "NOISE", "CHANGE", ""].map(str::to_owned);
    let cells = comparison.rows.iter().map(|row| {
        let figure =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| figure(comparison.measure, value));
        let [module, part] = names(&row.subject);
        let noise =
            row.noise.map_or(String::new(), |_| format!("{}{}", plus_minus(look.signs), figure(row.noise)));
        let change = row.a.zip(row.b).map_or(String::new(), |(a, b)| percent(a, b));
        [module, part, figure(row.a), figure(row.b), noise, change, compared(row, look.signs)]
    });
    let ink = |row: &compare::Row| match row.verdict {
        Verdict::Worse => Ink::Bad,
        Verdict::Better => Ink::Good,
        Verdict::Same | Verdict::TooFew | Verdict::OnlyA | Verdict::OnlyB => Ink::Dim,
    };
    let inks: Vec<Ink> = comparison.rows.iter().map(ink).collect();
    lines.extend(table(&heads, &cells.collect::<Vec<_>>(), &inks, None, look));
    if comparison.rows.iter().any(|row| row.verdict == Verdict::TooFew) {
        let words = "Where it says nothing of the noise there are too few runs: compare spans of five or more, FROM..TO.";
        lines.extend([Line::default(), Line::new(Ink::Dim, words)]);
    }
    lines.extend(how(look));
    lines
}

fn how(look: &Look<'_>) -> Vec<Line> {
    let width = look.width.unwrap_or(100).max(20);
    let mut lines = vec![String::new()];
    let mut line = String::new();
    for word in HOW.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.into_iter().map(|line| Line::new(Ink::Dim, line)).collect()
}

fn span(counted: &Counted) -> String {
    let mode = match counted.mode {
        Mode::Noop => "noop",
        Mode::Live => "live",
    };
    match &counted.runs[..] {
        [] => "no run".to_owned(),
        [one] => format!("{mode} run {one}"),
        [first, .., last] => format!("{} {mode} runs, {first}..{last}", counted.runs.len()),
    }
}

fn measured(measure: Measure) -> &'static str {
    match measure {
        Measure::Time => "Wall time",
        Measure::Cpu => "CPU time",
        Measure::Memory => "Memory",
    }
}

fn figure(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Time | Measure::Cpu => format!("{value:.2}"),
        Measure::Memory => size(value.max(0.0) as u64),
    }
}

fn plus_minus(signs: &Signs) -> &'static str {
    if *signs == Signs::ASCII { "+-" } else { "±" }
}

fn names(subject: &Subject) -> [String; 2] {
    let part = subject.part.as_deref().map(one_line).unwrap_or_default();
    match &subject.module {
        Some(module) => [module.to_string(), part],
        None if part.is_empty() => ["(run)".to_owned(), part],
        None => ["disco".to_owned(), part],
    }
}

fn percent(before: f64, after: f64) -> String {
    match before > 0.0 {
        true => format!("{:+.0}%", (after / before - 1.0) * 100.0),
        false => String::new(),
    }
}

fn ink(standing: Standing) -> Ink {
    match standing {
        Standing::Worse => Ink::Bad,
        Standing::Better => Ink::Good,
        Standing::Steady | Standing::TooFew => Ink::Plain,
    }
}

fn verdict(row: &Row, signs: &Signs) -> String {
    let Some(shift) = row.shifts.last() else { return String::new() };
    let word = match row.standing {
        Standing::Worse => "SLOWER",
        Standing::Better => "faster",
        Standing::Steady | Standing::TooFew => return String::new(),
    };
    let files = if shift.module_changed == Some(true) { ", with other files" } else { "" };
    let change = percent(shift.before, shift.after);
    let dot = signs.dot;
    format!("{word} {change} since {}{files} {dot} p {}", shift.since, chance(shift.p))
}

fn compared(row: &compare::Row, signs: &Signs) -> String {
    let p = row.p.map_or(String::new(), |p| format!(" {} p {}", signs.dot, chance(p)));
    match row.verdict {
        Verdict::Worse => format!("SLOWER{p}"),
        Verdict::Better => format!("faster{p}"),
        Verdict::Same => "same".to_owned(),
        Verdict::TooFew => String::new(),
        Verdict::OnlyA => "only in A".to_owned(),
        Verdict::OnlyB => "only in B".to_owned(),
    }
}

/// A probability in two digits.
fn chance(p: f64) -> String {
    if p < 0.0001 { "<0.0001".to_owned() } else { format!("{p:.4}") }
}

/// The values as small columns, from nothing to the largest; where there are more than fit, the newest.
fn sparkline(row: &Row, signs: &Signs) -> String {
    let levels: &[char] = match *signs == Signs::ASCII {
        true => &['_', '.', '-', '=', '#'],
        false => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    };
    let largest = row.points.iter().map(|point| point.value).fold(0.0, f64::max);
    let level = |value: f64| match largest > 0.0 {
        true => ((value / largest * levels.len() as f64).ceil() as usize).clamp(1, levels.len()) - 1,
        false => 0,
    };
    row.points.iter().map(|point| levels[level(point.value)]).collect()
}

/// A table: two columns of words, figures, a sparkline where there is room, and a verdict.
fn table(
    heads: &[String; 7],
    rows: &[[String; 7]],
    inks: &[Ink],
    sparks: Option<&[String]>,
    look: &Look<'_>,
) -> Vec<Line> {
    let natural = |column: usize| {
        let all = std::iter::once(heads).chain(rows);
        all.map(|row| row[column].chars().count()).max().unwrap_or(0)
    };
    let mut widths: [usize; 7] = std::array::from_fn(natural);
    let room = look.width.unwrap_or(usize::MAX);
    let longest = sparks.map_or(0, |all| all.iter().map(|one| one.chars().count()).max().unwrap_or(0));
    let used = |widths: &[usize; 7]| widths.iter().sum::<usize>() + 6 * GAP.len();
    // Names give way before figures do; a verdict that has no room has a line of its own.
    let below = used(&widths) > room && widths[6] > 0;
    if below {
        widths[6] = 0;
    }
    while used(&widths) > room {
        let widest = if widths[0] > widths[1] { 0 } else { 1 };
        if widths[widest] <= 4 {
            break;
        }
        widths[widest] -= 1;
    }
    let left = room.saturating_sub(used(&widths) + GAP.len()).min(SPARKS.1).min(longest);
    let spark = if left >= SPARKS.0.min(longest) { left } else { 0 };
    let line = |row: &[String; 7], shown: &str| {
        let mut cells: Vec<String> = Vec::new();
        for (column, width) in widths.iter().copied().enumerate().take(6) {
            let cell = cut(&row[column], width);
            cells.push(if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        }
        if spark > 0 {
            let skip = shown.chars().count().saturating_sub(spark);
            let newest: String = shown.chars().skip(skip).collect();
            cells.push(format!("{newest:<spark$}"));
        }
        cells.join(GAP)
    };
    let mut lines =
        vec![Line::new(Ink::Bold, line(heads, if sparks.is_some() { "HISTORY" } else { "" }).trim_end())];
    for (index, row) in rows.iter().enumerate() {
        let spark = sparks.map_or("", |all| all[index].as_str());
        let (figures, words) = (line(row, spark), &row[6]);
        if words.is_empty() {
            lines.push(Line::new(Ink::Plain, figures.trim_end()));
        } else if below {
            lines.push(Line::new(Ink::Plain, figures.trim_end()));
            lines.push(Line::new(inks[index], cut(&format!("    {words}"), room)));
        } else {
            lines.push(Line::new(Ink::Plain, format!("{figures}{GAP}")).and(inks[index], words));
        }
    }
    lines
}

#[cfg(test)]
#[path = "report_many_tests.rs"]
mod tests;
