//! `--show-secrets`: who may be shown them, and where.

use crate::cli::exit::{Failure, Kind};
use crate::cli::terminal::Terminal;
use crate::secrets::known;
use crate::sys::host;

/// Has this process show secrets, if its user may see them: it is root, and nobody else reads along.
pub(super) fn show(terminal: &Terminal) -> Result<(), Failure> {
    if !host::is_root() {
        return Err(Failure::new(Kind::Permission, "only root can be shown secrets"));
    }
    if !terminal.is_all_terminal() {
        return Err(Failure::new(
            Kind::Usage,
            "--show-secrets shows them on a terminal alone: output or errors go somewhere else here",
        )
        .hint(Some("`disco param get NAME` prints one value".to_owned())));
    }
    known::show();
    Ok(())
}
