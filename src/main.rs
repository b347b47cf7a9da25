//! The `disco` program: arguments in, exit code out. Under a shim's name, inside a sandbox, it is that shim.

use std::process::ExitCode;

use disco::sandbox::shims::client;

fn main() -> ExitCode {
    match client::called_as() {
        Some(called) => ExitCode::from(client::main(called)),
        None => disco::cli::run(std::env::args_os()),
    }
}
