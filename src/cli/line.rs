//! A line for people, in pieces of one ink each, and the signs that such lines are made of. Pure: what shows it decides
//! whether there is colour.

use anstyle::{AnsiColor, Style};

/// How a piece of a line looks where there is colour. No ink says anything that the words do not say too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As the terminal has it.
    Plain,
    /// What can be passed over.
    Dim,
    /// What a line is about.
    Bold,
    /// Done, or come.
    Good,
    /// Failed, or gone.
    Bad,
    /// To be looked at.
    Care,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Ink::Plain => Style::new(),
            Ink::Dim => Style::new().dimmed(),
            Ink::Bold => Style::new().bold(),
            Ink::Good => AnsiColor::Green.on_default(),
            Ink::Bad => AnsiColor::Red.on_default(),
            Ink::Care => AnsiColor::Yellow.on_default(),
        }
    }
}

/// One line, without its newline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(Vec<(Ink, String)>);

impl Line {
    /// A line of one piece.
    pub fn new(ink: Ink, text: impl Into<String>) -> Line {
        Line::default().and(ink, text)
    }

    /// The same with one more piece.
    #[must_use]
    pub fn and(mut self, ink: Ink, text: impl Into<String>) -> Line {
        self.0.push((ink, text.into()));
        self
    }

    /// The same with another line after it.
    #[must_use]
    pub fn append(mut self, line: Line) -> Line {
        self.0.extend(line.0);
        self
    }

    /// Its text, each piece as `show` shows it, coloured or not. The escape codes of the ink are the only ones added.
    pub fn render(&self, color: bool, show: impl Fn(&str) -> String) -> String {
        let piece = |(ink, text): &(Ink, String)| match (show(text), ink.style()) {
            (text, style) if color => format!("{style}{text}{style:#}"),
            (text, _) => text,
        };
        self.0.iter().map(piece).collect()
    }
}

/// The signs of the calm view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signs {
    /// It succeeded.
    pub done: &'static str,
    /// It failed.
    pub failed: &'static str,
    /// It was not run.
    pub skipped: &'static str,
    /// It goes on.
    pub running: &'static str,
    /// A command for the running system.
    pub action: &'static str,
    /// Between what was and what is.
    pub arrow: &'static str,
    /// Before a line of standard output.
    pub stdout: &'static str,
    /// Before a line of standard error.
    pub stderr: &'static str,
    /// For what was left out.
    pub more: &'static str,
    /// Between two things of equal rank.
    pub dot: &'static str,
    /// The pictures of the spinner, the last one for its end.
    pub spinner: &'static [&'static str],
}

impl Signs {
    /// For a terminal that shows UTF-8.
    pub const UTF8: Signs = Signs {
        done: "✓",
        failed: "✗",
        skipped: "–",
        running: "•",
        action: "↻",
        arrow: "→",
        stdout: "│",
        stderr: "┃",
        more: "…",
        dot: "·",
        spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "],
    };
    /// For any other.
    pub const ASCII: Signs = Signs {
        done: "ok",
        failed: "!!",
        skipped: "--",
        running: "..",
        action: "@",
        arrow: "->",
        stdout: "|",
        stderr: "!",
        more: "...",
        dot: "-",
        spinner: &["|", "/", "-", "\\", " "],
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ink_adds_escape_codes() {
        let line = Line::new(Ink::Good, "✓").and(Ink::Plain, " m").and(Ink::Bad, "\x1b[2J");
        let show = |text: &str| text.replace('\x1b', "^[");
        assert_eq!(line.render(false, show), "✓ m^[[2J");
        assert_eq!(line.render(true, show), "\x1b[32m✓\x1b[0m m\x1b[31m^[[2J\x1b[0m");
    }

    #[test]
    fn ascii_signs_are_ascii() {
        let Signs { done, failed, skipped, running, action, arrow, stdout, stderr, more, dot, spinner } =
            Signs::ASCII;
        let all = [done, failed, skipped, running, action, arrow, stdout, stderr, more, dot];
        assert!(all.iter().chain(spinner).all(|sign| sign.is_ascii()));
    }
}
