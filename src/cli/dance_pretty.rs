//! `disco dance --format pretty`: the calm view, for somebody at a terminal. What a terminal gets where no format is asked
//! for; into a pipe it is the same text line by line, without a status line.

use std::time::Instant;

use crate::cli::Global;
use crate::cli::dance::{self, Args, Prepared};
use crate::cli::ending::{self, Ended, not_told};
use crate::cli::exit::{Exit, Failure};
use crate::cli::line::Signs;
use crate::cli::pretty_changes::Detail;
use crate::cli::pretty_end;
use crate::cli::pretty_view::{Frame, Status, View};
use crate::cli::terminal::{Level, Terminal, To};
use crate::ops::dance::DanceEvent;
use crate::sys::host;

/// Does the dance, and shows it.
pub(super) fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Prepared { settings, unknown, interrupt, options, codes, mut monitors } =
        dance::prepare(args, global)?;
    for origin in unknown {
        terminal.say_at(Level::Warning, &dance::sets_nothing(&origin));
    }
    let signs = if host::shows_utf8() { &Signs::UTF8 } else { &Signs::ASCII };
    let detail = args.diff.map_or(Detail::Enough, |diff| Detail::All(diff.into()));
    let node = &settings.node.value;
    let noise = (!args.all).then_some(&settings.noise.value);
    let (mode, verbose) = (settings.mode.value, args.verbose);
    let mut view = View::new(Frame { mode, node, detail, noise, verbose, signs });
    let started = Instant::now();
    let took = || started.elapsed().as_secs_f64();
    terminal.live(signs.spinner, interrupt.shared_flag());
    let mut held = Vec::new();
    let mut tell = |event: DanceEvent<'_>| {
        monitors.hear(&event);
        held.extend(view.tell(&event, took()));
        // Each time the last line of the terminal is drawn anew: once for all lines that are at hand.
        if let DanceEvent::Line { more: true, .. } = event {
            return;
        }
        print(terminal, std::mem::take(&mut held));
        if let DanceEvent::Planned { modules: 0, .. } = event {
            terminal.say_at(Level::Warning, &dance::no_modules(node));
        }
        match view.status() {
            Some(Status::New(what)) => terminal.now(&what),
            Some(Status::More(what)) => terminal.more(&what),
            None => {}
        }
    };
    let ended = Ended::from(crate::ops::dance::dance(&settings, &options, &interrupt, &mut tell));
    print(terminal, held);
    terminal.calm();
    not_told(&ended.tell(monitors, codes), terminal);
    match ended {
        Ended::Run(record) => {
            let exit = ending::exit_of(&record, codes);
            let late = interrupt.signal().is_some();
            let (to, lines) = pretty_end::end(&view, &record, took(), exit.number(), late);
            terminal.lines(to, &lines);
            Ok(exit)
        }
        Ended::Signal(signal) => {
            terminal.lines(To::Err, &[pretty_end::interrupted(&view, signal, took())]);
            Ok(Exit::Signal(signal))
        }
        Ended::Not(failure) => Err(failure),
    }
}

/// Prints lines in their order; those that go the same way in one go.
fn print(terminal: &mut Terminal, lines: Vec<(To, crate::cli::line::Line)>) {
    for to in lines.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((first, _)) = to.first() else { continue };
        let lines: Vec<_> = to.iter().map(|(_, line)| line.clone()).collect();
        terminal.lines(*first, &lines);
    }
}
