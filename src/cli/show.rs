//! `disco show`: one step of a run, with what it printed. Arguments in, text out.

use serde::Serialize;

use crate::cli::exit::Failure;
use crate::cli::runs::columns;
use crate::cli::{Format, Global, Said};
use crate::model::names::{ModuleName, RunId};
use crate::model::run::RunRecord;
use crate::model::step::{OutputLine, StepRecord, Stream};
use crate::ops::history::Which;
use crate::ops::settings::{for_anybody, home};
use crate::ops::show::{self, Shown};
use crate::sys::line_log::PrintedLine;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Examples:
  disco show
  disco show last web-1/10-hello.sh --times --streams
  disco show 20261120-190451-042-1234 web-1/10-hello.sh --format json";

/// What `disco show` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, as `disco runs` lists it, or `last`
    #[arg(default_value = "last", hide_default_value = true)]
    pub run: Which,
    /// The step: MODULE/STEP [default: a list of all of them]
    pub step: Option<String>,
    /// Before each line: when it was printed, in seconds since the step began
    #[arg(long, requires = "step")]
    pub times: bool,
    /// Before each line: which stream it was printed to, out or err
    #[arg(long, requires = "step")]
    pub streams: bool,
    /// Only what it printed
    #[arg(long, requires = "step", conflicts_with = "format")]
    pub output: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The step, or the steps of the run.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let home = home(&for_anybody(global.flags()))?.value;
    let Some(step) = &args.step else {
        let record = show::run(&home, &args.run)?;
        let steps = show::steps(&record);
        return Ok(Said::from(match args.format {
            Format::Text => list(&record, &steps),
            Format::Json => steps.iter().map(|step| json(&record.run, step)).collect(),
        }));
    };
    let (record, step) = show::step(&home, &args.run, step)?;
    Ok(Said::from(match args.format {
        Format::Text if args.output => printed(&step, args),
        Format::Text => head(&record, &step) + &printed(&step, args),
        Format::Json => json(&record.run, &step),
    }))
}

fn list(record: &RunRecord, steps: &[Shown]) -> String {
    let head = ["STEP", "SECONDS", "OUTCOME"].map(str::to_owned);
    let rows = steps.iter().map(|step| {
        let name = format!("{}/{}", step.module, step.name);
        [name, format!("{:.3}", step.record.cost.time_real), step.record.outcome.to_string()]
    });
    format!("run {}\n", record.run) + &columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// What is known of a step, a line each.
fn head(record: &RunRecord, step: &Shown) -> String {
    let StepRecord { outcome, command, cost, label, actions, attempts, .. } = &step.record;
    let mut lines = vec![("run", record.run.to_string()), ("step", format!("{}/{}", step.module, step.name))];
    lines.extend(command.as_ref().map(|argv| ("command", shell_words::join(argv))));
    lines.push(("outcome", outcome.to_string()));
    let cpu = format!("user {:.3} s, system {:.3} s", cost.time_user, cost.time_sys);
    lines.push(("cost", format!("{:.3} s, {cpu}, memory {} KiB", cost.time_real, cost.mem_max)));
    lines.push(("truth", label.to_string()));
    lines.extend(actions.iter().map(|action| {
        let (program, words) = action.effect.words();
        ("action", format!("{program} {words}"))
    }));
    lines.extend(attempts.iter().map(|attempt| ("attempt", attempt.to_string())));
    let lines = lines.iter().map(|(name, value)| {
        // What a step said of itself must not look like another line.
        format!("{name:<8} {}\n", value.replace(char::is_control, " "))
    });
    lines.collect()
}

fn printed(step: &Shown, args: &Args) -> String {
    let lines = step.printed.iter().map(|line| match line {
        PrintedLine::Line(OutputLine { at, stream, text }) => {
            let at = match at {
                Some(at) if args.times => format!("{at:>9.3} "),
                None if args.times => format!("{:>9} ", "-"),
                Some(_) | None => String::new(),
            };
            let stream = if args.streams { word(*stream) } else { "" };
            format!("{at}{stream}{text}\n")
        }
        PrintedLine::Cut(bytes) => format!("({bytes} bytes more were not kept)\n"),
    });
    lines.collect()
}

fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "out ",
        Stream::Stderr => "err ",
    }
}

/// One step as one line.
fn json(run: &RunId, step: &Shown) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: u32,
        run: &'a RunId,
        module: &'a ModuleName,
        name: &'a str,
        #[serde(flatten)]
        step: &'a StepRecord,
        lines: Vec<&'a OutputLine>,
        cut: u64,
    }
    let (mut lines, mut cut) = (Vec::new(), 0);
    for line in &step.printed {
        match line {
            PrintedLine::Line(line) => lines.push(line),
            PrintedLine::Cut(bytes) => cut += bytes,
        }
    }
    let (module, name) = (&step.module, step.name.as_str());
    let line = Line { schema: 1, run, module, name, step: &step.record, lines, cut };
    format!("{}\n", serde_json::json!(line))
}
