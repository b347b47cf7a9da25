//! Random requests by some hosts and one user to some locks of several servers, what each saw, and whether the rules explain it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use disco_dlm::check::{Call, Return, Saw, State, Verdict, linearize, overlap, token_fault};
use disco_dlm::model::{HostName, LockName, Policy, Requester, Slots, Token, UserName};
use disco_dlm::native::route;
use disco_dlm::rules::{NotHeld, Operation, Outcome, Request};
use serde_json::{Value, json};

use super::Where;
use super::client::{Client, Reply, Trouble};

/// So many ways to go on are looked at before a history is given up as undecided.
const LIMIT: usize = 5_000_000;

#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    at: Where,
    /// The hosts, by the names of their certificates
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true)]
    hosts: Vec<String>,
    /// LOGIN:PASSWORD of a user who may do everything
    #[arg(long, value_name = "LOGIN:PASSWORD")]
    user: String,
    /// What the names of the locks begin with: new ones for each history
    #[arg(long)]
    prefix: String,
    /// How many locks
    #[arg(long, default_value_t = 4)]
    locks: usize,
    /// How many requests each client sends
    #[arg(long, default_value_t = 25)]
    requests: usize,
    /// The longest that a client thinks between two requests, in milliseconds
    #[arg(long, default_value_t = 120)]
    think: u64,
    /// How long a client waits for an answer, in milliseconds
    #[arg(long, default_value_t = 3000)]
    patience: u64,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where all calls are written
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Calls of one lock, as they were noted.
struct Noted {
    lock: usize,
    call: Call,
}

/// Runs a history, and prints one line of JSON about it; whether nothing was wrong.
pub fn run(args: &HistoryArgs) -> Result<bool, Trouble> {
    let patience = Duration::from_millis(args.patience);
    let names: Vec<LockName> = (0..args.locks)
        .map(|number| LockName::new(format!("{}/{number}", args.prefix)))
        .collect::<Result<_, _>>()?;
    let user = Client::user(&args.at.certs, &args.user, patience)?;
    // Half of the locks keep their slots, so that too many holders would be seen without any rules.
    let slots = |lock: usize| 1 + u32::try_from(lock / 2 % 2).unwrap_or(0);
    for (lock, name) in names.iter().enumerate() {
        make(&user, &args.at.servers, name, slots(lock))?;
    }
    let begun = Instant::now();
    let noted = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    let login = UserName::new(args.user.split(':').next().unwrap_or_default())?;
    thread::scope(|scope| -> Result<(), Trouble> {
        let mut clients = vec![(Requester::User(login), user.clone(), args.requests / 2)];
        for host in &args.hosts {
            let client = Client::host(&args.at.certs, host, patience)?;
            clients.push((Requester::Host(HostName::new(host.clone())?), client, args.requests));
        }
        for (number, (requester, client, requests)) in clients.into_iter().enumerate() {
            let (names, noted, failed) = (&names, &noted, &failed);
            let mut random = fastrand::Rng::with_seed(args.seed.wrapping_mul(1000) + number as u64);
            scope.spawn(move || {
                for _ in 0..requests {
                    thread::sleep(Duration::from_millis(random.u64(0..=args.think)));
                    let lock = random.usize(0..names.len());
                    let operation = draw(&mut random, &requester, lock.is_multiple_of(2));
                    let server = random.choice(&args.at.servers).cloned().unwrap_or_default();
                    let native = !random.u8(0..4).eq(&0);
                    let request =
                        Request { requester: requester.clone(), name: names[lock].clone(), operation };
                    let invoked = nanoseconds(begun);
                    let reply = ask(&client, &server, &request, native);
                    match note(request, invoked, nanoseconds(begun), reply) {
                        Ok(Some(call)) => guarded(noted).push(Noted { lock, call }),
                        Ok(None) => {}
                        Err(trouble) => *guarded(failed) = Some(trouble),
                    }
                }
            });
        }
        Ok(())
    })?;
    if let Some(trouble) = guarded(&failed).take() {
        return Err(trouble.into());
    }
    let noted = noted.into_inner().unwrap_or_default();
    if let Some(out) = &args.out {
        let lines: Vec<String> =
            noted.iter().map(|noted| json!({"lock": noted.lock, "call": noted.call}).to_string()).collect();
        std::fs::write(out, lines.join("\n") + "\n")?;
    }
    Ok(judge(&noted, args.locks, slots))
}

fn guarded<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Checks each lock by itself, and prints what came of it.
fn judge(noted: &[Noted], locks: usize, slots: impl Fn(usize) -> u32) -> bool {
    let (mut wrong, mut undecided) = (Vec::new(), 0);
    for lock in 0..locks {
        let calls: Vec<Call> =
            noted.iter().filter(|noted| noted.lock == lock).map(|noted| noted.call.clone()).collect();
        match linearize(&State::free(slots(lock)), &calls, LIMIT) {
            Verdict::Linearizable(_) => {}
            Verdict::Undecided => undecided += 1,
            Verdict::Violation { stuck, .. } => {
                wrong.push(format!("lock {lock}: no order explains {:?}", calls[stuck]))
            }
        }
        let most = calls.iter().filter_map(most_slots).max().unwrap_or(0).max(slots(lock) as usize);
        wrong.extend(
            overlap(&calls, most)
                .map(|overlap| format!("lock {lock}: more than {most} at once: {overlap:?}")),
        );
        wrong.extend(token_fault(&calls).map(|fault| {
            format!("lock {lock}: tokens: {:?} and then {:?}", calls[fault.first], calls[fault.second])
        }));
    }
    let unknown = noted.iter().filter(|noted| noted.call.returned.is_none()).count();
    let granted = noted.iter().filter(|noted| saw(&noted.call, &Saw::Granted)).count();
    let refused = noted.iter().filter(|noted| saw(&noted.call, &Saw::Refused)).count();
    println!(
        "{}",
        json!({"calls": noted.len(), "unknown": unknown, "granted": granted, "refused": refused,
               "undecided": undecided, "wrong": wrong})
    );
    wrong.is_empty()
}

fn saw(call: &Call, what: &Saw) -> bool {
    call.returned.as_ref().is_some_and(|returned| returned.saw == *what)
}

fn most_slots(call: &Call) -> Option<usize> {
    match &call.request.operation {
        Operation::SetPolicy(policy) => usize::try_from(policy.slots.of(0)).ok(),
        _ => None,
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A request at random. Locks whose slots are kept are never removed either: a new one has one slot.
fn draw(random: &mut fastrand::Rng, requester: &Requester, kept: bool) -> Operation {
    if let Requester::Host(_) = requester {
        let release = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
        return match random.u8(0..100) {
            0..45 => Operation::Acquire { note: String::new() },
            45..80 => release,
            _ => Operation::Show,
        };
    }
    match random.u8(0..100) {
        0..25 => Operation::Show,
        25..45 => Operation::ForceRelease { host: None, reason: String::from("test") },
        45..60 => Operation::Disable,
        60..85 => Operation::Enable,
        85..95 if !kept => {
            Operation::SetPolicy(Policy { slots: Slots::Number(random.u32(1..=3)), ..Policy::default() })
        }
        95.. if !kept => Operation::Delete,
        _ => Operation::Enable,
    }
}

/// Makes a lock with so many slots; tried until a server is there, for some seconds.
fn make(user: &Client, servers: &[String], name: &LockName, slots: u32) -> Result<(), Trouble> {
    let policy = Policy { slots: Slots::Number(slots), ..Policy::default() };
    let body = json!({"policy": policy});
    let mut last = String::new();
    for attempt in 0..100 {
        let server = &servers[attempt % servers.len()];
        match user.send("PUT", &format!("{server}{}", route::lock(name.as_str(), "")), Some(&body)) {
            // Made by an attempt whose answer was lost, before anybody else knows of it.
            Reply::Answer(201 | 409, _) => return Ok(()),
            other => last = format!("{other:?}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(format!("cannot make the lock {name}: {last}").into())
}

/// Sends a request over disco's wire, or over Foreman's where that has it.
fn ask(client: &Client, server: &str, request: &Request, native: bool) -> Reply {
    let name = request.name.as_str();
    let own = |below: &str| format!("{server}{}", route::lock(name, below));
    let foreman = || format!("{server}/api/dlmlocks/{}/lock", route::encoded(name));
    match &request.operation {
        Operation::Acquire { .. } if !native => client.send("PUT", &foreman(), None),
        Operation::Release { .. } if !native => client.send("DELETE", &foreman(), None),
        Operation::Acquire { .. } => client.send("POST", &own("/acquire"), Some(&json!({}))),
        Operation::Release { .. } => client.send("POST", &own("/release"), Some(&json!({}))),
        Operation::ForceRelease { reason, .. } => {
            client.send("POST", &own("/force-release"), Some(&json!({"reason": reason})))
        }
        Operation::Enable => client.send("POST", &own("/enable"), Some(&json!({}))),
        Operation::Disable => client.send("POST", &own("/disable"), Some(&json!({}))),
        Operation::SetPolicy(policy) => client.send("PUT", &own("/policy"), Some(&json!(policy))),
        Operation::Delete => client.send("DELETE", &own(""), None),
        Operation::Show
        | Operation::Sweep
        | Operation::Create { .. }
        | Operation::Update { .. }
        | Operation::Thaw { .. } => client.send("GET", &own(""), None),
    }
}

/// The call as it is noted: `None` where it was never sent, or asked nothing of anybody and was lost. `Err` where a server answered what it
/// never should.
fn note(request: Request, invoked: u64, at: u64, reply: Reply) -> Result<Option<Call>, String> {
    let (status, body) = match reply {
        Reply::NotSent => return Ok(None),
        Reply::Lost | Reply::Answer(503, _) if request.operation == Operation::Show => return Ok(None),
        Reply::Lost | Reply::Answer(503, _) => return Ok(Some(Call { request, invoked, returned: None })),
        Reply::Answer(status, body) => (status, body),
    };
    let saw = match (status, &request.operation) {
        (200, Operation::Acquire { .. }) => Saw::Granted,
        (200, Operation::Release { .. }) => Saw::Released,
        (200, Operation::Show) => shown(&body).ok_or_else(|| format!("no lock: {body}"))?,
        (200, _) => Saw::Done,
        (412, _) => Saw::Refused,
        (404, _) => Saw::Missing,
        _ => return Err(format!("{:?} was answered {status}: {body}", request.operation)),
    };
    let token = body.get("token").and_then(Value::as_u64).map(Token);
    Ok(Some(Call { request, invoked, returned: Some(Return { at, saw, token }) }))
}

fn shown(body: &Value) -> Option<Saw> {
    let holders = body.get("holders")?.as_array()?;
    let hosts = holders.iter().map(|holder| HostName::new(holder.get("host")?.as_str()?).ok());
    Some(Saw::Shown {
        enabled: body.get("enabled")?.as_bool()?,
        holders: hosts.collect::<Option<BTreeSet<_>>>()?,
    })
}
