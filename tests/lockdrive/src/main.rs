//! Tests only: clients of a lock server. They ask for locks over the wire as hosts and users do, and either note what they saw and
//! check it against the rules (`history`), or time it (`pairs`, `poll`, `race`).
#![allow(clippy::disallowed_methods, reason = "a test program: its files, threads and clock are its own")]

mod certificates;
mod client;
mod histories;
mod load;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Clients of a lock server, for tests
#[derive(Debug, Parser)]
struct Drive {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Certificates for many hosts
    Certificates(certificates::CertificatesArgs),
    /// Random requests by some hosts and a user, checked against the rules
    History(histories::HistoryArgs),
    /// Acquire and release, as often as it goes
    Pairs(load::PairsArgs),
    /// Many hosts that ask at a steady pace
    Poll(load::PollArgs),
    /// Hosts that ask for one lock at the same moment
    Race(load::RaceArgs),
}

/// Where the servers are, and who asks.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// A server's address, such as https://127.0.0.1:8443; again for more of them
    #[arg(long = "server", value_name = "URL", required = true)]
    pub servers: Vec<String>,
    /// A folder with ca.pem, and NAME.pem and NAME.key of each host
    #[arg(long, value_name = "DIR")]
    pub certs: PathBuf,
}

fn main() -> ExitCode {
    let done = match Drive::parse().command {
        Command::Certificates(args) => certificates::make(&args),
        Command::History(args) => histories::run(&args),
        Command::Pairs(args) => load::pairs(&args),
        Command::Poll(args) => load::poll(&args),
        Command::Race(args) => load::race(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(70)
        }
    }
}
