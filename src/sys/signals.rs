//! Signals by name.

use nix::sys::signal::Signal;

/// What kill(1) calls a signal, such as `HUP`; `None` for one without a name.
pub fn name(number: i32) -> Option<&'static str> {
    Signal::try_from(number).ok().map(|signal| signal.as_str().trim_start_matches("SIG"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_of_kill() {
        assert_eq!([name(1), name(15), name(64), name(0)], [Some("HUP"), Some("TERM"), None, None]);
    }
}
