//! What a host does with a lock: acquire, release, run something under it.

use std::sync::Arc;
use std::time::Duration;

use disco_dlm::model::LockName;
use disco_dlm::native::ask::{Release as Ask, WorkResult};
use disco_dlm::native::say::RefusalSaid;

use crate::cli::Format;
use crate::cli::Global;
use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::line::Signs;
use crate::cli::lock::{Release, Run, To, watch};
use crate::cli::lock_look::{json, tell};
use crate::cli::terminal::{Level, Terminal};
use crate::lock::words::span;
use crate::lock::{Acquired, Released, Server, Wire};
use crate::ops::lock::after_boot::{self, Freed};
use crate::ops::lock::hold::{self, Back, Taken};
use crate::ops::lock::run::{self as op, Left, Options};
use crate::ops::lock::wait::{self, Patience, Waiting};
use crate::ops::lock::{notes, said};
use crate::sys::host;
use crate::sys::interrupt::Interrupt;

/// How long whoever starts the machine waits for a server.
const AFTER_BOOT: Duration = Duration::from_secs(300);

/// A refusal as the end of a command.
pub(super) fn refused(refusal: &RefusalSaid) -> Failure {
    let hint = said::way_out(refusal);
    Failure::new(Kind::Busy, said::refusal(refusal)).hint(Some(hint).filter(|hint| !hint.is_empty()))
}

/// Says at a terminal whom we wait for.
fn live(terminal: &mut Terminal, interrupt: &Interrupt, what: &str) {
    let signs = if host::shows_utf8() { &Signs::UTF8 } else { &Signs::ASCII };
    terminal.live(signs.spinner, interrupt.shared_flag());
    terminal.now(what);
}

fn waits(waiting: &Waiting<'_>, terminal: &Terminal) {
    let text = match waiting {
        Waiting::Refused(refusal) => format!("waits for {}", said::refusal(refusal)),
        Waiting::Absent(error) => format!("waits for {error}"),
        Waiting::Here(note) => format!("waits for pid {} of this host: {}", note.process.pid, note.work),
    };
    terminal.more(&text);
}

/// An acquire that a signal has ended: what becomes of the place in the queue is said.
fn stopped(failure: Failure, refusal: Option<RefusalSaid>, terminal: &mut Terminal) -> Failure {
    if failure.kind == Kind::Interrupted {
        let poll = refusal.map(|refusal| refusal.lock.policy.queue.poll.0.saturating_mul(3));
        let when = poll.map_or_else(String::new, |poll| format!(" within {}", span(poll)));
        let ends = format!("left: what may be there of this host's place in the queue ends by itself{when}");
        terminal.say_at(Level::Info, &ends);
    }
    failure
}

pub(super) fn acquire(
    name: &LockName,
    wait: Option<&str>,
    note: &str,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let patience = match wait {
        None => Patience::For(Duration::ZERO),
        Some("forever") => Patience::Forever,
        Some(seconds) => Patience::For(Duration::from_secs(seconds.parse().map_err(|_| {
            Failure::new(Kind::Usage, format!("--wait={seconds}: use whole seconds, or --wait alone"))
        })?)),
    };
    let (_, server) = to.server(global)?;
    let interrupt = watch()?;
    let mut last = None;
    live(terminal, &interrupt, &format!("asks for {name}"));
    let acquired = wait::acquire(&server, name.as_str(), note, patience, &interrupt, &mut |waiting| {
        waits(&waiting, terminal);
        if let Waiting::Refused(refusal) = waiting {
            last = Some(refusal.clone());
        }
    });
    terminal.calm();
    match acquired.map_err(|error| stopped(error.into(), last, terminal))? {
        Acquired::Granted(grant) => {
            match to.format {
                Format::Json => terminal.results(&json(&*grant)?),
                Format::Text => {
                    let how = if grant.renewed { "held already, and renewed" } else { "acquired" };
                    let token =
                        if grant.token.0 > 0 { format!(", token {}", grant.token.0) } else { String::new() };
                    terminal.results(&format!("{name}: {how}{token}\n"));
                }
            }
            Ok(Exit::Done)
        }
        Acquired::Refused(refusal) => {
            if to.format == Format::Json {
                terminal.results(&json(&*refusal)?);
            }
            Err(refused(&refusal))
        }
    }
}

pub(super) fn release(args: &Release, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Some(name) = &args.name else { return Err(Failure::new(Kind::Usage, "name the lock")) };
    let (settings, server) = args.to.server(global)?;
    let result = if args.failed.is_some() { WorkResult::Failed } else { WorkResult::Ok };
    let ask = Ask { result, note: args.failed.clone().unwrap_or_default(), token: None };
    let released = server.release(name.as_str(), &ask)?;
    match released {
        Released::Done(done) => {
            // Whoever may not write there has no note there either.
            if let Err(error) = notes(&settings).remove(&server.place, name.as_str()) {
                terminal.say_at(Level::Warning, &format!("the note of what this host holds stays: {error}"));
            }
            let text = if done.held { "released" } else { "free: this host did not hold it" };
            tell(&args.to, terminal, &*done, &format!("{name}: {text}\n"))
        }
        Released::Refused(refusal) => {
            if args.to.format == Format::Json {
                terminal.results(&json(&*refusal)?);
            }
            Err(refused(&refusal))
        }
    }
}

pub(super) fn after_boot(to: &To, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let settings = to.settings(global)?;
    let interrupt = watch()?;
    let mut told = false;
    let freed = after_boot::release(&settings, AFTER_BOOT, &interrupt, &mut |why| {
        if !told {
            terminal.say_at(Level::Info, &format!("not yet, and tried again: {why}"));
        }
        told = true;
    })?;
    let mut still = None;
    for one in freed {
        match one {
            Freed::Back(note, Back::Released) => {
                terminal.results(&format!("{}: released, the machine has been started anew\n", note.lock));
            }
            Freed::Back(note, Back::Foreign | Back::Lost(_)) => {
                terminal.results(&format!("{}: not held any more\n", note.lock));
            }
            Freed::Back(note, Back::Still(why)) => still = Some((note.lock, why)),
            Freed::SameBoot(note) => terminal.say_at(
                Level::Info,
                &format!("{}: held, the machine is still to be started anew", note.lock),
            ),
            Freed::Failed(note, why) => terminal.say_at(
                Level::Warning,
                &format!(
                    "{}: kept, for {} did not end well: {why}; disco lock release {}",
                    note.lock, note.work, note.lock
                ),
            ),
        }
    }
    match still {
        None => Ok(Exit::Done),
        Some((lock, why)) => Err(Failure::new(Kind::Unavailable, format!("{lock}: still held: {why}"))
            .hint(Some("disco lock release --after-boot tries it again".to_owned()))),
    }
}

pub(super) fn run(args: Run, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (settings, server) = args.to.server(global)?;
    let on_failure = args.on_failure.unwrap_or(settings.dlm.on_failure.value);
    let name = args.name.as_str();
    let work = args.note.clone().unwrap_or_else(|| shell_words::join(&args.command));
    let patience = args.wait.map_or(Patience::Forever, |wait| Patience::For(Duration::from_secs(wait)));
    let interrupt = watch()?;
    let server = Arc::new(server);
    if on_failure == crate::settings::OnFailure::Failed {
        foreman_counts_none(&server)?;
    }
    let mut last = None;
    live(terminal, &interrupt, &format!("asks for {name}"));
    let taken =
        hold::take(server.clone(), notes(&settings), name, &work, patience, &interrupt, &mut |waiting| {
            waits(&waiting, terminal);
            if let Waiting::Refused(refusal) = waiting {
                last = Some(refusal.clone());
            }
        });
    terminal.calm();
    let hold = match taken.map_err(|error| stopped(error.into(), last, terminal))? {
        Taken::Held(hold) => *hold,
        Taken::Refused(refusal) => return Err(refused(&refusal)),
        Taken::Here(note) => return Err(here(&note)),
        Taken::Inherited => {
            let ended = crate::sys::child::run(&args.command, &[], &mut || false).map_err(|source| {
                let command = args.command.join(" ");
                Failure::from(crate::ops::lock::LockOpError::Command { command, source })
            })?;
            return Ok(Exit::Status(ended.status));
        }
    };
    if hold.is_foreign() {
        let text = format!("{name}: this host held it already, and goes on holding it afterwards");
        terminal.say_at(Level::Warning, &text);
    }
    let over_reboot = args.over_reboot;
    let options = Options { command: args.command, on_failure, kill_on_loss: args.kill_on_loss, over_reboot };
    let ran = op::run(hold, &options, &mut |why| {
        terminal.say_at(Level::Warning, &format!("{name}: the lock is lost: {why}"));
    })?;
    let status = ran.ended.status;
    match ran.left {
        Left::Back(Back::Released) if ran.ended.status == 0 => {}
        Left::Back(Back::Released) => {
            terminal.say_at(Level::Warning, &format!("{name}: released after exit status {status}"));
        }
        Left::Back(Back::Foreign) => {}
        Left::Back(Back::Lost(why)) => {
            terminal.say_at(Level::Warning, &format!("{name}: the lock was lost: {why}"));
        }
        Left::Back(Back::Still(why)) => {
            let text = format!("{name}: could not be released: {why}; disco lock release {name}");
            terminal.say_at(Level::Error, &text);
        }
        Left::Kept => {
            let text = format!(
                "{name}: kept after exit status {status}, so that no other host does the same; disco lock release {name}"
            );
            terminal.say_at(Level::Warning, &text);
        }
        Left::OverReboot => {
            let text =
                format!("{name}: kept until this machine was started anew (disco lock release --after-boot)");
            terminal.say_at(Level::Info, &text);
        }
    }
    Ok(Exit::Status(status))
}

/// Another process of this host works under it.
pub(super) fn here(note: &crate::lock::held::Held) -> Failure {
    let text = format!(
        "lock {}: another process of this host works under it: pid {}, {}, {}",
        note.lock,
        note.process.pid,
        note.work,
        said::since(&note.since)
    );
    Failure::new(Kind::Busy, text)
}

fn foreman_counts_none(server: &Server) -> Result<(), Failure> {
    match server.wire()? {
        Wire::Native => Ok(()),
        Wire::Foreman => {
            let url = server.place.clone();
            Err(crate::lock::ServerError::Foreman { url, what: "count failures: use --on-failure keep" }
                .into())
        }
    }
}
