//! What a run does on the live system around its merge, as text: lines as they always were, and the calm view.

use crate::cli::line::{Ink, Line, Signs};
use crate::cli::report_text::one_line;
use crate::cli::terminal::{Level, Terminal};
use crate::model::duty::{Duty, LeftOut, Schedule};
use crate::model::root::LiveRoot;
use crate::model::run::Mode;
use crate::model::step::Outcome;

/// The classic form: what no step has asked for, since that was told already, and what is not done after all.
pub(super) fn classic(schedule: &Schedule, root: &LiveRoot, mode: Mode, terminal: &mut Terminal) {
    for duty in schedule.duties().filter(|duty| !duty.was_asked()) {
        match mode {
            Mode::Noop => terminal.result_at(Level::Warning, &format!("Would execute : {}", duty.words())),
            Mode::Live => terminal.say_at(Level::Info, &format!("Deferred : {}", duty.words())),
        }
    }
    for (command, why) in left_out(&schedule.left_out, root) {
        let why = if root.is_own() { format!(" : {why}") } else { String::new() };
        match mode {
            Mode::Noop => terminal.result_at(Level::Warning, &format!("Not executed : {command}{why}")),
            Mode::Live => terminal.say_at(Level::Warning, &format!("Not executed : {command}{why}")),
        }
    }
}

/// What is not done, and was not told as that: on another root each action was.
fn left_out<'a>(left_out: &'a [LeftOut], root: &LiveRoot) -> Vec<(&'a str, &'a str)> {
    let mut told = Vec::new();
    for left in left_out {
        let known = if root.is_own() { 0 } else { left.seqs.len() };
        told.extend(left.commands.iter().skip(known).map(|command| (command.as_str(), left.why.as_str())));
    }
    told
}

/// The classic form of something that was done on the live system: what it printed, and how it ended.
pub(super) fn executed(how: &str, words: &str, outcome: &Outcome, output: &str, terminal: &mut Terminal) {
    for line in output.lines() {
        terminal.say(line);
    }
    let level = if outcome.is_done() { Level::Info } else { Level::Error };
    terminal.say_at(level, &format!("{how} : {words} : {outcome}"));
}

/// The calm view: in NOOP all of it, in one short block; a live run shows it as it is done.
pub(super) fn pretty(schedule: &Schedule, root: &LiveRoot, mode: Mode, signs: &Signs) -> Vec<Line> {
    let mut lines = Vec::new();
    if mode == Mode::Noop {
        let mut part = |head: &str, duties: &[Duty]| {
            if duties.is_empty() {
                return;
            }
            lines.push(Line::new(Ink::Dim, head));
            for duty in duties {
                let line = Line::new(Ink::Care, format!("  {} ", signs.action));
                lines.push(line.and(Ink::Plain, one_line(&duty.words())));
            }
        };
        part("Before the merge:", &schedule.before);
        part("After the merge:", &schedule.after);
    }
    for (command, why) in left_out(&schedule.left_out, root) {
        let text = format!("! not run: {}: {why}", one_line(command));
        lines.push(Line::new(Ink::Care, text));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::ask::of_line;
    use crate::model::duty::DutyOrigin;

    #[test]
    fn the_calm_view_shows_both_sides_of_the_merge() {
        let duty = |number, line: &str| Duty {
            number,
            origin: DutyOrigin::Actions { seqs: vec![number] },
            effect: of_line(line),
            service: None,
        };
        let left = LeftOut { seqs: vec![2], commands: vec!["reboot".into()], why: "so".into() };
        let schedule = Schedule {
            before: vec![duty(0, "service a stop")],
            after: vec![duty(1, "service b start")],
            left_out: vec![left],
        };
        let text = |mode, root: &LiveRoot| {
            let lines = pretty(&schedule, root, mode, &Signs::ASCII);
            lines.iter().map(|line| line.render(false, str::to_owned)).collect::<Vec<_>>()
        };
        let action = Signs::ASCII.action;
        assert_eq!(
            text(Mode::Noop, &LiveRoot::Own),
            [
                "Before the merge:".to_owned(),
                format!("  {action} service a stop"),
                "After the merge:".to_owned(),
                format!("  {action} service b start"),
                "! not run: reboot: so".to_owned(),
            ]
        );
        assert_eq!(text(Mode::Live, &LiveRoot::Own), ["! not run: reboot: so"]);
        let elsewhere = LiveRoot::new(std::path::Path::new("/mnt")).unwrap();
        assert!(text(Mode::Live, &elsewhere).is_empty(), "it was told when it was asked for");
    }
}
