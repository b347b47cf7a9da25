//! What is computed and drawn of the records of runs: the pieces of a run's work ([`parts`]), forms of them for other programs
//! ([`csv`], [`trace`]) and for a browser ([`html`]), and what many runs say together ([`series`], [`trend`], [`compare`], by
//! [`statistics`]). Pure: records in, text and plain data out. Not here: the lines of a terminal, which are `cli`'s.

pub mod compare;
pub mod csv;
pub mod html;
pub mod parts;
pub mod series;
pub mod statistics;
pub mod trace;
pub mod trend;

#[cfg(test)]
mod sample;
