//! How long each module took in the runs before.

use maud::{Markup, html};

use crate::model::run::Mode;
use crate::reports::html::Page;
use crate::reports::html::words::seconds;
use crate::reports::series::Measure;
use crate::reports::trend::{self, FEWEST, Row, Standing};

/// The height of a picture; its width is 10 a run.
const HEIGHT: f64 = 48.0;

/// One small picture a module; none where there is but this run.
pub fn history(page: &Page<'_>) -> Option<Markup> {
    let trend = trend::trend(page.history, Measure::Time).filter(|trend| trend.counted.runs.len() > 1)?;
    let mode = match trend.counted.mode {
        Mode::Noop => "NOOP",
        Mode::Live => "live",
    };
    let ran = |row: &&Row| {
        let module = row.subject.module.as_ref();
        let of_this = module.is_none_or(|name| page.record.modules.iter().any(|one| one.module == *name));
        (row.subject.is_run() || row.subject.is_module()) && of_this
    };
    Some(html! {
        p.dim {
            "Wall time in the " (trend.counted.runs.len()) " kept " (mode) " runs up to this one, the oldest first. This run is the last bar; \
             the line is the median. A module that failed is left out."
        }
        div.history { @for row in trend.series.iter().filter(ran) { (figure(row, page)) } }
    })
}

fn figure(row: &Row, page: &Page<'_>) -> Markup {
    let name = row.subject.module.as_ref().map_or("the whole run", |module| module.as_str());
    let largest = row.points.iter().map(|point| point.value).fold(f64::MIN_POSITIVE, f64::max);
    let height = |value: f64| (value / largest * HEIGHT).max(1.0);
    let width = row.points.len() * 10;
    let line = HEIGHT - row.median / largest * HEIGHT;
    let spread = format!("median {} ± {}", seconds(row.median), seconds(row.noise));
    html! {
        figure {
            figcaption { b { (name) } span.dim { " " (spread) } (verdict(row)) }
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label={ (name) ": " (spread) } {
                @for (index, point) in row.points.iter().enumerate() {
                    @let high = height(point.value);
                    rect.now[point.run == page.record.run] x=(index * 10 + 1) y=(format!("{:.2}", HEIGHT - high)) width="8" height=(format!("{high:.2}")) {
                        title { (point.run) ": " (seconds(point.value)) }
                    }
                }
                line x1="0" x2=(width) y1=(format!("{line:.2}")) y2=(format!("{line:.2}")) {}
            }
        }
    }
}

fn verdict(row: &Row) -> Markup {
    let change = |sign: &str| match row.shifts.last() {
        None => String::new(),
        Some(shift) => {
            let by = (shift.after / shift.before - 1.0).abs() * 100.0;
            format!("{sign}{by:.0} % since run {}", shift.since)
        }
    };
    match row.standing {
        Standing::Worse => html! { span.bad { " ▲ slower: " (change("+")) } },
        Standing::Better => html! { span.good { " ▼ faster: " (change("−")) } },
        Standing::Steady => html! {},
        Standing::TooFew => {
            html! { span.dim { " (with fewer than " (FEWEST) " runs no trend can be told)" } }
        }
    }
}
