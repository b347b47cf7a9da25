//! The one line at the bottom of a terminal that says what goes on. It is drawn anew below whatever is printed, is never
//! wider than the terminal, and is gone when it is dropped. The cursor stays visible, so that nothing has to be restored.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);
/// What is drawn: how long it has been going on, and what, cut where it is too long.
const TEMPLATE: &str = "{spinner} {for}  {wide_msg}";

/// Whether standard error is a terminal that can draw such a line.
pub fn can_draw() -> bool {
    Term::stderr().is_term() && !console::is_dumb()
}

/// The line.
#[derive(Debug)]
pub struct Live {
    bar: ProgressBar,
}

impl Live {
    /// A line with these pictures of its spinner; the last one is for its end. Once `stop` is set it says so: what cannot be
    /// stopped half-way, such as a merge, goes on.
    pub fn new(spinner: &[&str], stop: Arc<AtomicBool>) -> Live {
        // The template is a constant of ours, so it can be parsed; without it the line would be plainer.
        let style =
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let elapsed = move |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let asked = if stop.load(Ordering::Relaxed) { "  asked to stop;" } else { "" };
            // It writes into a String, which cannot fail.
            let _ = write!(to, "{}{asked}", waited(state.elapsed().as_secs()));
        };
        let style = style.with_key("for", elapsed).tick_strings(spinner);
        let target = ProgressDrawTarget::term_like(Box::new(Unfilled(Term::buffered_stderr())));
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        bar.enable_steady_tick(TURN);
        Live { bar }
    }

    /// From now on this goes on.
    pub fn now(&self, what: String) {
        self.bar.reset_elapsed();
        self.bar.set_message(what);
    }

    /// There is more to say of what goes on; it goes on for as long as it does.
    pub fn more(&self, what: String) {
        self.bar.set_message(what);
    }

    /// Prints something above the line.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The terminal, without the spaces that indicatif fills a line with: after them a typed `^C` stands on the next line, and a
/// narrower window breaks the line; either way the first half of it would stay.
#[derive(Debug)]
struct Unfilled(Term);

/// The room for a `^C`.
const ROOM: u16 = 2;

impl TermLike for Unfilled {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(ROOM)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text.trim_end_matches(' '))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// How long something has been going on, in minutes and seconds.
fn waited(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_short_to_read() {
        for (seconds, text) in [(1, "0:01"), (59, "0:59"), (60, "1:00"), (3725, "62:05")] {
            assert_eq!(waited(seconds), text);
        }
    }
}
