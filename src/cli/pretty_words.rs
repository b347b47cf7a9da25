//! Words of the calm view: a line that something has printed, a time, what the status line shows of a line. Pure.

use crate::cli::line::{Ink, Line, Signs};
use crate::model::step::Stream;

/// No terminal is wider, in bytes.
const LONGEST_STATUS: usize = 2000;

/// What of a line the status line can show: the last part of what draws over itself, without control characters.
pub fn last_of(text: &str) -> String {
    let part = text.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
    let mut plain = String::new();
    let mut rest = part.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // A sequence such as that of a colour: up to its letter.
            '\x1b' if rest.next_if_eq(&'[').is_some() => {
                while rest.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                rest.next();
            }
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
        if plain.len() > LONGEST_STATUS {
            break;
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line that a step or an action has printed.
pub fn printed(stream: Stream, text: &str, signs: &Signs) -> Line {
    match stream {
        Stream::Stdout => Line::new(Ink::Dim, format!("  {} ", signs.stdout)).and(Ink::Plain, text),
        Stream::Stderr => Line::new(Ink::Care, format!("  {} ", signs.stderr)).and(Ink::Plain, text),
    }
}

/// A time as somebody says it.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        0.0..10.0 => format!("{seconds:.1} s"),
        10.0..60.0 => format!("{seconds:.0} s"),
        _ => format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), (seconds % 60.0).floor()),
    }
}
