//! `disco-overlayfs`: mounts an overlay from the command line, with the options of fuse-overlayfs and mount(8).
//!
//! The way of a call: `arguments` and `options` parse, `places` looks at the directories, `background` makes the
//! process that serves, `mounting` mounts and serves there. What is served is the library's business alone.

#![allow(clippy::disallowed_methods, reason = "it has its own file access, as the overlay has")]

mod arguments;
mod background;
mod mountinfo;
mod mounting;
mod options;
mod places;

use arguments::Arguments;
use background::Side;
use clap::Parser;
use options::Asked;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A help that nobody reads is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // Where standard error is closed, the exit code is all that can be said.
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line says; an error is its text, ready to be printed.
fn start(arguments: &Arguments) -> Result<(), String> {
    if arguments.man {
        let written = arguments::manual().and_then(|page| io::stdout().write_all(&page));
        return written.map_err(|error| told(&error, "write it to a file"));
    }
    let (source, mountpoint) = match arguments.places.as_slice() {
        [source, mountpoint] => (Some(source), mountpoint),
        [mountpoint] => (None, mountpoint),
        // The parser takes one or two.
        _ => return Err("error: the mountpoint is missing\nhint: disco-overlayfs --help\n".to_owned()),
    };
    let mut given = arguments.options.clone();
    if arguments.debug {
        given.push("debug".into());
    }
    let mut wanted = match options::parse(&given).map_err(|error| told(&error, error.hint()))? {
        Asked::Mount(wanted) => wanted,
        Asked::Remount(flags) => {
            let full = places::directory("mountpoint", Path::new(mountpoint))
                .map_err(|error| told(&error, &error.hint()))?;
            return mounting::remount(flags, &full).map_err(|error| told(&error, &error.hint()));
        }
    };
    wanted.fsname = wanted.fsname.or(source.cloned());
    let places = places::look(&wanted, Path::new(mountpoint)).map_err(|error| told(&error, &error.hint()))?;
    let side = if arguments.foreground { Ok(background::foreground()) } else { background::background() };
    match side.map_err(|error| told(&error, "free processes or memory"))? {
        Side::Caller(said) => said,
        Side::Server(mut waiting) => {
            let Err(error) = mounting::run(&wanted, &places, &mut waiting) else { return Ok(()) };
            let text = told(&error, &error.hint());
            // The caller prints it; where there is none, this process does.
            waiting.failed(&text).or(Err(text)).and(Err(String::new()))
        }
    }
}

/// Returns an error with its causes and the way out, as it is printed.
fn told(error: &dyn Error, hint: &str) -> String {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    format!("{text}\nhint: {hint}\n")
}
