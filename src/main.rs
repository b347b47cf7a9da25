//! The `disco` program: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    disco::cli::run(std::env::args_os())
}
