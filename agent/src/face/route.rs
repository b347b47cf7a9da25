//! Which part of the face a path asks for. Pure.

/// A part of the face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The names of what is running; for everybody.
    Features,
    /// Versions; for everybody.
    Version,
    /// All of all features; below where it is mounted.
    V2(String),
    /// The log; below where it is mounted.
    Logs(String),
    /// Nothing.
    Nothing,
}

impl Route {
    /// The part that a path asks for, as a smart proxy reads it: percents are decoded, several slashes are one.
    pub fn of(path: &str) -> Route {
        let path = plain(path);
        let below = |mount: &str| {
            path.strip_prefix(mount)
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
                .map(str::to_owned)
        };
        match &*path {
            "/features" => Route::Features,
            "/version" => Route::Version,
            _ => match (below("/v2"), below("/logs")) {
                (Some(inside), _) => Route::V2(inside),
                (None, Some(inside)) => Route::Logs(inside),
                (None, None) => Route::Nothing,
            },
        }
    }
}

fn plain(path: &str) -> String {
    let bytes = path.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut plain, mut at) = (vec![], 0);
    while at < bytes.len() {
        let byte = match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                at += 2;
                // Two digits of base 16 are at most 255.
                (high * 16 + low) as u8
            }
            (byte, _, _) => byte,
        };
        at += 1;
        if byte != b'/' || plain.last() != Some(&b'/') {
            plain.push(byte);
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The second from which `/logs` is asked for: the last `from_timestamp` of the query, as Ruby reads a number: as far as it is one.
pub fn from_timestamp(query: &str) -> f64 {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("from_timestamp="));
    values.next_back().map_or(0.0, number)
}

fn number(text: &str) -> f64 {
    let text = text.trim_start_matches(['+', ' ']);
    let end = (0..=text.len()).rev().find(|end| {
        text.get(..*end).is_some_and(|start| {
            start.starts_with(|c: char| c.is_ascii_digit() || c == '-') && start.parse::<f64>().is_ok()
        })
    });
    end.and_then(|end| text.get(..end)?.parse().ok()).unwrap_or(0.0)
}

/// Whether a client takes JSON, by its header `Accept`; without one it takes anything.
pub fn takes_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return true };
    accept.split(',').any(|one| {
        let kind = one.split(';').next().unwrap_or_default().trim();
        matches!(kind, "*/*" | "application/*" | "application/json")
    })
}
