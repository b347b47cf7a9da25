//! How much a server bears: pairs of acquire and release, many hosts that ask at a steady pace, and races for one lock.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use disco_dlm::native::route;
use serde_json::json;

use super::Where;
use super::client::{Client, Reply, Trouble};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct PairsArgs {
    #[command(flatten)]
    at: Where,
    /// The hosts, by the names of their certificates; each is a client of its own
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true)]
    hosts: Vec<String>,
    /// One lock for all, or one for each host
    #[arg(long)]
    one_lock: bool,
    /// How long, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What the names of the locks begin with
    #[arg(long, default_value = "pairs")]
    prefix: String,
    #[arg(long, value_enum, default_value = "native")]
    wire: Wire,
}

#[derive(Debug, Args)]
pub struct PollArgs {
    #[command(flatten)]
    at: Where,
    /// The hosts, by the names of their certificates; each asks in turn, over a new connection
    #[arg(long, value_name = "FILE")]
    hosts: std::path::PathBuf,
    /// How many requests a second, by all of them
    #[arg(long)]
    rate: f64,
    /// How long, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

#[derive(Debug, Args)]
pub struct RaceArgs {
    #[command(flatten)]
    at: Where,
    /// The hosts, by the names of their certificates
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true)]
    hosts: Vec<String>,
    /// The lock
    #[arg(long)]
    lock: String,
    #[arg(long, value_enum, default_value = "native")]
    wire: Wire,
}

/// What the clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wire {
    /// disco's own.
    Native,
    /// FleetLock's, which other servers speak too.
    Fleetlock,
}

impl Wire {
    /// Asks for a slot.
    fn acquire(self, client: &Client, server: &str, lock: &str, host: &str) -> Reply {
        match self {
            Wire::Native => client.send("POST", &path(server, lock, "/acquire"), Some(&json!({}))),
            Wire::Fleetlock => fleet(client, server, "pre-reboot", lock, host),
        }
    }

    /// Gives it back.
    fn release(self, client: &Client, server: &str, lock: &str, host: &str) -> Reply {
        match self {
            Wire::Native => client.send("POST", &path(server, lock, "/release"), Some(&json!({}))),
            Wire::Fleetlock => fleet(client, server, "steady-state", lock, host),
        }
    }
}

fn fleet(client: &Client, server: &str, what: &str, lock: &str, host: &str) -> Reply {
    let group = lock.replace('/', ".");
    client.send(
        "POST",
        &format!("{server}/v1/{what}"),
        Some(&json!({"client_params": {"id": host, "group": group}})),
    )
}

fn path(server: &str, lock: &str, below: &str) -> String {
    format!("{server}{}", route::lock(lock, below))
}

/// Acquires and releases as often as it goes; prints how often that was, a second.
pub fn pairs(args: &PairsArgs) -> Result<bool, Trouble> {
    let (pairs, refused, lost) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    thread::scope(|scope| -> Result<(), Trouble> {
        for (number, host) in args.hosts.iter().enumerate() {
            let client = Client::host(&args.at.certs, host, PATIENCE)?;
            let server = args.at.servers[number % args.at.servers.len()].clone();
            let lock = if args.one_lock { args.prefix.clone() } else { format!("{}/{number}", args.prefix) };
            let (pairs, refused, lost, over) = (&pairs, &refused, &lost, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    match args.wire.acquire(&client, &server, &lock, host) {
                        Reply::Answer(200, _) => {}
                        // airlock says no by 500.
                        Reply::Answer(412 | 423 | 500, _) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        other => {
                            eprintln!("{other:?}");
                            lost.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                    }
                    match args.wire.release(&client, &server, &lock, host) {
                        Reply::Answer(200, _) => pairs.fetch_add(1, Ordering::Relaxed),
                        _ => lost.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
        thread::sleep(Duration::from_secs(args.seconds));
        over.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let (pairs, lost) = (pairs.into_inner(), lost.into_inner());
    println!(
        "{}",
        json!({"pairs": pairs, "seconds": seconds, "pairs_a_second": pairs as f64 / seconds,
               "refused": refused.into_inner(), "lost": lost, "clients": args.hosts.len()})
    );
    Ok(lost == 0 && pairs > 0)
}

/// Each host asks in turn whether it may have its lock, at a steady pace, whatever the answers take; prints the times.
pub fn poll(args: &PollArgs) -> Result<bool, Trouble> {
    let names = std::fs::read_to_string(&args.hosts)?;
    let names: Vec<&str> = names.lines().collect();
    if names.is_empty() {
        return Err("no hosts".into());
    }
    let all = (args.rate * args.seconds as f64) as u64;
    let next = AtomicU64::new(0);
    let lost = AtomicU64::new(0);
    let begun = Instant::now();
    let mut times: Vec<f64> = thread::scope(|scope| {
        let workers: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = Vec::new();
                    loop {
                        let turn = next.fetch_add(1, Ordering::Relaxed);
                        if turn >= all {
                            return times;
                        }
                        let due = begun + Duration::from_secs_f64(turn as f64 / args.rate);
                        let host = names[(turn % names.len() as u64) as usize];
                        let Ok(client) = Client::host(&args.at.certs, host, PATIENCE) else {
                            lost.fetch_add(1, Ordering::Relaxed);
                            continue;
                        };
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let server = &args.at.servers[(turn % args.at.servers.len() as u64) as usize];
                        // Ten hosts share a lock, as in clusters.
                        let lock = format!("cluster/{}", turn % names.len() as u64 / 10);
                        let reply = client.send("POST", &path(server, &lock, "/acquire"), Some(&json!({})));
                        // From when it was due: a server that is late makes those behind late, too.
                        match reply {
                            Reply::Answer(200 | 412, _) => times.push(due.elapsed().as_secs_f64() * 1e3),
                            _ => {
                                lost.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1)));
    let lost = lost.into_inner();
    println!(
        "{}",
        json!({"requests": times.len(), "lost": lost, "hosts": names.len(), "rate": args.rate,
               "seconds": begun.elapsed().as_secs_f64(), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)})
    );
    Ok(lost == 0)
}

/// All hosts ask at the same moment; prints how many were granted it, and the reasons of the others.
pub fn race(args: &RaceArgs) -> Result<bool, Trouble> {
    let start = Barrier::new(args.hosts.len());
    let replies: Vec<Reply> = thread::scope(|scope| -> Result<_, Trouble> {
        let mut racers = Vec::new();
        for (number, host) in args.hosts.iter().enumerate() {
            let client = Client::host(&args.at.certs, host, PATIENCE)?;
            let server = args.at.servers[number % args.at.servers.len()].clone();
            racers.push((client, server, host));
        }
        let start = &start;
        let running: Vec<_> = racers
            .into_iter()
            .map(|(client, server, host)| {
                scope.spawn(move || {
                    // The connection is made before the race.
                    let _ = client.send("GET", &format!("{server}/disco/v1/whoami"), None);
                    start.wait();
                    args.wire.acquire(&client, &server, &args.lock, host)
                })
            })
            .collect();
        Ok(running.into_iter().filter_map(|racer| racer.join().ok()).collect())
    })?;
    let mut granted = 0;
    let mut reasons = std::collections::BTreeMap::<String, u32>::new();
    for reply in replies {
        match reply {
            Reply::Answer(200, _) => granted += 1,
            Reply::Answer(status @ (412 | 423 | 500), body) => {
                let told =
                    ["code", "value", "kind"].map(|key| body.get(key).and_then(serde_json::Value::as_str));
                let why = told.into_iter().flatten().next().unwrap_or("?");
                *reasons.entry(format!("{status} {why}")).or_default() += 1;
            }
            other => *reasons.entry(format!("{other:?}")).or_default() += 1,
        }
    }
    println!("{}", json!({"granted": granted, "refused": reasons}));
    Ok(true)
}
