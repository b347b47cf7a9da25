//! The one way to the user: results to standard output, all else to standard error; colour on terminals only.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::line::Line;
use crate::cli::live::{self, Live};

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a line is; the word that it starts with, and its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `info:`
    Info,
    /// `warning:`
    Warning,
    /// `error:`
    Error,
    /// `report:`
    Report,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Info => "info:",
            Level::Warning => "warning:",
            Level::Error => "error:",
            Level::Report => "report:",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Level::Info | Level::Report => "\x1b[0;36;40m",
            Level::Warning => "\x1b[0;33;40m",
            Level::Error => "\x1b[0;31;40m",
        }
    }
}

/// Where a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Standard output: the result.
    Out,
    /// Standard error: all else.
    Err,
}

/// Standard output and standard error, as the user wants them.
#[derive(Debug)]
pub struct Terminal {
    live: Option<Live>,
    color_out: bool,
    color_err: bool,
    out_is_terminal: bool,
    progress: bool,
    err_is_journal: bool,
    broken: Option<io::Error>,
}

impl Terminal {
    /// For this process's streams. `no_color` says whether somebody asked for none: NO_COLOR
    /// is set and not empty, or the terminal is a dumb one.
    pub fn new(color: Color, no_color: bool) -> Terminal {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let want = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        Terminal {
            live: None,
            color_out: want(out),
            color_err: want(err),
            out_is_terminal: out,
            progress: err,
            err_is_journal: is_journal(),
            broken: None,
        }
    }

    /// A line of the result.
    pub fn result(&mut self, text: &str) {
        let text = paint(&visible(text, self.out_is_terminal), self.color_out);
        self.put_out(&text);
    }

    fn put_out(&mut self, text: &str) {
        let print = || put(&mut io::stdout().lock(), text);
        let printed = self.live.as_ref().map_or_else(print, |live| live.above(print));
        if let Err(error) = printed {
            self.broken.get_or_insert(error);
        }
    }

    fn put_err(&self, text: &str) {
        let text = if self.err_is_journal { graded(text) } else { Cow::Borrowed(text) };
        let print = || put(&mut io::stderr().lock(), &text);
        // With standard error gone there is nobody left to tell.
        let _ = self.live.as_ref().map_or_else(print, |live| live.above(print));
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether both streams are terminals.
    pub fn is_all_terminal(&self) -> bool {
        self.out_is_terminal && self.progress
    }

    /// Lines in ink.
    pub fn lines(&mut self, to: To, lines: &[Line]) {
        let (color, terminal) = match to {
            To::Out => (self.color_out, self.out_is_terminal),
            To::Err => (self.color_err, self.progress),
        };
        let show = |text: &str| visible(text, terminal).into_owned();
        let shown: Vec<String> = lines.iter().map(|line| line.render(color, show)).collect();
        match (shown.is_empty(), to) {
            (true, _) => {}
            (false, To::Out) => self.put_out(&shown.join("\n")),
            (false, To::Err) => self.put_err(&shown.join("\n")),
        }
    }

    /// From now on the last line of the terminal says what goes on, until [`Terminal::calm`]. Only where both streams are
    /// terminals: otherwise it would be drawn over by a pager, or into a file. It says so once `stop` is set.
    pub fn live(&mut self, spinner: &[&str], stop: Arc<AtomicBool>) {
        if self.out_is_terminal && live::can_draw() {
            self.live = Some(Live::new(spinner, stop));
        }
    }

    /// What goes on now, for that line.
    pub fn now(&self, what: &str) {
        if let Some(live) = &self.live {
            live.now(visible(what, true).replace('\t', " "));
        }
    }

    /// More of what goes on, for that line.
    pub fn more(&self, what: &str) {
        if let Some(live) = &self.live {
            live.more(visible(what, true).replace('\t', " "));
        }
    }

    /// That line is gone, and nothing is drawn any more.
    pub fn calm(&mut self) {
        self.live = None;
    }

    /// The lines of the result, in one go: there may be very many.
    pub fn results(&mut self, text: &str) {
        let lines = text.split_terminator('\n');
        let painted: Vec<_> =
            lines.map(|line| paint(&visible(line, self.out_is_terminal), self.color_out)).collect();
        if !painted.is_empty() {
            self.put_out(&painted.join("\n"));
        }
    }

    /// A line of the result with its level.
    pub fn result_at(&mut self, level: Level, text: &str) {
        self.result(&format!("{} {text}", level.word()));
    }

    /// Anything else: warnings, errors, what a script says on its standard error.
    pub fn say(&mut self, text: &str) {
        self.put_err(&paint(&visible(text, self.progress), self.color_err));
    }

    /// Anything else, with its level.
    pub fn say_at(&mut self, level: Level, text: &str) {
        self.say(&format!("{} {text}", level.word()));
    }

    /// What goes on, for somebody who waits at a terminal; nothing of the kind in a pipe.
    pub fn progress(&mut self, text: &str) {
        if self.progress {
            self.say_at(Level::Info, text);
        }
    }

    /// Why standard output has not got all of the result, also where its reader has left.
    pub fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Why standard output has not got all of the result; not when its reader has left, as a pager does.
    pub fn lost(&self) -> Option<&io::Error> {
        self.broken.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}

/// Whether standard error is systemd's journal.
fn is_journal() -> bool {
    #[cfg(feature = "server")]
    return disco_listen::journal::is_stderr();
    #[cfg(not(feature = "server"))]
    false
}

/// A line with syslog's number of what it begins with, which the journal takes off: `journalctl -p warning` finds it then.
fn graded(text: &str) -> Cow<'_, str> {
    let number = [(Level::Error, 3), (Level::Warning, 4)]
        .into_iter()
        .find(|(level, _)| text.starts_with(level.word()));
    number.map_or(Cow::Borrowed(text), |(_, number)| Cow::Owned(format!("<{number}>{text}")))
}

/// What a line shows on a terminal: a script or a file that it prints must not move the cursor, clear the screen, hide text
/// or set the title, so control characters are shown and not obeyed. In a pipe they stay what they are.
fn visible(text: &str, terminal: bool) -> Cow<'_, str> {
    let unsafe_here = |c: char| c.is_control() && c != '\t';
    if !terminal || !text.contains(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let shown =
        text.chars().map(|c| if unsafe_here(c) { c.escape_default().to_string() } else { c.to_string() });
    Cow::Owned(shown.collect())
}

/// Colours a line by the level that it starts with.
fn paint(text: &str, color: bool) -> String {
    let levels = [Level::Info, Level::Warning, Level::Error, Level::Report];
    match levels.into_iter().find(|level| color && text.starts_with(level.word())) {
        Some(level) => format!("{}{}\x1b[0m{}", level.color(), level.word(), &text[level.word().len()..]),
        None => text.to_owned(),
    }
}

fn put(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.write_all(b"\n")?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_told_how_grave_a_line_is() {
        for (text, wanted) in [
            ("error: x", "<3>error: x"),
            ("warning: x", "<4>warning: x"),
            ("info: x", "info: x"),
            ("an error: x", "an error: x"),
        ] {
            assert_eq!(graded(text), wanted);
        }
    }

    #[test]
    fn a_terminal_is_shown_control_characters_and_obeys_none() {
        for (text, expected) in [
            ("a\tb ä", "a\tb ä"),
            ("\x1b[2J\x1b]0;title\x07", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("50%\r100%", "50%\\r100%"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(visible(text, true), expected);
            assert_eq!(visible(text, false), text);
        }
    }

    #[test]
    fn only_the_level_is_coloured() {
        assert_eq!(paint("info: x", true), "\x1b[0;36;40minfo:\x1b[0m x");
        assert_eq!(paint("info: x", false), "info: x");
        assert_eq!(paint("> info: x", true), "> info: x");
    }
}
