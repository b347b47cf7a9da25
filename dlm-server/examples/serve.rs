//! The lock server by itself, for scripts that need no more of disco: `serve CONFIG`.
#![allow(clippy::disallowed_methods, reason = "it reads its configuration")]

use std::process::ExitCode;

use disco_dlm_server::config;
use disco_dlm_server::log::causes;
use disco_dlm_server::server;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: serve CONFIG");
        return ExitCode::from(64);
    };
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let config = read.and_then(|text| config::parse(&text).map_err(|error| error.to_string()));
    match config.and_then(|config| server::run(&config).map_err(|error| causes(&error))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::from(78)
        }
    }
}
