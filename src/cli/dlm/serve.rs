//! `disco dlm serve`: the lock server, until a signal ends it.

use disco_dlm_server::server;

use crate::cli::dlm::At;
use crate::cli::exit::Failure;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Stays in the foreground, and writes a line a request to standard error. SIGTERM
and Ctrl-C end it when those who are being answered have been; SIGHUP has it
read its certificates again. It needs no root: an owner of its configuration and
its store is enough.

Examples:
  disco dlm serve
  disco dlm serve --config /srv/locks/dlm.toml";

/// Serves.
pub(super) fn run(at: &At) -> Result<String, Failure> {
    server::run(&at.config()?)?;
    Ok(String::new())
}
