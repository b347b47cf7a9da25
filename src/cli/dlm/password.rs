//! A password, from a terminal without echo, or from standard input; never from an argument, which everybody can see.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::cli::exit::{Failure, Kind};
use crate::sys::prompt;

/// A new password, typed twice at a terminal, or one line of a pipe.
pub fn new() -> Result<String, Failure> {
    let lost = |error: io::Error| Failure::new(Kind::Io, "cannot read the password").because(&error);
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(lost)?;
        let password = line.strip_suffix('\n').unwrap_or(&line);
        return Ok(password.strip_suffix('\r').unwrap_or(password).to_owned());
    }
    let password = prompt::secret("Password: ").map_err(lost)?;
    let again = prompt::secret("Again: ").map_err(lost)?;
    if password == again {
        Ok(password)
    } else {
        Err(Failure::new(Kind::Usage, "the two passwords are not the same"))
    }
}
