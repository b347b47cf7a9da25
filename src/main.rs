//! The `disco` program: arguments in, exit code out. Under a shim's name, inside a sandbox, it is that shim.

use std::process::ExitCode;

fn main() -> ExitCode {
    match disco::sandbox::shims::client::called_as() {
        Some(program) => ExitCode::from(disco::sandbox::shims::client::main(program)),
        None => ExitCode::SUCCESS,
    }
}
