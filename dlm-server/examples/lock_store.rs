//! What scripts do with a store in a file, to try it: fill it, measure it, work on it until they are killed, and judge what is
//! left. `scripts/lock-kills` and `scripts/bench-lock-store` start it.
//!
//!     lock_store fill FILE LOCKS EVENTS     adds so many
//!     lock_store measure FILE               prints times
//!     lock_store work FILE ROUNDS           works, and prints each answer as it comes
//!     lock_store torn FILE ROUNDS           the same, says how long the log is after each answer, and does not close the file
//!     lock_store judge FILE < ANSWERS       whether all that was answered is there

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a tool for tests, which stops at what is wrong"
)]

#[path = "lock_store/judge.rs"]
mod judge;
#[path = "lock_store/measure.rs"]
mod measure;
#[path = "lock_store/work.rs"]
mod work;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match words[..] {
            ["fill", file, locks, events] => {
                measure::fill(Path::new(file), number(locks), number(events)).await
            }
            ["measure", file] => measure::measure(Path::new(file)).await,
            ["work", file, rounds] => work::work(Path::new(file), number(rounds), work::End::Close).await,
            ["torn", file, rounds] => work::work(Path::new(file), number(rounds), work::End::Abort).await,
            ["judge", file] => return judge::judge(Path::new(file)).await,
            _ => {
                eprintln!("usage: lock_store fill|measure|work|torn|judge FILE …");
                return ExitCode::from(64);
            }
        }
        ExitCode::SUCCESS
    })
}

fn number(word: &str) -> u64 {
    word.parse().unwrap()
}
