//! What anybody does with a lock who does not hold it: look, and what users may change.

use disco_dlm::model::LockName;
use disco_dlm::native::ask::{Create, ForceRelease};
use disco_dlm::native::say::LockSaid;
use serde::Serialize;
use serde_json::{Value, json as object};

use crate::cli::exit::{Exit, Failure, Kind};
use crate::cli::lock::{Because, Release, To, watch as watch_signals};
use crate::cli::terminal::Terminal;
use crate::cli::{Format, Global};
use crate::lock::server::{Order, Which};
use crate::lock::words;
use crate::lock::{Server, ServerError, Wire};
use crate::ops::lock::said;
use crate::ops::lock::wait::rest;
use crate::sys::clock;
use crate::sys::http::Trouble;
use crate::sys::interrupt::Interrupt;

/// How long one question for events may wait on the server, in seconds.
const FOLLOW: u64 = 25;
/// How often a Foreman is looked at, which tells nothing by itself.
const LOOK: std::time::Duration = std::time::Duration::from_secs(10);

/// One JSON object on one line.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::from_error(Kind::Software, &error))?;
    Ok(text + "\n")
}

/// The text for people, or the object for programs.
pub(super) fn tell(
    to: &To,
    terminal: &mut Terminal,
    value: &impl Serialize,
    text: &str,
) -> Result<Exit, Failure> {
    match to.format {
        Format::Text => terminal.results(text),
        Format::Json => terminal.results(&json(value)?),
    }
    Ok(Exit::Done)
}

pub(super) fn list(search: &str, to: &To, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (_, server) = to.server(global)?;
    let said = server.locks(search)?;
    tell(to, terminal, &said, &table(&said.locks))
}

fn table(locks: &[LockSaid]) -> String {
    if locks.is_empty() {
        return "no locks\n".to_owned();
    }
    let width = locks.iter().map(|lock| lock.name.as_str().chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for lock in locks {
        let slots = format!("{}/{}", lock.holders.len(), lock.slots);
        let waiting = match lock.waiting.len() {
            0 => String::new(),
            number => format!("; {number} waiting"),
        };
        let stale = if lock.holders.iter().any(|holder| holder.stale) { "; stale" } else { "" };
        let holders = said::holders(lock);
        let line = format!(
            "{:width$}  {:8}  {slots:>5}  {holders}{stale}{waiting}",
            lock.name.as_str(),
            said::state(lock)
        );
        text += line.trim_end();
        text += "\n";
    }
    text
}

/// All of a lock, for people.
pub(super) fn block(lock: &LockSaid) -> String {
    let mut text = format!(
        "{}: {}, {} of {} slots held\n",
        lock.name,
        said::state(lock),
        lock.holders.len(),
        lock.slots
    );
    for holder in &lock.holders {
        text += &format!("  held by {}\n", said::holder(holder));
    }
    for waiting in &lock.waiting {
        text += &format!("  waiting: {}. {} {}\n", waiting.place, waiting.host, said::since(&waiting.since));
    }
    for failure in &lock.failures {
        text += &format!("  {}\n", said::failure(failure));
    }
    if let Some(opens) = &lock.opens {
        text += &format!("  opens at {}\n", clock::local(opens));
    }
    let policy: Vec<String> = words::policy(&lock.policy)
        .into_iter()
        .filter(|(_, value)| value != "none")
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    text + &format!("  policy: {}\n", policy.join(", "))
}

pub(super) fn show(
    name: &LockName,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let (_, server) = to.server(global)?;
    let lock = server.lock(name.as_str())?;
    tell(to, terminal, &lock, &block(&lock))
}

pub(super) fn policy(
    name: &LockName,
    words: &[String],
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let (action, parts) =
        words.split_first().map_or(("show", &[][..]), |(first, rest)| (first.as_str(), rest));
    let policy = match action {
        "show" if parts.is_empty() => to.server(global)?.1.policy(name.as_str())?,
        "set" if !parts.is_empty() => {
            let part = merged(parts)?;
            to.server(global)?.1.set_policy(name.as_str(), &part)?.policy
        }
        _ => {
            return Err(Failure::new(Kind::Usage, "use `show`, or `set` and at least one KEY=VALUE")
                .hint(Some(format!("disco lock policy {name} set slots=2"))));
        }
    };
    let lines: String =
        words::policy(&policy).into_iter().map(|(key, value)| format!("{key:13}  {value}\n")).collect();
    tell(to, terminal, &policy, &lines)
}

/// All parts as one; `null` in it takes something away.
fn merged(parts: &[String]) -> Result<Value, Failure> {
    let mut all = object!({});
    for part in parts {
        let part = words::part(part).map_err(|message| Failure::new(Kind::Usage, message))?;
        join(&mut all, part);
    }
    Ok(all)
}

/// Joins two parts; unlike a merge it keeps what takes something away.
fn join(into: &mut Value, part: Value) {
    match (into, part) {
        (Value::Object(into), Value::Object(part)) => {
            part.into_iter().for_each(|(key, value)| join(into.entry(key).or_insert(Value::Null), value));
        }
        (into, part) => *into = part,
    }
}

pub(super) fn events(
    name: Option<&LockName>,
    lines: u64,
    follow: bool,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let (_, server) = to.server(global)?;
    let name = name.map(LockName::as_str);
    let mut said = server.events(name, Which::Newest(lines), None)?;
    said.events.reverse();
    let interrupt = watch_signals()?;
    loop {
        for event in &said.events {
            match to.format {
                Format::Text => terminal.results(&said::event(event)),
                Format::Json => terminal.results(&json(event)?),
            }
        }
        if !follow {
            return Ok(Exit::Done);
        }
        match next(&server, name, said.next, &interrupt)? {
            Some(more) => said = more,
            None => return Ok(interrupt.signal().map_or(Exit::Done, Exit::Signal)),
        }
    }
}

/// What comes next; `None` once somebody asks to stop. A server that is away is asked again.
fn next(
    server: &Server,
    name: Option<&str>,
    after: u64,
    interrupt: &Interrupt,
) -> Result<Option<disco_dlm::native::say::EventsSaid>, Failure> {
    loop {
        match server.events(name, Which::After(after, FOLLOW), Some(interrupt.flag())) {
            Ok(said) => return Ok(Some(said)),
            Err(ServerError::Trouble { source, .. }) if matches!(*source, Trouble::Stopped) => {
                return Ok(None);
            }
            Err(error) if error.passes() => rest(std::time::Duration::from_secs(3), interrupt),
            Err(error) => return Err(error.into()),
        }
        if interrupt.signal().is_some() {
            return Ok(None);
        }
    }
}

pub(super) fn watch(
    name: &LockName,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let (_, server) = to.server(global)?;
    let interrupt = watch_signals()?;
    let native = server.wire()? == Wire::Native;
    let mut last = None;
    let mut after = if native { server.events(Some(name.as_str()), Which::Newest(1), None)?.next } else { 0 };
    loop {
        let lock = server.lock(name.as_str())?;
        if last.as_ref() != Some(&lock) {
            tell(to, terminal, &lock, &block(&lock))?;
            last = Some(lock);
        }
        if native {
            match next(&server, Some(name.as_str()), after, &interrupt)? {
                Some(said) => after = said.next,
                None => return Ok(interrupt.signal().map_or(Exit::Done, Exit::Signal)),
            }
        } else {
            rest(LOOK, &interrupt);
        }
        if let Some(signal) = interrupt.signal() {
            return Ok(Exit::Signal(signal));
        }
    }
}

/// A switch of a lock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Switch {
    Enable,
    Disable,
    Thaw,
}

pub(super) fn switch(
    switch: Switch,
    because: Because,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let Because { name, reason, to } = because;
    let (order, done) = match switch {
        Switch::Enable => (Order::Enable(reason), "enabled"),
        Switch::Disable => (Order::Disable(reason), "disabled"),
        Switch::Thaw => (Order::Thaw(reason), "thawed"),
    };
    ordered(&name, &order, done, &to, global, terminal)
}

pub(super) fn delete(
    name: &LockName,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    ordered(name, &Order::Delete, "removed", to, global, terminal)
}

pub(super) fn create(
    name: &LockName,
    parts: &[String],
    disabled: bool,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut create = Create { enabled: !disabled, ..Create::default() };
    if !parts.is_empty() {
        let bad = |error: serde_json::Error| Failure::new(Kind::Usage, "no such policy").because(&error);
        create.policy = words::apply(&create.policy, merged(parts)?).map_err(bad)?;
    }
    ordered(name, &Order::Create(create), "made", to, global, terminal)
}

pub(super) fn force(args: &Release, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Some(name) = &args.name else { return Err(Failure::new(Kind::Usage, "name the lock")) };
    let reason = args.reason.clone().unwrap_or_default();
    if reason.trim().is_empty() {
        return Err(Failure::new(Kind::Usage, "--force needs a --reason, for whoever reads the log"));
    }
    let order = Order::Force(ForceRelease { host: args.host.clone(), reason });
    ordered(name, &order, "released by force", &args.to, global, terminal)
}

fn ordered(
    name: &LockName,
    order: &Order,
    done: &str,
    to: &To,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let (_, server) = to.server(global)?;
    let lock = server.order(name.as_str(), order)?;
    tell(to, terminal, &lock, &format!("{name}: {done}\n"))
}

pub(super) fn whoami(to: &To, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (_, server) = to.server(global)?;
    let identity = &server.identity;
    let certificate = identity.own.as_ref().map(|(files, certificate, _)| {
        object!({
            "whose": files.whose,
            "cert": files.cert,
            "key": files.key,
            "name": certificate.name,
            "until": clock::told((certificate.until, 0)),
        })
    });
    let mut text = format!("server       {}\nauthorities  {}\n", server.place, identity.ca.display());
    text += &match &identity.own {
        Some((files, certificate, _)) => {
            let until = clock::told((certificate.until, 0));
            let until = until.split('T').next().unwrap_or_default();
            format!(
                "certificate  {} ({}), name {}, valid until {until}\n",
                files.cert.display(),
                files.whose,
                certificate.name
            )
        }
        None => "certificate  none\n".to_owned(),
    };
    let who = server.who()?;
    text += &match &who {
        Some(who) => {
            let may = match who.permissions.is_empty() {
                true => String::new(),
                false => format!(", who may {}", who.permissions.join(", ")),
            };
            format!("taken for    {}{may}, by disco {}\n", said::requester(&who.requester), who.server)
        }
        None => "taken for    (a Foreman, which does not say that)\n".to_owned(),
    };
    let value = object!({
        "server": server.place,
        "ca": identity.ca,
        "certificate": certificate,
        "user": server.login.as_ref().map(|login| &login.user),
        "wire": if who.is_some() { "disco" } else { "foreman" },
        "who": who,
    });
    tell(to, terminal, &value, &text)
}
