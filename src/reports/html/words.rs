//! Figures and foreign text as the page shows them.

pub use disco_dlm::model::visible::visible;

/// Seconds in as few characters as are worth reading.
pub fn seconds(value: f64) -> String {
    match value {
        value if value < 0.0095 => format!("{:.1} ms", value * 1e3),
        value if value < 0.95 => format!("{:.0} ms", value * 1e3),
        value if value < 9.95 => format!("{value:.2} s"),
        value if value < 99.5 => format!("{value:.1} s"),
        value => {
            let whole = value.round() as u64;
            match (whole / 3600, whole / 60 % 60, whole % 60) {
                (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
                (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
            }
        }
    }
}

/// Bytes in a unit that suits them.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let (mut shown, mut unit) = (value as f64 / 1024.0, 0);
    while shown >= 1023.5 && unit + 1 < UNITS.len() {
        (shown, unit) = (shown / 1024.0, unit + 1);
    }
    let digits = usize::from(shown < 9.95);
    format!("{shown:.digits$} {}", UNITS[unit])
}

/// A number and what it counts.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let shown = [0.0, 0.0012, 0.25, 1.5, 12.34, 61.0, 119.7, 3725.0].map(seconds);
        let expected =
            ["0.0 ms", "1.2 ms", "250 ms", "1.50 s", "12.3 s", "61.0 s", "2 min 00 s", "1 h 02 min"];
        assert_eq!(shown, expected);
        let shown = [0, 512, 1024, 4672 << 10, 190 << 20, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "512 B", "1.0 KiB", "4.6 MiB", "190 MiB", "16 EiB"]);
    }

    #[test]
    fn nothing_hides_and_nothing_is_turned_around() {
        assert_eq!(visible("a\tb\nä"), "a\tb\nä");
        assert_eq!(visible("\x1b[2J\u{202e}gnp.exe\0"), "\\u{1b}[2J\\u{202e}gnp.exe\\u{0}");
    }
}
