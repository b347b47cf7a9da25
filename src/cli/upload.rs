//! `disco upload`: sends what waits to be told of runs, or lists it.

use serde_json::json;

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::runs::columns;
use crate::cli::terminal::{Level, Terminal};
use crate::cli::{Format, Global};
use crate::ops::settings::settings;
use crate::ops::upload::{self, ASKED_FOR, Listed, Refused, Round, When, goes_to};
use crate::settings::Settings;
use crate::sys::clock;
use crate::uploads::spool::Aside;

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// Send what waits to be told of runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each run leaves a report, facts and a webhook's message in disco's own folder,
for whom disco/upload/foreman and disco/upload/webhook name, and tries once to
send them.

What a server refuses for good is put aside: --again sends it once more, --drop
removes it.

Exit status: 0 nothing waits; 69 something does; 65 something was refused; 75
somebody else sends; 78 nobody is set, or a parameter of disco/upload is bad.

Examples:
  disco upload
  disco upload --again
  disco upload --list
  disco upload --list --format json | jq -r 'select(.state == \"refused\").answer'")]
pub struct Args {
    /// Send nothing: list what waits, and what was refused
    #[arg(long)]
    list: bool,
    /// Send what was refused, too
    #[arg(long, conflicts_with = "list")]
    again: bool,
    /// Send nothing: remove what was refused
    #[arg(long, conflicts_with_all = ["list", "again"])]
    drop: bool,
    /// The form of what is said
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Does what the arguments ask for.
pub fn run(args: &Args, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (settings, _) = settings(&global.flags())?;
    if args.list {
        let listed = upload::list(&settings)?;
        terminal.results(&match args.format {
            Format::Text => table(&listed, &settings),
            Format::Json => lines(&listed, &settings),
        });
        warn(&settings, terminal);
        return Ok(Exit::Done);
    }
    if args.drop {
        let number = upload::settle(&settings, Refused::Drop)?;
        terminal.results(&match args.format {
            Format::Text => format!("{number} dropped\n"),
            Format::Json => json!({"schema": SCHEMA, "dropped": number}).to_string(),
        });
        return Ok(Exit::Done);
    }
    if !settings.upload.wrong.is_empty() {
        return Err(Failure::new(Kind::Config, settings.upload.wrong.join("; ")));
    }
    if args.again {
        upload::settle(&settings, Refused::Again)?;
    }
    let round = upload::send::send(&settings, When::Now, ASKED_FOR)?;
    let waits: usize = round.stays.iter().map(|stays| stays.number).sum();
    match args.format {
        Format::Text => say(&round, waits, terminal),
        Format::Json => terminal.results(&format!("{}\n", object(&round, waits))),
    }
    Ok(match (waits, round.refused.len()) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Status(Kind::Data.code().into()),
        _ => Exit::Status(Kind::Unavailable.code().into()),
    })
}

fn warn(settings: &Settings, terminal: &mut Terminal) {
    settings.upload.wrong.iter().for_each(|why| terminal.say_at(Level::Warning, why));
}

fn say(round: &Round, waits: usize, terminal: &mut Terminal) {
    for warning in round.told() {
        terminal.say_at(Level::Warning, &warning);
    }
    for stays in round.stays.iter().filter(|stays| !stays.tried) {
        let message = format!("{} for {} ({}): {}", stays.number, stays.to, stays.target.word(), stays.why);
        terminal.say_at(Level::Warning, &message);
    }
    let refused = round.refused.len();
    terminal.results(&format!("{} sent, {waits} waiting, {refused} refused\n", round.sent));
}

fn object(round: &Round, waits: usize) -> serde_json::Value {
    let stays = round.stays.iter().map(
        |stays| json!({"target": stays.target, "number": stays.number, "to": stays.to, "why": stays.why}),
    );
    let refused = round.refused.iter().map(|(target, why)| json!({"target": target, "why": why}));
    json!({
        "schema": SCHEMA,
        "sent": round.sent,
        "waiting": waits,
        "refused": refused.collect::<Vec<_>>(),
        "stays": stays.collect::<Vec<_>>(),
    })
}

fn table(listed: &Listed, settings: &Settings) -> String {
    if listed.waiting.is_empty() && listed.refused.is_empty() {
        return "nothing waits\n".to_owned();
    }
    let head = ["STATE", "WHAT", "RUN", "SINCE", "BYTES", "WHERE TO, OR WHY NOT"].map(str::to_owned);
    let waiting = listed.waiting.iter().map(|(item, bytes)| {
        let standing = listed.standings.iter().find(|(target, _)| *target == item.target);
        let why = standing.and_then(|(_, standing)| standing.why.clone());
        let to =
            goes_to(settings, item.target).unwrap_or_else(|| "nobody: it is not set any more".to_owned());
        let where_to = why.map_or(to.clone(), |why| format!("{to}: {why}"));
        [
            "waits",
            item.target.word(),
            item.run.as_str(),
            &clock::local(&item.made),
            &bytes.to_string(),
            &where_to,
        ]
        .map(str::to_owned)
    });
    let refused = listed.refused.iter().map(|aside| {
        let answer = format!("{}: status {}: {}", refused_by(aside, settings), aside.status, aside.answer);
        let (item, bytes) = (&aside.item, aside.item.body.len().to_string());
        ["refused", item.target.word(), item.run.as_str(), &clock::local(&aside.refused), &bytes, &answer]
            .map(str::to_owned)
    });
    let rows: Vec<_> = std::iter::once(head).chain(refused).chain(waiting).collect();
    let dropped: String = listed
        .standings
        .iter()
        .filter(|(_, standing)| standing.dropped > 0)
        .map(|(target, standing)| {
            format!("dropped, for want of room: {} ({})\n", standing.dropped, target.word())
        })
        .collect();
    columns(&rows) + &dropped
}

/// Who has refused it; where that was not kept, who would get it now.
fn refused_by(aside: &Aside, settings: &Settings) -> String {
    match aside.to.as_str() {
        "" => goes_to(settings, aside.item.target).unwrap_or_else(|| "nobody".to_owned()),
        to => to.to_owned(),
    }
}

fn lines(listed: &Listed, settings: &Settings) -> String {
    let waiting = listed.waiting.iter().map(|(item, bytes)| {
        let standing = listed.standings.iter().find(|(target, _)| *target == item.target);
        let standing = standing.map(|(_, standing)| standing.clone()).unwrap_or_default();
        json!({
            "schema": SCHEMA, "state": "waits", "target": item.target, "run": item.run, "made": item.made,
            "delivery": item.delivery(), "bytes": bytes, "to": goes_to(settings, item.target),
            "failures": standing.failures, "since": standing.since, "why": standing.why, "dropped": standing.dropped,
        })
    });
    let refused = listed.refused.iter().map(|aside| {
        json!({
            "schema": SCHEMA, "state": "refused", "target": aside.item.target, "run": aside.item.run,
            "made": aside.item.made, "delivery": aside.item.delivery(), "bytes": aside.item.body.len(),
            "to": refused_by(aside, settings), "refused": aside.refused, "status": aside.status, "answer": aside.answer,
        })
    });
    refused.chain(waiting).map(|line| format!("{line}\n")).collect()
}
